"""Paying by direct debit: signing for it, seeing what will be taken, and ending it."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from lending.forms.mandate import MandateForm
from lending.models import Mandate
from lending.models.mandate import STANDING
from lending.services import mandates
from lending.views.access import SignedIn, customer_required
from lending.views.doing import act, dated, posted, stamp


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def mandate(request: SignedIn) -> HttpResponse:
    """The standing mandate with its debits, or the form to sign one."""
    customer = request.user.customer
    standing = customer.mandates.filter(state__in=STANDING).prefetch_related("accounts").first()
    form = MandateForm(posted(request) if standing is None else None)
    if form.is_valid():
        signed = form.attempt(
            mandates.sign,
            customer_id=customer.pk,
            accounts=form.accounts(),
            limit=form.cleaned_data["limit"],
            valid_to=form.cleaned_data["valid_to"],
            **dated(request),
        )
        if signed:
            return redirect("lending:mandate")
    context = {"mandate": standing, "form": form, "debits": customer.debits.order_by("-due_on")[:12]}
    return render(request, "lending/mandate.html", context)


@customer_required
@require_POST
def revoke(request: SignedIn, pk: int) -> HttpResponse:
    """End it at once."""
    wanted = get_object_or_404(Mandate, pk=pk, customer=request.user.customer)
    act(
        request,
        mandates.revoke,
        mandate_id=wanted.pk,
        reason="CUSTOMER",
        done=_("The direct debit has ended."),
        **stamp(request),
    )
    return redirect("lending:mandate")
