"""The kinds of columns that the terms of a product are made of."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from lending import fields


def rate_is_a_fraction(value: Decimal) -> None:
    """Refuses 12 for twelve per cent, and anything below zero."""
    if not 0 <= value <= 1:
        raise ValidationError(
            _("A rate is a fraction from 0 to 1: enter 0.12 for twelve per cent."), code="fraction"
        )


def rate(verbose_name: Any, **options: Any) -> models.DecimalField:
    return fields.rate(verbose_name, validators=[rate_is_a_fraction], **options)


def bound(verbose_name: Any) -> models.DecimalField:
    """An end of the range within which an offer may deviate; empty: no further than the rate itself."""
    return rate(verbose_name, null=True, blank=True, default=None, help_text=_("empty: the rate itself"))


def count(verbose_name: Any, most: int, least: int = 0, **options: Any) -> models.PositiveSmallIntegerField:
    options.setdefault("default", least)
    validators = [MinValueValidator(least), MaxValueValidator(most)]
    return models.PositiveSmallIntegerField(verbose_name, validators=validators, **options)


def choice(verbose_name: Any, choices: Any, default: str, **options: Any) -> models.CharField:
    return models.CharField(verbose_name, max_length=24, choices=choices, default=default, **options)


def within(name: str) -> models.CheckConstraint:
    """Lowest, usual and highest in order, as far as there is a lowest and a highest."""
    low, high = f"min_{name}", f"max_{name}"
    return models.CheckConstraint(
        condition=(Q(**{low: None}) | Q(**{f"{low}__lte": F(name)}))
        & (Q(**{high: None}) | Q(**{f"{high}__gte": F(name)})),
        name=f"product_{name}_within",
    )
