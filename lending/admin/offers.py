"""Offers and their cost sheets: as they were shown, as they were signed, word for word."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter, RangeNumericFilter
from unfold.decorators import display

from lending import clock, downloads
from lending.admin.base import ReadOnlyAdmin
from lending.admin.export import ExportAdmin, columns
from lending.admin.parts import Section, label, link, page_of, percent, record_link
from lending.errors import Refused
from lending.models import ContractDocument, Offer
from lending.papers import sheet as sheets
from lending.services import contracts


@admin.register(Offer)
class OfferAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = [
        *(
            "number",
            "customer_link",
            "product",
            "amount",
            "tenor",
            "cost",
            "made_at",
            "shown_at",
            "accepted_at",
        ),
    ]
    list_filter = [
        ("amount", RangeNumericFilter),
        ("made_at", RangeDateFilter),
        ("accepted_at", RangeDateFilter),
    ]
    list_select_related = ["application__customer", "application__product"]
    search_fields = ["=id", "=application__id", "application__customer__name", "sheet_sha256"]
    date_hierarchy = "made_at"
    resource_classes = [
        columns(
            Offer,
            *("id", "application", "application__customer__name", "application__product__code", "amount"),
            *("tenor", "annual_cost", "sheet_sha256", "made_at", "shown_at", "accepted_at", "expires_on"),
        )
    ]
    fields = [
        *("application_link", "customer_link", "amount", "tenor", "cost", "made_at", "expires_on"),
        *("shown_at", "accepted_at"),
    ]
    readonly_fields = ["application_link", "customer_link", "cost"]

    @display(description=_("offer"), ordering="pk")
    def number(self, offer: Offer) -> str:
        return str(offer.application)

    @display(description=_("product"), ordering="application__product__code")
    def product(self, offer: Offer) -> str:
        return str(offer.application.product)

    @display(description=_("application"))
    def application_link(self, offer: Offer) -> Any:
        return record_link(offer.application)

    @display(description=_("customer"), ordering="application__customer__name")
    def customer_link(self, offer: Offer) -> Any:
        return record_link(offer.application.customer)

    @display(description=_("annual cost"), ordering="annual_cost")
    def cost(self, offer: Offer) -> str:
        return percent(offer.annual_cost)

    def sections(self, request: HttpRequest, record: Offer) -> Iterable[Section]:
        yield _signature(record)
        yield from of_sheet(record)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.file_view)
        return [path("<int:offer_id>/sheet.pdf", view, name="lending_offer_file"), *super().get_urls()]

    def file_view(self, request: HttpRequest, offer_id: int) -> HttpResponse:
        """The sheet as a PDF; the signed one is the same for everybody, and that it was taken is written down."""
        if not request.user.has_perm("lending.view_offer"):
            raise PermissionDenied
        offer = Offer.objects.select_related("application", "contract").filter(pk=offer_id).first()
        if offer is None:
            raise Http404
        try:
            return downloads.pdf(_file_of(offer, request), f"cost-sheet-{offer.application}.pdf")
        except Refused as refusal:
            self.message_user(request, str(refusal), level="ERROR")
            return HttpResponseRedirect(page_of(offer))


def _file_of(offer: Offer, request: HttpRequest) -> bytes:
    if hasattr(offer, "contract"):
        return contracts.reveal(document_id=offer.contract.pk, by=request.user, at=clock.now())
    return contracts.draft_file(offer, language=get_language() or "en")


def _signature(offer: Offer) -> Section:
    links = [link(_("Download as PDF"), reverse("admin:lending_offer_file", args=[offer.pk]))]
    signed = ContractDocument.objects.filter(offer=offer).select_related("offer").first()
    if signed is None:
        rows: list[tuple[Any, Any]] = [(_("Fingerprint"), offer.sheet_sha256)]
        return Section(_("Not confirmed yet"), rows=rows, facts=True, links=links)
    whole = contracts.is_whole(signed)
    rows = [
        (_("Shown at"), signed.shown_at),
        (_("Confirmed at"), signed.confirmed_at),
        (_("Language"), signed.language),
        (_("Form"), signed.template_version),
        (_("Fingerprint"), signed.sha256),
        (
            _("Checked now"),
            label(_("As it was signed"), "success") if whole else label(contracts.TAMPERED, "danger"),
        ),
    ]
    return Section(_("Signed"), rows=rows, facts=True, links=links)


def of_sheet(offer: Offer) -> Iterable[Section]:
    """The cost sheet in the reader's language."""
    sheet = sheets.read(offer.sheet)
    yield Section(sheet.title, rows=[sheet.principal, sheet.annual_cost, *sheet.head], facts=True)
    for plan in sheet.plans:
        items = [(i.name, i.payee, i.basis, i.amount, i.annualised) for i in plan.items]
        yield Section(
            plan.title,
            sheets.item_columns(),
            [*items, (_("All costs together"), "", "", plan.cost, plan.annual_cost)],
        )
        yield Section(
            _("Schedule in %(tenor)s instalments") % {"tenor": plan.tenor},
            sheets.columns(),
            [*plan.rows, plan.foot],
        )
    yield Section(_("What it costs to pay late"), rows=sheet.late, facts=True)
