"""Somebody else's history: a scorecard from any table, measured against its rivals. Needs no database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from risk.engine import training, validation
from risk.engine.scorecard import FACTOR, OFFSET, Scorecard
from risk.importing.files import FileFault
from risk.importing.table import EPOCH, Past

RATIOS, PAIRS = 20, 20
FEWEST_GROUPS = 10  # or folds within folds have none to hold out
AFTER_SHARE = (
    0.1  # a date that lies after the moment of decision in more rows than this is of later knowledge
)
FIGURES = (
    "auc", "ks", "gini", "brier", "calibration_slope", "calibration_intercept", "psi", "bad_rate", "mean_pd", "rows",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What was learned: the comparison on unseen rows, and the card of all rows with its difference from the model."""

    past: Past
    comparison: validation.Comparison
    card: Scorecard
    table_error: float  # log-odds
    warnings: tuple[dict[str, Any], ...]


def learn(
    past: Past,
    *,
    seed: int = 1,
    folds: int = 5,
    ratios: int = RATIOS,
    pairs: int = PAIRS,
    progress: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Compares the models on rows that none has seen, then trains the card on all rows.

    Raises `FileFault` when the rows cannot be learned from.
    """
    _check_groups(past)
    try:
        # Threads wait for each other most of the time on so little work, and the more so on a busy machine.
        with threadpool_limits(limits=1):
            comparison = validation.compare(
                past.table,
                past.target,
                past.specs,
                seed=seed,
                groups=past.groups,
                time=past.time,
                folds=folds,
                ratios=ratios,
                pairs=pairs,
                progress=progress,
            )
            progress("card")
            card, error = final(past, seed=seed, ratios=ratios, pairs=pairs)
    except ValueError as fault:
        raise FileFault(_("This cannot be learned from: %s.") % fault) from fault
    found = [*past.signs, *_dated(past), *comparison.warnings]
    return Outcome(past, comparison, card, error, tuple(found))


def _check_groups(past: Past) -> None:
    count = FEWEST_GROUPS if past.groups is None else len(np.unique(past.groups))
    if count < FEWEST_GROUPS:
        told = {"count": count, "least": FEWEST_GROUPS}
        raise FileFault(_("The column of --group has %(count)s values; it takes %(least)s or more.") % told)


def final(past: Past, *, seed: int, ratios: int = RATIOS, pairs: int = PAIRS) -> tuple[Scorecard, float]:
    """The card of all rows, and the largest difference between its table and the model, in log-odds."""
    model = training.fit(
        past.table, past.target, past.specs, seed=seed, groups=past.groups, ratios=ratios, pairs=pairs
    )
    card = training.export(model, past.table, past.target, seed=seed)
    served = (OFFSET - card.score_many(past.table)) / FACTOR
    return card, float(np.max(np.abs(served - model.log_odds(past.table))))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Everything measured, as plain values."""
    past, card = outcome.past, outcome.card
    return {
        "rows": len(past.target),
        "bad": int(past.target.sum()),
        "positive": list(past.positive),
        "rows_without_target": past.dropped_rows,
        "features": [{"name": spec.name, "kind": spec.kind} for spec in past.specs],
        "left_out": [{"column": name, "why": why} for name, why in past.left_out],
        "split": outcome.comparison.split,
        "models": {name: _model(measured) for name, measured in outcome.comparison.models.items()},
        "warnings": [{**sign, "message": message(sign)} for sign in outcome.warnings],
        "scorecard": {
            "sha256": card.sha256,
            "features": [feature.name for feature in card.features],
            "base_points": card.base_points,
            "table_error": outcome.table_error,
            "grades": validation.grade_calibration(card, *_unseen_scores(outcome)),
        },
    }


def message(sign: dict[str, Any]) -> str:
    """A warning in words."""
    kind, told = sign["kind"], {"feature": sign["feature"], "share": f"{sign.get('share', 0):.1%}"}
    if kind == "SINGLE_AUC":
        return _("%(feature)s alone ranks with an AUC of %(auc)s: does it know the answer?") % {
            **told,
            "auc": f"{sign['auc']:.3f}",
        }
    if kind == "SINGLE_IV":
        return _("%(feature)s has an information value of %(iv)s: was it known at the time?") % {
            **told,
            "iv": f"{sign['iv']:.2f}",
        }
    if kind == "SENTINEL":
        value = _day(sign["value"]) if sign.get("date") else f"{sign['value']:,.6g}"
        return _("%(feature)s is %(value)s in %(share)s of the rows: a code, not a value?") % {
            **told,
            "value": value,
        }
    if kind == "MODEL_TOO_GOOD":
        return _("The scorecard ranks with an AUC of %s: too good to be true, look for a leak.") % (
            f"{sign['auc']:.3f}"
        )
    return str(MESSAGES[kind]() % told)


MESSAGES: dict[str, Callable[[], str]] = {
    "TARGET_LIKE_NAME": lambda: _("%(feature)s sounds like the outcome itself."),
    "REPEATED_ROWS": lambda: _("%(share)s of the rows tested on stand among those learned from, too."),
    "NEAR_ROWS": lambda: _("%(share)s of the rows tested on nearly stand among those learned from."),
    "GROUP_LIKE": lambda: _(
        "The rows of one %(feature)s go together: give it as --group, or the test is one of memory."
    ),
    "DATE_AFTER": lambda: _("%(feature)s lies after the moment of decision in %(share)s of the rows."),
}

LEFT_OUT: dict[str, Callable[[], str]] = {
    "EMPTY": lambda: _("empty"),
    "CONSTANT": lambda: _("the same in every row"),
    "IDENTIFIER": lambda: _("only names the row"),
    "SAME_AS_TIME": lambda: _("is the time under another name"),
    "SAME_AS_GROUP": lambda: _("is the group under another name"),
}


def _model(measured: validation.Measured) -> dict[str, Any]:
    folds = [{name: fold[name] for name in FIGURES} for fold in measured.folds]
    return {**{name: measured.mean[name] for name in FIGURES}, "folds": folds}


def _unseen_scores(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Scores and ends of the rows that the scorecard was tested on."""
    measured = outcome.comparison.models["scorecard"]
    return validation.scores_of(measured.pd), measured.y


def _dated(past: Past) -> list[dict[str, Any]]:
    """Dates, counted from the moment of decision, that lie after it."""
    found = []
    for name in past.since:
        share = float(np.mean(past.table[name] > 0))
        if share > AFTER_SHARE:
            found.append({"kind": "DATE_AFTER", "feature": name, "share": share})
    return found


def _day(days: float) -> str:
    return str(EPOCH + np.timedelta64(int(days), "D"))
