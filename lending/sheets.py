"""Tables written as files, row by row: nothing of any length is held in memory."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from lending.tables import safe

# A sheet of a spreadsheet ends here; the head of each counts too.
SHEET_ROWS = 1_048_576


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Comma-separated, with the mark by which spreadsheets know UTF-8. Text that looks like a formula is quoted."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([_text(cell) for cell in head])
    for row in rows:
        yield writer.writerow([_text(cell) for cell in row])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (Decimal, int, date)):
        return str(value)
    return safe(value)


def write_xlsx(file: IO[bytes], title: str, head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    """A workbook whose amounts are numbers and whose days are days; it goes on on another sheet when one is full."""
    book = Workbook(write_only=True)
    sheet: Any = None
    used = SHEET_ROWS
    for row in rows:
        if used >= SHEET_ROWS:
            sheet, used = _sheet(book, title, head), 1
        sheet.append([_cell(value) for value in row])
        used += 1
    if sheet is None:
        _sheet(book, title, head)
    book.save(file)


def _sheet(book: Workbook, title: str, head: Sequence[Any]) -> Any:
    sheet = book.create_sheet(f"{title[:25]} {len(book.worksheets) + 1}" if book.worksheets else title[:31])
    sheet.freeze_panes = "A2"
    cells = []
    for text in head:
        cell = WriteOnlyCell(sheet, value=str(text))
        cell.font = Font(bold=True)
        cells.append(cell)
    sheet.append(cells)
    return sheet


def _cell(value: Any) -> Any:
    """Numbers and days as they are. A workbook knows no time zones, and text is never a formula."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if value is None or isinstance(value, (Decimal, int, date)):
        return value
    return safe(value)
