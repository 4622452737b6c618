"""Accounts: entered by staff, taken in from files line by line, checked, and seen year beside year."""

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from lending import tables
from lending.accounts import FIGURES, faults
from lending.errors import Refused
from lending.services import customers
from risk.engine import spread
from risk.models import FinancialStatement
from risk.selectors.features import Moment, vectors_at
from risk.selectors.spread import years
from risk.services import filings, statement_files
from tests.lending.conftest import MONDAY

WHOLE = {
    "revenue": "1000",
    "costs": "900",
    "ebit": "100",
    "interest_expense": "20",
    "net_profit": "60",
    "operating_cash_flow": "80",
    "cash": "50",
    "receivables": "200",
    "inventory": "90",
    "current_assets": "400",
    "total_assets": "800",
    "payables": "100",
    "current_liabilities": "250",
    "total_liabilities": "500",
    "equity": "300",
}


@pytest.fixture
def firms(at):
    return [
        customers.register(
            kind="COMPANY",
            name=f"公司{ref}",
            platform_ref=ref,
            id_number=number,
            registered_on=MONDAY,
            industry_id="F",
            by=None,
            at=at,
        )
        for ref, number in (("f1", "91350100M000100Y43"), ("f2", ""))
    ]


@pytest.fixture
def analyst(staff, books):
    client = Client()
    client.force_login(staff("root"))
    return client


def take(text, at, partly=False, name="a.csv"):
    content = text if isinstance(text, bytes) else text.encode()
    return statement_files.take_in(name=name, content=content, partly=partly, by=None, at=at)


FAULTS = [
    ({"equity": "302"}, "total_assets"),
    ({"cash": "402"}, "cash"),
    ({"inventory": "200"}, "cash"),  # each is less than the whole, all together are not
    ({"payables": "252"}, "payables"),
    ({"current_assets": "900"}, "current_assets"),
    ({"ebit": "99", "costs": "899"}, "ebit"),
]


@pytest.mark.parametrize(("change", "field"), FAULTS)
def test_what_cannot_be_true_is_named(change, field):
    figures = {name: Decimal(amount) for name, amount in (WHOLE | change).items()}
    assert next(faults(figures))[0] == field


def test_whole_accounts_are_sound_and_left_out_figures_are_not_compared():
    assert WHOLE.keys() == FIGURES.keys()
    figures = {name: Decimal(amount) for name, amount in WHOLE.items()}
    assert list(faults(figures)) == []
    assert list(faults({"total_assets": Decimal(1), "cash": Decimal(5)})) == []


def test_a_file_holds_several_companies_and_years_in_either_language(firms, at):
    text = "统一社会信用代码;会计年度;营业收入;净利润;Colour\n"
    text += "91350100M000100Y43;2024;1,000.50;-3;red\nf2;2025年;¥70;;\n"
    taken = take(text.encode("gb18030"), at)
    assert (taken.filed, taken.refused, taken.unknown) == (2, [], ["Colour"])
    assert {(s.company.platform_ref, s.year): s.figures for s in FinancialStatement.objects.all()} == {
        ("f1", 2024): {"revenue": "1000.50", "net_profit": "-3"},
        ("f2", 2025): {"revenue": "70"},
    }


def test_a_spreadsheet_that_we_wrote_is_read_again(firms, at):
    rows = [["f1", 2025, *WHOLE.values()], ["f1", 2024, *WHOLE.values()]]
    content = tables.write(["Company", "Year", *map(str, (FIGURES[name] for name in WHOLE))], rows, "xlsx")
    assert take(content, at, name="a.xlsx").filed == 2
    assert FinancialStatement.objects.first().figures == WHOLE


BAD = """company,year,revenue,total_assets,total_liabilities,equity
f1,2025,100,,,
f1,2025,200,,,
who,2025,1,,,
f2,2031,1,,,
f2,soon,1,,,
f2,2024,a lot,,,
f2,2023,-5,,,
f2,2022,,,,
f2,2021,1,10,5,9
"""


def test_each_line_at_fault_is_named_and_none_is_filed(firms, at):
    taken = take(BAD, at)
    assert taken.filed == 0 and not FinancialStatement.objects.exists()
    assert [(line.number, line.field) for line in taken.refused] == [
        *((3, "year"), (4, "company"), (5, "year"), (6, "year"), (7, "revenue"), (8, "revenue")),
        *((9, "figures"), (10, "total_assets")),
    ]
    assert all(line.message for line in taken.refused)


def test_the_lines_that_are_right_are_filed_when_asked_to(firms, at):
    taken = take(BAD, at, partly=True)
    assert (taken.filed, len(taken.refused)) == (1, 8)
    assert FinancialStatement.objects.get().figures == {"revenue": "100"}


@pytest.mark.parametrize("text", ["", "company,revenue\nf1,1\n", "year,revenue\n2025,1\n"])
def test_a_file_without_what_it_needs_is_refused_whole(firms, at, text):
    with pytest.raises(Refused):
        take(text, at)


def test_years_side_by_side_say_what_the_features_say(firms, at):
    before = WHOLE | {"revenue": "800", "costs": "700", "total_liabilities": "400", "equity": "400"}
    filings.file_statement(company_id=firms[0].pk, year=2023, figures={"revenue": "1"}, by=None, at=at)
    for year, figures in ((2025, WHOLE), (2024, before)):
        filings.file_statement(company_id=firms[0].pk, year=year, figures=figures, by=None, at=at)
    found = years(firms[0].pk)
    assert list(found) == [2025, 2024, 2023]
    rows = {row.name: row for row in spread.figures(found, list(FIGURES))}
    assert rows["revenue"].changes == [Decimal("0.25"), Decimal(799), None]
    assert rows["equity"].values == [Decimal(300), Decimal(400), None]
    [vector] = vectors_at("COMPANY", [Moment(firms[0].pk, at)])
    ratios = {row.name: row for row in spread.ratios(found)}
    assert ratios.keys() == spread.RATIOS.keys()
    for name, row in ratios.items():
        assert float(row.values[0]) == pytest.approx(vector[name]), name
    assert float(ratios["leverage"].changes[0]) == pytest.approx(vector["leverage_change"])


def test_staff_enter_correct_and_take_in(analyst, firms, at):
    enter = reverse("admin:risk_financialstatement_enter")
    shown = analyst.post(enter, {"company": "nobody", "year": "2025", "revenue": "1"})
    assert "company" in shown.context["form"].errors
    shown = analyst.post(enter, {"company": "f1", "year": "2025", **WHOLE, "equity": "1"})
    assert list(shown.context["form"].errors) == ["total_assets"]
    assert analyst.post(enter, {"company": "f1", "year": "2024", **WHOLE}).status_code == 302
    record = FinancialStatement.objects.get()
    page = analyst.get(reverse("admin:risk_financialstatement_change", args=[record.pk])).content.decode()
    assert "Year beside year" in page and "0.62" in page  # leverage
    correct = reverse("admin:risk_financialstatement_correct", args=[record.pk])
    assert 'value="800"' in analyst.get(correct).content.decode()
    assert analyst.post(correct, WHOLE | {"cash": "60"}).status_code == 302
    assert years(firms[0].pk)[2024]["cash"] == 60


def test_staff_see_what_a_file_was_refused_for(analyst, firms, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(BAD)
    with path.open("rb") as file:
        shown = analyst.post(reverse("admin:risk_financialstatement_take_in"), {"file": file})
    assert shown.status_code == 200
    assert "No company has this reference or credit code." in shown.content.decode()
    blank = analyst.get(reverse("admin:risk_financialstatement_template", args=["xlsx"]))
    assert blank.status_code == 200


def test_the_list_of_features_can_be_searched_and_taken_away(analyst, firms, at):
    url = reverse("admin:risk_modelversion_features")
    shown = analyst.get(url, {"segment": "SUPPLIER", "search": "buyer share"}).content.decode()
    assert "largest_buyer_share_365d" in shown and "goods_90d" not in shown
    lines = b"".join(analyst.get(url, {"segment": "COMPANY", "format": "csv"})).decode().splitlines()
    assert any("tenure_days" in line and "100%" in line for line in lines)
    assert any("leverage" in line and "0%" in line for line in lines)
