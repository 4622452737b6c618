"""The first page of a customer, and the messages to them."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from lending import clock
from lending.selectors import site
from lending.services import inbox
from lending.views.access import SignedIn, customer_required
from lending.views.doing import stamp


@customer_required
@require_safe
def home(request: SignedIn) -> HttpResponse:
    """The line, the next bill, the messages, an application under way."""
    return render(request, "lending/home.html", site.home(request.user.customer, clock.today()))


@customer_required
@require_safe
def messages(request: SignedIn) -> HttpResponse:
    notices = Paginator(site.inbox(request.user.customer), 20).get_page(request.GET.get("page"))
    return render(request, "lending/messages.html", {"page": notices})


@customer_required
@require_POST
def read(request: SignedIn, pk: int | None = None) -> HttpResponse:
    """Mark one message as read, or all of them."""
    inbox.read(customer_id=request.user.customer.pk, notice_id=pk, **stamp(request))
    return redirect("lending:messages")
