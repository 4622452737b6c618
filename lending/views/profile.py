"""Becoming a customer."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_safe

from lending.forms.consents import TEXT_VERSION
from lending.forms.profile import FORMS
from lending.services import enrolment
from lending.views.access import SignedIn, applicant_required
from lending.views.doing import dated, posted


@applicant_required
@require_safe
def choose(request: SignedIn) -> HttpResponse:
    """A person or a company?"""
    return render(request, "lending/profile_choose.html")


@applicant_required
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: SignedIn, kind: str) -> HttpResponse:
    """Who the customer is and what they agree to."""
    if kind not in FORMS:
        raise Http404
    form = FORMS[kind](posted(request))
    if form.is_valid() and form.attempt(
        enrolment.enrol,
        user_id=request.user.pk,
        kind=form.kind,
        language=get_language(),
        consents=form.consents(),
        text_version=TEXT_VERSION,
        **form.details(),
        **dated(request),
    ):
        return redirect("lending:apply")
    return render(request, "lending/profile_form.html", {"form": form, "kind": kind})
