"""The full cost before the signature."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from lending import clock
from lending.forms.apply import AcceptForm
from lending.models import Application, Offer
from lending.selectors import site
from lending.services import offers
from lending.views.access import SignedIn, customer_required
from lending.views.doing import dated, posted, stamp


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def offer(request: SignedIn, pk: int) -> HttpResponse:
    """The disclosure sheet, whose first look starts the reading time; and yes to it.

    Sooner than the reading time, or after the last day, the house refuses.
    """
    mine = Offer.objects.filter(application__customer=request.user.customer)
    application = get_object_or_404(mine, pk=pk).application
    if application.state != Application.State.OFFERED:
        return redirect("lending:application", application.pk)
    shown = offers.show(offer_id=pk, **stamp(request))
    form = AcceptForm(posted(request))
    if form.is_valid() and form.attempt(offers.accept, offer_id=pk, **dated(request)):
        return redirect("lending:application", application.pk)
    return render(request, "lending/offer.html", site.sheet_page(shown, clock.now()) | {"form": form})
