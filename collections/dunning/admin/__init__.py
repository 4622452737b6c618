"""The collectors' and lawyers' pages, a module for each room."""

from dunning.admin import cases, contacts, legal, strategies  # noqa: F401  (each registers its pages)
