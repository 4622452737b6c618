"""The chart of accounts: which accounts there are, and which of them plays each role for which product.

A change holds for what is booked from now on; what was booked stays where it is, and the mapping of before is kept.
"""

import re
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.models import Account, AccountMapping, JournalLine, Product, Role, User
from lending.models.chart import CONTROL_ROLES, KINDS

# Digits, as national charts have them; an event names its account by that number.
CODE = re.compile(r"[1-9][0-9]{3,17}")


@transaction.atomic
def open_account(*, code: str, name: str, name_zh: str, kind: str, by: User | None, at: datetime) -> Account:
    """A new place in the chart; its kind never changes."""
    if not CODE.fullmatch(code):
        raise Refused("code", _("A code has 4 to 18 digits and does not begin with zero."), field="code")
    if kind not in Account.Kind.values:
        raise Refused("kind", _("There is no such kind of account."), field="kind")
    names = _names(name, name_zh)
    account, made = Account.objects.get_or_create(code=code, defaults={"kind": kind, **names})
    if not made:
        raise Refused("code_taken", _("There is an account with this code already."), field="code")
    events.record("account.opened", account, by=by, at=at, code=code, account_kind=kind, **names)
    return account


@transaction.atomic
def rename_account(*, code: str, name: str, name_zh: str, by: User | None, at: datetime) -> Account:
    account = Account.objects.select_for_update(no_key=True).get(pk=code)
    names = _names(name, name_zh)
    before = {part: getattr(account, part) for part in names}
    account.name, account.name_zh = names["name"], names["name_zh"]
    account.save(update_fields=["name", "name_zh"])
    events.record("account.renamed", account, by=by, at=at, before=before, after=names)
    return account


@transaction.atomic
def drop_account(*, code: str, by: User | None, at: datetime) -> None:
    """Take an account out of the chart that never had an entry nor a role."""
    account = Account.objects.select_for_update(no_key=True).get(pk=code)
    if is_used(account):
        raise Refused("account_used", _("The account has entries or a role: it stays in the chart."))
    events.record("account.dropped", account, by=by, at=at, code=code, name=account.name)
    account.delete()


def is_used(account: Account) -> bool:
    """Whether anything was ever booked on the account, or it ever played a role."""
    return (
        AccountMapping.objects.filter(account=account).exists()
        or JournalLine.objects.filter(account=account).exists()
    )


@transaction.atomic
def assign(
    *, role: str, account_code: str, by: User | None, at: datetime, product_code: str = ""
) -> AccountMapping:
    """Let an account play a role from now on, for the house or for one product.

    Refused when the kind of account does not fit the role, and when a control account would stand for two roles.
    """
    account = Account.objects.select_for_update(no_key=True).filter(pk=account_code).first()
    if account is None:
        raise Refused("account", _("There is no such account."), field="account")
    _check(role, account, product_code)
    current = _current(role, product_code)
    if current and current.account_id == account.pk:
        raise Refused("account_same", _("This account plays the role already."), field="account")
    if current:
        _end(current, at)
    mapping = AccountMapping.objects.create(
        role=role, product_code=product_code, account=account, since=at, by=by
    )
    events.record(
        "account.assigned",
        account,
        by=by,
        at=at,
        role=role,
        product=product_code,
        before={"account": current.account_id if current else ""},
        after={"account": account.pk},
    )
    return mapping


@transaction.atomic
def withdraw(*, role: str, product_code: str, by: User | None, at: datetime) -> None:
    """The product goes with the house again."""
    current = _current(role, product_code)
    if current is None or not product_code:
        raise Refused("mapping", _("The product has no account of its own for this role."))
    _end(current, at)
    events.record("account.withdrawn", current.account, by=by, at=at, role=role, product=product_code)


def _names(name: str, name_zh: str) -> dict[str, str]:
    names = {"name": name.strip(), "name_zh": name_zh.strip() or name.strip()}
    if not names["name"] or max(map(len, names.values())) > 120:
        raise Refused("name", _("A name has 1 to 120 characters."), field="name")
    return names


def _check(role: str, account: Account, product_code: str) -> None:
    if role not in Role.values:
        raise Refused("role", _("There is no such role."), field="role")
    if product_code and not Product.objects.filter(code=product_code).exists():
        raise Refused("product", _("There is no such product."), field="product_code")
    if account.kind not in KINDS[role]:
        kinds = " / ".join(str(Account.Kind(kind).label) for kind in KINDS[role])
        raise Refused(
            "account_kind",
            _("This role needs an account of the kind: %(kinds)s.") % {"kinds": kinds},
            field="account",
        )
    others = set(
        AccountMapping.objects.filter(account=account).exclude(role=role).values_list("role", flat=True)
    )
    if others and (role in CONTROL_ROLES or others & set(CONTROL_ROLES)):
        raise Refused(
            "account_control",
            _("A control account stands for one role only, and this account has another."),
            field="account",
        )


def _current(role: str, product_code: str) -> AccountMapping | None:
    rows = AccountMapping.objects.select_for_update(no_key=True, of=("self",)).filter(until=None)
    return rows.filter(role=role, product_code=product_code).select_related("account").first()


def _end(mapping: AccountMapping, at: datetime) -> None:
    mapping.until = at
    mapping.save(update_fields=["until"])
