"""The page of the sandbox gateway: what would be somebody else's site."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from lending import gateways
from lending.gateways.sandbox import FAIL, SUCCEED, Sandbox
from lending.models import Payment
from lending.views.access import SignedIn, customer_required


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox(request: SignedIn, reference: str) -> HttpResponse:
    """Two buttons, and back with the signed answer. Only where the sandbox is this site's gateway."""
    gateway = gateways.current() if settings.PAYMENT_GATEWAY else None
    if not isinstance(gateway, Sandbox):
        raise Http404
    started = request.user.customer.payments.filter(state=Payment.State.STARTED)
    payment = get_object_or_404(started, reference=reference)
    outcome = request.POST.get("outcome")
    if outcome in (SUCCEED, FAIL):
        return redirect(gateway.return_address(payment, outcome))
    return render(request, "lending/sandbox.html", {"payment": payment})
