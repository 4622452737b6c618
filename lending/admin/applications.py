"""The application queue: what waits, what is known, and the decision of a person."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.module_loading import import_string
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock, downloads, words
from lending.admin import customer_page
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.filters import ReviewFilter
from lending.admin.forms import ActionForm, amount_field
from lending.admin.parts import Section, label, link, money, page_of, percent, record_link, state_label
from lending.errors import Refused
from lending.models import Application, ApprovalRequest, Customer, Document, Product
from lending.selectors import customer_page as selectors
from lending.services import applications, desk, letters, tranches

State = Application.State
WAITING = (State.SUBMITTED, State.REFERRED)
MOST_REASONS = 4


def _waits(application: Application) -> bool:
    return application.state in WAITING


class ApproveForm(ActionForm):
    """A smaller amount than was asked for, or other terms that the product allows, are a counter-offer."""

    amount = amount_field()
    tenor = forms.TypedChoiceField(label=_("Instalments"), coerce=int)
    annual_rate = forms.DecimalField(label=_("Annual rate"))
    fee_rate = forms.DecimalField(label=_("Fee rate per instalment"))
    note = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea)

    def prepare(self) -> None:
        self.fields["amount"].initial = self.subject.approved_amount or self.subject.amount
        self.fields["amount"].help_text = _("Asked for: %(amount)s. Less is a counter-offer.") % {
            "amount": money(self.subject.amount)
        }
        product = self.subject.product
        self.fields["tenor"].choices = [(tenor, tenor) for tenor in sorted(product.tenors)]
        self.fields["tenor"].initial = self.subject.tenor
        if product.kind == product.Kind.LINE:
            del self.fields["tenor"]
        self._offer_range("annual_rate", product.annual_rate, product.rate_range)
        self._offer_range("fee_rate", product.fee_rate, product.fee_range)

    def _offer_range(self, name: str, usual: Decimal, ends: tuple[Decimal, Decimal]) -> None:
        """Ask for a price only where the product leaves room for one."""
        low, high = ends
        if low == high:
            del self.fields[name]
            return
        text = _("A fraction from %(low)s to %(high)s (%(low_percent)s to %(high_percent)s).")
        field = forms.DecimalField(
            label=self.fields[name].label,
            min_value=low.normalize(),
            max_value=high.normalize(),
            max_digits=12,
            decimal_places=8,
            initial=usual.normalize(),
            help_text=text
            % {
                "low": f"{low.normalize():f}",
                "high": f"{high.normalize():f}",
                "low_percent": percent(low),
                "high_percent": percent(high),
            },
        )
        self.fields[name] = field


class DeclineForm(ActionForm):
    """The reasons are those that can be put into words for the customer."""

    reasons = forms.MultipleChoiceField(
        label=_("Reasons"), help_text=_("At most four; the customer reads them.")
    )
    note = forms.CharField(label=_("Note"), required=False, max_length=300, widget=forms.Textarea)

    def prepare(self) -> None:
        known = import_string(settings.REASON_CHOICES)() if settings.REASON_CHOICES else []
        chosen = [(code, words.reason(code)) for code in self.subject.reasons]
        self.fields["reasons"].choices = list(dict([*chosen, *known]).items())
        self.fields["reasons"].initial = self.subject.reasons

    def clean_reasons(self) -> list[str]:
        if len(self.cleaned_data["reasons"]) > MOST_REASONS:
            raise forms.ValidationError(_("Choose at most four reasons."))
        return self.cleaned_data["reasons"]


class NoteForm(ActionForm):
    note = forms.CharField(label=_("Note"), max_length=300, widget=forms.Textarea)


class TranchesForm(ActionForm):
    first = amount_field(_("First tranche"))


def _may_go_out_in_parts(application: Application) -> bool:
    return application.product.kind == Product.Kind.LOAN and application.state in tranches.MAY_BE_PLANNED


@admin.register(Application)
class ApplicationAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        "number",
        "state_",
        "waiting",
        "review_due",
        "customer_link",
        "product",
        "amount",
        "grade",
        "submitted_at",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("product__kind", ChoicesDropdownFilter),
        ("customer__kind", ChoicesDropdownFilter),
        ReviewFilter,
        ("amount", RangeNumericFilter),
        ("submitted_at", RangeDateFilter),
        "grade",
    ]
    list_select_related = ["customer", "product"]
    search_fields = ["=id", "customer__name", "customer__platform_ref"]
    date_hierarchy = "submitted_at"
    resource_classes = [
        columns(
            Application,
            *("id", "state", "customer__name", "product__code", "amount", "approved_amount", "grade"),
            *("reasons", "submitted_at", "decided_at", "decided_by__username"),
        )
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("customer_link", "state_", "product", "amount", "tenor", "purpose", "submitted_at"),
                    *("approved_amount", "first_tranche", "grade", "reasons_in_words", "decided_at"),
                    "decided_by",
                    *("decision_note", "review_requested_at", "review_due", "overridden_by"),
                ]
            },
        )
    ]
    readonly_fields = ["customer_link", "state_", "reasons_in_words", "review_due"]
    actions_detail = ["approve", "decline", "refer", "plan_tranches", "ask_review"]

    @display(description=_("application"), ordering="pk")
    def number(self, application: Application) -> str:
        return str(application)

    @display(description=_("state"), ordering="state")
    def state_(self, application: Application) -> Any:
        return state_label(application)

    @display(description=_("waiting for"), ordering="submitted_at")
    def waiting(self, application: Application) -> str:
        if not _waits(application) or application.submitted_at is None:
            return "–"
        return timesince(application.submitted_at, clock.now(), depth=1)

    @display(description=_("review due on"), ordering="review_due_on")
    def review_due(self, application: Application) -> Any:
        """By when a person answers who was asked to look again; red when that day is past."""
        due = application.review_due_on
        if due is None or application.state != State.REFERRED:
            return due or "–"
        return label(due.isoformat(), "danger" if due < clock.today() else "warning")

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, application: Application) -> Any:
        return record_link(application.customer)

    @display(description=_("reasons"))
    def reasons_in_words(self, application: Application) -> str:
        return "; ".join(words.reason(code) for code in application.reasons) or "–"

    def sections(self, request: HttpRequest, record: Application) -> Iterable[Section]:
        yield _customer(record.customer)
        yield Section(_("Answers"), rows=list(_answers(record.answers)), facts=True)
        yield _documents(record)
        yield _offers(record)
        yield _pending(record)
        yield from _letter(record)
        yield from _sections_above(record)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.document_view)
        document = path("document/<int:document_id>/", view, name="lending_application_document")
        view = self.admin_site.admin_view(self.letter_view)
        letter = path("<int:application_id>/letter.pdf", view, name="lending_application_letter")
        return [document, letter, *super().get_urls()]

    def letter_view(self, request: HttpRequest, application_id: int) -> HttpResponse:
        """The letter of a decline in the customer's language, or another one asked for; that it was taken is written
        down."""
        if not request.user.has_perm("lending.view_application"):
            raise PermissionDenied
        application = get_object_or_404(Application.objects.select_related("customer"), pk=application_id)
        asked = request.GET.get("language", "")
        language = asked if asked in dict(settings.LANGUAGES) else application.customer.language
        try:
            content = letters.reveal(
                application_id=application_id, language=language, by=request.user, at=clock.now()
            )
        except Refused as refusal:
            self.message_user(request, str(refusal), level="ERROR")
            return HttpResponseRedirect(page_of(application))
        return downloads.pdf(content, f"letter-{application}.pdf")

    def document_view(self, request: HttpRequest, document_id: int) -> HttpResponse:
        """A paper as it was handed in: downloaded, never shown as a page of ours; that it was taken is written down."""
        if not request.user.has_perm("lending.view_document"):
            raise PermissionDenied
        document = Document.objects.select_related("application").filter(pk=document_id).first()
        if document is None:
            raise Http404
        try:
            downloads.check(document.file, document.sha256)
            applications.reveal_document(document_id=document.pk, by=request.user, at=clock.now())
        except Refused as refusal:
            self.message_user(request, str(refusal), level="ERROR")
            return HttpResponseRedirect(page_of(document.application))
        return downloads.stored(document.file)

    @service_action(
        _("Approve"),
        permission="lending.decide_application",
        form=ApproveForm,
        available=_waits,
        icon="check",
        variant=ActionVariant.SUCCESS,
        confirm=_("The customer gets an offer with its full cost. A large amount waits for a second person."),
    )
    def approve(self, application: Application, data: dict[str, Any], acting: Acting) -> Any:
        result = desk.approve_application(application_id=application.pk, **data, **acting.day)
        if isinstance(result, ApprovalRequest):
            return _("A second person is asked to approve.")
        return _("The offer is made.")

    @service_action(
        _("Pay out in tranches"),
        permission="lending.decide_application",
        form=TranchesForm,
        available=_may_go_out_in_parts,
        icon="stacked_bar_chart",
        confirm=_(
            "Only the first tranche is paid out when the customer accepts; the others from the loan's page."
        ),
    )
    def plan_tranches(self, application: Application, data: dict[str, Any], acting: Acting) -> Any:
        tranches.plan(application_id=application.pk, first=data["first"], **acting.moment)
        return _("The first tranche is set.")

    @service_action(
        _("Decline"),
        permission="lending.decide_application",
        form=DeclineForm,
        available=_waits,
        icon="close",
        variant=ActionVariant.DANGER,
    )
    def decline(self, application: Application, data: dict[str, Any], acting: Acting) -> Any:
        applications.decide(
            application_id=application.pk,
            outcome=applications.DECLINE,
            reasons=data["reasons"],
            note=data["note"],
            **acting.day,
        )
        return _("The application is declined.")

    @service_action(
        _("Refer"),
        permission="lending.decide_application",
        form=NoteForm,
        available=lambda application: application.state == State.SUBMITTED,
        icon="forward_to_inbox",
        confirm=_("The policy will not decide; a person will."),
    )
    def refer(self, application: Application, data: dict[str, Any], acting: Acting) -> Any:
        applications.decide(
            application_id=application.pk, outcome=applications.REFER, note=data["note"], **acting.day
        )
        return _("The application waits for an officer.")

    @service_action(
        _("Ask for a review"),
        permission="lending.decide_application",
        available=lambda application: (
            application.state == State.DECLINED and not application.review_requested_at
        ),
        icon="gavel",
        confirm=_(
            "For a customer who asked by phone or letter. A person decides again; an approval takes two people."
        ),
    )
    def ask_review(self, application: Application, data: dict[str, Any], acting: Acting) -> Any:
        applications.ask_review(application_id=application.pk, **acting.moment)
        return _("A person will look at the application again.")


def _customer(customer: Customer) -> Section:
    exposure = customer_page.figures(selectors.exposure(customer, clock.today()))
    rows = [*customer_page.facts(customer), *((name, figure) for name, figure, _tone in exposure)]
    links = [record_link(customer, _("Everything about the customer"))]
    return Section(_("Customer"), rows=rows, facts=True, links=links, permission="lending.view_customer")


def _answers(answers: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in answers.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        yield name.replace("_", " ").capitalize(), shown


def _documents(application: Application) -> Section:
    return Section(
        _("Documents"),
        [_("Kind"), _("File"), _("Handed in at"), "SHA-256"],
        [
            (
                row.get_kind_display(),
                link(_("Download"), reverse("admin:lending_application_document", args=[row.pk])),
                row.uploaded_at,
                row.sha256[:16],
            )
            for row in application.documents.all()
        ],
        permission="lending.view_document",
    )


def _offers(application: Application) -> Section:
    return Section(
        _("Offers"),
        [
            *(_("Amount"), _("Instalments"), _("Annual cost"), _("Made at"), _("Expires on"), _("Shown at")),
            *(_("Accepted at"), _("Cost sheet")),
        ],
        [
            (
                money(row.amount),
                row.tenor,
                percent(Decimal(row.annual_cost)),
                row.made_at,
                row.expires_on,
                row.shown_at,
                row.accepted_at,
                record_link(row, _("Show")),
            )
            for row in application.offers.all()
        ],
        permission="lending.view_offer",
    )


def _pending(application: Application) -> Section:
    rows = ApprovalRequest.objects.filter(
        command__in=["application.approve", "application.override"],
        payload__contains={"application_id": application.pk},
    ).select_related("maker", "checker")
    return Section(
        _("Second person"),
        [_("Request"), _("State"), _("Amount"), _("Asked by"), _("Asked at"), _("Decided by"), _("Remark")],
        [
            (
                record_link(row),
                state_label(row),
                money(row.amount),
                row.maker,
                row.made_at,
                row.checker,
                row.remark,
            )
            for row in rows
        ],
        permission="lending.view_approvalrequest",
    )


def _letter(application: Application) -> Iterable[Section]:
    """The letter of a decline, in each language."""
    if application.state == State.DECLINED:
        url = reverse("admin:lending_application_letter", args=[application.pk])
        links = [link(name, f"{url}?language={code}") for code, name in settings.LANGUAGES]
        note = _("What the customer can download, too: reasons, how it was decided, and what they can do.")
        yield Section(_("Letter of the decline (PDF)"), links=links, note=note)


def _sections_above(application: Application) -> Iterable[Section]:
    """What the apps above know about the application: scores, and why."""
    for dotted in settings.APPLICATION_SECTIONS:
        yield from import_string(dotted)(application)
