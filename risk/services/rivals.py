"""The rivals of a scorecard: trained on the same rows, tested on the same later ones, kept as files."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from risk.engine import artefacts, metrics
from risk.engine.challengers import CHALLENGERS, Rival
from risk.engine.scorecard import FeatureSpec
from risk.models import Artefact, ModelVersion

Rows = tuple[Mapping[str, Any], np.ndarray]  # columns by name, and 1 for bad


def train(
    learned: Rows, later: Rows, specs: Sequence[FeatureSpec], *, seed: int
) -> list[tuple[str, bytes, dict[str, Any]]]:
    """Each rival's kind, file, and figures on the later rows."""
    found = []
    with threadpool_limits(limits=1):
        for kind, learn in CHALLENGERS.items():
            rival = learn(*learned, specs, seed=seed)
            found.append((kind, artefacts.dumps(rival), metrics.summary(later[1], rival.pds(later[0]))))
    return found


def keep(model: ModelVersion, made: Sequence[tuple[str, bytes, dict[str, Any]]], *, at: datetime) -> None:
    for kind, content, figures in made:
        sha256 = hashlib.sha256(content).hexdigest()
        Artefact.objects.create(
            model=model,
            kind=kind,
            file=ContentFile(content, name=f"{kind}-{sha256[:16]}.skops"),
            sha256=sha256,
            metrics=figures,
            made_at=at,
        )


def opened(artefact: Artefact) -> Rival:
    """The rival itself. Raises `Untrusted` when its file was tampered with, is gone, or holds a type not listed."""
    try:
        with artefact.file.open("rb") as file:
            content = file.read()
    except OSError as fault:
        raise artefacts.Untrusted(f"the file cannot be read: {fault}") from fault
    return artefacts.loads(content, artefact.sha256)
