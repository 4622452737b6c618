"""The staff's pages of lending, a module for each room. Shared ground: base, forms, parts, export, filters."""

from lending.admin import (  # noqa: F401  (each module registers its pages)
    applications,
    approvals,
    bank,
    billing,
    chart,
    close,
    collateral,
    customers,
    house,
    ledger,
    lines,
    loans,
    mandates,
    offers,
    payment_files,
    people,
    periods,
    products,
    relief,
    unapplied,
)
