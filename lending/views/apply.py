"""From the wish for credit to the decision."""

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lending import clock, downloads, nudge
from lending.errors import Refused
from lending.forms.apply import ApplyForm, DocumentForm
from lending.models import Application, Document
from lending.selectors import site
from lending.services import applications, letters
from lending.views.access import SignedIn, customer_required
from lending.views.doing import act, posted, stamp


@customer_required
@require_safe
def choose(request: SignedIn) -> HttpResponse:
    """The products on offer; whoever has an open application is shown that one."""
    if application := site.open_application(request.user.customer):
        return redirect("lending:application", application.pk)
    products = site.priced(site.on_offer(request.user.customer), clock.today())
    return render(request, "lending/apply_choose.html", {"products": products})


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: SignedIn, code: str) -> HttpResponse:
    """How much, for how long, what for; for companies also the figures."""
    customer = request.user.customer
    product = get_object_or_404(site.on_offer(customer), code=code)
    form = ApplyForm(posted(request), product=product, customer=customer, on=clock.today())
    if form.is_valid():
        application = form.attempt(
            applications.start,
            customer_id=customer.pk,
            product_id=product.pk,
            **form.arguments(),
            **stamp(request),
        )
        if application:
            return redirect("lending:documents", application.pk)
    return render(request, "lending/apply_form.html", {"form": form, "product": product})


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def documents(request: SignedIn, pk: int) -> HttpResponse:
    """Papers, one at a time, while the application is a draft."""
    drafts = request.user.customer.applications.filter(state=Application.State.DRAFT)
    application = get_object_or_404(drafts, pk=pk)
    form = DocumentForm(posted(request), request.FILES or None)
    if form.is_valid() and form.attempt(
        applications.attach_document, application_id=pk, **form.cleaned_data, **stamp(request)
    ):
        return redirect("lending:documents", pk)
    return render(request, "lending/documents.html", {"form": form, "application": application})


@customer_required
@require_safe
def document(request: SignedIn, pk: int) -> HttpResponseBase:
    """A paper the customer handed in, back as a download."""
    papers = Document.objects.filter(application__customer=request.user.customer)
    paper = get_object_or_404(papers, pk=pk)
    try:
        downloads.check(paper.file, paper.sha256)
    except Refused as refusal:
        return render(request, "lending/paper_problem.html", {"message": refusal.message}, status=409)
    return downloads.stored(paper.file)


@customer_required
@require_safe
def application(request: SignedIn, pk: int) -> HttpResponse:
    """Where an application stands: the review before it is sent, then progress, decision and reasons."""
    mine = request.user.customer.applications.select_related("product")
    shown = get_object_or_404(mine, pk=pk)
    context = {"application": shown, "offer": shown.offers.first(), "waits": shown.state in site.WAITING}
    return render(request, "lending/application.html", context)


@customer_required
@require_safe
def letter(request: SignedIn, pk: int) -> HttpResponse:
    """Why it was declined, as a letter in the reader's language."""
    mine = request.user.customer.applications.select_related("customer", "product")
    declined = get_object_or_404(mine, pk=pk, state=Application.State.DECLINED)
    content = letters.of_decline(declined, language=get_language() or "en")
    return downloads.pdf(content, f"letter-{declined}.pdf")


@customer_required
@require_POST
def submit(request: SignedIn, pk: int) -> HttpResponse:
    """Send the application; a worker looks at it within moments."""
    get_object_or_404(request.user.customer.applications, pk=pk)
    if act(request, applications.submit, application_id=pk, **stamp(request)):
        nudge.scorers()
    return redirect("lending:application", pk)


@customer_required
@require_POST
def withdraw(request: SignedIn, pk: int) -> HttpResponse:
    get_object_or_404(request.user.customer.applications, pk=pk)
    act(
        request,
        applications.withdraw,
        done=_("Your application is withdrawn."),
        application_id=pk,
        **stamp(request),
    )
    return redirect("lending:application", pk)


@customer_required
@require_POST
def ask_review(request: SignedIn, pk: int) -> HttpResponse:
    """A person looks again at what was declined."""
    get_object_or_404(request.user.customer.applications, pk=pk)
    act(
        request,
        applications.ask_review,
        done=_("A person will look at your application again."),
        application_id=pk,
        **stamp(request),
    )
    return redirect("lending:application", pk)
