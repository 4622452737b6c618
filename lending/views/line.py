"""What a customer does about their own line: lock, unlock, close, and object to a cut or a suspension."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lending import clock
from lending.forms.line import AppealForm, CloseForm
from lending.models import CreditLine, LineHold
from lending.selectors import site
from lending.services import lines
from lending.views.access import SignedIn, customer_required
from lending.views.doing import act, posted, stamp


def _own_line(request: SignedIn) -> CreditLine:
    line = site.open_line(request.user.customer)
    if line is None:
        raise Http404
    return line


@customer_required
@require_safe
def line(request: SignedIn) -> HttpResponse:
    """The line in detail, with the history of its limit."""
    shown = _own_line(request)
    locked = shown.holds.filter(cause=LineHold.Cause.CUSTOMER, lifted_at=None).exists()
    context = site.line_facts(shown, clock.today()) | {
        "locked": locked,
        "changes": shown.limit_changes.all()[:20],
    }
    return render(request, "lending/line.html", context)


@customer_required
@require_POST
def lock(request: SignedIn) -> HttpResponse:
    """No purchases until the customer says so."""
    act(
        request,
        lines.place_hold,
        done=_("Your line is locked."),
        line_id=_own_line(request).pk,
        cause=LineHold.Cause.CUSTOMER,
        tell=False,
        **stamp(request),
    )
    return redirect("lending:line")


@customer_required
@require_POST
def unlock(request: SignedIn) -> HttpResponse:
    """Lift the customer's own lock; a hold of ours stays."""
    act(
        request,
        lines.lift_hold,
        done=_("Your own lock is off."),
        line_id=_own_line(request).pk,
        cause=LineHold.Cause.CUSTOMER,
        **stamp(request),
    )
    return redirect("lending:line")


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: SignedIn) -> HttpResponse:
    """The end of the line; what is owed stays owed."""
    shown = _own_line(request)
    form = CloseForm(posted(request))
    if form.is_valid() and form.attempt(lines.close, line_id=shown.pk, **stamp(request)):
        return redirect("lending:home")
    return render(request, "lending/line_close.html", {"line": shown, "form": form})


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def appeal(request: SignedIn) -> HttpResponse:
    """Object to a cut or a suspension; settings.APPEAL_OPENER says who hears it."""
    shown = _own_line(request)
    form = AppealForm(posted(request))
    if form.is_valid() and form.attempt(
        import_string(settings.APPEAL_OPENER),
        line_id=shown.pk,
        text=form.cleaned_data["text"],
        **stamp(request),
    ):
        return redirect("lending:appeal")
    earlier = import_string(settings.APPEAL_READER)(line_id=shown.pk) if settings.APPEAL_READER else []
    context = site.line_facts(shown, clock.today()) | {"form": form, "appeals": earlier}
    return render(request, "lending/appeal.html", context)
