"""The pages of the book's history and provisions: every figure is there, leads to its loans, and goes into a file."""

import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from lending.models import Customer, Loan, VintageMonth
from lending.services import history, provisioning

from .admin_support import desk, words
from .conftest import moment
from .test_history import close_of as history_of
from .test_history import move

D = Decimal
MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 30)

HISTORY = ["at_risk", "ageing", "rolls", "cures", "vintages", "concentration", "loans", "cohort"]
PAGES = [f"bookmonth_{name}" for name in HISTORY] + ["provisionmonth_report", "provisionmonth_loans"]


def url(name: str) -> str:
    return reverse(f"admin:lending_{name}")


def close_of(on: date) -> None:
    history_of(on)
    for action in (provisioning.observe, provisioning.measure, provisioning.book):
        action(on=on, at=moment(on))


@pytest.fixture
def book(make_customer: Callable[..., Customer], lend: Callable[..., Loan]) -> list[Loan]:
    """Three loans over two month ends: one well, one that cured, one that rolled on from M2 to M4."""
    firm = make_customer("某公司", kind="COMPANY")
    Customer.objects.filter(pk=firm.pk).update(industry="C", region="浙江")
    loans = [lend(make_customer()), lend(make_customer("王芳"), "2000"), lend(firm, "30000")]
    move(loans[1], MARCH, 10)
    move(loans[2], MARCH, 61)
    close_of(MARCH)
    move(loans[1], APRIL)
    move(loans[2], APRIL, 91)
    close_of(APRIL)
    return loans


def links(answer: Any) -> list[str]:
    """The addresses behind the figures of a report."""
    cells = [cell["text"] for row, _sum in answer.context["rows"] for cell in row]
    return [unescape(found[1]) for cell in cells if (found := re.search(r'href="([^"]+)"', str(cell)))]


def texts(answer: Any) -> list[list[str]]:
    return [
        [re.sub("<[^>]+>", "", str(cell["text"])) for cell in row] for row, _sum in answer.context["rows"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_without_a_month_end_a_page_says_what_is_missing(books: Any, name: str) -> None:
    answer = desk("risk_analyst").get(url(name))
    assert answer.status_code == 200
    if name != "bookmonth_cohort":
        assert "the close of the last day of a month does it" in words(answer)


def test_figures_of_the_history_are_shown_and_lead_to_their_loans(book: list[Loan]) -> None:
    client = desk("risk_analyst")
    par = client.get(url("bookmonth_at_risk"))
    assert texts(par)[0] == ["2026-04-30", "3", "42,000.00", *["71.43%"] * 4, "71.43%"]
    assert texts(par)[1][3:] == ["76.19%", "71.43%", "71.43%", "0.00%", "0.00%"]
    assert len(par.context["charts"]) == 2
    behind = client.get(links(par)[2])
    assert [row[0] for row in texts(behind)] == [str(book[2])]
    ages = client.get(url("bookmonth_ageing"), {"on": str(MARCH)})
    assert [row[1] for row in texts(ages)] == ["1", "1", "0", "1", "0", "0", "0"]
    assert [row[0] for row in texts(client.get(links(ages)[1]))] == [str(book[1])]


def test_rolls_and_cures_lead_to_the_loans_that_moved(book: list[Loan]) -> None:
    client = desk("risk_analyst")
    rolls = client.get(url("bookmonth_rolls"))
    assert [row[:2] for row in texts(rolls)] == [["M0", "1"], ["M1", "1"], ["M3", "1"]]
    found = [texts(client.get(address)) for address in links(rolls)]
    assert [[row[0] for row in rows] for rows in found] == [[str(book[1])], [str(book[2])]]
    by_class = client.get(url("bookmonth_rolls"), {"by": "class", "measure": "principal"})
    assert ["Special mention", "32,000.00"] in [row[:2] for row in texts(by_class)]
    assert [str(book[2])] in [[row[0] for row in texts(client.get(a))] for a in links(by_class)]
    cures = client.get(url("bookmonth_cures"))
    assert texts(cures) == [
        ["2026-04-30", "M3", "1", "0", "0.00%"],
        ["2026-04-30", "M1", "1", "1", "100.00%"],
    ]
    assert [row[0] for row in texts(client.get(links(cures)[-1]))] == [str(book[1])]


def test_vintages_and_concentrations_lead_to_their_loans(book: list[Loan]) -> None:
    client = desk("risk_analyst")
    vintages = client.get(url("bookmonth_vintages"), {"bucket": 3, "measure": "loans"})
    assert texts(vintages) == [["2026-03", "3", "42,000.00", "33.33%", "33.33%"]]
    assert [row[0] for row in texts(client.get(links(vintages)[0]))] == [str(book[2])]
    for dimension, kind in (
        ("INDUSTRY", "COMPANY"),
        ("REGION", "COMPANY"),
        ("NAME", ""),
        ("PRODUCT", "COMPANY"),
    ):
        page = client.get(
            url("bookmonth_concentration"), {"on": str(APRIL), "dimension": dimension, "kind": kind}
        )
        assert texts(page)[0][2] == "30,000.00"
        assert [row[0] for row in texts(client.get(links(page)[0]))] == [str(book[2])], dimension
    assert "某公司" in words(
        client.get(url("bookmonth_concentration"), {"on": str(APRIL), "dimension": "GROUP"})
    )


def test_a_younger_vintage_has_a_shorter_line(book: list[Loan]) -> None:
    Loan.objects.filter(pk=book[0].pk).update(disbursed_on=date(2026, 5, 4))
    close_of(date(2026, 5, 31))
    VintageMonth.objects.create(
        date=date(2026, 5, 31), cohort=date(2026, 5, 1), product=book[0].product, bucket=0, loans=1, lent=10
    )
    page = desk("risk_analyst").get(url("bookmonth_vintages"))
    assert [row[3:] for row in texts(page)] == [["0.00%", "", ""], ["71.43%", "71.43%", "71.43%"]]
    assert page.context["charts"][0]["table"][2][1] == [71.43, None]


def test_filters_narrow_and_nonsense_is_answered_at_its_field(book: list[Loan]) -> None:
    client = desk("risk_analyst")
    narrowed = client.get(url("bookmonth_at_risk"), {"product": "working-capital", "kind": "COMPANY"})
    assert texts(narrowed)[0][1:3] == ["1", "30,000.00"]
    assert not texts(client.get(url("bookmonth_at_risk"), {"kind": "PERSON", "product": "working-capital"}))
    for name, asked in (
        ("bookmonth_at_risk", {"since": "2026-05-01", "until": "2026-04-01"}),
        ("bookmonth_ageing", {"on": "2026-02-30"}),
        ("bookmonth_loans", {"on": str(APRIL), "days_from": "-1"}),
        ("bookmonth_loans", {"on": str(APRIL), "from_bucket": "x"}),
        ("provisionmonth_report", {"on": str(MARCH), "by": "moon"}),
    ):
        answer = client.get(url(name), asked)
        assert (answer.status_code, texts(answer)) == (200, []), (name, asked)
        assert answer.context["form"].errors


def test_provisions_stand_side_by_side_with_what_is_booked(book: list[Loan]) -> None:
    client = desk("accountant")
    page = client.get(url("provisionmonth_report"))
    rows = {row[0].split(" ")[0]: row for row in texts(page)}
    assert [row[1] for row in rows.values()] == ["2", "1"]
    for row in rows.values():
        assert row[6] == row[7] == max(row[4:6], key=lambda text: D(text.replace(",", "")))
    stages = client.get(url("provisionmonth_report"), {"on": str(APRIL), "by": "stage"})
    assert [row[:3] for row in texts(stages)] == [
        ["Stage 1", "2", "12,000.00"],
        ["Stage 3", "1", "30,000.00"],
    ]
    behind = client.get(links(stages)[-1])
    assert texts(behind)[0][0] == str(book[2])
    assert behind.context["totals"][-4]["text"] == "7,500.00"
    assert "Provisions to non-performing loans" in words(page)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_goes_into_files(book: list[Loan], name: str) -> None:
    client = desk("accountant")
    address = f"{url(name)}?sort=-1&format="
    shown = client.get(f"{url(name)}?sort=-1")
    text = b"".join(client.get(f"{address}csv")).decode("utf-8-sig")
    sheet = load_workbook(io.BytesIO(b"".join(client.get(f"{address}xlsx")))).active
    assert len(text.splitlines()) == sheet.max_row
    assert sheet.max_row >= 1 + len(shown.context["rows"])
    assert client.get(f"{address}print").status_code == 200


def test_who_may_not_see_the_book_is_refused(books: Any) -> None:
    client = desk("collector")
    assert {client.get(url(name)).status_code for name in PAGES if name != "bookmonth_cohort"} == {403}
    assert history.is_month_end(MARCH) and not history.is_month_end(MARCH - timedelta(days=1))
