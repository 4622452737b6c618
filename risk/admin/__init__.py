"""The staff's pages of risk, a module for each room."""

from risk.admin import assessments, controls, enquiries, failures, feed, models, policies, reviews, waivers  # noqa: F401  (each registers its pages)
