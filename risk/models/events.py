"""What the platform tells us, and its sums by customer and day."""

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lending import fields
from lending.models import Customer, User


class EventKind(models.TextChoices):
    ORDER = "ORDER", _("Order")
    DELIVERY = "DELIVERY", _("Delivery")
    RETURN = "RETURN", _("Return")
    CANCEL = "CANCEL", _("Cancellation")
    DISPUTE = "DISPUTE", _("Dispute")
    INVOICE = "INVOICE", _("Supplier's invoice")
    INVOICE_PAID = "INVOICE_PAID", _("Supplier's invoice paid")
    GOODS_RECEIVED = "GOODS_RECEIVED", _("Goods received from a supplier")
    GOODS_REJECTED = "GOODS_REJECTED", _("Goods sent back to a supplier")
    ADDRESS_CHANGE = "ADDRESS_CHANGE", _("New delivery address")


class PlatformEvent(models.Model):
    """Something a customer did on the platform. Never edited: a correction is a further event."""

    Kind = EventKind

    # What each kind of event must carry; the others carry no money.
    MONEY = (
        *(Kind.ORDER, Kind.RETURN, Kind.CANCEL, Kind.INVOICE, Kind.INVOICE_PAID),
        *(Kind.GOODS_RECEIVED, Kind.GOODS_REJECTED),
    )

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        related_name="platform_events",
        verbose_name=_("customer"),
        db_index=False,  # the index by customer and time serves
    )
    source = models.CharField(_("source"), max_length=40)
    external_id = models.CharField(_("the source's number"), max_length=100)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    order_ref = models.CharField(_("order"), max_length=64, blank=True)
    amount = fields.money(_("amount"), null=True, blank=True, default=None)
    at = models.DateTimeField(_("when"))
    data = models.JSONField(_("details"), default=dict)
    received_at = models.DateTimeField(_("received at"))
    received_from = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sent by"),
        db_index=False,
    )

    class Meta:
        verbose_name = _("platform event")
        verbose_name_plural = _("platform events")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="platform_event_once"),
            models.CheckConstraint(condition=Q(kind__in=EventKind.values), name="platform_event_kind_known"),
            models.CheckConstraint(
                condition=Q(amount=None) | Q(amount__gte=0), name="platform_event_amount_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["customer", "at"], name="platform_event_by_customer")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.order_ref or self.external_id}"


class CustomerDay(models.Model):
    """The sums of one customer's events of one day, in the lender's time zone; moved only with its events."""

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        related_name="days",
        verbose_name=_("customer"),
        db_index=False,  # the constraint's index serves
    )
    day = models.DateField(_("day"))
    orders = models.PositiveIntegerField(_("orders"), default=0)
    order_amount = fields.money(_("ordered"))
    risky_amount = fields.money(_("ordered and easily turned into cash"))
    deliveries = models.PositiveIntegerField(_("deliveries"), default=0)
    late_deliveries = models.PositiveIntegerField(_("late deliveries"), default=0)
    returns = models.PositiveIntegerField(_("returns"), default=0)
    return_amount = fields.money(_("returned"))
    cancels = models.PositiveIntegerField(_("cancellations"), default=0)
    cancel_amount = fields.money(_("cancelled"))
    disputes = models.PositiveIntegerField(_("disputes"), default=0)
    invoices = models.PositiveIntegerField(_("invoices"), default=0)
    invoice_amount = fields.money(_("invoiced"))
    invoices_paid = models.PositiveIntegerField(_("invoices paid"), default=0)
    invoice_paid_amount = fields.money(_("invoiced and paid"))
    goods_received = models.PositiveIntegerField(_("deliveries from the supplier"), default=0)
    late_goods = models.PositiveIntegerField(_("late deliveries from the supplier"), default=0)
    goods_amount = fields.money(_("goods received"))
    rejections = models.PositiveIntegerField(_("deliveries sent back"), default=0)
    rejected_amount = fields.money(_("goods sent back"))
    address_changes = models.PositiveIntegerField(_("new addresses"), default=0)

    class Meta:
        verbose_name = _("customer's day")
        verbose_name_plural = _("customers' days")
        ordering = ["-day", "customer"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "day"], name="customer_day_once"),
            fields.not_negative(
                "customer_day",
                "order_amount",
                "risky_amount",
                "return_amount",
                "cancel_amount",
                "invoice_amount",
                "invoice_paid_amount",
                "goods_amount",
                "rejected_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} · {self.day}"
