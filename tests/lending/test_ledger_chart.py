"""The chart of accounts: roles are played by accounts that fit, and a change holds for new entries only."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from lending.errors import Refused
from lending.models import Account, AccountMapping, Event, JournalLine, Loan, Role
from lending.models.chart import KINDS
from lending.selectors.ledger import tie_out
from lending.services import chart, ledger, loans

from .admin_support import button, desk, words
from .conftest import MONDAY
from .ledger_support import roles_of, standing

D = Decimal
pytestmark = pytest.mark.django_db


@pytest.fixture
def open_account(at: datetime) -> Callable[[str, str], Account]:
    return lambda code, kind: chart.open_account(
        code=code, name=f"Account {code}", name_zh=f"科目{code}", kind=kind, by=None, at=at
    )


def assign(role: str, code: str, at: datetime, product: str = "") -> AccountMapping:
    return chart.assign(role=role, account_code=code, product_code=product, by=None, at=at)


def test_every_role_has_an_account_of_a_kind_that_fits(db: None) -> None:
    mapped = AccountMapping.objects.filter(until=None, product_code="").select_related("account")
    assert {row.role for row in mapped} == set(Role.values) == set(KINDS)
    assert all(row.account.kind in KINDS[row.role] for row in mapped)


def test_a_change_holds_for_new_entries_only(
    make_loan: Callable[..., Loan], at: datetime, open_account: Callable[[str, str], Account]
) -> None:
    loan = make_loan("1200", 3)
    open_account("130301", "ASSET")
    assign(ledger.PRINCIPAL, "130301", at)
    loans.repay(loan_id=loan.pk, amount=D("406"), key="r", by=None, at=at, on=MONDAY)
    booked = dict(JournalLine.objects.filter(loan=loan).values_list("account_id", "amount"))
    assert (booked["1303"], booked["130301"]) == (D("1200.00"), D("-400.00"))
    # The loans still tie to the role: both accounts stand for it.
    assert [row.difference for row in tie_out()] == [0] * len(tie_out())
    event = Event.objects.get(kind="account.assigned")
    assert event.data["before"] == {"account": "1303"} and event.data["after"] == {"account": "130301"}
    assert AccountMapping.objects.filter(role="PRINCIPAL").count() == 2


def test_a_product_can_have_accounts_of_its_own_and_give_them_up(
    make_loan: Callable[..., Loan], at: datetime, open_account: Callable[[str, str], Account]
) -> None:
    open_account("220201", "LIABILITY")
    assign(ledger.MERCHANTS, "220201", at, "pay-later")
    loan = make_loan("1200", 3)
    assert set(JournalLine.objects.filter(loan=loan).values_list("account_id", flat=True)) == {
        "1303",
        "220201",
    }
    chart.withdraw(role=ledger.MERCHANTS, product_code="pay-later", by=None, at=at)
    other = make_loan("600", 3, loan.line, "o-2")
    assert roles_of(other.transactions.get().entry) == {
        ledger.PRINCIPAL: D("600.00"),
        ledger.MERCHANTS: D("-600.00"),
    }
    assert standing(ledger.MERCHANTS) == D("-1800.00")
    with pytest.raises(Refused, match="no account of its own"):
        chart.withdraw(role=ledger.MERCHANTS, product_code="pay-later", by=None, at=at)
    with pytest.raises(Refused, match="no account of its own"):
        chart.withdraw(role=ledger.MERCHANTS, product_code="", by=None, at=at)


@pytest.mark.parametrize(
    ("role", "code", "product", "field"),
    [
        ("PRINCIPAL", "6011", "", "account"),  # income for an asset
        ("INTEREST_INCOME", "1002", "", "account"),
        ("FEE_RECEIVABLE", "1132", "", "account"),  # a control account for two roles
        ("BANK", "1303", "", "account"),
        ("PRINCIPAL", "1303", "", "account"),  # nothing would change
        ("PRINCIPAL", "9999", "", "account"),
        ("TREASURE", "1002", "", "role"),
        ("BANK", "1002", "no-such-product", "product_code"),
    ],
)
def test_what_does_not_fit_is_refused(
    books: object, at: datetime, role: str, code: str, product: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        assign(role, code, at, product)
    assert refused.value.field == field
    assert not AccountMapping.objects.exclude(until=None).exists()


def test_two_kinds_of_income_may_share_an_account(books: object, at: datetime) -> None:
    assign(ledger.PENALTY_INCOME, "6011", at)
    assert ledger.Chart.read().account(ledger.PENALTY_INCOME, None) == "6011"


@pytest.mark.parametrize(
    "values",
    [
        {"code": "12"},
        {"code": "0123"},
        {"code": "13a3"},
        {"code": "1303"},
        {"kind": "TREASURE"},
        {"name": " "},
        {"name": "x" * 121},
    ],
)
def test_an_account_that_cannot_be_is_refused(books: object, at: datetime, values: dict) -> None:
    good = {"code": "1399", "name": "Other", "name_zh": "其他", "kind": "ASSET"}
    with pytest.raises(Refused):
        chart.open_account(**good | values, by=None, at=at)
    assert Account.objects.filter(code="1399").count() == 0


def test_an_account_in_use_stays(make_loan: Callable[..., Loan], at: datetime) -> None:
    make_loan()
    for code in ("1303", "6302"):  # one with entries, one with nothing but a role
        with pytest.raises(Refused, match="stays in the chart"):
            chart.drop_account(code=code, by=None, at=at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk="1303")._raw_delete("default")
        transaction.set_rollback(False)
        from django.db import connection

        connection.check_constraints()
    chart.open_account(code="1399", name="Spare", name_zh="备用", kind="ASSET", by=None, at=at)
    chart.drop_account(code="1399", by=None, at=at)
    assert not Account.objects.filter(pk="1399").exists()


@pytest.mark.parametrize("change", [{"account_id": "1132"}, {"role": "BANK"}, {"since": None}])
def test_the_past_of_the_chart_cannot_be_rewritten(books: object, at: datetime, change: dict) -> None:
    row = AccountMapping.objects.filter(role="PRINCIPAL")
    with pytest.raises(Exception, match="Cannot update|null value"), transaction.atomic():
        row.update(**change)
    with pytest.raises(Exception, match="Cannot delete"), transaction.atomic():
        row.delete()


def test_the_accountant_changes_the_chart_in_the_admin(books: object) -> None:
    client = desk("accountant")
    opened = client.post(
        reverse("admin:lending_account_open_account"),
        {"code": "130301", "kind": "ASSET", "name": "Loans, own", "name_zh": "贷款-自营"},
        follow=True,
    )
    assert "130301 Loans, own is open." in words(opened)
    mapping = AccountMapping.objects.get(role="PRINCIPAL")
    assert client.post(button(mapping, "assign"), {"account": "130301"}).status_code == 302
    assert ledger.Chart.read().account(ledger.PRINCIPAL, None) == "130301"
    page = words(client.get("/admin/lending/accountmapping/"))
    assert "Principal of loans" in page and "130301" in page
    refused = client.post(button(mapping, "assign"), {"account": "1002"}, follow=True)
    assert "has moved on" in words(refused)


def test_others_read_the_chart_at_most(books: object) -> None:
    mapping = AccountMapping.objects.get(role="PRINCIPAL")
    for role in ("compliance_officer", "credit_officer", "senior_approver"):
        client = desk(role)
        assert client.post(button(mapping, "assign"), {"account": "1303"}).status_code == 403
        assert client.post(reverse("admin:lending_account_open_account"), {}).status_code == 403
    assert desk("compliance_officer").get("/admin/lending/accountmapping/").status_code == 200
