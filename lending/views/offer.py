"""The full cost before the signature, and the sheet as it was signed."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_safe

from lending import clock, downloads
from lending.errors import Refused
from lending.forms.apply import AcceptForm
from lending.models import Application, Offer
from lending.selectors import site
from lending.services import contracts, offers
from lending.views.access import SignedIn, customer_required
from lending.views.doing import dated, posted


def _mine(request: SignedIn, pk: int) -> Offer:
    offers_of = Offer.objects.filter(application__customer=request.user.customer)
    return get_object_or_404(offers_of.select_related("application__product", "contract"), pk=pk)


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def offer(request: SignedIn, pk: int) -> HttpResponse:
    """The disclosure sheet, whose first look starts the reading time; and yes to it. Once signed, the signed one.

    Sooner than the reading time, or after the last day, the house refuses.
    """
    mine = _mine(request, pk)
    if hasattr(mine, "contract") and request.method != "POST":
        return render(request, "lending/offer.html", site.sheet_page(mine, clock.now()))
    if mine.application.state != Application.State.OFFERED:
        return redirect("lending:application", mine.application_id)
    form = AcceptForm(posted(request))
    language = get_language() or ""
    if form.is_valid() and form.attempt(offers.accept, offer_id=pk, **dated(request), language=language):
        return redirect("lending:application", mine.application_id)
    shown = offers.show(offer_id=pk, **dated(request), language=language)
    return render(request, "lending/offer.html", site.sheet_page(shown, clock.now()) | {"form": form})


@customer_required
@require_safe
def offer_file(request: SignedIn, pk: int) -> HttpResponse:
    """The sheet as a PDF: as it was signed, the same for ever, or as it is to be read before."""
    mine = _mine(request, pk)
    name = f"cost-sheet-{mine.application}.pdf"
    try:
        if hasattr(mine, "contract"):
            return downloads.pdf(contracts.file(document_id=mine.contract.pk), name)
        return downloads.pdf(contracts.draft_file(mine, language=get_language() or "en"), name)
    except Refused as refusal:
        return render(request, "lending/paper_problem.html", {"message": refusal.message}, status=409)
