"""Files of payments: uploaded, looked at, confirmed, watched while they are posted."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import tables
from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, label, link, money, page_of, record_link, state_label
from lending.models import Loan, PaymentFile, PaymentRow
from lending.services import bulk_payments, payment_rows

CHANGE = "lending.change_paymentfile"
SHOWN = 50  # rows of each kind on the preview
REFRESH = "3"  # seconds between two looks at the progress
FORMS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def _uploaded(file: PaymentFile) -> bool:
    return file.state == PaymentFile.State.UPLOADED


class UploadForm(ActionForm):
    file = forms.FileField(label=_("File"))
    unplaced = forms.ChoiceField(
        label=_("A payment that cannot be placed"), choices=PaymentFile.Unplaced.choices
    )
    surplus = forms.ChoiceField(label=_("More than is owed"), choices=PaymentFile.Surplus.choices)
    channel = forms.CharField(label=_("Channel"), max_length=20, initial="file")
    again = forms.BooleanField(label=_("Take it in although it was taken in before"), required=False)

    def prepare(self) -> None:
        links = [
            link(form.upper(), reverse("admin:lending_paymentfile_template", args=[form])) for form in FORMS
        ]
        self.fields["file"].help_text = format_html(
            "{} {} {} · {}",
            _("CSV or XLSX, at most 25 MB and 100,000 lines."),
            _("An empty file to fill in:"),
            *links,
        )


class MapForm(ActionForm):
    """One choice per column that payments can have; the columns are those of the file."""

    def prepare(self) -> None:
        places = [("", "–"), *((str(n), word or f"{n + 1}") for n, word in enumerate(self.subject.header))]
        for name, words in payment_rows.LABELS.items():
            self.fields[name] = forms.ChoiceField(
                label=words, choices=places, required=False, initial=str(self.subject.mapping.get(name, ""))
            )


@admin.register(PaymentFile)
class PaymentFileAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["number", "state_", "uploaded_at", "uploaded_by", "confirmed_by", "finished_at", "repeat"]
    list_filter = [("state", ChoicesDropdownFilter), ("uploaded_at", RangeDateFilter), "channel"]
    list_select_related = ["uploaded_by", "confirmed_by"]
    search_fields = ["=id", "name"]
    date_hierarchy = "uploaded_at"
    resource_classes = [
        columns(PaymentFile, "id", "name", "state", "uploaded_at", "confirmed_at", "finished_at", "channel")
    ]
    fields = [
        *("state_", "name", "unplaced", "surplus", "channel", "uploaded_by", "uploaded_at", "confirmed_by"),
        *("confirmed_at", "finished_at"),
    ]
    readonly_fields = ["state_"]
    actions_list = ["upload"]
    actions_detail = ["confirm", "remap", "discard"]

    @display(description=_("payment file"), ordering="pk")
    def number(self, file: PaymentFile) -> str:
        return str(file)

    @display(description=_("state"), ordering="state")
    def state_(self, file: PaymentFile) -> Any:
        return state_label(file)

    # --- the page ---------------------------------------------------------------------------------------

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().changeform_view(request, *args, **kwargs)
        object_id = args[0] if args else kwargs.get("object_id")
        record = self.get_object(request, object_id) if object_id else None
        if record and record.state == PaymentFile.State.CONFIRMED:
            # The browser looks again by itself, without any script.
            response["Refresh"] = REFRESH
        return response

    def sections(self, request: HttpRequest, record: PaymentFile) -> Iterable[Section]:
        yield self._sums(record)
        yield self._columns(record)
        if problems := list(_shown(record, *NOT_POSTED)):
            yield _table(
                _("Lines that are not posted"),
                problems,
                note=_("The first %(count)s of them.") % {"count": SHOWN},
                links=[
                    link(
                        _("Download them all"), reverse("admin:lending_paymentfile_report", args=[record.pk])
                    )
                ],
            )
        yield _table(
            _("Lines"),
            list(_shown(record, "READY", "POSTED", "HELD")),
            note=_("The first %(count)s of them.") % {"count": SHOWN},
            links=[
                link(
                    _("All"), f"{reverse('admin:lending_paymentrow_changelist')}?file__id__exact={record.pk}"
                )
            ],
        )

    def _sums(self, file: PaymentFile) -> Section:
        sums = bulk_payments.progress(file.pk)
        rows = [
            (state.label, sums.rows[state], money(sums.sums[state]))
            for state in PaymentRow.State
            if sums.rows.get(state)
        ]
        total = (_("Total"), sums.total, money(sum(sums.sums.values())))
        note = ""
        if file.state == PaymentFile.State.CONFIRMED:
            note = _("%(done)s %% done; this page looks again every few seconds.") % {"done": sums.percent}
        elif _uploaded(file):
            note = _("Nothing is posted yet. Look at it, then confirm.")
        return Section(_("Rows and sums"), [_("State"), _("Lines"), _("Amount")], [*rows, total], note=note)

    def _columns(self, file: PaymentFile) -> Section:
        found = {place: name for name, place in file.mapping.items()}
        rows = [
            (word or f"{place + 1}", payment_rows.LABELS[found[place]] if place in found else _("not used"))
            for place, word in enumerate(file.header)
        ]
        lacking = [
            " / ".join(str(payment_rows.LABELS[name]) for name in group)
            for group in bulk_payments.missing(file)
        ]
        note = _("Not found: %(columns)s. Say which columns they are.") % {"columns": "; ".join(lacking)}
        return Section(_("Columns"), [_("In the file"), _("Read as")], rows, note=note if lacking else "")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("template/<slug:form>/", wrap(self.template_view), name="lending_paymentfile_template"),
            path("<int:pk>/report/", wrap(self.report_view), name="lending_paymentfile_report"),
            *super().get_urls(),
        ]

    def template_view(self, request: HttpRequest, form: str) -> HttpResponse:
        """An empty file with the right columns and one example."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in FORMS:
            raise Http404
        example = ["2026-03-02", "406.00", "CNY", "L00000001", "", "20260302-0001", "", ""]
        content = tables.write(list(payment_rows.LABELS.values()), [example], form)
        return _download(content, f"payments.{form}", FORMS[form])

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Every line that was not posted, as it was written, with the reason: mend it and upload it again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        file = PaymentFile.objects.filter(pk=pk).first()
        if file is None:
            raise Http404
        content = tables.write(payment_rows.report_header(file), bulk_payments.not_posted(file))
        return _download(content, f"F{file.pk:06d}-not-posted.csv", FORMS["csv"])

    # --- buttons ----------------------------------------------------------------------------------------

    @service_action(
        _("Upload a file"), permission="lending.add_paymentfile", form=UploadForm, icon="upload_file"
    )
    def upload(self, _record: None, data: dict[str, Any], acting: Acting) -> Any:
        upload = data.pop("file")
        if upload.size > tables.MAX_BYTES:
            raise tables.fault("too_large", _("The file is larger than 25 MB: divide it."))
        file = bulk_payments.upload(
            name=upload.name, content=upload.read(), options=bulk_payments.Options(**data), **acting.day
        )
        return HttpResponseRedirect(page_of(file))

    @service_action(
        _("Confirm and post"),
        permission=CHANGE,
        available=_uploaded,
        icon="check",
        variant=ActionVariant.SUCCESS,
        confirm=_(
            "The lines that are ready are posted, each as a payment of its own. The others are left out."
        ),
    )
    def confirm(self, file: PaymentFile, data: dict[str, Any], acting: Acting) -> Any:
        bulk_payments.confirm(file_id=file.pk, **acting.moment)
        return _("The file is being posted.")

    @service_action(_("Columns"), permission=CHANGE, form=MapForm, available=_uploaded, icon="view_column")
    def remap(self, file: PaymentFile, data: dict[str, Any], acting: Acting) -> Any:
        mapping = {name: int(place) if place else None for name, place in data.items()}
        bulk_payments.remap(file_id=file.pk, mapping=mapping, **acting.day)
        return _("The lines were read again.")

    @service_action(
        _("Discard"),
        permission=CHANGE,
        available=_uploaded,
        icon="delete",
        variant=ActionVariant.DANGER,
        confirm=_("Nothing of it is posted; the file may be uploaded again."),
    )
    def discard(self, file: PaymentFile, data: dict[str, Any], acting: Acting) -> Any:
        bulk_payments.discard(file_id=file.pk, **acting.moment)
        return _("The file is put away.")


NOT_POSTED = ("PROBLEM", "DUPLICATE", "FAILED")


def _shown(file: PaymentFile, *states: str) -> Iterable[PaymentRow]:
    return file.rows.filter(state__in=states).select_related("customer").order_by("number")[:SHOWN]


def _table(title: Any, rows: Iterable[PaymentRow], *, note: Any, links: list[Any]) -> Section:
    return Section(
        title,
        [
            *(
                _("Line"),
                _("State"),
                _("Amount"),
                _("Value date"),
                _("Loan"),
                _("Customer"),
                _("Payer"),
                _("Problem"),
            )
        ],
        [
            (
                row.number,
                state_label(row),
                money(row.amount),
                row.value_on,
                record_link(Loan(pk=row.loan_id)) if row.loan_id else "–",
                record_link(row.customer),
                row.payer,
                label(payment_rows.words(row), "warning") if row.code else "",
            )
            for row in rows
        ],
        note=note,
        links=links,
    )


def _download(content: bytes, name: str, kind: str) -> HttpResponse:
    return HttpResponse(
        content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@admin.register(PaymentRow)
class PaymentRowAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = ["file", "number", "state_", "amount", "value_on", "loan", "customer", "payer", "problem"]
    list_filter = [("state", ChoicesDropdownFilter), ("value_on", RangeDateFilter)]
    list_select_related = ["file", "loan", "customer"]
    search_fields = ["=file__id", "=loan__id", "=key", "payer", "customer__name", "customer__platform_ref"]
    resource_classes = [
        columns(
            PaymentRow,
            *(
                "file",
                "number",
                "state",
                "amount",
                "value_on",
                "loan",
                "customer__name",
                "payer",
                "key",
                "code",
            ),
        )
    ]
    fields = [
        "file",
        "number",
        "state_",
        "amount",
        "value_on",
        "loan",
        "customer",
        "payer",
        "note",
        "key",
        "problem",
    ]
    readonly_fields = ["state_", "problem"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "file__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description=_("state"), ordering="state")
    def state_(self, row: PaymentRow) -> Any:
        return state_label(row)

    @display(description=_("problem"))
    def problem(self, row: PaymentRow) -> str:
        return payment_rows.words(row)
