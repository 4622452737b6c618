"""The pages of a model beside its record: table of points, model card, against the champion, monitoring."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from lending import clock
from lending.admin.parts import Section, money, record_link
from risk import charts
from risk.admin import model_sections as sections
from risk.admin.assessments import outcome_label
from risk.models import ModelVersion, Reading
from risk.selectors import comparison
from risk.selectors import points as tables


def points(admin: ModelAdmin, request: HttpRequest, model_id: int) -> HttpResponse:
    """The whole table of points of a model, to be read, printed and signed."""
    model = _model(admin, request, model_id)
    context = {"title": _("Table of points of %(model)s") % {"model": model}, "model": model}
    context |= {"card": model.scorecard, "tables": tables.tables(model.scorecard)}
    context["grades"] = model.metrics.get("grades", [])
    return _page(admin, request, "risk/points.html", context)


def card(admin: ModelAdmin, request: HttpRequest, model_id: int) -> HttpResponse:
    """Everything to know before signing for a model, with its table of points at the end."""
    model = _model(admin, request, model_id)
    review = Section(
        _("Next review"), rows=[(_("Due"), sections.review_label(model, clock.today()))], facts=True
    )
    context = {
        "title": _("Model card of %(model)s") % {"model": model},
        "sections": [*sections.card(model), review],
        "tables": tables.tables(model.scorecard),
    }
    return _page(admin, request, "risk/model_page.html", context)


def compare(admin: ModelAdmin, request: HttpRequest, model_id: int) -> HttpResponse:
    """A challenger against the champion on the applications that both judged."""
    model = _model(admin, request, model_id)
    found = comparison.with_champion(model, clock.today())
    context = {
        "title": _("%(model)s against the champion") % {"model": model},
        "note": _(
            "The newest %(count)s applications that the champion decided while this model scored in its shadow, "
            "under the same policy."
        )
        % {"count": found.total},
        "charts": _distributions(found) if found.total else [],
        "sections": list(_compared(found)) if found.total else [],
    }
    return _page(admin, request, "risk/model_page.html", context)


def monitoring(admin: ModelAdmin, request: HttpRequest, model_id: int) -> HttpResponse:
    """The months of a model in use, as courses and as tables."""
    model = _model(admin, request, model_id)
    readings = list(model.readings.order_by("month"))[-24:]
    found = [sections.monitoring(model)]
    if readings:
        found += sections.reading(readings[-1])
    context = {
        "title": _("Monitoring of %(model)s") % {"model": model},
        "note": _("Measured on the second of each month, for the month before."),
        "charts": _courses(readings) if readings else [],
        "sections": found,
    }
    return _page(admin, request, "risk/model_page.html", context)


# --- parts --------------------------------------------------------------------------------------------------


def _compared(found: comparison.Comparison) -> list[Section]:
    return [_agreement(found), _swap(found), *_ends(found), _moves(found), _grades(found), _changed(found)]


def _agreement(found: comparison.Comparison) -> Section:
    then, now = found.approved
    rows = [
        (_("Applications"), found.total),
        (_("Same outcome"), "–" if found.agreement is None else f"{found.agreement:.1%}"),
        (_("Approved by the champion"), money(then)),
        (_("Approved by this model"), money(now)),
    ]
    return Section(_("Agreement"), rows=rows, facts=True)


def _swap(found: comparison.Comparison) -> Section:
    words = {"in": _("approved by this model alone"), "out": _("approved by the champion alone")}
    rows = []
    for which, said in words.items():
        half = found.swap(which)
        rate = "–" if half["bad_rate"] is None else f"{half['bad_rate']:.1%}"
        rows.append((said, half["count"], half["matured"], half["bad"], rate))
    return Section(
        _("Swap set"),
        [_("Applications"), _("Count"), _("Known ends"), _("Bad"), _("Default rate")],
        rows,
        note=_("Of what only this model approves an end is known only where a person approved it after all."),
    )


def _ends(found: comparison.Comparison) -> list[Section]:
    both = found.matured()
    title = _("On known ends")
    if both is None:
        return [Section(title, note=_("Too few good or bad ends are known to say anything."))]
    rows = [
        (
            words,
            row["rows"],
            f"{row['bad_rate']:.1%}",
            f"{row['mean_pd']:.1%}",
            f"{row['auc']:.3f}",
            f"{row['auc_low']:.3f} – {row['auc_high']:.3f}",
            f"{row['ks']:.3f}",
            f"{row['calibration_slope']:.2f}",
        )
        for words, row in zip((_("Champion"), _("This model")), both, strict=True)
    ]
    columns = [_("Model"), _("Rows"), _("Bad"), _("Mean PD"), "AUC", _("Interval, 95%"), "KS", _("Slope")]
    return [Section(title, columns, rows)]


def _moves(found: comparison.Comparison) -> Section:
    rows = [
        (outcome_label(then), outcome_label(now), count) for (then, now), count in found.moves.most_common()
    ]
    return Section(_("Outcomes"), [_("Champion"), _("This model"), _("Applications")], rows)


def _grades(found: comparison.Comparison) -> Section:
    """The champion's grade down, the challenger's across."""
    across = sorted({now for _then, now in found.grades})
    down = sorted({then for then, _now in found.grades})
    rows = [(then, *(found.grades[then, now] or "" for now in across)) for then in down]
    note = _("The champion's grade down, that of this model across.")
    return Section(_("Grades"), ["", *across], rows, note=note)


def _changed(found: comparison.Comparison) -> Section:
    columns = [_("Application"), _("Customer"), _("Champion"), _("This model"), _("Score"), _("Known end")]
    ends = {None: "–", True: _("bad"), False: _("good")}
    rows = [
        (
            record_link(pair.assessment.application),
            record_link(pair.assessment.application.customer),
            outcome_label(pair.outcomes[0]),
            outcome_label(pair.outcomes[1]),
            f"{_score(pair.assessment.score)} → {_score(pair.shadow['score'])}",
            ends[pair.bad],
        )
        for pair in found.changed
    ]
    return Section(_("Those that would be decided otherwise"), columns, rows)


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.0f}"


def _distributions(found: comparison.Comparison) -> list[Any]:
    words, ours, theirs = found.scores()
    title = _("Share of applications by score")
    return [charts.columns(title, words, [(_("Champion"), ours), (_("This model"), theirs)])] if words else []


def _courses(readings: list[Reading]) -> list[Any]:
    words = [date_format(one.month, "Y-m") for one in readings]
    worst = [max((row["psi"] for row in one.figures["features"].values()), default=None) for one in readings]
    psi = [(_("Score"), [one.psi for one in readings]), (_("worst feature"), worst)]
    auc = [("AUC", [one.auc for one in readings]), ("KS", [one.ks for one in readings])]
    rates = [one.figures["level"] or {} for one in readings]
    level = [
        (_("Predicted"), [row.get("predicted") for row in rates]),
        (_("Default rate"), [row.get("bad_rate") for row in rates]),
    ]
    found = [
        charts.course(_("PSI by month"), words, psi, marks=(0.10, 0.25)),
        charts.course(_("Ranking on known ends"), words, auc),
        charts.course(_("Level of the PD on known ends"), words, level),
    ]
    if score := readings[-1].figures["score"]:
        tenths = [str(place) for place in range(1, len(score["then"]) + 1)]
        shares = [(_("Development"), score["then"]), (words[-1], score["now"])]
        found.append(charts.columns(_("Scores by tenths of development, worst first"), tenths, shares))
    return found


def _model(admin: ModelAdmin, request: HttpRequest, model_id: int) -> ModelVersion:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    model = ModelVersion.objects.filter(pk=model_id).select_related("dataset", "author", "approver").first()
    if model is None:
        raise Http404
    return model


def _page(admin: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, template, {**admin.admin_site.each_context(request), **context})
