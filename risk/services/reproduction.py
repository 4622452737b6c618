"""Training again from frozen data: the same rows, code and seed must give the same points."""

import csv
import gzip
import hashlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import User
from risk import features
from risk.engine.scorecard import FeatureSpec
from risk.models import Dataset, ModelVersion
from risk.provenance import code_version
from risk.services.training import Case, Training, fit


@dataclass(frozen=True)
class Reproduction:
    """What training again gave. `largest` is the largest difference over the rows of the data set, in points."""

    sha256: str
    same: bool
    same_code: bool
    largest: float


def reproduce(*, model_id: int, by: User | None, at: datetime) -> Reproduction:
    """Train a model again from its frozen data and write down whether the points are the same.

    Raises `Refused` when it has no frozen data, or when the file is not the one that was frozen.
    """
    model = ModelVersion.objects.select_related("dataset").get(pk=model_id)
    if model.dataset is None:
        raise Refused("no_dataset", _("This model has no frozen data: it cannot be trained again."))
    run = thawed(model.dataset, model.metrics.get("specs"))
    card, _measured = fit(run, seed=model.metrics["seed"])
    table = run.table(run.cases)
    apart = np.abs(card.score_many(table) - model.scorecard.score_many(table))
    found = Reproduction(
        sha256=card.sha256,
        same=card.sha256 == model.sha256,
        same_code=model.metrics.get("code") == code_version(),
        largest=float(apart.max()),
    )
    with transaction.atomic():
        told = {"same": found.same, "same_code": found.same_code, "largest": found.largest}
        events.record("model.reproduced", model, by=by, at=at, sha256=card.sha256, **told)
    return found


def thawed(dataset: Dataset, specs: list[list] | None = None) -> Training:
    """The cases of a frozen data set as they were trained on. Raises `Refused` when its file is another one."""
    try:
        with dataset.file.open("rb") as file:
            content = file.read()
    except OSError as fault:
        raise Refused("no_file", _("The file of the data set cannot be read: %s") % fault) from fault
    if hashlib.sha256(content).hexdigest() != dataset.sha256:
        raise Refused("tampered", _("The file of the data set is not the one that was frozen."))
    rows = list(csv.DictReader(gzip.decompress(content).decode().splitlines()))
    known = (
        {name: FeatureSpec(name, sign, kind) for name, sign, kind in specs}
        if specs
        else {name: features.ALL[name].spec for name in dataset.columns}
    )
    return Training(
        segment=dataset.segment,
        as_of=dataset.as_of,
        cases=[_case(row, dataset.columns) for row in rows],
        split=sum(row["part"] == "train" for row in rows),
        specs=[known[name] for name in dataset.columns],
    )


def _case(row: dict[str, str], columns: list[str]) -> Case:
    return Case(
        application_id=int(row["application"]),
        customer_id=int(row["customer"]),
        submitted_at=datetime.fromisoformat(row["submitted_at"]),
        bad=row["bad"] == "1",
        vector={name: float(row[name]) if row[name] else None for name in columns},
    )
