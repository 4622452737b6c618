"""A scorecard: a table of points per feature, readable, printable and exact.

Serving needs only the standard library; numpy is loaded by `score_many` alone and
scikit-learn by training alone. Scale: 600 points at 50 good to 1 bad, 20 points double
the odds. Points are centred: zero is what the average customer of the training data
gets, so a feature with fewer than zero points has truly lost points.
"""

import hashlib
import json
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

FACTOR = 20 / math.log(2)
OFFSET = 600 - FACTOR * math.log(50)
NUMERIC = "numeric"
CATEGORY = "category"
PAIR = "pair"
BANDS = {"A": 0.01, "B": 0.02, "C": 0.05, "D": 0.10, "E": 0.20, "F": 1.0}
BLOCK = 8_192  # rows of a matrix scored at a time, so that their columns stay in the processor's cache
COUNTED = 24  # bounds
NOTICEABLE = 0.05  # points are printed with one decimal: what prints as 0.0 was not lost

Values = Mapping[str, Any]


class FeatureSpec(NamedTuple):
    """What is expected of a feature: `sign` is +1 when a higher value means more risk, -1 less, 0 unknown.

    `ratio` names two columns, the first of which is divided by the second.
    """

    name: str
    sign: int = 0
    kind: str = NUMERIC
    ratio: tuple[str, str] | None = None


@dataclass(frozen=True)
class Bin:
    """A row of the table: numbers up to and including `upper` (None: no bound), or the named `members`."""

    log_odds: float
    count: int
    bad: int
    upper: float | None = None
    members: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        return 0.0 - FACTOR * self.log_odds

    @property
    def bad_rate(self) -> float | None:
        return self.bad / self.count if self.count else None


@dataclass(frozen=True)
class Axis:
    """One side of a pair's grid: a row per range or member, and a last one for what is missing or another member."""

    name: str
    kind: str
    bounds: tuple[float, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Rows without the last one."""
        return len(self.members) if self.kind == CATEGORY else len(self.bounds) + 1

    @cached_property
    def by_member(self) -> dict[str, int]:
        return {member: row for row, member in enumerate(self.members)}

    def row(self, value: Any) -> int:
        if self.kind == CATEGORY:
            return self.by_member.get(category_of(value) or "", self.size)
        number = number_of(value, self.name)
        return self.size if number is None else bisect_left(self.bounds, number)

    def rows(self, column: Any) -> "np.ndarray":
        import numpy as np

        if self.kind == CATEGORY:
            return np.array([self.row(value) for value in column], dtype=np.intp)
        values = numbers(column, self.name)
        return np.where(np.isnan(values), self.size, np.searchsorted(self.bounds, values, side="left"))


@dataclass(frozen=True)
class Feature:
    """The step function of one feature; missing, and for categories unseen, values have a bin of their own.

    With two `axes` it is a pair: `bins` are the cells of their grid, row by row, and `missing` is never used.
    """

    name: str
    kind: str
    sign: int
    bins: tuple[Bin, ...]
    missing: Bin
    ratio: tuple[str, str] | None = None
    axes: tuple[Axis, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes) or self.ratio or (self.name,)

    @cached_property
    def bounds(self) -> list[float]:
        return [b.upper for b in self.bins if b.upper is not None]

    @cached_property
    def by_member(self) -> dict[str, Bin]:
        return {member: b for b in self.bins for member in b.members}

    def value(self, values: Values) -> Any:
        """The value of this feature for one customer; of a pair, both."""
        if self.axes:
            return tuple(values[axis.name] for axis in self.axes)
        if self.ratio is None:
            return values[self.name]
        top, bottom = (number_of(values[name], name) for name in self.ratio)
        return None if top is None or not bottom else top / bottom

    def bin_of(self, value: Any) -> Bin:
        """The row that holds `value`. Raises ValueError when a number is expected and none is given."""
        if self.axes:
            first, second = (axis.row(v) for axis, v in zip(self.axes, value, strict=True))
            row: Bin = self.bins[int(self.cell(first, second))]
            return row
        if self.kind == CATEGORY:
            return self.by_member.get(category_of(value) or "", self.missing)
        number = number_of(value, self.name)
        return self.missing if number is None else self.bins[bisect_left(self.bounds, number)]

    def cell(self, first: Any, second: Any) -> Any:
        """The bin number of a cell of a pair."""
        return first * (self.axes[1].size + 1) + second

    def index_many(self, column: Any) -> "np.ndarray":
        """The row number of each value of a column; `len(bins)` stands for missing."""
        import numpy as np

        if self.axes:
            return np.asarray(self.cell(*(axis.rows(c) for axis, c in zip(self.axes, column, strict=True))))
        if self.kind == CATEGORY:
            rows = {m: i for i, b in enumerate(self.bins) for m in b.members}
            return np.array([rows.get(category_of(v) or "", len(self.bins)) for v in column], dtype=np.intp)
        values = numbers(column, self.name)
        found = _above(self.bounds, values)
        missing = np.isnan(values)
        return np.where(missing, len(self.bins), found) if missing.any() else found

    @cached_property
    def log_odds_by_row(self) -> list[float]:
        return [b.log_odds for b in self.bins] + [self.missing.log_odds]


class Reason(NamedTuple):
    feature: str
    points_lost: float


@dataclass(frozen=True)
class Result:
    """A score with what each feature gave or took, in points against the average customer."""

    score: float
    pd: float
    grade: str
    contributions: tuple[tuple[str, float], ...]

    def reasons(self, limit: int = 4) -> tuple[Reason, ...]:
        """The features that lost most points, most first; features that lost none are never named."""
        lost = [Reason(name, -points) for name, points in self.contributions if points <= -NOTICEABLE]
        return tuple(sorted(lost, key=lambda r: (-r.points_lost, r.feature))[:limit])


@dataclass(frozen=True)
class Scorecard:
    """Base log-odds of being bad plus one table per feature; `grades` are (code, score above which it holds)."""

    base_log_odds: float
    features: tuple[Feature, ...]
    grades: tuple[tuple[str, float | None], ...]
    rows: int
    bad: int
    seed: int

    @property
    def base_points(self) -> float:
        return score_of(self.base_log_odds)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns the card asks for."""
        return tuple(dict.fromkeys(name for f in self.features for name in f.inputs))

    def score(self, values: Values) -> Result:
        """Scores one customer. A value of None is missing; an absent name raises ValueError."""
        self._require(values)
        log_odds = {f.name: f.bin_of(f.value(values)).log_odds for f in self.features}
        score = score_of(self.base_log_odds + math.fsum(log_odds.values()))
        points = tuple((name, 0.0 - FACTOR * part) for name, part in log_odds.items())
        return Result(score, pd_of(score), self.grade(score), points)

    def reasons(self, values: Values, limit: int = 4) -> tuple[Reason, ...]:
        return self.score(values).reasons(limit)

    def score_many(self, table: Any) -> "np.ndarray":
        """Scores of many customers, from columns by name or a matrix of numbers in the order of `inputs`."""
        import numpy as np

        if not hasattr(table, "keys") and len(table) > BLOCK:
            blocks = (table[first : first + BLOCK] for first in range(0, len(table), BLOCK))
            return np.concatenate([self.score_many(block) for block in blocks])
        columns = self._columns(table)
        total = np.full(len(columns[self.inputs[0]]) if columns else len(table), self.base_log_odds)
        for feature in self.features:
            rows = feature.index_many(column_of(feature, columns))
            total += np.take(np.asarray(feature.log_odds_by_row), rows)
        return OFFSET - FACTOR * total

    def grade(self, score: float) -> str:
        """The first grade whose cut lies below the score; a PD exactly on a band belongs to the worse grade."""
        return next(code for code, above in self.grades if above is None or score > above)

    def with_bands(self, bands: Mapping[str, float]) -> "Scorecard":
        """The same card with other grades: `bands` gives each grade the PD below which it holds, best first."""
        return replace(self, grades=cuts(bands))

    def recalibrated(self, slope: float, intercept: float) -> "Scorecard":
        """The card whose log-odds are `intercept + slope * log_odds`: same order (slope > 0), other level."""
        if not slope > 0:
            raise ValueError("the slope must be above zero, or the card would turn the order round")
        features = tuple(_scaled(f, slope) for f in self.features)
        base = intercept + slope * self.base_log_odds
        return replace(self, base_log_odds=base, features=features)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, floats that read back to the same bits."""
        raw = asdict(self)
        for feature in raw["features"]:
            if not feature["axes"]:  # a card without pairs reads as it always did
                del feature["axes"]
        return json.dumps(raw, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Scorecard":
        raw = json.loads(text)
        raw["features"] = tuple(_feature(f) for f in raw["features"])
        raw["grades"] = tuple((code, above) for code, above in raw["grades"])
        return cls(**raw)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def _require(self, values: Values) -> None:
        absent = [name for name in self.inputs if name not in values]
        if absent:
            raise ValueError(f"the scorecard asks for: {', '.join(absent)}")

    def _columns(self, table: Any) -> Mapping[str, Any]:
        if not hasattr(table, "keys"):
            import numpy as np

            turned = np.ascontiguousarray(table.T)  # a column at a time, each in one piece
            return dict(zip(self.inputs, turned, strict=False))
        self._require(table)
        return {name: table[name] for name in self.inputs}


def score_of(log_odds: float) -> float:
    """Points for the log-odds of being bad."""
    return OFFSET - FACTOR * log_odds


def pd_of(score: float) -> float:
    """Probability of being bad at a score."""
    return 1 / (1 + math.exp((score - OFFSET) / FACTOR))


def cuts(bands: Mapping[str, float]) -> tuple[tuple[str, float | None], ...]:
    """Score cuts of PD bands, best grade first; the last grade takes the rest."""
    limits = list(bands.values())
    if not limits or limits != sorted(set(limits)) or limits[0] <= 0:
        raise ValueError("PD bands must rise from grade to grade and start above zero")
    at = [score_of(math.log(pd / (1 - pd))) for pd in limits[:-1]]
    return tuple(zip(bands, [*at, None], strict=True))


def number_of(value: Any, name: str = "value") -> float | None:
    """A float, or None for what is missing: None, not a number, infinite."""
    if value is None:
        return None
    if isinstance(value, str):
        raise ValueError(f"{name} must be a number, got text")
    number = float(value)
    return number if math.isfinite(number) else None


def numbers(column: Any, name: str = "value") -> "np.ndarray":
    """A column of floats with NaN for what is missing; see `number_of`."""
    import numpy as np

    array = np.asarray(column)
    if array.dtype.kind in "biuf":
        values = array.astype(float, copy=False)
        finite = np.isfinite(values)
        return values if finite.all() else np.where(finite, values, np.nan)
    known = (number_of(v, name) for v in array)
    return np.array([np.nan if v is None else v for v in known], dtype=float)


def _above(bounds: Sequence[float], values: "np.ndarray") -> "np.ndarray":
    """How many of the rising bounds lie below each value: the row of the table. Few bounds are quicker counted than
    searched. NaN is above none."""
    import numpy as np

    if len(bounds) > COUNTED:
        return np.searchsorted(bounds, values, side="left")
    found = np.zeros(len(values), dtype=np.int8)
    for bound in bounds:
        found += values > bound
    return found


def column_of(spec: FeatureSpec | Feature, table: Mapping[str, Any]) -> Any:
    """The column of a feature: one of the table, or one divided by another (missing where that is zero).

    Of a pair: both columns.
    """
    if isinstance(spec, Feature) and spec.axes:
        return tuple(table[axis.name] for axis in spec.axes)
    if spec.ratio is None:
        return table[spec.name]
    import numpy as np

    top, bottom = (numbers(table[name], name) for name in spec.ratio)
    with np.errstate(all="ignore"):
        return np.where(bottom == 0, np.nan, top / bottom)


def category_of(value: Any) -> str | None:
    """The text that stands for a category (3 and 3.0 are one), or None for what is missing."""
    if value is None or value != value or value == "":
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _scaled(feature: Feature, slope: float) -> Feature:
    bins = tuple(replace(b, log_odds=slope * b.log_odds) for b in feature.bins)
    return replace(
        feature, bins=bins, missing=replace(feature.missing, log_odds=slope * feature.missing.log_odds)
    )


def _bin(raw: dict[str, Any]) -> Bin:
    return Bin(**{**raw, "members": tuple(raw["members"])})


def _feature(raw: dict[str, Any]) -> Feature:
    tables = {"bins": tuple(_bin(b) for b in raw["bins"]), "missing": _bin(raw["missing"])}
    axes = tuple(_axis(axis) for axis in raw.get("axes", ()))
    return Feature(**{**raw, **tables, "axes": axes, "ratio": tuple(raw["ratio"]) if raw["ratio"] else None})


def _axis(raw: dict[str, Any]) -> Axis:
    return Axis(**{**raw, "bounds": tuple(raw["bounds"]), "members": tuple(raw["members"])})
