"""Scorecards to begin with: what a platform would learn from a pilot with thousands of customers.

The demo is too small to learn from its own past, and a house without a scorecard sends every application to a person.
So it begins with the cards in `cards/`, which `manage.py train_pilot` makes: from a larger world, with the features
that the product computes from its events and accounts, and with who would have paid and who would not.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import transaction

from config.simulation import world
from config.simulation.cast import moment
from config.simulation.paying import pays_on
from config.simulation.shop import as_rows
from config.simulation.streams import stream
from config.simulation.world import Someone, World
from lending.models import Customer, User
from risk import features
from risk.models import ModelVersion, Segment
from risk.selectors.features import Moment, vectors_at
from risk.services import events, filings, models, training

FOLDER = Path(__file__).parent / "cards"
SEED = 20_260_101
BILLS = 5
START, END = date(2025, 1, 1), date(2025, 12, 31)
BATCH = 5000
# Of suppliers there is no pilot: until a model is in charge of them, their applications go to a person.
PILOTED = (Segment.PERSON, Segment.COMPANY)


@transaction.atomic
def train(people: int, companies: int) -> dict[str, training.Training]:
    """Learn from a world of that size and write the cards; nothing stays in the database."""
    place = world.build(SEED, people, companies, START, END)
    ids = _move_in(place)
    runs = {}
    for segment, inhabitants in ((Segment.PERSON, place.people), (Segment.COMPANY, place.companies)):
        run = _run(segment, place, inhabitants, ids)
        card, measured = training.fit(run)
        content = {"card": card.to_json(), "sha256": card.sha256, "metrics": measured | {"window_days": 180}}
        _file(segment).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        runs[segment] = run
    transaction.set_rollback(True)
    return runs


def install(staff: Mapping[str, User], on: date) -> None:
    """Put the cards of the pilot in charge: the analyst answers for them, the senior approver promotes them."""
    for segment in PILOTED:
        content = json.loads(_file(segment).read_text())
        model = ModelVersion(
            segment=segment,
            version=1,
            card=content["card"],
            sha256=content["sha256"],
            metrics=content["metrics"],
            author=staff["risk_analyst"],
            created_at=moment(on, 7),
        )
        model.validate()
        model.save(force_insert=True)
        models.promote(model_id=model.pk, by=staff["senior_approver"], at=moment(on, 8))


def _file(segment: str) -> Path:
    return FOLDER / f"{segment.lower()}.json"


def _move_in(place: World) -> dict[str, int]:
    """Everyone as a customer, with their events and accounts."""
    Customer.objects.bulk_create(_customer(who) for who in place.everyone)
    ids = dict(Customer.objects.values_list("platform_ref", "pk"))
    acts = iter([act for day in place.acts().values() for act in day])
    while batch := list(islice(acts, BATCH)):
        events.ingest(rows=as_rows(batch), at=moment(END, 23, 59))
    for company in place.companies:
        for answer in place.accounts(company, START)["statements"]:
            filings.file_statement(
                company_id=ids[company.ref], **answer, by=None, at=moment(START - timedelta(days=1), 9)
            )
    return ids


def _customer(who: Someone) -> Customer:
    return Customer(
        kind=Segment.COMPANY if who.ref.startswith("C") else Segment.PERSON,
        name=who.name,
        platform_ref=who.ref,
        registered_on=who.registered_on,
        industry_id=getattr(who, "industry", None),
        monthly_income=who.monthly_income,
    )


def _run(segment: str, place: World, inhabitants: Any, ids: dict[str, int]) -> training.Training:
    """Everyone applies once; who would be a month late with one of the first bills is bad."""
    applying = sorted(_applications(place, inhabitants), key=lambda pair: (pair[1], pair[0].number))
    vectors = vectors_at(segment, [Moment(ids[who.ref], moment(on, 9)) for who, on in applying])
    cases = [
        training.Case(number, ids[who.ref], moment(on, 9), _bad(who, on), vector)
        for number, ((who, on), vector) in enumerate(zip(applying, vectors, strict=True), 1)
    ]
    split = int(len(cases) * training.TRAIN_SHARE)
    used = [
        feature.spec
        for feature in features.BY_SEGMENT[segment]
        if len({case.vector[feature.name] for case in cases[:split]}) > 1
    ]
    return training.Training(segment, moment(END, 0), cases, split, used)


def _applications(place: World, inhabitants: Any) -> Iterator[tuple[Someone, date]]:
    """Half a year of applications, so that the other half shows what became of them."""
    for who in inhabitants:
        yield who, START + timedelta(days=stream(SEED, "pilot", who.ref).randrange(180))


def _bad(who: Someone, on: date) -> bool:
    bills = [on + timedelta(days=30 * number + 9) for number in range(1, BILLS + 1)]
    return any((pays_on(SEED, who, due_on) - due_on).days >= training.BAD_DAYS for due_on in bills)
