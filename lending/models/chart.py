import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from lending.models.user import User


class Account(models.Model):
    """A place in the chart of accounts."""

    class Kind(models.TextChoices):
        ASSET = "ASSET", _("Asset")
        LIABILITY = "LIABILITY", _("Liability")
        EQUITY = "EQUITY", _("Equity")
        INCOME = "INCOME", _("Income")
        EXPENSE = "EXPENSE", _("Expense")

    code = models.CharField(_("code"), max_length=20, primary_key=True)
    name = models.CharField(_("name"), max_length=120)
    name_zh = models.CharField(_("Chinese name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.local_name}"

    @property
    def local_name(self) -> str:
        return self.name_zh if (get_language() or "").startswith("zh") else self.name


class Role(models.TextChoices):
    """What an account is for. The house books to roles; the chart says which account plays each."""

    BANK = "BANK", _("Bank")
    MERCHANTS = "MERCHANTS", _("Payable to merchants")
    PRINCIPAL = "PRINCIPAL", _("Principal of loans")
    INTEREST_RECEIVABLE = "INTEREST_RECEIVABLE", _("Interest receivable")
    FEE_RECEIVABLE = "FEE_RECEIVABLE", _("Fees receivable")
    PENALTY_RECEIVABLE = "PENALTY_RECEIVABLE", _("Penalties receivable")
    ACCRUED_INTEREST = "ACCRUED_INTEREST", _("Interest accrued, not yet billed")
    SUSPENDED_INTEREST = "SUSPENDED_INTEREST", _("Interest in suspense")
    SUSPENDED_FEES = "SUSPENDED_FEES", _("Fees in suspense")
    SUSPENDED_PENALTIES = "SUSPENDED_PENALTIES", _("Penalties in suspense")
    PROVISION = "PROVISION", _("Provision for credit losses")
    OVERDUE = "OVERDUE", _("Principal of overdue loans")
    NON_PERFORMING = "NON_PERFORMING", _("Principal of non-performing loans")
    RECLASSIFIED = "RECLASSIFIED", _("Principal shown elsewhere")
    CREDIT_BALANCES = "CREDIT_BALANCES", _("Customers' credit balances")
    UNAPPLIED = "UNAPPLIED", _("Money that is not applied yet")
    CAPITAL = "CAPITAL", _("Paid-in capital")
    INTEREST_INCOME = "INTEREST_INCOME", _("Interest income")
    FEE_INCOME = "FEE_INCOME", _("Fee income")
    PENALTY_INCOME = "PENALTY_INCOME", _("Penalty income")
    RECOVERIES = "RECOVERIES", _("Recoveries of written-off loans")
    CREDIT_LOSSES = "CREDIT_LOSSES", _("Credit losses")
    IMPAIRMENT = "IMPAIRMENT", _("Impairment (cost of provisions)")
    GOODWILL = "GOODWILL", _("Goodwill credits")


_ASSET, _LIABILITY, _EQUITY, _INCOME, _EXPENSE = Account.Kind.values

# The kinds of account that may play a role. A contra account to an asset may be kept on either side.
KINDS: dict[str, tuple[str, ...]] = {
    Role.BANK: (_ASSET,),
    Role.MERCHANTS: (_LIABILITY,),
    Role.PRINCIPAL: (_ASSET,),
    Role.INTEREST_RECEIVABLE: (_ASSET,),
    Role.FEE_RECEIVABLE: (_ASSET,),
    Role.PENALTY_RECEIVABLE: (_ASSET,),
    Role.ACCRUED_INTEREST: (_ASSET,),
    Role.SUSPENDED_INTEREST: (_ASSET, _LIABILITY),
    Role.SUSPENDED_FEES: (_ASSET, _LIABILITY),
    Role.SUSPENDED_PENALTIES: (_ASSET, _LIABILITY),
    Role.PROVISION: (_ASSET, _LIABILITY),
    Role.OVERDUE: (_ASSET,),
    Role.NON_PERFORMING: (_ASSET,),
    Role.RECLASSIFIED: (_ASSET,),
    Role.CREDIT_BALANCES: (_LIABILITY,),
    Role.UNAPPLIED: (_LIABILITY,),
    Role.CAPITAL: (_EQUITY,),
    Role.INTEREST_INCOME: (_INCOME,),
    Role.FEE_INCOME: (_INCOME,),
    Role.PENALTY_INCOME: (_INCOME,),
    Role.RECOVERIES: (_INCOME, _EXPENSE),
    Role.CREDIT_LOSSES: (_EXPENSE,),
    Role.IMPAIRMENT: (_EXPENSE,),
    Role.GOODWILL: (_EXPENSE,),
}

# Roles whose balance must equal what the loans say: an account that plays one of them plays no other role.
CONTROL_ROLES = (
    Role.PRINCIPAL,
    Role.INTEREST_RECEIVABLE,
    Role.FEE_RECEIVABLE,
    Role.PENALTY_RECEIVABLE,
    Role.ACCRUED_INTEREST,
    Role.SUSPENDED_INTEREST,
    Role.SUSPENDED_FEES,
    Role.SUSPENDED_PENALTIES,
    Role.PROVISION,
    Role.OVERDUE,
    Role.NON_PERFORMING,
    Role.RECLASSIFIED,
    Role.CREDIT_BALANCES,
)


class AccountMapping(models.Model):
    """Which account plays a role, for the house or for one product (all its versions).

    A change ends one row and begins another, so that what was booked before stays explained.
    """

    role = models.CharField(_("role"), max_length=20, choices=Role)
    product_code = models.SlugField(
        _("product"), max_length=40, blank=True, help_text=_("empty for every product without its own")
    )
    account = models.ForeignKey(Account, models.PROTECT, related_name="roles", verbose_name=_("account"))
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"), null=True, blank=True)
    by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("account of a role")
        verbose_name_plural = _("accounts of roles")
        ordering = ["role", "product_code", "-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["role", "product_code"], condition=Q(until=None), name="account_mapping_one_current"
            ),
            models.CheckConstraint(
                condition=Q(role__in=sorted(Role.values)), name="account_mapping_role_known"
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="past_unchanged",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("role", "product_code", "account", "since"),
            ),
            pgtrigger.Protect(
                name="ended_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        whose = f" · {self.product_code}" if self.product_code else ""
        return f"{self.get_role_display()}{whose}"
