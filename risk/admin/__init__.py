"""The staff's pages of risk, a module for each room."""

from risk.admin import assessments, controls, feed, models, policies, statements  # noqa: F401  (each registers its pages)
