"""The roles of the staff, as groups whose permissions are code: installed after every migration.

Each app says in its own `roles.py` what a role may do there (`GRANTS`), and settings.ROLE_GRANTS lists those
tables. The compliance officer sees everything that the apps listed there hold, and changes nothing. A group made
by hand under another name is left alone.
"""

from fnmatch import filter as fnfilter
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending.models import User

READER = "compliance_officer"

ROLES = {
    "credit_officer": _("Credit officer"),
    "senior_approver": _("Senior approver"),
    "risk_analyst": _("Risk analyst"),
    "collector": _("Collector"),
    "legal_officer": _("Legal officer"),
    "accountant": _("Accountant"),
    READER: _("Compliance officer and auditor"),
}

_CUSTOMER_FILE = (
    *("view_customer", "view_consent", "view_industry", "view_creditline", "view_linehold"),
    *(
        "view_limitchange",
        "view_limitoffer",
        "view_temporarylimit",
        "view_purchase",
        "view_loan",
        "view_instalment",
    ),
    *("view_transaction", "view_statement", "view_payment", "view_collateral", "view_notice", "view_event"),
    *("view_unappliedmoney", "view_unappliedmove", "view_mandate", "view_mandateaccount", "view_debit"),
    *("view_debitattempt", "view_downgrade", "view_reliefrequest"),
    *("view_product", "view_noticetemplate", "view_ruleparameter", "view_approvalrequest"),
)
_FILE_AND_ASK = (*_CUSTOMER_FILE, "add_approvalrequest")
# The history of the book and what it is expected to lose.
_BOOK = (
    *("view_bookmonth", "view_loansnapshot", "view_provisionmonth", "view_loanprovision"),
    "view_defaultrate",
)
_APPLICATIONS = ("view_application", "view_document", "view_offer")
_LEDGER = (
    *("view_account", "view_journalentry", "view_journalline", "view_dayclose", "view_businessdate"),
    *("view_accountmapping", "view_interestsuspension", "view_accountingperiod", "view_controlbalance"),
    *(
        "view_accountday",
        "change_businessdate",
        "view_businessday",
        "view_closeexception",
        "change_closeexception",
    ),
)
_MONEY_IN = (
    *("add_unappliedmoney", "apply_unapplied", "view_paymentfile", "view_paymentrow", "add_paymentfile"),
    *("change_paymentfile", "view_bankstatement", "view_bankline", "match_bankline"),
    *("change_mandate", "change_debit"),
)
_COLLECTING = (
    *(*_FILE_AND_ASK, "reveal_customer", "change_loan", "restructure_loan", "accelerate_loan"),
    "change_reliefrequest",
)

# What each role may do in lending. The standard codenames mean: change_customer, to block and unblock;
# change_purchase, to void and refund; change_loan, to waive; change_reliefrequest, to answer a customer's
# request; change_collateral, to move it through
# its states; add_product and change_product, to write a draft and ask to put it on sale, and, with check_approval,
# to allow that; add_approvalrequest, to take back what one asked a second person for; change_businessdate, to
# close the day; add_unappliedmoney, to take in money that cannot be placed; add_paymentfile and change_paymentfile,
# to upload payment files and confirm them; change_closeexception, to take a loan
# that was set aside in again.
GRANTS: dict[str, tuple[str, ...]] = {
    "credit_officer": (
        *_FILE_AND_ASK,
        *_APPLICATIONS,
        *("decide_application", "steer_line", "reveal_customer", "change_customer", "change_purchase"),
        *("add_collateral", "change_collateral", "change_loan", "restructure_loan", "disburse_loan"),
        "change_reliefrequest",
    ),
    "senior_approver": (
        *_FILE_AND_ASK,
        *_BOOK,
        *_APPLICATIONS,
        *("decide_application", "check_approval", "steer_line", "reveal_customer", "change_customer"),
        *("change_purchase", "add_collateral", "change_collateral", "add_product", "change_product"),
        *("change_loan", "write_off_loan", "classify_loan", "restructure_loan", "accelerate_loan"),
        *("disburse_loan", "change_reliefrequest"),
    ),
    "risk_analyst": (
        *_FILE_AND_ASK,
        *_BOOK,
        *_APPLICATIONS,
        "steer_line",
        "classify_loan",
        "add_product",
        "change_product",
    ),
    "collector": _COLLECTING,
    "legal_officer": (*_COLLECTING, "change_collateral", "write_off_loan", "change_noticetemplate"),
    "accountant": (
        *_FILE_AND_ASK,
        *_LEDGER,
        *_BOOK,
        *_MONEY_IN,
        *("post_transaction", "write_off_loan", "change_loan", "check_approval", "disburse_loan"),
        "refund_loan",
        *("add_account", "change_account", "delete_account", "change_accountingperiod"),
    ),
    READER: ("axes.view_*", "auth.view_group"),
}


def granted(role: str) -> list[str]:
    """The patterns ("app.codename", with * as a wildcard) of everything a role may do."""
    patterns = []
    for path in settings.ROLE_GRANTS:
        app = path.partition(".")[0]
        names = import_string(path).get(role, ())
        patterns += [name if "." in name else f"{app}.{name}" for name in names]
        if role == READER:
            patterns.append(f"{app}.view_*")
    return patterns


@transaction.atomic
def install(sender: AppConfig, **kwargs: Any) -> None:
    """Give every role its permissions on the app that has just been migrated, and take others on it away."""
    patterns = {role: [p for p in granted(role) if p.startswith(f"{sender.label}.")] for role in ROLES}
    if not any(patterns.values()):
        return
    permissions = Permission.objects.filter(content_type__app_label=sender.label)
    available = {f"{sender.label}.{permission.codename}": permission for permission in permissions}
    for role, wanted_patterns in patterns.items():
        group, _made = Group.objects.get_or_create(name=role)
        wanted = {available[name] for pattern in wanted_patterns for name in fnfilter(available, pattern)}
        held = set(group.permissions.filter(content_type__app_label=sender.label))
        group.permissions.remove(*held - wanted)
        group.permissions.add(*wanted - held)


@transaction.atomic
def demo_users() -> list[User]:
    """One member of staff per role, named like the role, all with settings.DEMO_PASSWORD.

    Raises ImproperlyConfigured where no such password is set: outside DEBUG there is no default.
    """
    if not settings.DEMO_PASSWORD:
        raise ImproperlyConfigured("DEMO_PASSWORD must be set to make demo users outside DEBUG.")
    return [_demo_user(role, settings.DEMO_PASSWORD) for role in ROLES]


def _demo_user(role: str, password: str) -> User:
    user, _made = User.objects.get_or_create(
        username=role, defaults={"email": f"{role}@example.com", "is_staff": True}
    )
    user.set_password(password)
    user.save()
    user.groups.set([Group.objects.get(name=role)])
    return user
