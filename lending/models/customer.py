from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Func, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.user import User


class Industry(models.Model):
    """A division of GB/T 4754, and how much of the book may stand in it."""

    class Standing(models.TextChoices):
        GREEN = "GREEN", _("Green")
        YELLOW = "YELLOW", _("Yellow")
        ORANGE = "ORANGE", _("Orange")
        RED = "RED", _("Red")

    code = models.CharField(_("code"), max_length=8, primary_key=True, help_text=_("GB/T 4754 division"))
    name = models.CharField(_("name"), max_length=120)
    name_zh = models.CharField(_("Chinese name"), max_length=120)
    concentration_cap = fields.rate(
        _("concentration cap"), default=1, help_text=_("largest share of the book, as a fraction")
    )
    standing = models.CharField(_("standing"), max_length=8, choices=Standing, default=Standing.GREEN)

    class Meta:
        verbose_name = _("industry")
        verbose_name_plural = _("industries")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(concentration_cap__gte=0, concentration_cap__lte=1), name="industry_cap_is_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.local_name}"

    @property
    def local_name(self) -> str:
        return self.name_zh if (get_language() or "").startswith("zh") else self.name


class CustomerState(models.TextChoices):
    PROSPECT = "PROSPECT", _("Prospect")
    ACTIVE = "ACTIVE", _("Active")
    BLOCKED = "BLOCKED", _("Blocked")
    CLOSED = "CLOSED", _("Closed")


class CustomerKind(models.TextChoices):
    PERSON = "PERSON", _("Person")
    COMPANY = "COMPANY", _("Company")


class Customer(FSMModelMixin, models.Model):
    """A person or a company who may owe us money."""

    Kind = CustomerKind
    State = CustomerState

    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    state = fields.state(State, State.PROSPECT, _("state"))
    name = models.CharField(_("name"), max_length=120)
    user = models.OneToOneField(
        User, models.PROTECT, null=True, blank=True, related_name="customer", verbose_name=_("user")
    )
    platform_ref = models.CharField(
        _("platform reference"),
        max_length=64,
        unique=True,
        help_text=_("the platform's own name for the customer"),
    )
    id_number = fields.EncryptedTextField(_("identity number"), blank=True)
    id_number_digest = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    phone = fields.EncryptedTextField(_("phone"), blank=True)
    phone_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    email = models.EmailField(_("e-mail"), blank=True)
    language = models.CharField(_("language"), max_length=10, default="zh-hans")
    timezone = models.CharField(_("time zone"), max_length=64, default="Asia/Shanghai")
    region = models.CharField(_("region"), max_length=64, blank=True)
    industry = models.ForeignKey(
        Industry, models.PROTECT, null=True, blank=True, related_name="customers", verbose_name=_("industry")
    )
    group_name = models.CharField(
        _("group of related parties"),
        max_length=80,
        blank=True,
        default="",
        db_default="",
        help_text=_("the same name for all who count as one debtor"),
    )
    is_student = models.BooleanField(_("student"), default=False)
    monthly_income = fields.money(_("monthly income"), null=True, blank=True, default=None)
    registered_on = models.DateField(_("on the platform since"))

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["-id"]
        permissions = [("reveal_customer", _("Can reveal identity number and phone"))]
        constraints = [
            fields.known_states("customer", CustomerState),
            models.CheckConstraint(condition=Q(kind__in=CustomerKind.values), name="customer_kind_known"),
        ]
        indexes = [
            # What lending.selectors.finding looks for: each character of a Chinese name, each word of any.
            GinIndex(
                Func("name", template="string_to_array(%(expressions)s, NULL)"), name="customer_characters"
            ),
            GinIndex(Func("name", template="to_tsvector('simple', %(expressions)s)"), name="customer_words"),
        ]

    def __str__(self) -> str:
        return self.name

    def set_id_number(self, value: str) -> None:
        self.id_number = value.strip().upper()
        self.id_number_digest = fields.digest(self.id_number) if self.id_number else None

    def set_phone(self, value: str) -> None:
        self.phone = value.strip()
        self.phone_digest = fields.digest(self.phone) if self.phone else ""

    @property
    def masked_id_number(self) -> str:
        return fields.masked(self.id_number or "", 4, 4)

    @property
    def masked_phone(self) -> str:
        return fields.masked(self.phone or "", 3, 4)

    @transition(field="state", source=[State.PROSPECT, State.ACTIVE], target=State.ACTIVE)
    def activate(self) -> None:
        """A first line or loan was booked."""

    @transition(field="state", source=[State.PROSPECT, State.ACTIVE], target=State.BLOCKED)
    def block(self) -> None:
        """No new business: fraud, sanctions, or the customer's own wish."""

    @transition(field="state", source=State.BLOCKED, target=State.ACTIVE)
    def unblock(self) -> None:
        """The reason for the block is gone."""

    @transition(field="state", source=[State.PROSPECT, State.ACTIVE, State.BLOCKED], target=State.CLOSED)
    def close(self) -> None:
        """The relation has ended."""


class Consent(models.Model):
    """What a customer agreed to, when, and when it was taken back."""

    class Purpose(models.TextChoices):
        CREDIT_ASSESSMENT = "CREDIT_ASSESSMENT", _("Credit assessment from platform data")
        BUREAU_QUERY = "BUREAU_QUERY", _("Credit bureau query")
        ELECTRONIC_NOTICES = "ELECTRONIC", _("Messages by SMS and e-mail")
        MARKETING = "MARKETING", _("Personalised offers")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="consents", verbose_name=_("customer")
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    given_at = models.DateTimeField(_("given at"))
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    text_version = models.CharField(_("version of the text"), max_length=20)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ["-given_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "purpose"],
                condition=Q(withdrawn_at=None),
                name="consent_one_standing_per_purpose",
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_purpose_display())
