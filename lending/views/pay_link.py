"""Paying from a message: what is due and a button, for whoever holds the link, and nothing besides."""

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from lending import clock, gateways, pay_links
from lending.errors import Refused
from lending.forms.money import LinkForm
from lending.models import Customer, Payment
from lending.selectors import site
from lending.services import payments
from lending.views.access import public
from lending.views.doing import posted

# Requests from one address in so many seconds.
MOST, WINDOW = 30, 600
PAYING = "link_payment"  # the session's name for the payment that a link began


@public
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def pay_link(request: HttpRequest, token: str) -> HttpResponse:
    """What is due and what is owed, to be paid at the gateway. A wrong link is not found, an old one says so."""
    if _too_often(request):
        return render(request, "lending/pay_link_slow.html", status=429)
    on = clock.today()
    try:
        customer = get_object_or_404(Customer, pk=pay_links.read(token, on))
    except pay_links.Forged as error:
        raise Http404 from error
    except pay_links.Expired:
        return render(request, "lending/pay_link_old.html", status=410)
    due = site.due(customer, on)
    form = LinkForm(posted(request), due=due.now, owed=due.owed)
    if due.owed and form.is_valid():
        payment = form.attempt(
            payments.start,
            customer_id=customer.pk,
            amount=form.amount,
            reference=form.reference("link", customer.pk),
            by=None,
            at=clock.now(),
            on=on,
        )
        if payment and (answer := _on_to_gateway(request, form, payment)):
            return answer
    name = pay_links.masked_name(customer.name)
    return render(request, "lending/pay_link.html", {"form": form, "due": due, "name": name})


def _on_to_gateway(request: HttpRequest, form: LinkForm, payment: Payment) -> HttpResponse | None:
    request.session[PAYING] = payment.reference
    if payment.state != Payment.State.STARTED:
        return redirect("lending:link_paid")
    try:
        page = gateways.page(
            payment=payment, return_url=request.build_absolute_uri(reverse("lending:payment_return"))
        )
    except Refused as refusal:
        form.add_error(None, refusal.message)
        return None
    return redirect(page)


@public
@never_cache
@require_safe
def link_paid(request: HttpRequest) -> HttpResponse:
    """What came of the payment that this browser began from a link."""
    payment = get_object_or_404(Payment, reference=request.session.get(PAYING) or "")
    return render(request, "lending/pay_link_done.html", {"payment": payment})


def _too_often(request: HttpRequest) -> bool:
    address = import_string(settings.AXES_CLIENT_IP_CALLABLE)(request)
    key = f"pay-link:{address}"
    cache.add(key, 0, WINDOW)
    try:
        return cache.incr(key) > MOST
    except ValueError:  # it ran out between the two
        return False
