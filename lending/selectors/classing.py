"""By which days the house judges arrears on a date: buckets, and the scale of the five classes of each product."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lending import bulk
from lending.engine.classes import Buckets, Scale
from lending.models import Customer, Product
from lending.selectors.rules import MissingRule, Table

_BUCKET = re.compile(r"BUCKET_(\d+)_FROM_DAY")
PRODUCTS = bulk.Tuples(
    "SELECT id, class_scale, lender_type, overdue_grace_days FROM lending_product ORDER BY id"
)
_PREFIX: dict[str, str] = {Product.ClassScale.GENERAL: "CLASS", Product.ClassScale.CARD: "CARD"}


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What holds on one day."""

    buckets: Buckets
    scales: dict[int, Scale]
    grace: dict[int, int]
    # By the kind of customer: more than this share of one's debt non-performing, and all of it is.
    contagion: dict[str, Decimal]


def yardstick(on: date) -> Yardstick:
    """Two statements, however many products there are. Raises MissingRule when a day of a scale is set nowhere."""
    table = Table(["BUCKET_", "CLASS_", "CARD_"], on)
    products = PRODUCTS()
    scales = {
        (scale, lender): _scale(table, scale, lender)
        for scale, lender in {(scale, lender) for _id, scale, lender, _grace in products}
    }
    return Yardstick(
        buckets=_buckets(table),
        scales={product_id: scales[scale, lender] for product_id, scale, lender, _grace in products},
        grace={product_id: grace for product_id, _scale, _lender, grace in products},
        contagion={kind: table.value(f"CLASS_CONTAGION_{kind}") for kind in Customer.Kind.values},
    )


def buckets(on: date) -> Buckets:
    """The buckets alone, for pages that name them."""
    return _buckets(Table(["BUCKET_"], on))


def _buckets(table: Table) -> Buckets:
    """As many as there are parameters, in order; they must begin later and later."""
    numbered = {int(found[1]): code for code in table.codes() if (found := _BUCKET.fullmatch(code))}
    starts = [int(table.value(numbered[number])) for number in sorted(numbered)]
    if not starts or starts[0] < 1 or starts != sorted(set(starts)):
        raise MissingRule(f"buckets that begin later and later: {starts}")
    return Buckets(tuple(starts))


def _scale(table: Table, name: str, lender_type: str) -> Scale:
    tiers = ("SPECIAL_MENTION", "SUBSTANDARD", "DOUBTFUL", "LOSS")
    days = [int(table.value(f"{_PREFIX[name]}_{tier}_FROM_DAY", lender_type)) for tier in tiers]
    if days != sorted(days):
        raise MissingRule(f"classes that begin later and later: {days}")
    return Scale(*days)
