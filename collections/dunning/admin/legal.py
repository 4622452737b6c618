"""Legal matters: their dates, papers and costs."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from dunning.models import LegalCost, LegalDocument, LegalMatter
from dunning.services import legal
from lending import clock, downloads
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm, amount_field
from lending.admin.parts import Section, link, money, page_of, record_link, state_label
from lending.errors import Refused

CHANGE = "dunning.change_legalmatter"
State = LegalMatter.State


def _in(*states: str) -> Callable[[LegalMatter], bool]:
    return lambda matter: matter.state in states


class FileForm(ActionForm):
    court = forms.CharField(label=_("Court"), max_length=120)
    reference = forms.CharField(label=_("Court reference"), max_length=60, required=False)


class JudgeForm(ActionForm):
    awarded = forms.DecimalField(
        label=_("Awarded"),
        min_value=Decimal(0),
        max_digits=18,
        decimal_places=2,
        help_text=_("Zero if the claim was dismissed."),
    )


class CloseForm(ActionForm):
    result = forms.CharField(label=_("How it ended"), max_length=300, widget=forms.Textarea)


class CostForm(ActionForm):
    kind = forms.ChoiceField(label=_("What for"), choices=LegalCost.Kind.choices)
    amount = amount_field()
    spent_on = forms.DateField(label=_("On"))
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

    def prepare(self) -> None:
        self.fields["spent_on"].initial = clock.today()


class PaperForm(ActionForm):
    title = forms.CharField(label=_("Title"), max_length=120)
    file = forms.FileField(label=_("File"))


@admin.register(LegalMatter)
class LegalMatterAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["number", "customer_link", "state_", "claim", "pay_by", "court", "filed_on", "awarded"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("pay_by", RangeDateFilter),
        ("claim", RangeNumericFilter),
    ]
    list_select_related = ["customer"]
    search_fields = ["=id", "customer__name", "customer__platform_ref", "reference", "court"]
    date_hierarchy = "noticed_on"
    resource_classes = [
        columns(
            LegalMatter,
            *("id", "customer__name", "case", "state", "claim", "noticed_on", "pay_by", "court", "reference"),
            *("filed_on", "judged_on", "awarded", "enforced_on", "closed_on", "result"),
        )
    ]
    fields = [
        *(
            "customer_link",
            "case_link",
            "state_",
            "claim",
            "spent",
            "noticed_on",
            "pay_by",
            "court",
            "reference",
        ),
        *("filed_on", "judged_on", "awarded", "enforced_on", "closed_on", "result"),
    ]
    readonly_fields = ["customer_link", "case_link", "state_", "spent"]
    actions_detail = ["file", "judge", "enforce", "add_cost", "add_document", "close"]

    @display(description=_("legal matter"), ordering="pk")
    def number(self, matter: LegalMatter) -> str:
        return str(matter)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, matter: LegalMatter) -> Any:
        return record_link(matter.customer)

    @display(description=_("case"))
    def case_link(self, matter: LegalMatter) -> Any:
        return record_link(matter.case)

    @display(description=_("state"), ordering="state")
    def state_(self, matter: LegalMatter) -> Any:
        return state_label(matter)

    @display(description=_("costs so far"))
    def spent(self, matter: LegalMatter) -> str:
        return money(matter.spent)

    def sections(self, request: HttpRequest, record: LegalMatter) -> Iterable[Section]:
        yield Section(
            _("Costs"),
            [_("On"), _("What for"), _("Amount"), _("Note"), _("By")],
            [
                (cost.spent_on, cost.get_kind_display(), money(cost.amount), cost.note, cost.by)
                for cost in record.costs.select_related("by")
            ],
            permission="dunning.view_legalcost",
        )
        yield Section(
            _("Papers"),
            [_("Title"), _("File"), _("Added at"), _("By"), _("Fingerprint")],
            [
                (
                    paper.title,
                    link(_("Download"), reverse("admin:dunning_legalmatter_document", args=[paper.pk])),
                    paper.added_at,
                    paper.by,
                    paper.sha256[:16],
                )
                for paper in record.documents.select_related("by")
            ],
            permission="dunning.view_legaldocument",
        )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.document_view)
        document = path("document/<int:document_id>/", view, name="dunning_legalmatter_document")
        return [document, *super().get_urls()]

    def document_view(self, request: HttpRequest, document_id: int) -> HttpResponseBase:
        """A paper of a matter: downloaded, never shown as a page of ours; that it was taken is written down."""
        if not request.user.has_perms(["dunning.view_legalmatter", "dunning.view_legaldocument"]):
            raise PermissionDenied
        document = LegalDocument.objects.select_related("matter").filter(pk=document_id).first()
        if document is None:
            raise Http404
        try:
            downloads.check(document.file, document.sha256)
            legal.reveal_document(document_id=document.pk, by=request.user, at=clock.now())
        except Refused as refusal:
            self.message_user(request, str(refusal), level="ERROR")
            return HttpResponseRedirect(page_of(document.matter))
        return downloads.stored(document.file)

    @service_action(
        _("File the claim"), permission=CHANGE, form=FileForm, available=_in(State.NOTICE), icon="gavel"
    )
    def file(self, matter: LegalMatter, data: dict[str, Any], acting: Acting) -> Any:
        legal.advance(matter_id=matter.pk, to=State.FILED, **data, **acting.day)
        return _("The claim is filed.")

    @service_action(
        _("Enter the judgment"),
        permission=CHANGE,
        form=JudgeForm,
        available=_in(State.FILED),
        icon="balance",
    )
    def judge(self, matter: LegalMatter, data: dict[str, Any], acting: Acting) -> Any:
        legal.advance(matter_id=matter.pk, to=State.JUDGED, **data, **acting.day)
        return _("The judgment is entered.")

    @service_action(_("Begin enforcement"), permission=CHANGE, available=_in(State.JUDGED), icon="policy")
    def enforce(self, matter: LegalMatter, data: dict[str, Any], acting: Acting) -> Any:
        legal.advance(matter_id=matter.pk, to=State.ENFORCED, **acting.day)
        return _("The judgment is being enforced.")

    @service_action(_("Add a cost"), permission=CHANGE, form=CostForm, icon="payments")
    def add_cost(self, matter: LegalMatter, data: dict[str, Any], acting: Acting) -> Any:
        legal.add_cost(matter_id=matter.pk, **data, **acting.moment)
        return _("The cost is written down.")

    @service_action(_("Add a paper"), permission=CHANGE, form=PaperForm, icon="attach_file")
    def add_document(self, matter: LegalMatter, data: dict[str, Any], acting: Acting) -> Any:
        legal.add_document(matter_id=matter.pk, **data, **acting.moment)
        return _("The paper is kept.")

    @service_action(
        _("Close the matter"),
        permission=CHANGE,
        form=CloseForm,
        available=lambda matter: matter.state != State.CLOSED,
        icon="cancel",
        variant=ActionVariant.DANGER,
        confirm=_("While the debt is still there, the case goes back to demanding."),
    )
    def close(self, matter: LegalMatter, data: dict[str, Any], acting: Acting) -> Any:
        legal.advance(matter_id=matter.pk, to=State.CLOSED, **data, **acting.day)
        return _("The matter is closed.")
