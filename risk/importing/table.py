"""Any table of past cases, read as columns of numbers and categories with a target of 0 and 1.

What a column is follows from its values alone, never from the target: numbers (with thousands' commas, currency
signs and percents), dates (in days), or categories. Columns that cannot tell anything or only name the row are
left out, each with its reason.
"""

import csv
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from django.utils.translation import gettext as _
from sklearn.isotonic import IsotonicRegression

from risk.engine.scorecard import CATEGORY, NUMERIC, FeatureSpec
from risk.importing.files import FileFault

MISSING = (
    "", "NA", "na", "N/A", "n/a", "NaN", "nan", "NULL", "null", "Null", "?", ".", "-", "--", "#N/A", "#DIV/0!", "<NA>",
    "None", "缺失", "空",
)  # fmt: skip
ENCODINGS = ("utf-8-sig", "gb18030", "latin-1")
DELIMITERS = ",;\t|"
NUMBERS_FROM = 0.95  # a column is one of numbers, or of dates, when this share of its values is
DATE_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%b-%Y", "%d-%b-%y", "%Y-%m", "%b-%Y", "%b-%y",
    "%Y年%m月%d日", "%d/%m/%y", "%m/%d/%y", "%Y%m%d",
)  # fmt: skip
# Commas that part thousands; where they do not, they are decimal commas.
THOUSANDS = r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?"
DATE_LIKE = re.compile(r"^\d{1,4}[-/.年]\w{1,3}|^[A-Za-z]{3}-\d{2,4}$|^(19|20)\d{6}$")
CLOCK_TIME = r"(?<=\d)[T ]\d{1,2}:\d{2}.*$"
ID_NAME = re.compile(
    r"(?i)(^|[_ .])(id|nr|no|number|key|uuid|guid|index|rownames|unnamed: \d+)([_ .]|$)|编号|[a-z](ID|Nr|No)([_A-Z]|$)"
)
SAME_ORDER = 0.98  # share of a column that the time explains, from which it is the time under another name
MANY_GROUPS = 50
EPOCH = np.datetime64("1970-01-01")


@dataclass(frozen=True)
class Column:
    """Values of one kind: floats with NaN for what is missing, or text with None. A date counts days from 1970."""

    kind: str
    values: np.ndarray
    is_date: bool = False

    @property
    def known(self) -> np.ndarray:
        known: np.ndarray = pd.notna(self.values)
        return known


@dataclass(frozen=True)
class Past:
    """Cases with a known end: columns by name, what each is, 1 for bad, and what splits them."""

    table: dict[str, np.ndarray]
    specs: tuple[FeatureSpec, ...]
    target: np.ndarray
    positive: tuple[str, ...]
    dates: frozenset[str] = frozenset()
    time: np.ndarray | None = None
    groups: np.ndarray | None = None
    since: frozenset[str] = frozenset()  # dates counted from `time` on
    left_out: tuple[tuple[str, str], ...] = ()  # column, code of the reason
    dropped_rows: int = 0  # without a target
    signs: tuple[dict[str, Any], ...] = ()  # of leaks, seen while reading


def read(
    path: Path,
    *,
    target: str,
    positive: Sequence[str] = (),
    time: str | None = None,
    group: str | None = None,
    exclude: Sequence[str] = (),
) -> Past:
    """Reads a CSV file (plain or gzipped). Raises `FileFault` in words for whatever is wrong with it or the columns."""
    frame = _frame(path, [name for name in (target, time, group) if name is not None])
    named = [name for name in (target, time, group, *exclude) if name is not None]
    if absent := sorted(set(named) - set(frame.columns)):
        told = {"absent": ", ".join(absent), "header": ", ".join(frame.columns)}
        raise FileFault(_("The file has no column %(absent)s. It has: %(header)s") % told)
    if target in (time, group, *exclude):
        raise FileFault(_("The target cannot be left out, nor split the data."))
    known = frame[target].notna().to_numpy()
    rows = frame[known].reset_index(drop=True)
    bad, values = _target(rows[target], positive)
    when = None if time is None else _moments(rows[time], time)
    groups = None if group is None else rows[group].fillna("").to_numpy(dtype=object)
    others = [name for name in frame.columns if name not in (target, time, group, *exclude)]
    columns = {name: column(rows[name]) for name in others}
    return _past(columns, bad, values, when, groups, int((~known).sum()))


def column(raw: "pd.Series[Any]") -> Column:
    """A column of text, or of numbers already, as what it holds."""
    if raw.dtype.kind in "iuf" and not _packed_dates(raw):
        return Column(NUMERIC, _spread(raw, raw))
    raw = raw if raw.dtype.kind not in "iuf" else raw.astype("Int64").astype(str).where(raw.notna())
    known = raw.dropna()
    if not len(known):
        return Column(NUMERIC, np.full(len(raw), np.nan))
    dates = _dates(known)
    if dates is not None:
        return Column(NUMERIC, _spread(raw, dates), is_date=True)
    numbers = _numbers(known)
    if numbers.notna().mean() >= NUMBERS_FROM:
        return Column(NUMERIC, _spread(raw, numbers))
    values = raw.astype(object).where(raw.notna(), None).to_numpy(dtype=object)
    return Column(CATEGORY, values)


# --- reading ------------------------------------------------------------------------------------------------


def _frame(path: Path, as_text: Sequence[str]) -> pd.DataFrame:
    text = _text(path)
    if not text.strip():
        raise FileFault(_("%s is empty.") % path)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=_delimiter(text),
            dtype=dict.fromkeys(as_text, str),
            na_values=MISSING,
            skipinitialspace=True,
            low_memory=False,
        )
    except (ValueError, csv.Error) as fault:
        raise FileFault(_("%(path)s cannot be read: %(fault)s") % {"path": path, "fault": fault}) from fault
    frame.columns = [str(name).strip() for name in frame.columns]
    if not len(frame):
        raise FileFault(_("%s has a header and no rows.") % path)
    for name in frame.select_dtypes(exclude="number").columns:
        stripped = frame[name].astype(str).str.strip()
        frame[name] = stripped.where(frame[name].notna() & ~stripped.isin(MISSING))
    return frame


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, ValueError) as fault:
        raise FileFault(_("%(path)s cannot be read: %(fault)s") % {"path": path, "fault": fault}) from fault
    if b"\x00" in raw[:10_000]:
        raise FileFault(_("%s is not a text file. Save the table as CSV.") % path)
    for encoding in ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 reads everything")


def _delimiter(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    return max(DELIMITERS, key=header.count)


# --- what a column holds ------------------------------------------------------------------------------------


def _spread(raw: "pd.Series[Any]", found: "pd.Series[Any]") -> np.ndarray:
    values: np.ndarray = found.reindex(raw.index).to_numpy(dtype=float)
    return np.where(np.isfinite(values), values, np.nan)


def _numbers(known: "pd.Series[Any]") -> "pd.Series[Any]":
    plain = pd.to_numeric(known, errors="coerce")
    if plain.notna().mean() >= NUMBERS_FROM:
        return plain
    tidy = known.str.replace(r"^[(]([^()]*)[)]$", r"-\1", regex=True)
    tidy = tidy.str.replace(r"[$€£¥￥%\s]", "", regex=True)
    with_comma = tidy[tidy.str.contains(",", regex=False)]
    if len(with_comma) and with_comma.str.fullmatch(THOUSANDS).mean() < NUMBERS_FROM:
        tidy = tidy.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    else:
        tidy = tidy.str.replace(",", "", regex=False)
    return pd.to_numeric(tidy, errors="coerce")


def _dates(known: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """Days from 1970 of a column of dates; None when it is not one."""
    if not known.head(200).str.match(DATE_LIKE).mean() >= NUMBERS_FROM:
        return None
    days = known.str.replace(CLOCK_TIME, "", regex=True)
    distinct = pd.Series(days.unique())
    for form in DATE_FORMATS:
        parsed = pd.to_datetime(distinct, format=form, errors="coerce")
        if parsed.notna().mean() >= NUMBERS_FROM:
            ordinal = (parsed.to_numpy().astype("datetime64[D]") - EPOCH).astype(float)
            ordinal[parsed.isna().to_numpy()] = np.nan
            return days.map(dict(zip(distinct, ordinal, strict=True))).astype(float)
    return None


def _packed_dates(raw: "pd.Series[Any]") -> bool:
    """Whether whole numbers are dates like 20240131."""
    known = raw.dropna()
    within = len(known) and bool(known.between(19_000_101, 21_001_231).all())
    return bool(within and (known % 100).between(1, 31).all() and (known // 100 % 100).between(1, 12).all())


def _moments(raw: "pd.Series[Any]", name: str) -> Column:
    found = column(raw)
    if found.kind == CATEGORY or not found.known.all():
        raise FileFault(_("Column %s must hold a date or a number in every row to split by.") % name)
    return found


def _target(raw: "pd.Series[Any]", positive: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    found = sorted(raw.unique())
    if len(found) < 2:
        raise FileFault(_("The target has one value only: %s.") % (", ".join(found) or _("none")))
    if not positive:
        if len(found) > 2:
            told = {"count": len(found), "some": ", ".join(found[:8])}
            raise FileFault(
                _("The target has %(count)d values (%(some)s). Say with --positive which of them is bad.")
                % told
            )
        positive = [_worse(found)]
    matched = [value for value in found if any(_alike(value, wanted) for wanted in positive)]
    if not matched or len(matched) == len(found):
        told = {"positive": ", ".join(positive), "some": ", ".join(found[:8])}
        raise FileFault(_("%(positive)s does not part the target, which has the values: %(some)s.") % told)
    bad = raw.isin(matched).to_numpy().astype(int)
    if min(bad.sum(), len(bad) - bad.sum()) < 10:
        raise FileFault(_("At least 10 good and 10 bad rows are needed."))
    return bad, tuple(matched)


BAD_WORDS = re.compile(r"(?i)^(bad|default(ed)?|chgoff|charged.off|yes|y|true|t|1|1\.0|坏|违约|是)$")


def _worse(found: Sequence[str]) -> str:
    """Which of two values is the bad one: the one that says so, or the greater."""
    said = [value for value in found if BAD_WORDS.match(value)]
    if len(said) == 1:
        return said[0]
    numbers = [pd.to_numeric(value, errors="coerce") for value in found]
    return found[int(np.argmax(numbers))] if not any(map(pd.isna, numbers)) else found[-1]


def _alike(value: str, wanted: str) -> bool:
    if value == wanted.strip():
        return True
    try:
        return float(value) == float(wanted)
    except ValueError:
        return False


# --- what is left out ---------------------------------------------------------------------------------------


def _past(
    columns: dict[str, Column],
    bad: np.ndarray,
    positive: tuple[str, ...],
    when: Column | None,
    groups: np.ndarray | None,
    dropped: int,
) -> Past:
    time = None if when is None else when.values
    left_out = [
        (name, why) for name, found in columns.items() if (why := _useless(name, found, time, groups))
    ]
    kept = {name: found for name, found in columns.items() if name not in dict(left_out)}
    if not kept:
        raise FileFault(_("No column is left to learn from."))
    dates = frozenset(name for name, found in kept.items() if found.is_date)
    since = dates if when is not None and when.is_date else frozenset[str]()
    signs = []
    if groups is None:
        signs = [
            {"kind": "GROUP_LIKE", "feature": name} for name in columns if _goes_together(columns[name], bad)
        ]
    return Past(
        table={n: found.values - time if n in since else found.values for n, found in kept.items()},
        specs=tuple(FeatureSpec(name, 0, found.kind) for name, found in kept.items()),
        target=bad,
        positive=positive,
        dates=dates - since,
        time=time,
        groups=groups,
        since=since,
        left_out=tuple(left_out),
        dropped_rows=dropped,
        signs=tuple(signs),
    )


def _goes_together(found: Column, bad: np.ndarray) -> bool:
    """Whether many values each stand in a few rows of one end: the column names a person or a company."""
    if found.is_date or (found.kind == NUMERIC and not _whole(found.values[found.known])):
        return False
    rows = pd.DataFrame({"value": found.values, "bad": bad})[found.known]
    each = rows.groupby("value")["bad"].agg(["size", "sum"])
    several = each[each["size"] > 1]
    if len(each) < MANY_GROUPS or len(each) < 0.05 * len(rows) or several["size"].sum() < 0.3 * len(rows):
        return False
    size, worse = several["size"], several["sum"]
    alike = 1 - (2 * worse * (size - worse)).sum() / (size * (size - 1)).sum()
    chance = 1 - 2 * rows["bad"].mean() * (1 - rows["bad"].mean())
    return bool(alike - chance > 0.4 * (1 - chance))


def _whole(values: np.ndarray) -> bool:
    return bool(np.array_equal(values, np.round(values)))


def _useless(name: str, found: Column, time: np.ndarray | None, groups: np.ndarray | None) -> str:
    """Why a column is left out: EMPTY, CONSTANT, IDENTIFIER, SAME_AS_TIME or SAME_AS_GROUP; empty if it is not."""
    values = found.values[found.known]
    distinct = pd.unique(values)
    if not len(values):
        return "EMPTY"
    if len(distinct) == 1 and len(values) == len(found.values):
        return "CONSTANT"
    if _names_the_row(name, found, len(distinct), len(values)):
        return "IDENTIFIER"
    if time is not None and found.kind == NUMERIC and not found.is_date and _same_order(found, time):
        return "SAME_AS_TIME"
    if groups is not None and _names_the_group(found, len(distinct), groups):
        return "SAME_AS_GROUP"
    return ""


def _names_the_row(name: str, found: Column, distinct: int, count: int) -> bool:
    if count < 50 or distinct < 0.95 * count or found.is_date:
        return False
    if found.kind == CATEGORY:
        return True
    values = found.values[found.known]
    if not _whole(values):
        return False
    steps = np.diff(values)
    return bool(ID_NAME.search(name)) or bool(distinct == count and ((steps > 0).all() or (steps < 0).all()))


def _same_order(found: Column, time: np.ndarray) -> bool:
    """Whether the column goes with the time alone: it is nearly a rising, or falling, function of it."""
    values, moments = found.values[found.known], time[found.known]
    total = values.var()
    for rising in (True, False):
        fitted = IsotonicRegression(increasing=rising).fit_transform(moments, values)
        if ((values - fitted) ** 2).mean() < (1 - SAME_ORDER) * total:
            return True
    return False


def _names_the_group(found: Column, distinct: int, groups: np.ndarray) -> bool:
    """Text that is the same all over a group, and another one in most groups."""
    if found.kind != CATEGORY:
        return False
    frame = pd.DataFrame({"value": found.values, "group": groups})
    each = frame.groupby("group")["value"].nunique()
    return bool(distinct > 0.5 * frame["group"].nunique() and float(each.mean()) < 1.1)
