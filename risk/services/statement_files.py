"""Accounts from a file: a line for each company and year, as many of both as there are. Nothing is lost: every line
is filed or named with what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lending import fields, tables
from lending.accounts import FIGURES
from lending.errors import Refused
from lending.models import Customer, User
from risk.services import filings

MOST = 2_000  # lines of a file
LABELS: Mapping[str, Any] = {
    "company": gettext_lazy("Company"),
    "year": gettext_lazy("Year"),
    **FIGURES,
}
# How else the columns are called.
OTHERWISE = {
    "company": (
        "ref",
        "platform_ref",
        "credit code",
        "平台编号",
        "统一社会信用代码",
        "客户编号",
        "企业",
        "公司",
    ),
    "year": ("fiscal year", "会计年度", "年份"),
    "revenue": ("sales", "turnover", "营收"),
    "net_profit": ("net income",),
    "inventory": ("stock", "inventories", "存货"),
    "receivables": ("accounts receivable", "trade receivables", "应收账款"),
    "payables": ("accounts payable", "trade payables", "应付账款"),
    "total_assets": ("assets", "资产总计"),
    "total_liabilities": ("liabilities", "负债合计"),
    "equity": ("shareholders equity", "所有者权益合计", "净资产"),
}


@dataclass(frozen=True)
class Line:
    """A line that was not filed: its number in the file, its company and year as written, the column at fault."""

    number: int
    company: str
    year: str
    field: str
    message: str


@dataclass
class Taken:
    """What became of a file: how many lines were filed, which were not, and which columns nobody knew."""

    filed: int = 0
    refused: list[Line] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def names() -> dict[str, tuple[str, ...]]:
    """The words by which each column is known, in both languages."""
    found = {}
    for name, label in LABELS.items():
        words = [name, *OTHERWISE.get(name, ())]
        for language in ("en", "zh-hans"):
            with translation.override(language):
                words.append(str(label))
        found[name] = tuple(words)
    return found


@transaction.atomic
def take_in(*, name: str, content: bytes, partly: bool, by: User | None, at: datetime) -> Taken:
    """File every line of a CSV or XLSX file (see `filings.file_statement`), all as of `at`.

    With `partly` the lines that are right are filed though others are not; else one bad line keeps all of them out,
    and `filed` is 0. Companies go by the platform's reference or their credit code. Raises `Refused` for a file
    that is no table or lacks a column that it must have.
    """
    table = tables.read(name, content)
    if len(table.rows) > MOST:
        raise tables.fault(
            "too_long", _("The file has more than %(limit)d lines: divide it.") % {"limit": MOST}
        )
    places = tables.columns(table.header, names())
    if lacking := [str(LABELS[one]) for one in ("company", "year") if one not in places]:
        raise tables.fault(
            "columns", _("The file lacks a column: %(names)s.") % {"names": ", ".join(lacking)}
        )
    known = set(places.values())
    taken = Taken(unknown=[word for place, word in enumerate(table.header) if word and place not in known])
    rows = [(number, _cells(cells, places)) for number, cells in table.rows]
    known_companies = companies([row["company"] for _number, row in rows])
    before = transaction.savepoint()
    _file_all(rows, known_companies, taken, by, at)
    if taken.refused and not partly:
        transaction.savepoint_rollback(before)
        taken.filed = 0
    return taken


def _cells(cells: Sequence[str], places: Mapping[str, int]) -> dict[str, str]:
    return {name: cells[place] if place < len(cells) else "" for name, place in places.items()}


def companies(words: Sequence[str]) -> dict[str, int]:
    """Ids by what the file calls them, in two statements."""
    asked = {word for word in words if word}
    by_digest = {fields.digest(word.upper()): word for word in asked}
    numbered = Customer.objects.filter(id_number_digest__in=by_digest)
    found = {by_digest[digest]: pk for digest, pk in numbered.values_list("id_number_digest", "pk")}
    return found | dict(Customer.objects.filter(platform_ref__in=asked).values_list("platform_ref", "pk"))


def _file_all(
    rows: Sequence[tuple[int, Mapping[str, str]]],
    companies: Mapping[str, int],
    taken: Taken,
    by: User | None,
    at: datetime,
) -> None:
    seen: dict[tuple[int, int], int] = {}
    for number, row in rows:
        try:
            key = _key(row, companies)
            if key in seen:
                words = _("Line %(line)s has this company and year already.") % {"line": seen[key]}
                raise Refused("twice", words, field="year")
            company_id, year = key
            filings.file_statement(company_id=company_id, year=year, figures=_figures(row), by=by, at=at)
        except Refused as refusal:
            taken.refused.append(Line(number, row["company"], row["year"], refusal.field, refusal.message))
        else:
            seen[key] = number
            taken.filed += 1


def _key(row: Mapping[str, str], companies: Mapping[str, int]) -> tuple[int, int]:
    if row["company"] not in companies:
        raise Refused("company", _("No company has this reference or credit code."), field="company")
    bare = row["year"].removesuffix("年").removesuffix(".0")
    if not bare.isdecimal() or len(bare) != 4:
        raise Refused("year", _("This is not a year."), field="year")
    return companies[row["company"]], int(bare)


def _figures(row: Mapping[str, str]) -> dict[str, str]:
    """Amounts as people write them; what is no amount is left as it is, to be refused with its name."""
    found = {}
    for name in FIGURES:
        if text := row.get(name, "").strip():
            amount = tables.amount(text)
            found[name] = text if amount is None else f"{amount:f}"
    return found
