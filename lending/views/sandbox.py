"""The page of the sandbox gateway: what would be somebody else's site."""

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from lending import gateways
from lending.gateways.sandbox import FAIL, SUCCEED, Sandbox
from lending.models import Payment
from lending.views.access import SignedIn, customer_required, public


@public
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox(request: SignedIn, reference: str) -> HttpResponseBase:
    """Two buttons, and back with the signed answer. Only where the sandbox is this site's gateway.

    For the customer, and for the browser that began the payment from the link of a message.
    """
    if request.session.get("link_payment") == reference:
        return _page(request, Payment.objects.all(), reference)
    return _signed_in(request, reference)


@customer_required
def _signed_in(request: SignedIn, reference: str) -> HttpResponse:
    return _page(request, request.user.customer.payments.all(), reference)


def _page(request: HttpRequest, payments: QuerySet[Payment], reference: str) -> HttpResponse:
    gateway = gateways.current() if settings.PAYMENT_GATEWAY else None
    if not isinstance(gateway, Sandbox):
        raise Http404
    payment = get_object_or_404(payments.filter(state=Payment.State.STARTED), reference=reference)
    outcome = request.POST.get("outcome")
    if outcome in (SUCCEED, FAIL):
        return redirect(gateway.return_address(payment, outcome))
    return render(request, "lending/sandbox.html", {"payment": payment})
