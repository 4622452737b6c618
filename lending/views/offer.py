"""The full cost before the signature."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from lending import clock
from lending.forms.apply import AcceptForm
from lending.models import Application, Offer
from lending.selectors import site
from lending.services import offers
from lending.views.access import customer_required
from lending.views.doing import dated, stamp


def _open_offer(request: HttpRequest, pk: int) -> Offer:
    mine = Offer.objects.select_related("application__product").filter(
        application__customer=request.user.customer, application__state=Application.State.OFFERED
    )
    return get_object_or_404(mine, pk=pk)


@customer_required
@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """The disclosure sheet; the first look starts the reading time."""
    _open_offer(request, pk)
    offer = offers.show(offer_id=pk, **stamp(request))
    return render(request, "lending/offer.html", site.sheet_page(offer, clock.now()) | {"form": AcceptForm()})


@customer_required
@require_POST
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Yes to the sheet. Sooner than the reading time, or after the last day, the house refuses."""
    offer = _open_offer(request, pk)
    form = AcceptForm(request.POST)
    if form.is_valid() and form.attempt(offers.accept, offer_id=pk, **dated(request)):
        return redirect("lending:application", offer.application_id)
    return render(request, "lending/offer.html", site.sheet_page(offer, clock.now()) | {"form": form})
