"""A customer who cannot pay as agreed asks for help with a loan."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from lending.forms.relief import ReliefForm
from lending.models import Loan, ReliefRequest
from lending.services import restructure
from lending.views.access import SignedIn, customer_required
from lending.views.doing import act, posted, stamp


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: SignedIn, pk: int) -> HttpResponse:
    """The form, and what came of an earlier request."""
    owing = request.user.customer.loans.filter(state__in=Loan.OWING)
    shown = get_object_or_404(owing.select_related("product", "purchase"), pk=pk)
    form = ReliefForm(posted(request))
    if form.is_valid():
        asked = form.attempt(restructure.ask_relief, loan_id=pk, **form.cleaned_data, **stamp(request))
        if asked:
            return redirect("lending:loan", pk)
    earlier = shown.relief_requests.all()
    waiting = next((one for one in earlier if one.state == ReliefRequest.State.OPEN), None)
    context = {"loan": shown, "form": form, "earlier": earlier, "waiting": waiting}
    return render(request, "lending/relief.html", context)


@customer_required
@require_POST
def withdraw(request: SignedIn, pk: int) -> HttpResponse:
    """The customer needs it no more."""
    open_ = request.user.customer.relief_requests.filter(loan_id=pk, state=ReliefRequest.State.OPEN)
    asked = get_object_or_404(open_)
    act(
        request,
        restructure.withdraw_relief,
        done=_("Your request is taken back."),
        request_id=asked.pk,
        **stamp(request),
    )
    return redirect("lending:loan", pk)
