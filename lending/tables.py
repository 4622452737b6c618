"""Tables that people upload and take away: CSV and XLSX, read into text, cell by cell.

Reading is generous about form (encodings, separators, the words of a column, how a date is written) and strict
about content: an amount is exact or it is refused.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import tablib
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused

MAX_BYTES = 25 * 1024 * 1024
MAX_UNPACKED = 400 * 1024 * 1024
MAX_ROWS = 100_000
MAX_COLUMNS = 60
MAX_CELL = 500
# As bank and office programs write them here: UTF-8 with or without a mark, else the Chinese national encoding.
ENCODINGS = ("utf-8-sig", "gb18030")
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日")
# What a spreadsheet would run as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """The first line, and the rest with the number of each line in the file."""

    header: list[str]
    rows: list[tuple[int, list[str]]]


def fault(code: str, message: Any) -> Refused:
    return Refused(code, message, field="file")


def read(name: str, content: bytes) -> Table:
    """The table in an uploaded file; raises Refused in words when there is none in it."""
    if not content:
        raise fault("empty", _("The file is empty."))
    if len(content) > MAX_BYTES:
        raise fault("too_large", _("The file is larger than 25 MB: divide it."))
    lines = _xlsx(content) if content[:2] == b"PK" else _csv(content)
    rows = [(number, cells) for number, cells in lines if any(cells)]
    if len(rows) < 2:
        raise fault("empty", _("The file has no lines below its first line."))
    if len(rows) - 1 > MAX_ROWS:
        raise fault("too_long", _("The file has more than %(limit)d lines: divide it.") % {"limit": MAX_ROWS})
    header = rows[0][1]
    while header and not header[-1]:
        header.pop()
    if len(header) > MAX_COLUMNS:
        raise fault("too_wide", _("The file has more than %(limit)d columns.") % {"limit": MAX_COLUMNS})
    return Table(header, rows[1:])


def _csv(content: bytes) -> Iterable[tuple[int, list[str]]]:
    text = _decoded(content)
    if "\x00" in text:
        raise fault("no_table", _("This is neither a CSV nor an XLSX file."))
    first = text[:4096].partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip()[:MAX_CELL] for cell in cells]
    except csv.Error as error:
        raise fault("no_table", _("The file cannot be read: %(error)s") % {"error": error}) from error


def _decoded(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise fault("no_table", _("This is neither a CSV nor an XLSX file."))


def _xlsx(content: bytes) -> Iterable[tuple[int, list[str]]]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > MAX_UNPACKED:
                raise fault("too_large", _("The file is larger than 25 MB: divide it."))
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        lines = enumerate(sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS + 1, values_only=True), 1)
        return [(number, [_text(value) for value in values]) for number, values in lines]
    except Refused:
        raise
    # Whatever a broken or hostile workbook makes of its reader, it is one that cannot be read.
    except Exception as error:
        raise fault("no_table", _("This is neither a CSV nor an XLSX file.")) from error


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        # A spreadsheet keeps fifteen digits; the rest is how a binary fraction prints.
        return f"{Decimal(f'{value:.15g}'):f}"
    return str(value).strip()[:MAX_CELL]


def columns(header: Sequence[str], names: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Which column is what, by the words of the first line; what is not recognised is left out."""
    plain = [_plain(word) for word in header]
    found = {}
    for field, words in names.items():
        places = [plain.index(word) for word in map(_plain, words) if word in plain]
        if places:
            found[field] = places[0]
    return found


def _plain(word: str) -> str:
    return re.sub(r"[\s_\-()（）:：./*]+", "", word).lower()


def amount(text: str) -> Decimal | None:
    """The exact amount of a cell (1,234.50 or ¥1234.5), None for what is no number. The sign is kept."""
    bare = text.strip().lstrip("¥￥").replace("，", ",").strip()
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", bare):
        bare = bare.replace(",", "")
    if not re.fullmatch(r"[-+]?\d{1,15}(\.\d{1,12})?", bare):
        return None
    try:
        return Decimal(bare)
    except InvalidOperation:
        return None


def day(text: str) -> date | None:
    """The date of a cell, None for what is none; the time behind it is left out."""
    bare = re.split(r"[ T]", text.strip(), maxsplit=1)[0]
    for form in DATES:
        try:
            return datetime.strptime(bare, form).date()  # noqa: DTZ007  (a calendar day has no zone)
        except ValueError:
            continue
    return None


def safe(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) and amount(text) is None else text


def write(header: Sequence[Any], rows: Iterable[Sequence[Any]], form: str = "csv") -> bytes:
    """A table as CSV (UTF-8 with a mark, so that office programs read it) or XLSX."""
    data = tablib.Dataset(headers=[str(word) for word in header])
    for row in rows:
        data.append([safe(value) for value in row])
    content = data.export(form)
    return content if isinstance(content, bytes) else content.encode("utf-8-sig")
