"""What is owed, and paying it."""

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lending import clock, gateways
from lending.errors import Refused
from lending.forms.money import PayForm, SettleForm
from lending.models import Loan, Payment
from lending.selectors import site
from lending.services import loans, payments
from lending.views.access import SignedIn, customer_required, public
from lending.views.doing import act, dated, posted


@customer_required
@require_safe
def bills(request: SignedIn) -> HttpResponse:
    customer = request.user.customer
    page = Paginator(site.bills(customer), 12).get_page(request.GET.get("page"))
    context = {"page": page, "due": site.due(customer, clock.today()), "today": clock.today()}
    return render(request, "lending/bills.html", context)


@customer_required
@require_safe
def bill(request: SignedIn, pk: int) -> HttpResponse:
    """One bill with the instalments on it."""
    shown = get_object_or_404(site.bills(request.user.customer), pk=pk)
    return render(
        request, "lending/bill.html", {"bill": shown, "today": clock.today()} | site.bill_rows(shown)
    )


@customer_required
@require_safe
def loan_list(request: SignedIn) -> HttpResponse:
    page = Paginator(site.loans(request.user.customer), 20).get_page(request.GET.get("page"))
    return render(request, "lending/loans.html", {"page": page, "today": clock.today()})


@customer_required
@require_safe
def loan(request: SignedIn, pk: int) -> HttpResponse:
    """One loan: its schedule, what is paid and what is open, and its transactions."""
    shown = get_object_or_404(site.loans(request.user.customer), pk=pk)
    return render(
        request, "lending/loan.html", {"loan": shown, "today": clock.today()} | site.loan_rows(shown)
    )


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: SignedIn) -> HttpResponse:
    """Any amount up to all that is owed, for the oldest debts first."""
    customer = request.user.customer
    due = site.due(customer, clock.today())
    form = PayForm(posted(request), owed=due.owed, due=due.now)
    if form.is_valid():
        payment = form.attempt(
            payments.start,
            customer_id=customer.pk,
            amount=form.cleaned_data["amount"],
            reference=form.reference(customer.pk),
            **dated(request),
        )
        if payment:
            return redirect("lending:payment", payment.pk)
    return render(request, "lending/pay.html", {"form": form, "due": due})


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def settle(request: SignedIn, pk: int) -> HttpResponse:
    """Pay off one loan at today's price, which is shown before."""
    owing = request.user.customer.loans.filter(state__in=Loan.OWING).select_related("product")
    shown, on = get_object_or_404(owing, pk=pk), clock.today()
    payoff = loans.payoff(shown, on)
    form = SettleForm(posted(request), price=payoff.total)
    if form.is_valid():
        payment = form.attempt(
            payments.start,
            customer_id=shown.customer_id,
            amount=payoff.total,
            settles_id=pk,
            reference=form.reference(shown.customer_id),
            **dated(request),
        )
        if payment:
            return redirect("lending:payment", payment.pk)
    context = {"loan": shown, "payoff": payoff, "saved": site.saved(shown, payoff), "form": form, "on": on}
    return render(request, "lending/settle.html", context)


@customer_required
@require_safe
def payment_list(request: SignedIn) -> HttpResponse:
    page = Paginator(request.user.customer.payments.all(), 20).get_page(request.GET.get("page"))
    return render(request, "lending/payments.html", {"page": page})


@customer_required
@require_safe
def payment(request: SignedIn, pk: int) -> HttpResponse:
    """What came of a payment; one that was only started leads on to the gateway."""
    shown = get_object_or_404(request.user.customer.payments.select_related("settles"), pk=pk)
    return render(request, "lending/payment.html", {"payment": shown})


@customer_required
@require_POST
def go_to_gateway(request: SignedIn, pk: int) -> HttpResponse:
    """On to the page of the gateway, for a payment that waits for it."""
    started = request.user.customer.payments.filter(state=Payment.State.STARTED)
    wanted = get_object_or_404(started, pk=pk)
    back = request.build_absolute_uri(reverse("lending:payment_return"))
    page = act(request, gateways.page, payment=wanted, return_url=back)
    return redirect(page or "lending:payments")


@csrf_exempt
@public
@require_http_methods(["GET", "POST"])
def payment_return(request: HttpRequest) -> HttpResponse:
    """The gateway's answer, by the customer's browser or its own server: what counts is its signature.

    Answering twice changes nothing.
    """
    try:
        answer = gateways.current().read(request.POST if request.method == "POST" else request.GET)
    except (gateways.Forged, Refused) as reason:
        raise PermissionDenied from reason
    finished = payments.finish(
        reference=answer.reference, ok=answer.ok, error=answer.error, at=clock.now(), on=clock.today()
    )
    if request.session.get("link_payment") == finished.reference:
        return redirect("lending:link_paid")
    return redirect("lending:payment", finished.pk)
