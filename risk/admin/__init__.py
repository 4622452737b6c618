"""The staff's pages of risk, a module for each room."""

from risk.admin import assessments, controls, failures, feed, models, policies, reviews  # noqa: F401  (each registers its pages)
