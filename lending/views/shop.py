"""A demo shop: what paying with the line looks like on a platform's own pages."""

from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from lending import clock
from lending.forms.money import BuyForm, ReturnForm
from lending.models import Purchase
from lending.selectors import site
from lending.services import checkout, purchases
from lending.views.access import SignedIn, customer_required
from lending.views.doing import dated, posted


class Good(NamedTuple):
    """Something to buy."""

    slug: str
    name: Promise
    text: Promise
    price: Decimal


# How the orders of this shop begin: only they can be returned here, the platform speaks for all others.
ORDER = "SHOP"

GOODS = {
    good.slug: good
    for good in (
        Good("kettle", _("Electric kettle"), _("1.7 litres, boils in four minutes."), Decimal("129.00")),
        Good("shoes", _("Running shoes"), _("Light, for road and track."), Decimal("459.00")),
        Good("desk", _("Standing desk"), _("Oak, moves up and down."), Decimal("1899.00")),
        Good("washer", _("Washing machine"), _("9 kg, quiet at night."), Decimal("2699.00")),
        Good("phone", _("Smartphone"), _("256 GB, two SIM cards."), Decimal("3999.00")),
        Good("laptop", _("Laptop"), _("14 inches, a whole day on one charge."), Decimal("6488.00")),
    )
}


@customer_required
@require_safe
def shop(request: SignedIn) -> HttpResponse:
    _only_in_a_demo()
    line = site.open_line(request.user.customer)
    free = line.free(clock.today()) if line else None
    return render(request, "lending/shop.html", {"goods": GOODS.values(), "line": line, "free": free})


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def good(request: SignedIn, slug: str) -> HttpResponse:
    """A good with the full cost of every plan, and the purchase."""
    _only_in_a_demo()
    wanted, line, on = GOODS.get(slug), site.open_line(request.user.customer), clock.today()
    if wanted is None:
        raise Http404
    plans = purchases.plans(line, wanted.price, on) if line else []
    form = BuyForm(posted(request), plans=plans)
    if line and form.is_valid():
        bought = form.attempt(
            checkout.buy,
            line_id=line.pk,
            order_ref=form.reference(ORDER, line.pk),
            amount=wanted.price,
            tenor=form.cleaned_data["tenor"],
            description=str(wanted.name),
            **dated(request),
        )
        if bought:
            return redirect("lending:purchase", bought.pk)
    facts = site.line_facts(line, on) if line else {"line": None}
    return render(request, "lending/good.html", {"good": wanted, "form": form} | facts)


def _only_in_a_demo() -> None:
    if not settings.DEMO_SHOP:
        raise Http404


@customer_required
@require_safe
def purchase_list(request: SignedIn) -> HttpResponse:
    bought = request.user.customer.purchases.select_related("loan")
    page = Paginator(bought, 20).get_page(request.GET.get("page"))
    return render(request, "lending/purchases.html", {"page": page})


@customer_required
@require_safe
def purchase(request: SignedIn, pk: int) -> HttpResponse:
    bought = get_object_or_404(request.user.customer.purchases.select_related("loan"), pk=pk)
    return render(request, "lending/purchase.html", {"purchase": bought, "returnable": _returnable(bought)})


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def give_back(request: SignedIn, pk: int) -> HttpResponse:
    """Return what this shop sold, whole or in part."""
    bought = get_object_or_404(request.user.customer.purchases, pk=pk)
    if not _returnable(bought):
        raise Http404
    form = ReturnForm(posted(request), left=bought.captured - bought.refunded)
    if form.is_valid() and form.attempt(
        checkout.give_back,
        purchase_id=pk,
        amount=form.cleaned_data["amount"],
        key=form.reference("return", pk),
        **dated(request),
    ):
        return redirect("lending:purchase", pk)
    return render(request, "lending/return.html", {"purchase": bought, "form": form})


def _returnable(bought: Purchase) -> bool:
    """Also when it is given back whole: the same return, sent twice, must find its way to the service."""
    ours = settings.DEMO_SHOP and bought.order_ref.startswith(f"{ORDER}-")
    return ours and bought.state in (Purchase.State.CAPTURED, Purchase.State.REFUNDED)
