from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.engine.allocation import Allocation as PayingOrder
from lending.engine.cost import Charge
from lending.engine.daycount import DAY_COUNTS
from lending.engine.terms import Method, Terms, Unit
from lending.models import product_columns as columns
from lending.models.customer import Customer

# So that bill and due day stay within one month, as far as the month has days.
LAST_STATEMENT_DAY = 22

# What a customer signs for: frozen by the database once the version is live.
TERMS = (
    *("code", "version", "kind", "audience", "for_suppliers", "lender_type", "currency", "method"),
    *("min_amount", "default_amount", "max_amount", "tenors", "default_tenor", "every", "unit"),
    *("annual_rate", "min_annual_rate", "max_annual_rate", "fee_rate", "min_fee_rate", "max_fee_rate"),
    *("single_is_free", "upfront_fee_rate", "upfront_fee_amount"),
    *("insurance_rate", "insurance_due", "insurer", "guarantee_rate", "guarantee_due", "guarantor"),
    *("other_cost", "other_cost_name", "other_cost_name_zh", "other_cost_payee"),
    *("day_count", "interest_period", "interest_free_days", "rounding", "residue", "instalment_multiple_of"),
    *("down_payment_rate", "grace_principal_instalments", "grace_interest_instalments", "allocation"),
    *("allocation_rules", "settlement_fee", "penalty_rate", "penalty_grace_days", "penalty_cap_rate"),
    "penalty_year_days",
    *("required_coverage", "max_open_loans", "statement_day", "days_to_pay"),
)


def house_lender_type() -> str:
    """The kind of lender this house is, by settings.LENDER_TYPE."""
    return settings.LENDER_TYPE


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

    class Unit(models.TextChoices):
        DAY = "DAY", _("days")
        WEEK = "WEEK", _("weeks")
        MONTH = "MONTH", _("months")
        YEAR = "YEAR", _("years")

    class InterestPeriod(models.TextChoices):
        PERIOD = "PERIOD", _("by period")
        DAILY = "DAILY", _("by day")

    class Rounding(models.TextChoices):
        HALF_UP = "HALF_UP", _("half up")
        HALF_EVEN = "HALF_EVEN", _("half to even")
        HALF_DOWN = "HALF_DOWN", _("half down")
        UP = "UP", _("up, away from zero")
        DOWN = "DOWN", _("down, towards zero")
        CEILING = "CEILING", _("always up")
        FLOOR = "FLOOR", _("always down")

    class Residue(models.TextChoices):
        LAST = "LAST", _("all on the last instalment")
        SMOOTH = "SMOOTH", _("spread over the instalments")

    class SettlementFee(models.TextChoices):
        WAIVE = "WAIVE", _("given up when settled early")
        CHARGE = "CHARGE", _("due also when settled early")

    class Allocation(models.TextChoices):
        OLDEST_FIRST = "OLDEST_FIRST", _("oldest instalment first: penalty, fee, interest, principal")
        DUE_THEN_PRINCIPAL = "DUE_THEN_PRINCIPAL", _("what is due, then principal in advance")

    class CostDue(models.TextChoices):
        UPFRONT = "UPFRONT", _("once, when the money goes out")
        INSTALMENT = "INSTALMENT", _("with each instalment")

    code = models.SlugField(_("code"), max_length=40)
    version = models.PositiveIntegerField(_("version"), default=1)
    state = fields.state(State, State.DRAFT, _("state"))
    name = models.CharField(_("name"), max_length=120)
    name_zh = models.CharField(_("Chinese name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind)
    audience = models.CharField(_("for"), max_length=8, choices=Customer.Kind)
    for_suppliers = models.BooleanField(
        _("for suppliers"),
        default=False,
        help_text=_("judged by deliveries, invoices and disputes, and not by its accounts"),
    )
    lender_type = models.CharField(
        _("lender type"),
        max_length=20,
        choices=LenderType,
        default=house_lender_type,
        help_text=_("who lends decides which legal cap holds"),
    )
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    method = models.CharField(_("method"), max_length=20, choices=Method)
    # How much, and in how many instalments.
    min_amount = fields.money(_("smallest amount"), default=Decimal("100.00"))
    default_amount = fields.money(
        _("usual amount"), null=True, blank=True, default=None, help_text=_("filled in for an application")
    )
    max_amount = fields.money(_("largest amount"))
    tenors = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=_("tenors"),
        help_text=_("the numbers of instalments on offer, apart by commas"),
    )
    default_tenor = models.PositiveSmallIntegerField(
        _("usual tenor"),
        null=True,
        blank=True,
        help_text=_("one of the tenors, filled in for an application"),
    )
    every = columns.count(
        _("an instalment every"),
        366,
        1,
        help_text=_("1 with months: monthly; 2 with weeks: every other week"),
    )
    unit = columns.choice(_("unit"), Unit, Unit.MONTH)
    # What it costs.
    annual_rate = columns.rate(_("annual rate"), help_text=_("nominal yearly fraction, 0.12 is 12%"))
    min_annual_rate = columns.bound(_("lowest annual rate"))
    max_annual_rate = columns.bound(_("highest annual rate"))
    fee_rate = columns.rate(_("fee rate per instalment"), help_text=_("share of the original principal"))
    min_fee_rate = columns.bound(_("lowest fee rate"))
    max_fee_rate = columns.bound(_("highest fee rate"))
    single_is_free = models.BooleanField(
        _("no fee for a single instalment"), default=False, help_text=_("buy now, pay with the next bill")
    )
    upfront_fee_rate = columns.rate(_("upfront fee rate"), help_text=_("share of the principal, kept back"))
    upfront_fee_amount = fields.money(
        _("upfront fee, fixed"), help_text=_("on top of the share, kept back when the money goes out")
    )
    # What others charge for this credit. It is paid to them directly and counts in the annual cost.
    insurance_rate = columns.rate(
        _("insurance premium"), help_text=_("share of the principal, each time it is due")
    )
    insurance_due = columns.choice(_("premium due"), CostDue, CostDue.UPFRONT)
    insurer = models.CharField(_("insurer"), max_length=120, blank=True)
    guarantee_rate = columns.rate(
        _("guarantee fee"), help_text=_("share of the principal, each time it is due")
    )
    guarantee_due = columns.choice(_("guarantee fee due"), CostDue, CostDue.INSTALMENT)
    guarantor = models.CharField(_("guarantee company"), max_length=120, blank=True)
    other_cost = fields.money(_("other cost"), help_text=_("an amount due once: appraisal, notary, register"))
    other_cost_name = models.CharField(_("what the other cost is"), max_length=80, blank=True)
    other_cost_name_zh = models.CharField(_("the same in Chinese"), max_length=80, blank=True)
    other_cost_payee = models.CharField(_("who collects it"), max_length=120, blank=True)
    # How interest is counted and amounts are rounded.
    day_count = models.CharField(
        _("day count"), max_length=20, default="30/360", choices=[(one, one) for one in DAY_COUNTS]
    )
    interest_period = models.CharField(
        _("interest period"),
        max_length=8,
        choices=InterestPeriod,
        default=InterestPeriod.PERIOD,
        help_text=_("by period, every month costs the same; by day, a longer month costs more"),
    )
    interest_free_days = columns.count(
        _("interest-free days"), 3650, help_text=_("from the day the money goes out")
    )
    rounding = columns.choice(_("rounding"), Rounding, Rounding.HALF_UP)
    residue = columns.choice(_("cents left over"), Residue, Residue.LAST)
    instalment_multiple_of = fields.money(
        _("instalments in multiples of"), null=True, blank=True, default=None, help_text=_("1 for whole yuan")
    )
    # How it is paid back.
    down_payment_rate = columns.rate(_("down payment"), help_text=_("share due on the first day"))
    grace_principal_instalments = columns.count(
        _("instalments without principal"), 600, help_text=_("only interest is due on the first ones")
    )
    grace_interest_instalments = columns.count(
        _("instalments without interest"), 600, help_text=_("interest is counted and falls due later")
    )
    allocation = columns.choice(_("a payment pays"), Allocation, Allocation.OLDEST_FIRST)
    # An order of our own, as `engine.Allocation` reads it; it goes before the preset above.
    allocation_rules = models.JSONField(
        _("order of its own for payments"), null=True, blank=True, editable=False
    )
    settlement_fee = columns.choice(_("fees of later instalments"), SettlementFee, SettlementFee.WAIVE)
    # When it is late.
    penalty_rate = columns.rate(_("penalty rate"), help_text=_("yearly fraction on overdue principal"))
    penalty_grace_days = columns.count(
        _("penalty grace days"), 365, help_text=_("late days that cost nothing")
    )
    penalty_cap_rate = columns.rate(
        _("most penalty"),
        null=True,
        blank=True,
        default=None,
        help_text=_("share of the amount lent at which all penalty of a loan ends; empty: no end"),
    )
    penalty_year_days = models.PositiveSmallIntegerField(
        _("days of a penalty year"), default=365, choices=[(360, 360), (365, 365)]
    )
    # How the house judges arrears: no term that a customer signs.
    overdue_grace_days = models.PositiveSmallIntegerField(
        _("grace days"), default=0, help_text=_("late, but still in bucket M0")
    )
    class_scale = models.CharField(
        _("scale of the five classes"), max_length=8, choices=ClassScale, default=ClassScale.GENERAL
    )
    # What must be there first, and how bills go.
    required_coverage = columns.rate(
        _("required security"),
        help_text=_("lending value of pledged collateral as a share of the amount; 0: unsecured"),
    )
    max_open_loans = models.PositiveSmallIntegerField(
        _("most loans at a time"), null=True, blank=True, help_text=_("per customer; empty: no limit")
    )
    statement_day = models.PositiveSmallIntegerField(
        _("statement day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LAST_STATEMENT_DAY)],
        help_text=_("of lines; empty: the day the line is opened"),
    )
    days_to_pay = columns.count(
        _("days from bill to due day"),
        9,
        1,
        default=9,
        help_text=_("of lines; never past the end of the month"),
    )
    authorisation_days = models.PositiveSmallIntegerField(_("days an authorisation holds"), default=7)
    offer_days = models.PositiveSmallIntegerField(_("days an offer stands"), default=14)
    # How often a loan may be restructured, and how long it is watched after it. No term of the contract: it may
    # change while the product is on sale.
    max_restructurings = models.PositiveSmallIntegerField(_("most restructurings"), default=2)
    restructuring_months = models.PositiveSmallIntegerField(_("... within months"), default=24)
    watch_months = models.PositiveSmallIntegerField(_("months a restructured loan is watched"), default=12)

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
                condition=Q(min_amount__gt=0, max_amount__gte=F("min_amount")),
                name="product_amounts_in_order",
            ),
            models.CheckConstraint(
                condition=Q(
                    annual_rate__gte=0, fee_rate__gte=0, upfront_fee_rate__gte=0, penalty_rate__gte=0
                ),
                name="product_rates_not_negative",
            ),
            fields.not_negative("product", "upfront_fee_amount", "other_cost"),
            models.CheckConstraint(
                condition=Q(for_suppliers=False) | Q(audience="COMPANY"),
                name="product_suppliers_are_companies",
            ),
            models.CheckConstraint(condition=Q(tenors__len__gte=1), name="product_has_tenor"),
            models.CheckConstraint(
                condition=Q(default_amount=None)
                | Q(default_amount__gte=F("min_amount"), default_amount__lte=F("max_amount")),
                name="product_usual_amount_within",
            ),
            models.CheckConstraint(
                condition=Q(default_tenor=None) | Q(tenors__contains=[F("default_tenor")]),
                name="product_usual_tenor_on_offer",
            ),
            columns.within("annual_rate"),
            columns.within("fee_rate"),
            models.CheckConstraint(
                condition=Q(kind="LOAN") | Q(unit="MONTH", every=1), name="product_line_is_monthly"
            ),
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

    @property
    def is_monthly(self) -> bool:
        return self.unit == "MONTH" and self.every == 1

    @property
    def usual_amount(self) -> Decimal:
        """What is filled in where nothing is known yet."""
        return self.min_amount if self.default_amount is None else self.default_amount

    @property
    def usual_tenor(self) -> int:
        return self.default_tenor or max(self.tenors)

    @property
    def rate_range(self) -> tuple[Decimal, Decimal]:
        """The lowest and highest annual rate an offer may have."""
        return _range(self.min_annual_rate, self.annual_rate, self.max_annual_rate)

    @property
    def fee_range(self) -> tuple[Decimal, Decimal]:
        """The lowest and highest fee rate per instalment an offer may have."""
        return _range(self.min_fee_rate, self.fee_rate, self.max_fee_rate)

    def terms(
        self,
        amount: Decimal,
        tenor: int,
        on: date,
        first_due_on: date | None = None,
        *,
        annual_rate: Decimal | None = None,
        fee_rate: Decimal | None = None,
    ) -> Terms:
        """The terms of a loan of `amount` in `tenor` instalments, paid out `on` that day; the product's own
        price unless another is given. Raises TermsError."""
        fee_rate = self.fee_rate if fee_rate is None else fee_rate
        return Terms(
            principal=amount,
            annual_rate=self.annual_rate if annual_rate is None else annual_rate,
            method=Method(self.method),
            instalments=tenor,
            every=self.every,
            unit=Unit(self.unit),
            disbursed_on=on,
            first_due_on=first_due_on,
            fee_rate=Decimal(0) if self.single_is_free and tenor == 1 else fee_rate,
            upfront_fee=_share(amount, self.upfront_fee_rate) + self.upfront_fee_amount,
            penalty_cap=None if self.penalty_cap_rate is None else _share(amount, self.penalty_cap_rate),
            day_count_penalty=self.penalty_year_days,
            allocation=self.paying_order,
            **{name: getattr(self, name) for name in _SAME},
        )

    @property
    def paying_order(self) -> str | PayingOrder:
        """Which part of a debt a payment pays first."""
        return PayingOrder.from_json(self.allocation_rules) if self.allocation_rules else self.allocation

    def charges(self, amount: Decimal) -> tuple[Charge, ...]:
        """What others charge for a loan of `amount`, each item that is not nothing."""
        items = (
            Charge("INSURANCE", _share(amount, self.insurance_rate), self.insurance_due == "UPFRONT"),
            Charge("GUARANTEE", _share(amount, self.guarantee_rate), self.guarantee_due == "UPFRONT"),
            Charge("OTHER", self.other_cost, upfront=True),
        )
        return tuple(item for item in items if item.amount)

    @transition(field="state", source=State.DRAFT, target=State.LIVE)
    def go_live(self) -> None:
        """From now on the terms cannot change; a change is a new version."""

    @transition(field="state", source=State.LIVE, target=State.RETIRED)
    def retire(self) -> None:
        """No new business; what was sold lives on."""


# The terms that the engine knows by the name of the column.
_SAME = (
    *("day_count", "interest_period", "interest_free_days", "rounding", "residue", "instalment_multiple_of"),
    *("down_payment_rate", "grace_principal_instalments", "grace_interest_instalments"),
    *("settlement_fee", "penalty_rate", "penalty_grace_days"),
)


def _range(low: Decimal | None, usual: Decimal, high: Decimal | None) -> tuple[Decimal, Decimal]:
    return usual if low is None else low, usual if high is None else high


def _share(amount: Decimal, rate: Decimal) -> Decimal:
    return (amount * rate).quantize(fields.ZERO, ROUND_HALF_UP)
