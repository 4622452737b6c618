import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from lending import fields
from lending.models.chart import Account
from lending.models.loan import Loan, Transaction
from lending.models.product import Product

APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class JournalEntry(models.Model):
    """One booking. Its lines sum to zero (a deferred trigger says so) and it is never changed."""

    booked_on = models.DateField(_("booked on"), db_index=True)
    value_on = models.DateField(_("value date"))
    key = models.CharField(_("key"), max_length=120, unique=True)
    memo = models.CharField(_("memo"), max_length=200)
    transaction = models.OneToOneField(
        Transaction,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="entry",
        verbose_name=_("transaction"),
    )
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("product")
    )

    class Meta:
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal entries")
        ordering = ["-id"]
        triggers = [
            APPEND_ONLY,
            pgtrigger.Trigger(
                name="dated_into_open_days",
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                level=pgtrigger.Statement,
                referencing=pgtrigger.Referencing(new="new_entries"),
                func="""
                    IF EXISTS (
                        SELECT FROM new_entries n JOIN lending_accountingperiod p
                            ON p.month = date_trunc('month', n.booked_on)::date
                        WHERE p.state = 'CLOSED'
                    ) THEN
                        RAISE EXCEPTION 'the accounting period is closed' USING ERRCODE = 'check_violation';
                    END IF;
                    DELETE FROM lending_accountday WHERE date >= (SELECT MIN(booked_on) FROM new_entries);
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"J{self.pk:08d} {self.memo}"


class JournalLine(models.Model):
    """One side of a booking: debit above zero, credit below."""

    entry = models.ForeignKey(
        JournalEntry, models.PROTECT, related_name="lines", verbose_name=_("journal entry")
    )
    account = models.ForeignKey(Account, models.PROTECT, related_name="lines", verbose_name=_("account"))
    amount = fields.money(_("amount"), help_text=_("debit above zero, credit below"))
    loan = models.ForeignKey(
        Loan,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="journal_lines",
        verbose_name=_("loan"),
    )

    class Meta:
        verbose_name = _("journal line")
        verbose_name_plural = _("journal lines")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(amount=0), name="journal_line_not_zero"),
        ]
        triggers = [
            APPEND_ONLY,
            pgtrigger.Trigger(
                name="entry_sums_to_zero",
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                level=pgtrigger.Row,
                timing=pgtrigger.Deferred,
                func="""
                    IF (SELECT SUM(amount) FROM lending_journalline WHERE entry_id = NEW.entry_id) <> 0 THEN
                        RAISE EXCEPTION 'journal entry % does not sum to zero', NEW.entry_id
                            USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount}"
