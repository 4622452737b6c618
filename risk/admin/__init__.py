"""The staff's pages of risk, a module for each room."""

from risk.admin import assessments, controls, dry_runs, feed, models, policies  # noqa: F401  (each registers its pages)
