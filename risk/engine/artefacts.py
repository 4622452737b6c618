"""Rivals as files: written by skops, opened only with their fingerprint and only where every type is on the list."""

import hashlib
from collections.abc import Iterable
from typing import Any

import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from risk.engine.binning import Binning
from risk.engine.challengers import Rival
from risk.engine.scorecard import FeatureSpec

# Besides the types that skops itself knows to be harmless. Nothing here runs code of the file's choosing: `partial`
# is taken apart too, and what it calls must be trusted as well.
ALLOWED = frozenset(
    {
        "functools.partial",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.utils.validation.check_array",
    }
)
ESTIMATORS = (HistGradientBoostingClassifier, LogisticRegression)


class Untrusted(Exception):
    """The file is not the one that was kept, or holds what may not be opened; the message says which."""


def dumps(rival: Rival) -> bytes:
    """The file of a rival. Raises `Untrusted` when it could not be opened again."""
    content: bytes = skops.io.dumps(
        {
            "kind": rival.kind,
            "estimator": rival.estimator,
            "binnings": [_plain(one) for one in rival.binnings],
        }
    )
    _check_types(content)
    return content


def loads(content: bytes, sha256: str) -> Rival:
    """The rival in a file. Raises `Untrusted`; nothing of the file is built before it is checked."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Untrusted("the file does not have the fingerprint that was kept")
    _check_types(content)
    try:
        raw = skops.io.loads(content, trusted=sorted(ALLOWED))
        binnings = tuple(_binning(one) for one in raw["binnings"])
        kind, estimator = raw["kind"], raw["estimator"]
    except Exception as fault:
        raise Untrusted(f"the file does not hold a rival: {fault}") from fault
    if not isinstance(estimator, ESTIMATORS):
        raise Untrusted(f"a {type(estimator).__name__} is no rival")
    return Rival(kind, binnings, estimator)


def _check_types(content: bytes) -> None:
    try:
        found: Iterable[str] = skops.io.get_untrusted_types(data=content)
    except Exception as fault:
        raise Untrusted(f"the file cannot be read: {fault}") from fault
    if strange := sorted(set(found) - ALLOWED):
        raise Untrusted(f"types that are not on the list: {', '.join(strange)}")


def _plain(one: Binning) -> dict[str, Any]:
    spec = one.spec
    return {
        "name": spec.name,
        "sign": spec.sign,
        "kind": spec.kind,
        "ratio": list(spec.ratio or ()),
        "bounds": list(one.bounds),
        "members": list(one.members),
    }


def _binning(raw: dict[str, Any]) -> Binning:
    ratio = (raw["ratio"][0], raw["ratio"][1]) if raw["ratio"] else None
    spec = FeatureSpec(raw["name"], raw["sign"], raw["kind"], ratio)
    return Binning(spec, tuple(raw["bounds"]), tuple(raw["members"]))
