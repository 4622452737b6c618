"""Training: the past as it was known then, frozen to a file; a scorecard from its earlier part, tested on the later.

Target: an application that was booked is bad when an instalment of its loans, due within the window less
`BAD_DAYS` after booking, was at least `BAD_DAYS` days late; good when something fell due in that time and nothing
was. One of which nothing fell due (a line that was never used) says nothing and is left out. Only applications
booked a whole window before the date of training are looked at, so that none is called good too early.
"""

import csv
import gzip
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lending import events
from lending.models import User
from risk import features
from risk.engine import metrics, monitoring, training
from risk.engine.binning import MAX_BINS
from risk.engine.scorecard import FACTOR, OFFSET, FeatureSpec, Scorecard, numbers
from risk.models import Dataset, ModelVersion
from risk.provenance import code_version
from risk.selectors import outcomes
from risk.selectors.features import Moment, Vector, vectors_at
from risk.selectors.outcomes import BAD_DAYS, WINDOW_DAYS
from risk.services import rivals

TRAIN_SHARE = 0.7  # of the bad ones, by time of submission: what is rare must be in both parts
MINIMUM_BAD_TRAIN, MINIMUM_BAD_TEST, MINIMUM_ROWS = 14, 6, 150
FEW_BAD = 20  # with fewer of them to test on, the AUC is a rough guess
WEAK_AUC, LEAK_AUC, LEAK_IV = 0.55, 0.90, 0.5


class TooLittleData(Exception):
    """Not enough has come to pass to learn from; the message says what there is and what it takes."""


@dataclass(frozen=True, slots=True)
class Case:
    """One matured application: what was known when it was submitted, and what became of it."""

    application_id: int
    customer_id: int
    submitted_at: datetime
    bad: bool
    vector: Vector


@dataclass(frozen=True)
class Training:
    """The cases in order of time, `split` of them to train on, and the columns that say anything."""

    segment: str
    as_of: datetime
    cases: Sequence[Case]
    split: int
    specs: Sequence[FeatureSpec]

    def table(self, cases: Sequence[Case]) -> dict[str, list[float | None]]:
        return {spec.name: [case.vector[spec.name] for case in cases] for spec in self.specs}

    @property
    def earlier(self) -> Sequence[Case]:
        return self.cases[: self.split]

    @property
    def later(self) -> Sequence[Case]:
        return self.cases[self.split :]


def train(
    *,
    segment: str,
    as_of: datetime,
    at: datetime,
    by: User | None,
    seed: int = 1,
    window_days: int = WINDOW_DAYS,
) -> ModelVersion:
    """A new model version from what had come to pass by `as_of`, with its frozen data and its metrics.

    It is VALIDATED unless it ranks hardly better than chance; then it stays a draft with that finding. Raises
    `TooLittleData`.
    """
    run = _prepare(segment, as_of, window_days)
    card, measured = fit(run, seed=seed)
    made = rivals.train(_rows(run, run.earlier), _rows(run, run.later), run.specs, seed=seed)
    return _keep(run, card, measured | {"window_days": window_days}, made, by=by, at=at)


def fit(run: Training, *, seed: int = 1) -> tuple[Scorecard, dict[str, Any]]:
    """The scorecard that the earlier cases teach, and its metrics on these and on the later ones.

    Raises `TooLittleData` when nothing tells good from bad.
    """
    earlier = run.table(run.earlier)
    groups = [case.customer_id for case in run.earlier]
    bad = [case.bad for case in run.earlier]
    # On so few rows threads wait for each other most of the time, and the more so the busier the machine.
    with threadpool_limits(limits=1, user_api="openmp"):
        card = training.train(earlier, bad, run.specs, seed=seed, groups=groups, max_bins=_bins(sum(bad)))
    if not card.features:
        raise TooLittleData(f"Nothing in {run.split} applications of {run.segment} tells good from bad.")
    made_by = {"code": code_version(), "specs": [[spec.name, spec.sign, spec.kind] for spec in run.specs]}
    return card, _measure(card, run) | {"seed": seed, "bad_days": BAD_DAYS, **made_by}


def matured(segment: str, as_of: datetime, window_days: int) -> list[Case]:
    """Every application with a known end, with its features as of its submission, oldest first."""
    rows = outcomes.matured(segment, timezone.localtime(as_of).date(), window_days)
    vectors = vectors_at(segment, [Moment(row.customer_id, row.submitted_at) for row in rows])
    return [Case(*row, vector) for row, vector in zip(rows, vectors, strict=True)]


def _prepare(segment: str, as_of: datetime, window_days: int) -> Training:
    cases = matured(segment, as_of, window_days)
    split = _split([case.bad for case in cases])
    bad_earlier = sum(case.bad for case in cases[:split])
    bad_later = sum(case.bad for case in cases[split:])
    if len(cases) < MINIMUM_ROWS or bad_earlier < MINIMUM_BAD_TRAIN or bad_later < MINIMUM_BAD_TEST:
        raise TooLittleData(
            f"{len(cases)} applications of {segment} were booked {window_days} days or more before "
            f"{as_of:%Y-%m-%d} and had something fall due; {bad_earlier} of the earlier {split} and {bad_later} "
            f"of the later {len(cases) - split} went bad. It takes {MINIMUM_ROWS} applications, with "
            f"{MINIMUM_BAD_TRAIN} bad ones to train on and {MINIMUM_BAD_TEST} to test on."
        )
    specs = [f.spec for f in features.BY_SEGMENT[segment] if _says_something(f.name, cases[:split])]
    return Training(segment, as_of, cases, split, specs)


def _split(bad: Sequence[bool]) -> int:
    """How many of the earliest cases to train on: as many as hold the share of the bad ones."""
    places = [place for place, is_bad in enumerate(bad, start=1) if is_bad]
    return places[math.ceil(len(places) * TRAIN_SHARE) - 1] if places else len(bad)


def _bins(bad: int) -> int:
    """The finest cut of a feature: about five bad ones to a bin, or the card learns them by heart."""
    return min(MAX_BINS, max(4, bad // 5))


def _says_something(name: str, cases: Sequence[Case]) -> bool:
    return len({case.vector[name] for case in cases}) > 1


# --- measuring ----------------------------------------------------------------------------------------------


def _measure(card: Scorecard, run: Training) -> dict[str, Any]:
    """How it ranks and how true its level is, on what it learned from and on what came later."""
    parts = {"train": run.earlier, "test": run.later}
    bad = {name: np.array([case.bad for case in cases], dtype=int) for name, cases in parts.items()}
    scores = {name: card.score_many(_columns(run, cases)) for name, cases in parts.items()}
    pds = {name: 1 / (1 + np.exp((score - OFFSET) / FACTOR)) for name, score in scores.items()}
    found = {name: metrics.summary(bad[name], pds[name]) for name in parts}
    measured = {
        **found,
        "psi": metrics.psi(scores["train"], scores["test"]),
        "score_bins": monitoring.baseline(scores["train"]),
        "grades": _grades(card, scores["test"], pds["test"], bad["test"]),
        "features": [_feature(spec.name, card, run, bad["train"]) for spec in run.specs],
    }
    plain: dict[str, Any] = _plain(measured)
    return plain | {"findings": _findings(plain)}


def _columns(run: Training, cases: Sequence[Case]) -> dict[str, np.ndarray]:
    return {name: numbers(column, name) for name, column in run.table(cases).items()}


def _rows(run: Training, cases: Sequence[Case]) -> rivals.Rows:
    return _columns(run, cases), np.array([case.bad for case in cases], dtype=int)


def _grades(card: Scorecard, scores: np.ndarray, pds: np.ndarray, bad: np.ndarray) -> list[dict[str, Any]]:
    """Each grade's share, predicted and true default rate, and whether the one lies in the other's interval."""
    of = np.array([card.grade(score) for score in scores])
    rows = []
    for grade, _above in card.grades:
        mine = of == grade
        count, worse = int(mine.sum()), int(bad[mine].sum())
        low, high = metrics.jeffreys(worse, count)
        predicted = float(pds[mine].mean()) if count else None
        rows.append(
            {
                "grade": grade,
                "rows": count,
                "bad": worse,
                "predicted": predicted,
                "low": low,
                "high": high,
                "fits": predicted is None or low <= predicted <= high,
            }
        )
    return rows


def _feature(name: str, card: Scorecard, run: Training, bad: np.ndarray) -> dict[str, Any]:
    """Coverage, stability and information value of one column; what the card left out has no value."""
    earlier, later = (numbers(run.table(cases)[name], name) for cases in (run.earlier, run.later))
    used = next((feature for feature in card.features if feature.name == name), None)
    return {
        "name": name,
        "used": used is not None,
        "missing": float(np.isnan(earlier).mean()),
        "psi": metrics.psi(earlier, later)["psi"],
        "iv": metrics.iv(bad, used.index_many(earlier)) if used else None,
        # What a column of noise with as many rows would come to: few bad ones make every value look large.
        "iv_noise": 3 * len(used.bins) * (1 / bad.sum() + 1 / (len(bad) - bad.sum())) if used else None,
    }


def _findings(measured: dict[str, Any]) -> list[str]:
    """What a validator would write down; the first kind keeps the model a draft."""
    test = measured["test"]
    found = []
    if test["auc"] < WEAK_AUC:
        found.append(f"BLOCKS: hardly better than chance on later data (AUC {test['auc']:.3f})")
    if (few := round(test["rows"] * test["bad_rate"])) < FEW_BAD:
        found.append(f"only {few} bad ones to test on: these figures are rough")
    if test["auc"] > LEAK_AUC:
        found.append(f"too good to be true, look for a leak (AUC {test['auc']:.3f})")
    for row in measured["features"]:
        if row["iv"] is not None and row["iv"] - row["iv_noise"] > LEAK_IV:
            found.append(f"check {row['name']} for a leak (information value {row['iv']:.2f})")
    if not 0.5 <= test["calibration_slope"] <= 2:
        found.append(f"the level is off on later data (slope {test['calibration_slope']:.2f})")
    if measured["psi"]["alarm"] != "stable":
        found.append(f"scores have shifted (PSI {measured['psi']['psi']:.3f}: {measured['psi']['alarm']})")
    return found


def _plain(value: Any) -> Any:
    """Numbers as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return round(value, 6) if isinstance(value, float) else value


# --- keeping ------------------------------------------------------------------------------------------------


@transaction.atomic
def _keep(
    run: Training,
    card: Scorecard,
    measured: dict[str, Any],
    made: Sequence[tuple[str, bytes, dict[str, Any]]],
    *,
    by: User | None,
    at: datetime,
) -> ModelVersion:
    versions = ModelVersion.objects.filter(segment=run.segment)
    model = ModelVersion(
        segment=run.segment,
        version=(versions.aggregate(last=Max("version"))["last"] or 0) + 1,
        dataset=_freeze(run, at),
        card=card.to_json(),
        sha256=card.sha256,
        metrics=measured,
        author=by,
        created_at=at,
    )
    if not any(finding.startswith("BLOCKS") for finding in measured["findings"]):
        model.validate()
    model.save(force_insert=True)
    rivals.keep(model, [(kind, content, _plain(figures)) for kind, content, figures in made], at=at)
    events.record("model.trained", model, by=by, at=at, sha256=model.sha256, test_auc=measured["test"]["auc"])
    return model


def _freeze(run: Training, at: datetime) -> Dataset:
    names = [spec.name for spec in run.specs]
    content = _as_csv(run, names)
    sha256 = hashlib.sha256(content).hexdigest()
    return Dataset.objects.create(
        segment=run.segment,
        as_of=run.as_of,
        target=f"{BAD_DAYS} days late on an instalment due in the window after booking",
        rows=len(run.cases),
        bad=sum(case.bad for case in run.cases),
        columns=names,
        file=ContentFile(content, name=f"{run.segment.lower()}-{sha256[:16]}.csv.gz"),
        sha256=sha256,
        made_at=at,
    )


def _as_csv(run: Training, names: Sequence[str]) -> bytes:
    """The same rows give the same bytes: no time stamp, numbers written so that they read back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["application", "customer", "submitted_at", "part", "bad", *names])
    for place, case in enumerate(run.cases):
        part = "train" if place < run.split else "test"
        values = ["" if case.vector[name] is None else repr(case.vector[name]) for name in names]
        moment = case.submitted_at.isoformat()
        writer.writerow([case.application_id, case.customer_id, moment, part, int(case.bad), *values])
    return gzip.compress(text.getvalue().encode(), mtime=0)
