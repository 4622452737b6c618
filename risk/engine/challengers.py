"""The two yardsticks of a scorecard, for training time only: binned logistic regression and unrestricted boosting.

Both learn from the same bins as the scorecard does, so a difference is one of the model and not of
how the columns were read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from risk.engine.binning import Binning, Table, binning, encode
from risk.engine.metrics import Array
from risk.engine.scorecard import CATEGORY, FeatureSpec, column_of

LOGISTIC, BOOSTING = "binned_logistic", "boosting"
LOGISTIC_BINS = 10
BOOSTING_BINS = 255
MAX_MEMBERS = 64  # of a category, the most frequent ones


@dataclass(frozen=True)
class Rival:
    """A fitted model of scikit-learn with the bins it reads rows by."""

    kind: str
    binnings: tuple[Binning, ...]
    estimator: Any

    def pds(self, table: Table) -> np.ndarray:
        known = encode(self.binnings, table)
        rows = _indicators(self.binnings, known) if self.kind == LOGISTIC else known
        found: np.ndarray = self.estimator.predict_proba(rows)[:, 1]
        return found


def binned_logistic(table: Table, y: Array, features: Sequence[FeatureSpec], *, seed: int) -> Rival:
    """Logistic regression on ten bins per feature, missing being one more."""
    binnings = _binnings(table, features, LOGISTIC_BINS)
    model = LogisticRegression(C=0.3, max_iter=500, random_state=seed)
    return Rival(LOGISTIC, binnings, model.fit(_indicators(binnings, encode(binnings, table)), y))


def boosting(table: Table, y: Array, features: Sequence[FeatureSpec], *, seed: int) -> Rival:
    """Boosted trees free to combine all features, stopped early on a tenth of the rows."""
    binnings = _binnings(table, features, BOOSTING_BINS)
    model = HistGradientBoostingClassifier(
        categorical_features=[b.spec.kind == CATEGORY for b in binnings],
        learning_rate=0.05,
        max_iter=500,
        max_leaf_nodes=16,
        l2_regularization=1.0,
        early_stopping=True,
        n_iter_no_change=20,
        random_state=seed,
    )
    return Rival(BOOSTING, binnings, model.fit(encode(binnings, table), y))


CHALLENGERS: dict[str, Callable[..., Rival]] = {LOGISTIC: binned_logistic, BOOSTING: boosting}


def _binnings(table: Table, features: Sequence[FeatureSpec], bins: int) -> tuple[Binning, ...]:
    return tuple(binning(spec, column_of(spec, table), bins, MAX_MEMBERS) for spec in features)


def _indicators(binnings: Sequence[Binning], codes: np.ndarray) -> np.ndarray:
    """One column of 0 and 1 per bin and per kind of missing."""
    blocks = []
    for column, one in enumerate(binnings):
        rows = np.where(np.isnan(codes[:, column]), one.size, codes[:, column]).astype(int)
        blocks.append(np.eye(one.size + 1)[rows])
    return np.hstack(blocks)
