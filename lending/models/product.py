from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.engine.terms import Method, Terms
from lending.models.customer import Customer

# What a customer signs for: frozen by the database once the version is live.
TERMS = (
    "code",
    "version",
    "kind",
    "audience",
    "lender_type",
    "currency",
    "method",
    "annual_rate",
    "fee_rate",
    "single_is_free",
    "upfront_fee_rate",
    "day_count",
    "interest_period",
    "tenors",
    "min_amount",
    "max_amount",
    "penalty_rate",
    "penalty_grace_days",
)


class ProductState(models.TextChoices):
    DRAFT = "DRAFT", _("Draft")
    LIVE = "LIVE", _("Live")
    RETIRED = "RETIRED", _("Retired")


class Product(FSMModelMixin, models.Model):
    """What can be sold: one version of its terms, frozen as soon as it is live."""

    State = ProductState

    class Kind(models.TextChoices):
        LINE = "LINE", _("Credit line for purchases")
        LOAN = "LOAN", _("Loan")

    class Method(models.TextChoices):
        EQUAL_INSTALMENT = "EQUAL_INSTALMENT", _("Equal instalment")
        EQUAL_PRINCIPAL = "EQUAL_PRINCIPAL", _("Equal principal")
        INTEREST_ONLY = "INTEREST_ONLY", _("Interest only, principal at the end")
        BULLET = "BULLET", _("Bullet")
        FLAT = "FLAT", _("Flat rate")
        FLAT_FEE = "FLAT_FEE", _("Flat fee per instalment")

    class LenderType(models.TextChoices):
        BANK = "BANK", _("Bank")
        MICRO_LOAN = "MICRO_LOAN", _("Micro-loan company")
        CONSUMER_FINANCE = "CONSUMER_FINANCE", _("Consumer finance company")

    class ClassScale(models.TextChoices):
        GENERAL = "GENERAL", _("Loans in general")
        CARD = "CARD", _("Cards and revolving lines")

    code = models.SlugField(_("code"), max_length=40)
    version = models.PositiveIntegerField(_("version"), default=1)
    state = fields.state(State, State.DRAFT, _("state"))
    name = models.CharField(_("name"), max_length=120)
    name_zh = models.CharField(_("Chinese name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind)
    audience = models.CharField(_("for"), max_length=8, choices=Customer.Kind)
    lender_type = models.CharField(
        _("lender type"), max_length=20, choices=LenderType, default=LenderType.MICRO_LOAN
    )
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    method = models.CharField(_("method"), max_length=20, choices=Method)
    annual_rate = fields.rate(_("annual rate"), help_text=_("nominal yearly fraction, 0.12 is 12%"))
    fee_rate = fields.rate(_("fee rate per instalment"), help_text=_("share of the original principal"))
    single_is_free = models.BooleanField(
        _("no fee for a single instalment"), default=False, help_text=_("buy now, pay with the next bill")
    )
    upfront_fee_rate = fields.rate(_("upfront fee rate"), help_text=_("share of the original principal"))
    day_count = models.CharField(_("day count"), max_length=20, default="30/360")
    interest_period = models.CharField(_("interest period"), max_length=8, default="PERIOD")
    tenors = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=_("tenors"),
        help_text=_("numbers of monthly instalments"),
    )
    min_amount = fields.money(_("smallest amount"), default=Decimal("100.00"))
    max_amount = fields.money(_("largest amount"))
    penalty_rate = fields.rate(_("penalty rate"), help_text=_("yearly fraction on overdue principal"))
    penalty_grace_days = models.PositiveSmallIntegerField(_("penalty grace days"), default=0)
    # How the house judges arrears: no term that a customer signs.
    overdue_grace_days = models.PositiveSmallIntegerField(
        _("grace days"), default=0, help_text=_("late, but still in bucket M0")
    )
    class_scale = models.CharField(
        _("scale of the five classes"), max_length=8, choices=ClassScale, default=ClassScale.GENERAL
    )
    authorisation_days = models.PositiveSmallIntegerField(_("days an authorisation holds"), default=7)
    offer_days = models.PositiveSmallIntegerField(_("days an offer stands"), default=14)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["code", "-version"]
        constraints = [
            fields.known_states("product", ProductState),
            models.UniqueConstraint(fields=["code", "version"], name="product_version_once"),
            models.UniqueConstraint(
                fields=["code"], condition=Q(state="LIVE"), name="product_one_live_version"
            ),
            models.CheckConstraint(
                condition=Q(min_amount__gt=0, max_amount__gte=models.F("min_amount")),
                name="product_amounts_in_order",
            ),
            models.CheckConstraint(
                condition=Q(
                    annual_rate__gte=0, fee_rate__gte=0, upfront_fee_rate__gte=0, penalty_rate__gte=0
                ),
                name="product_rates_not_negative",
            ),
            models.CheckConstraint(condition=Q(tenors__len__gte=1), name="product_has_tenor"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="terms_frozen_once_live",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.AnyChange(*TERMS),
                func="""
                    IF OLD.state <> 'DRAFT' THEN
                        RAISE EXCEPTION 'the terms of a product are frozen once it is live'
                            USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.local_name} v{self.version}"

    @property
    def local_name(self) -> str:
        return self.name_zh if (get_language() or "").startswith("zh") else self.name

    def terms(self, amount: Decimal, tenor: int, on: date, first_due_on: date | None = None) -> Terms:
        """The terms of a loan of `amount` in `tenor` monthly instalments, paid out `on` that day."""
        fee_rate = Decimal(0) if self.single_is_free and tenor == 1 else self.fee_rate
        return Terms(
            principal=amount,
            annual_rate=self.annual_rate,
            method=Method(self.method),
            instalments=tenor,
            disbursed_on=on,
            first_due_on=first_due_on,
            day_count=self.day_count,
            interest_period=self.interest_period,
            rounding="HALF_UP",
            fee_rate=fee_rate,
            upfront_fee=(amount * self.upfront_fee_rate).quantize(fields.ZERO, ROUND_HALF_UP),
            penalty_rate=self.penalty_rate,
            penalty_grace_days=self.penalty_grace_days,
        )

    @transition(field="state", source=State.DRAFT, target=State.LIVE)
    def go_live(self) -> None:
        """From now on the terms cannot change; a change is a new version."""

    @transition(field="state", source=State.LIVE, target=State.RETIRED)
    def retire(self) -> None:
        """No new business; what was sold lives on."""
