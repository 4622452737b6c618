"""The staff's pages of risk, a module for each room."""

from risk.admin import (  # noqa: F401  (each registers its pages)
    assessments,
    controls,
    enquiries,
    failures,
    feed,
    models,
    policies,
    readings,
    reviews,
    waivers,
)
