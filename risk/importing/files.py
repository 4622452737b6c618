"""Lines of CSV and JSON-lines files, plain or gzipped, with their numbers and how far one has come."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

LONGEST_LINE = 1_000_000


class FileFault(Exception):
    """The file cannot be read; the message says why."""


@dataclass(frozen=True)
class RawLine:
    """One line: its number in the file, its values by column, or what is wrong with it. `done` is 0 to 1."""

    number: int
    values: dict[str, Any] | None
    raw: str
    fault: str
    done: float


def lines(
    path: Path, format: str, delimiter: str, encoding: str, needed: frozenset[str]
) -> Iterator[RawLine]:
    """The lines of the file after its header; raises `FileFault` when it lacks a column that is needed."""
    try:
        size = max(1, path.stat().st_size)
        with path.open("rb") as file:
            zipped = file.peek(2)[:2] == b"\x1f\x8b"
            plain = gzip.GzipFile(fileobj=file) if zipped else file
            text = io.TextIOWrapper(plain, encoding=encoding, newline="")
            found = _csv(text, delimiter, needed) if format == "csv" else _jsonl(text)
            for number, values, raw, fault in found:
                yield RawLine(number, values, raw, fault, min(1.0, file.tell() / size))
    except (OSError, EOFError, UnicodeDecodeError, LookupError, csv.Error) as fault:
        raise FileFault(_("%(path)s cannot be read: %(fault)s") % {"path": path, "fault": fault}) from fault


Found = tuple[int, dict[str, Any] | None, str, str]


def _csv(text: io.TextIOWrapper, delimiter: str, needed: frozenset[str]) -> Iterator[Found]:
    csv.field_size_limit(LONGEST_LINE)
    rows = csv.reader(text, delimiter=delimiter)
    header = [name.strip().lstrip("\ufeff") for name in next(rows, [])]
    if absent := sorted(needed - set(header)):
        told = {"absent": ", ".join(absent), "header": ", ".join(header)}
        raise FileFault(_("The file has no column %(absent)s. It has: %(header)s") % told)
    for row in rows:
        if not row:
            continue
        raw = delimiter.join(row)
        if len(row) != len(header):
            counts = {"found": len(row), "wanted": len(header)}
            yield rows.line_num, None, raw, _("%(found)d columns instead of %(wanted)d.") % counts
        else:
            yield rows.line_num, dict(zip(header, row, strict=True)), raw, ""


def _jsonl(text: io.TextIOWrapper) -> Iterator[Found]:
    for number, raw in enumerate(text, start=1):
        if not raw.strip():
            continue
        try:
            values = json.loads(raw, parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            values = None
        fault = "" if isinstance(values, dict) else _("This is not a JSON object.")
        yield number, values if not fault else None, raw.strip(), fault
