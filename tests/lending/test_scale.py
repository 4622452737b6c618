"""What is done otherwise in a large book gives the same answers as in a small one."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dunning.services import cases
from lending.admin import dashboard, paging
from lending.admin.paging import BoundedPaginator
from lending.admin.search import search
from lending.models import Customer, DayGlance, Loan, Purchase
from lending.selectors import accrued, finding, portfolio
from lending.services import glance
from tests.lending.admin_support import desk, words

from .conftest import MONDAY, moment
from .ledger_support import lend

Make = Callable[..., Any]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table is large."""
    monkeypatch.setattr(finding, "LARGE", -1)


def test_what_accrues_is_the_same_all_at_once_and_loan_by_loan(books: date, make_customer: Make) -> None:
    """Periods that are longer than a month are found through an index of their own: by hand, a quarter and a half
    year."""
    owner, at = make_customer(), moment(books)
    made = [lend(owner.pk, "cash-loan", amount, 6, MONDAY, at) for amount in ("5000", "7000", "9000")]
    for loan, days in zip(made, (0, 91, 182), strict=True):
        for row in loan.instalments.all() if days else ():
            row.due_on = MONDAY + timedelta(days=days * row.number)
            row.accrues_from = row.due_on - timedelta(days=days)
            row.save(update_fields=["due_on", "accrues_from"])
    for days in (1, 30, 31, 32, 62, 91, 92, 123, 150, 182, 183, 400):
        on = MONDAY + timedelta(days=days)
        each = accrued.accrued_of([loan.pk for loan in made], on)
        assert sum(accrued.accrued(on).values()) == sum(each.values())
    assert len(accrued.accrued_of([loan.pk for loan in made], MONDAY + timedelta(days=45))) == 3


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("三丰", {"张三丰"}),
        ("张 三", {"张三丰", "张三"}),
        ("丰三", set()),
        ("mill", {"Miller Trading"}),
        ("trad MILLER", {"Miller Trading"}),
        ("iller", set()),
        ("o'neil & sons: *!", {"O'Neil & Sons"}),
        ("13800001111", {"张三"}),
        ("p-77", {"Miller Trading"}),
        ("()", set()),
    ],
)
def test_customers_are_found_by_index(
    books: date, make_customer: Make, large: None, rf: Any, admin_user: Any, term: str, found: set[str]
) -> None:
    make_customer("张三丰")
    make_customer("张三", phone="13800001111")
    make_customer("Miller Trading", kind="COMPANY", platform_ref="p-77")
    make_customer("O'Neil & Sons", kind="COMPANY")
    assert set(Customer.objects.filter(finding.customers(term)).values_list("name", flat=True)) == found
    request = rf.get("/")
    request.user = admin_user
    assert {result.title for result in search(request, term)} == found


def test_the_index_serves_the_search(books: date, make_customer: Make) -> None:
    make_customer("张三丰")
    with connection.cursor() as cursor:
        # In an empty table anything is quick. What is left is a bitmap, as it is chosen in a large one.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    for term, index in (("三丰", "customer_characters"), ("mill", "customer_words")):
        assert index in Customer.objects.filter(finding.customers(term)).explain()


def test_lists_are_searched_through_other_tables(make_loan: Make, large: None) -> None:
    loan = make_loan()
    client = desk("accountant")
    for term, there in ((f"L{loan.pk:08d}", True), (str(loan.pk), True), ("李雷", True), ("韩梅梅", False)):
        body = words(client.get("/admin/lending/loan/", {"q": term}))
        assert (f"L{loan.pk:08d}" in body) is there
    purchase = Purchase.objects.get()
    rows, _cut = finding.search(Purchase.objects.all(), ["order_ref", "description"], purchase.order_ref)
    assert list(rows) == [purchase]
    rows, _cut = finding.search(Purchase.objects.all(), ["description"], purchase.description or "none")
    assert not rows.exists()
    rows, _cut = finding.search(Loan.objects.all(), ["customer__platform_ref"], loan.customer.platform_ref)
    assert list(rows) == [loan]


def test_a_search_that_means_too_many_says_so(
    make_loan: Make, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_loan()
    client = desk("accountant")
    assert "are meant" not in words(client.get("/admin/lending/loan/", {"q": "李雷"}))
    monkeypatch.setattr(finding, "MOST", 0)
    answer = client.get("/admin/lending/loan/", {"q": "李雷"})
    assert "More than 0 customers are meant." in words(answer)
    assert 'placeholder="Beginnings of names' in answer.content.decode()


def test_a_large_list_says_about_how_many_and_ends(
    make_customer: Make, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        make_customer(f"Customer {number}")
    monkeypatch.setattr(paging, "DEEPEST", 4)
    pages = BoundedPaginator(Customer.objects.order_by("pk"), 2)
    assert pages.is_estimate and pages.count >= 5
    assert pages.num_pages == 2
    assert [one.name for one in pages.page(2)] == ["Customer 2", "Customer 3"]
    few = BoundedPaginator(Customer.objects.filter(name="Customer 1"), 2)
    assert (few.count, few.is_estimate, few.num_pages) == (1, False, 1)
    assert BoundedPaginator(Customer.objects.none(), 2).count == 0
    body = words(desk("risk_analyst").get("/admin/lending/customer/"))
    assert "filter or search to see beyond the first" in body


def test_the_first_page_shows_what_the_close_wrote_down(make_loan: Make, run_to: Make, large: None) -> None:
    make_loan("1200", tenor=3)
    on = MONDAY + timedelta(days=40)
    run_to(on)
    live, kept = portfolio.compute(on), portfolio.overview(on)
    assert kept.as_of_opening and not live.as_of_opening
    assert (kept.glance, kept.history, kept.outcomes) == (live.glance, live.history, live.outcomes)
    assert kept.industries == live.industries == [("", Decimal("1200.00"))]
    assert kept.glance.overdue > 0
    assert dashboard._overview(kept)["charts"] == dashboard._overview(live)["charts"]
    assert "those of the opening of the day" in words(desk("accountant").get("/admin/"))
    # A second run of the step writes the same row.
    glance.keep(on=on - timedelta(days=1), at=moment(on))
    assert DayGlance.objects.filter(date=on).count() == 1
    assert portfolio.overview(on + timedelta(days=1)).as_of_opening is False


def test_the_page_of_the_close_shows_the_tie_of_the_last_close(
    make_loan: Make, run_to: Make, large: None
) -> None:
    make_loan("1200", tenor=3)
    run_to(MONDAY + timedelta(days=2))
    page = words(desk("accountant").get("/admin/lending/businessdate/"))
    assert f"Books against loans · {MONDAY + timedelta(days=1)} 0.00" in page


def test_what_leads_to_many_customers_is_searched_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "is_large", lambda model: model is Customer)
    assert finding.by_index(Loan, ["=id", "customer__name"])
    assert not finding.by_index(Loan, ["=id"])


def test_a_list_asks_for_the_business_date_as_often_for_many_rows_as_for_one(
    make_line: Make, make_loan: Make
) -> None:
    client, line = desk("accountant"), make_line()
    asked = []
    for number in range(3):
        make_loan(line=line, ref=f"o-{number}")
        with CaptureQueriesContext(connection) as found:
            client.get("/admin/lending/loan/")
        asked.append(sum('FROM "lending_businessdate"' in one["sql"] for one in found))
    assert asked[0] == asked[2]


def test_cases_are_worked_in_parts(
    make_line: Make, make_customer: Make, make_loan: Make, run_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dunning.models import Case, Contact
    from dunning.reference import install

    monkeypatch.setattr(cases, "BATCH", 2)
    assert [list(part) for part in cases.parts([1, 2, 3, 4, 5])] == [[1, 2], [3, 4], [5]]
    install()
    for number in range(5):
        owner = make_customer(f"客户{number}", phone=f"1380000000{number}", email=f"c{number}@example.com")
        make_loan(line=make_line(customer=owner), ref=f"o-{number}")
    due = Loan.objects.earliest("oldest_due_on").oldest_due_on
    run_to(due + timedelta(days=2))
    assert Case.objects.exclude(state="CLOSED").count() == 5
    assert {case.as_of for case in Case.objects.all()} == {due + timedelta(days=2)}
    assert Contact.objects.filter(case__isnull=False).values("customer_id").distinct().count() == 5
