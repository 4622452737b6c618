"""The staff's pages of risk, a module for each room."""

from risk.admin import (  # noqa: F401  (each registers its pages)
    assessments,
    controls,
    dry_runs,
    enquiries,
    failures,
    feed,
    models,
    policies,
    readings,
    reviews,
    statements,
    waivers,
)
