"""Every feature, declared once: its names, where it comes from, how it is computed and what we expect of it.

`sql` is an expression over the rows `s` of its source for one customer and one moment, which
`risk.selectors.features` lays out; the same expression trains, scores and replays. Unknown is NULL and never
zero: of a customer whom the platform has told us nothing about, we do not know that they ordered nothing.
"""

from collections.abc import Iterable

from risk.features.base import (
    ACCOUNTS,
    APPLICATIONS,
    DAYS,
    DUE,
    INDUSTRY,
    INVOICES,
    LINE,
    LOANS,
    PEERS,
    PROFILE,
    SOURCES,
    Feature,
)
from risk.features.company import COMPANY_FEATURES
from risk.features.person import PERSON_FEATURES
from risk.features.supplier import SUPPLIER_FEATURES

PERSON, COMPANY, SUPPLIER = "PERSON", "COMPANY", "SUPPLIER"
BY_SEGMENT: dict[str, tuple[Feature, ...]] = {
    PERSON: PERSON_FEATURES,
    COMPANY: COMPANY_FEATURES,
    SUPPLIER: SUPPLIER_FEATURES,
}
ALL: dict[str, Feature] = {f.name: f for features in BY_SEGMENT.values() for f in features}

__all__ = [
    "ACCOUNTS",
    "ALL",
    "APPLICATIONS",
    "BY_SEGMENT",
    "COMPANY",
    "COMPANY_FEATURES",
    "DAYS",
    "DUE",
    "INDUSTRY",
    "INVOICES",
    "LINE",
    "LOANS",
    "PEERS",
    "PERSON",
    "PERSON_FEATURES",
    "PROFILE",
    "SOURCES",
    "SUPPLIER",
    "SUPPLIER_FEATURES",
    "Feature",
    "by_source",
    "names",
]


def names(segment: str) -> list[str]:
    return [feature.name for feature in BY_SEGMENT[segment]]


def by_source(features: Iterable[Feature]) -> dict[str, list[Feature]]:
    found: dict[str, list[Feature]] = {}
    for feature in features:
        found.setdefault(feature.source, []).append(feature)
    return found
