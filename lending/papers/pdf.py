"""The cost sheet as a PDF. The font comes with the program, so that Chinese shows on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, override
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from pylopdf_fonts_zh_cn import sans_path

from lending.papers import sheet as sheets

INK, SOFT, LINE = (22, 32, 29), (82, 96, 90), (200, 208, 204)
GROUND = (238, 241, 238)


@dataclass(frozen=True, slots=True)
class Signature:
    """When the sheet was shown and confirmed; both empty on a sheet that is not signed."""

    shown: str = ""
    confirmed: str = ""


class Page(FPDF):
    """A4, with the fingerprint and the page number at the foot of each page."""

    def __init__(self, foot: str, made_at: datetime) -> None:
        super().__init__(format="A4")
        self.foot = foot
        # The same content gives the same bytes, whenever it is set.
        self.set_creation_date(made_at)
        self.set_margin(15)
        self.set_auto_page_break(True, margin=20)
        self.add_font("sans", "", sans_path())
        self.set_font("sans", size=9)

    def footer(self) -> None:
        self.set_y(-15)
        self.write_line(f"{self.foot}  ·  {self.page_no()} / {{nb}}", 7, SOFT)

    def write_line(
        self, text: str, size: float, colour: tuple[int, int, int] = INK, after: float = 0
    ) -> None:
        self.set_font_size(size)
        self.set_text_color(*colour)
        self.multi_cell(0, size * 0.55, text, new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(after)


def render(
    content: dict[str, Any],
    *,
    language: str,
    sha256: str,
    made_at: datetime,
    signature: Signature | None = None,
) -> bytes:
    """The sheet in that language; `made_at` is written into the file. The same arguments give the same bytes."""
    with override(language):
        sheet = sheets.read(content)
        page = Page(f"SHA-256 {sha256}", made_at)
        page.set_lang(language)
        page.set_title(sheet.title)
        page.add_page()
        _first_part(page, sheet)
        for plan in sheet.plans:
            _plan(page, plan)
        _last_part(page, sheet, signature)
        return bytes(page.output())


def _first_part(page: Page, sheet: sheets.Sheet) -> None:
    page.write_line(sheet.title, 18, after=2)
    page.write_line("   ".join(sheet.principal), 12, after=0.5)
    page.write_line("   ".join(sheet.annual_cost), 12, after=3)
    put_facts(page, sheet.head)


def _plan(page: Page, plan: sheets.Plan) -> None:
    put_heading(page, plan.title)
    items = [(i.name, i.payee, i.basis, i.amount, i.annualised) for i in plan.items]
    total = (gettext("All costs together"), "", "", plan.cost, plan.annual_cost)
    _table(page, sheets.item_columns(), items, total, widths=(24, 26, 40, 24, 22), numbers=2)
    page.ln(2)
    put_facts(page, plan.totals[:1] + plan.totals[-2:-1])
    _table(page, sheets.columns(), plan.rows, plan.foot, widths=(30, 26, 26, 26, 28), numbers=4)


def _last_part(page: Page, sheet: sheets.Sheet, signature: Signature | None) -> None:
    put_heading(page, gettext("What it costs to pay late"))
    put_facts(page, sheet.late)
    put_heading(page, gettext("How to read this sheet"))
    for note in sheet.notes:
        page.write_line(note, 9, after=1)
    page.write_line(sheet.promise, 10, after=2)
    if signature:
        shown, confirmed = gettext("Shown at"), gettext("Confirmed at")
        put_facts(page, [(shown, signature.shown), (confirmed, signature.confirmed)])
    else:
        page.write_line(gettext("Not confirmed yet: this sheet is for reading."), 9, SOFT)


def put_heading(page: Page, text: str) -> None:
    if page.get_y() > page.h - 60:
        page.add_page()
    page.ln(4)
    page.write_line(text, 12, after=1.5)


def put_facts(page: Page, facts: sheets.Facts) -> None:
    page.set_text_color(*INK)
    page.set_font_size(9)
    with page.table(
        first_row_as_headings=False,
        borders_layout=TableBordersLayout.NONE,
        col_widths=(35, 65),
        line_height=5,
        padding=(0.6, 1, 0.6, 0),
        text_align="LEFT",
    ) as table:
        for name, value in facts:
            row = table.row()
            row.cell(name, style=FontFace(color=SOFT))
            row.cell(value)
    page.ln(1)


def _table(
    page: Page,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    foot: Sequence[str],
    *,
    widths: tuple[int, ...],
    numbers: int,
) -> None:
    """A table whose last `numbers` columns are figures; its head stands on every page."""
    page.set_draw_color(*LINE)
    page.set_text_color(*INK)
    page.set_font_size(8.5)
    aligned = ["LEFT"] * (len(head) - numbers) + ["RIGHT"] * numbers
    with page.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis="", color=SOFT, fill_color=GROUND),
        col_widths=widths,
        line_height=4.6,
        padding=(1, 1.2, 1, 1.2),
        text_align=aligned,
    ) as table:
        table.row(head)
        for cells in rows:
            table.row(cells)
        table.row(foot, style=FontFace(fill_color=GROUND))
    page.ln(1)
