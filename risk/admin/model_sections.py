"""What the pages of models are made of: figures, people, limits of use, monitoring."""

from collections.abc import Iterable
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from lending.admin.parts import Section, label, record_link
from lending.models import Event
from risk import features
from risk.models import ModelVersion, Reading
from risk.selectors.models import review_due

LEVEL_TONES = {"STABLE": "success", "WATCH": "warning", "ACT": "danger"}
PARTS = {"train": _("earlier data, learned from"), "test": _("later data, never seen")}


def measured(metrics: dict[str, Any]) -> Iterable[Section]:
    findings = [
        (label(text, "danger" if text.startswith("BLOCKS") else "warning"),) for text in metrics["findings"]
    ]
    yield Section(_("Findings"), [_("Finding")], findings or [(label(_("none"), "success"),)])
    yield Section(
        _("How it ranks and how true its level is"),
        [
            pgettext_lazy("sample", "On"),
            _("Rows"),
            _("Bad"),
            "AUC",
            "KS",
            "Brier",
            _("Mean PD"),
            _("Slope"),
            _("Intercept"),
        ],
        [
            (
                words,
                row["rows"],
                f"{row['bad_rate']:.1%}",
                f"{row['auc']:.3f}",
                f"{row['ks']:.3f}",
                f"{row['brier']:.4f}",
                f"{row['mean_pd']:.1%}",
                f"{row['calibration_slope']:.2f}",
                f"{row['calibration_intercept']:+.2f}",
            )
            for name, words in PARTS.items()
            for row in [metrics[name]]
        ],
        note=_("Scores have shifted by a PSI of %(psi)s.") % {"psi": f"{metrics['psi']['psi']:.3f}"},
    )
    yield Section(
        _("Grades on later data"),
        [_("Grade"), _("Rows"), _("Bad"), _("Predicted"), _("True rate, 95%"), ""],
        [
            (
                row["grade"],
                row["rows"],
                row["bad"],
                "–" if row["predicted"] is None else f"{row['predicted']:.1%}",
                f"{row['low']:.1%} – {row['high']:.1%}",
                label(_("fits"), "success") if row["fits"] else label(_("off"), "danger"),
            )
            for row in metrics["grades"]
        ],
    )
    yield Section(
        _("Features"),
        [_("Feature"), _("In the card"), _("Missing"), "PSI", _("Information value")],
        [
            (
                features.ALL[row["name"]].label if row["name"] in features.ALL else row["name"],
                _("yes") if row["used"] else _("no"),
                f"{row['missing']:.1%}",
                f"{row['psi']:.3f}",
                "–" if row["iv"] is None else f"{row['iv']:.3f}",
            )
            for row in metrics["features"]
        ],
    )


def rivals(model: ModelVersion) -> Section:
    rows = [
        (
            one.get_kind_display(),
            f"{one.metrics['auc']:.3f}",
            f"{one.metrics['ks']:.3f}",
            f"{one.metrics['brier']:.4f}",
            one.sha256[:16],
        )
        for one in model.artefacts.all()
    ]
    return Section(
        _("Rivals on the same later data"),
        [_("Model"), "AUC", "KS", "Brier", _("Fingerprint")],
        rows,
        note=_("They decide nothing: they show what the table of points gives away to be readable."),
    )


# --- the model card -----------------------------------------------------------------------------------------


def card(model: ModelVersion) -> Iterable[Section]:
    """Purpose, data, making, features, figures, limits, people: everything a reader has to know before signing."""
    yield _facts(_("Purpose"), _purpose(model))
    yield _facts(_("Data"), _data(model))
    yield _facts(_("How it was made"), _making(model))
    yield _looks_at(model)
    if "test" in model.metrics:
        yield from measured(model.metrics)
    yield rivals(model)
    yield Section(_("Limits of use"), [_("It is not to be used")], [(words,) for words in _limits(model)])
    yield people(model)
    yield reviews(model)
    yield monitoring(model)


def _facts(title: Any, rows: list[tuple[Any, Any]]) -> Section:
    return Section(title, rows=rows, facts=True)


def _target(model: ModelVersion) -> Any:
    return _(
        "An application is bad when an instalment due in the %(due)s days after booking is %(late)s days late or more."
    ) % {
        "due": model.metrics.get("window_days", 180) - model.metrics.get("bad_days", 30),
        "late": model.metrics.get("bad_days", 30),
    }


def _purpose(model: ModelVersion) -> list[tuple[Any, Any]]:
    return [
        (_("It is for"), _("Ranking applications by the risk that they go bad, as one input of the policy.")),
        (_("Borrowers"), model.get_segment_display()),
        (_("What it predicts"), _target(model)),
        (_("Method"), _("Additive table of points, read off boosted trees that each look at one feature.")),
    ]


def _data(model: ModelVersion) -> list[tuple[Any, Any]]:
    data = model.dataset
    if data is None:
        return [(_("Data set"), _("It came with its figures and without its rows."))]
    return [
        (_("Data set"), record_link(data)),
        (_("As of"), date_format(data.as_of, "DATE_FORMAT")),
        (_("Rows"), data.rows),
        (_("Bad"), f"{data.bad} ({data.bad / data.rows:.1%})"),
        (_("Features offered"), len(data.columns)),
        (_("Fingerprint"), data.sha256),
    ]


def _making(model: ModelVersion) -> list[tuple[Any, Any]]:
    code = model.metrics.get("code", {})
    again = (
        Event.objects.filter(
            kind="model.reproduced", subject_type=model._meta.label_lower, subject_id=model.pk
        )
        .order_by("-pk")
        .first()
    )
    return [
        (_("Fingerprint of the table"), model.sha256),
        (_("Seed"), model.metrics.get("seed", "–")),
        (_("Fingerprint of the code"), code.get("sha256", "–")),
        (
            _("Libraries"),
            ", ".join(f"{name} {what}" for name, what in code.items() if name != "sha256") or "–",
        ),
        (_("Trained again"), _again(again) if again else _("not yet")),
    ]


def _again(event: Event) -> Any:
    when = date_format(event.at, "SHORT_DATE_FORMAT")
    if event.data["same"]:
        return label(_("%(when)s: the same points") % {"when": when}, "success")
    apart = {"when": when, "points": f"{event.data['largest']:.2f}"}
    return label(_("%(when)s: up to %(points)s points apart") % apart, "danger")


def _looks_at(model: ModelVersion) -> Section:
    signs = {1: _("riskier"), -1: _("safer")}
    rows = []
    for used in model.scorecard.features:
        known = features.ALL.get(used.name)
        rows.append(
            (
                known.label if known else used.name,
                known.source_words if known else "–",
                (known.window or "–") if known else "–",
                signs.get(used.sign, "–"),
                (_("yes") if known.personal else _("no")) if known else "–",
                len(used.bins),
            )
        )
    columns = [
        _("Feature"),
        _("Source"),
        _("Window in days"),
        _("A higher value is"),
        _("Personal data"),
        _("Bins"),
    ]
    return Section(_("What it looks at"), columns, rows)


def _limits(model: ModelVersion) -> list[Any]:
    few = model.metrics.get("test", {})
    found = [
        _("for borrowers other than: %(segment)s") % {"segment": model.get_segment_display()},
        _("without a policy and without a person who looks at a decision when the customer asks for it"),
        _("to choose whom to approach in marketing"),
        _("where the value of a feature is made up: what is not known stays unknown and has its own points"),
        _(
            "for applicants unlike those who were accepted before: how the declined would have paid is not known"
        ),
    ]
    if few and few["rows"] * few["bad_rate"] < 100:
        found.append(_("to tell neighbouring grades apart: fewer than 100 bad ones stood in its test"))
    return found


def people(model: ModelVersion) -> Section:
    return _facts(
        _("Who answers for it"),
        [
            (_("Author"), model.author or "–"),
            (_("Trained"), date_format(model.created_at, "DATE_FORMAT")),
            (_("Approved by"), model.approver or "–"),
            (_("Approved"), date_format(model.approved_at, "DATE_FORMAT") if model.approved_at else "–"),
            (_("State"), model.get_state_display()),
        ],
    )


def review_label(model: ModelVersion, on: Any) -> Any:
    """The day of the next review, in red once it has passed."""
    due = review_due(model)
    if due is None:
        return "–"
    words = date_format(due, "SHORT_DATE_FORMAT")
    if due < on:
        return label(_("%(day)s: overdue") % {"day": words}, "danger")
    return words


def reviews(model: ModelVersion) -> Section:
    rows = [(one.on, one.by, one.finding, one.next_on) for one in model.reviews.select_related("by")]
    return Section(_("Reviews"), [_("On"), _("By"), _("Finding"), _("Next review")], rows)


# --- monitoring ---------------------------------------------------------------------------------------------


def level_label(level: str) -> Any:
    return label(Reading.Level(level).label, LEVEL_TONES[level])


def figure_words(name: str) -> Any:
    """What a figure of a reading is called: a feature, or one of the whole model."""
    whole = {"score": _("Score"), "auc": _("Ranking (AUC)"), "level": _("Level of the PD")}
    if name in whole:
        return whole[name]
    return features.ALL[name].label if name in features.ALL else name


def monitoring(model: ModelVersion) -> Section:
    rows = [
        (
            record_link(one, date_format(one.month, "YEAR_MONTH_FORMAT")),
            level_label(one.level),
            one.decisions,
            number(one.psi),
            one.matured,
            number(one.auc),
            ", ".join(str(figure_words(alarm["figure"])) for alarm in one.alarms) or "–",
        )
        for one in model.readings.all()[:24]
    ]
    return Section(
        _("Monitoring"),
        [
            *(_("Month"), _("Verdict"), _("Applications"), "PSI", _("Known ends"), "AUC", _("Alarms")),
        ],
        rows,
    )


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def reading(one: Reading) -> Iterable[Section]:
    """One month in full."""
    figures = one.figures
    drift = [("score", figures["score"]), *figures["features"].items()]
    drift = [(name, row) for name, row in drift if row]
    drift.sort(key=lambda pair: -pair[1]["psi"])
    yield Section(
        _("Drift against the rows of development"),
        [_("Figure"), "PSI", _("of which sampling brings"), _("Verdict")],
        [
            (figure_words(name), number(row["psi"]), number(row["noise"]), level_label(row["level"]))
            for name, row in drift
        ],
        note=_(
            "Watched above 0.10, acted on above 0.25; both only above three times what sampling alone brings."
        ),
    )
    yield _ranking(figures["ranking"])
    yield _level(figures["level"], figures["grades"])


def _ranking(row: dict[str, Any] | None) -> Section:
    title = _("Ranking on known ends")
    if row is None:
        return Section(title, note=_("Too few good or bad ends are known to say anything."))
    return Section(
        title,
        [
            _("Rows"),
            _("Bad"),
            "AUC",
            _("Interval, 95%"),
            _("AUC at the test"),
            "KS",
            _("Slope"),
            _("Verdict"),
        ],
        [
            (
                row["rows"],
                f"{row['bad_rate']:.1%}",
                number(row["auc"]),
                f"{row['auc_low']:.3f} – {row['auc_high']:.3f}",
                number(row["former_auc"]),
                number(row["ks"]),
                f"{row['calibration_slope']:.2f}",
                level_label(row["level"]),
            )
        ],
    )


def _level(whole: dict[str, Any] | None, grades: list[dict[str, Any]]) -> Section:
    rows = [({"grade": _("all")} | row) for row in ([whole] if whole else [])] + grades
    return Section(
        _("Level of the PD on known ends"),
        [_("Grade"), _("Rows"), _("Predicted"), _("Default rate"), _("True rate, 95%"), _("Verdict")],
        [
            (
                row["grade"],
                row["rows"],
                f"{row['predicted']:.1%}",
                f"{row['bad_rate']:.1%}",
                f"{row['low']:.1%} – {row['high']:.1%}",
                level_label(row["level"]),
            )
            for row in rows
        ],
    )
