"""The customer's own details, consents and data."""

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from lending import clock
from lending.forms.consents import TEXT_VERSION, TEXTS
from lending.selectors import export as exports
from lending.selectors import site
from lending.services import customers
from lending.views.access import SignedIn, customer_required
from lending.views.doing import act, stamp


@customer_required
@require_safe
def me(request: SignedIn) -> HttpResponse:
    unread = site.inbox(request.user.customer).filter(read_at=None).count()
    line = site.open_line(request.user.customer)
    return render(request, "lending/me.html", {"unread": unread, "line": line})


@customer_required
@require_safe
def consents(request: SignedIn) -> HttpResponse:
    """What was agreed to, and what can be taken back."""
    standing = {row.purpose: row for row in request.user.customer.consents.filter(withdrawn_at=None)}
    rows = [(purpose, text, standing.get(purpose)) for purpose, text in TEXTS.items()]
    return render(request, "lending/consents.html", {"rows": rows})


@customer_required
@require_POST
def change_consent(request: SignedIn, purpose: str, given: bool) -> HttpResponse:
    """Give a consent in the words of today, or take one back."""
    if purpose not in TEXTS:
        raise Http404
    service = customers.give_consent if given else customers.withdraw_consent
    version = {"text_version": TEXT_VERSION} if given else {}
    act(
        request,
        service,
        done=_("Your consents are up to date."),
        customer_id=request.user.customer.pk,
        purpose=purpose,
        **version,
        **stamp(request),
    )
    return redirect("lending:consents")


@customer_required
@require_safe
def export(request: SignedIn) -> JsonResponse:
    """Everything we keep about the customer, as a file."""
    content = exports.of_customer(request.user.customer)
    name = f"opentab-{clock.today().isoformat()}.json"
    return JsonResponse(
        content,
        json_dumps_params={"ensure_ascii": False, "indent": 2},
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
