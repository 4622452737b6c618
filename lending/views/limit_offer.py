"""The offer of a higher limit: what using it costs, and yes or no."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from lending import clock
from lending.models import LimitOffer
from lending.selectors import site
from lending.services import limit_offers
from lending.views.access import SignedIn, customer_required
from lending.views.doing import act, dated, stamp


def _mine(request: SignedIn, pk: int) -> LimitOffer:
    """Not one that staff have not let out yet."""
    rows = request.user.customer.limit_offers.exclude(state=LimitOffer.State.PROPOSED)
    return get_object_or_404(rows.select_related("line__product"), pk=pk)


@customer_required
@require_safe
def limit_offer(request: SignedIn, pk: int) -> HttpResponse:
    """The offer with its full cost, or what became of it."""
    return render(
        request, "lending/limit_offer.html", site.limit_offer_page(_mine(request, pk), clock.today())
    )


@customer_required
@require_POST
def accept(request: SignedIn, pk: int) -> HttpResponse:
    """Yes: the limit rises at once."""
    done = _("Your limit has been raised.")
    act(request, limit_offers.accept, done=done, offer_id=_mine(request, pk).pk, **dated(request))
    return redirect("lending:limit_offer", pk)


@customer_required
@require_POST
def decline(request: SignedIn, pk: int) -> HttpResponse:
    """No: the limit stays."""
    done = _("Your limit stays as it is.")
    act(request, limit_offers.decline, done=done, offer_id=_mine(request, pk).pk, **stamp(request))
    return redirect("lending:limit_offer", pk)
