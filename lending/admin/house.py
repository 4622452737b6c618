"""What the house knows about itself: events, rules, industries and messages. Read, hardly ever written."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from lending import clock
from lending.admin import timeline
from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, label, link, money, page_of, percent, record_link, state_label
from lending.fields import ZERO
from lending.models import Event, Industry, Notice, NoticeTemplate, RuleParameter
from lending.selectors import portfolio
from lending.services import notices


@admin.register(Event)
class EventAdmin(ExportAdmin, ReadOnlyAdmin):
    """Who did what, when: the audit trail."""

    list_display = ["at", "what", "customer_link", "about", "who", "changed"]
    list_display_links = ["at"]
    list_filter = [("at", RangeDateFilter), "actor"]
    list_select_related = ["customer", "actor"]
    search_fields = ["kind", "customer__name", "actor__username"]
    date_hierarchy = "at"
    resource_classes = [
        columns(
            Event, "id", "at", "kind", "subject_type", "subject_id", "customer", "actor__username", "data"
        )
    ]
    fields = ["at", "what", "kind", "who", "customer_link", "about", "data"]
    readonly_fields = ["what", "who", "customer_link", "about"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup in ("subject_type", "subject_id") or super().lookup_allowed(lookup, value, request)

    @display(description=_("what"), ordering="kind")
    def what(self, event: Event) -> str:
        return timeline.words_of(event.kind)

    @display(description=_("who"), ordering="actor")
    def who(self, event: Event) -> Any:
        return event.actor or _("the system")

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, event: Event) -> Any:
        return record_link(event.customer)

    @display(description=_("about"))
    def about(self, event: Event) -> Any:
        name, url = timeline.subject_words(event), timeline.subject_url(event)
        return link(name, url) if url else name

    @display(description=_("changed"))
    def changed(self, event: Event) -> Any:
        return format_html_join(" · ", "{}: {}", timeline.changes(event.data)) or "–"


@admin.register(RuleParameter)
class RuleParameterAdmin(ExportAdmin, ReadOnlyAdmin):
    """Legal and policy numbers with their source; what nobody has read in the text of the rule is marked."""

    list_display = ["code", "lender_type", "figure", "standing", "valid_from", "valid_to", "source", "sure"]
    list_filter = [("certainty", ChoicesDropdownFilter), "lender_type", "jurisdiction"]
    search_fields = ["code", "instrument", "article"]
    resource_classes = [
        columns(
            RuleParameter,
            *("code", "jurisdiction", "lender_type", "value", "unit", "valid_from", "valid_to", "instrument"),
            *("article", "certainty"),
        )
    ]
    fields = [
        *("code", "jurisdiction", "lender_type", "figure", "standing", "valid_from", "valid_to"),
        *("instrument", "article", "sure"),
    ]
    readonly_fields = ["figure", "standing", "sure"]

    @display(description=_("value"), ordering="value")
    def figure(self, rule: RuleParameter) -> str:
        return f"{number_format(rule.value.normalize(), force_grouping=True)} {rule.unit}"

    @display(description=_("source"), ordering="instrument")
    def source(self, rule: RuleParameter) -> str:
        return f"{rule.instrument} {rule.article}".strip()

    @display(description=_("today"))
    def standing(self, rule: RuleParameter) -> Any:
        on = clock.today()
        if rule.valid_from > on:
            return label(_("to come"), "info")
        if rule.valid_to and rule.valid_to < on:
            return label(_("past"))
        return label(_("in force"), "success")

    @display(description=_("how sure"), ordering="certainty")
    def sure(self, rule: RuleParameter) -> Any:
        tones = {"M": "danger", "P": "warning", "V": "success"}
        return label(rule.get_certainty_display(), tones.get(rule.certainty, ""))


@admin.register(Industry)
class IndustryAdmin(ReadOnlyAdmin):
    list_display = ["code", "local_name", "standing_", "share", "cap"]
    list_filter = [("standing", ChoicesDropdownFilter)]
    search_fields = ["code", "name", "name_zh"]
    fields = ["code", "name", "name_zh", "standing_", "cap", "share"]
    readonly_fields = ["standing_", "cap", "share"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Industry]:
        return portfolio.with_outstanding(super().get_queryset(request))

    @display(description=_("name"))
    def local_name(self, industry: Industry) -> str:
        return industry.local_name

    @display(description=_("standing"), ordering="standing")
    def standing_(self, industry: Industry) -> Any:
        return state_label(industry, "standing")

    @display(description=_("share of the book"), ordering="outstanding")
    def share(self, industry: Any) -> Any:
        share = industry.outstanding / industry.book if industry.book else ZERO
        words = f"{percent(share)} ({money(industry.outstanding)})"
        return label(words, "danger") if share > industry.concentration_cap else words

    @display(description=_("concentration cap"), ordering="concentration_cap")
    def cap(self, industry: Industry) -> str:
        return percent(industry.concentration_cap)


@admin.register(Notice)
class NoticeAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = ["created_at", "customer_link", "channel", "state_", "words", "sent_at", "error"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("created_at", RangeDateFilter),
        "purpose",
    ]
    list_select_related = ["customer"]
    search_fields = ["customer__name", "customer__platform_ref", "key", "subject"]
    date_hierarchy = "created_at"
    resource_classes = [
        columns(
            Notice, "id", "customer__name", "channel", "state", "purpose", "created_at", "sent_at", "error"
        )
    ]
    fields = [
        *("customer_link", "state_", "channel", "purpose", "template", "subject", "body", "send_after"),
        *("created_at", "sent_at", "read_at", "attempts", "error", "key"),
    ]
    readonly_fields = ["customer_link", "state_"]

    @display(description=_("state"), ordering="state")
    def state_(self, notice: Notice) -> Any:
        return state_label(notice)

    @display(description=_("message"))
    def words(self, notice: Notice) -> str:
        return str(notice)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, notice: Notice) -> Any:
        return record_link(notice.customer)


class ReviseForm(ActionForm):
    subject = forms.CharField(label=_("Subject"), max_length=200, required=False)
    body = forms.CharField(label=_("Text"), widget=forms.Textarea)

    def prepare(self) -> None:
        template = self.subject
        self.fields["subject"].initial, self.fields["body"].initial = template.subject, template.body


@admin.register(NoticeTemplate)
class NoticeTemplateAdmin(ServiceAdmin):
    list_display = ["code", "channel", "language", "version", "subject"]
    list_filter = ["channel", "language"]
    search_fields = ["code", "subject", "body"]
    fields = ["code", "channel", "language", "version", "subject", "body"]
    actions_detail = ["revise"]

    @service_action(
        _("Revise"),
        permission="lending.change_noticetemplate",
        form=ReviseForm,
        icon="edit_note",
        confirm=_("The text becomes the newest version; what was sent keeps its words."),
    )
    def revise(self, template: NoticeTemplate, data: dict[str, Any], acting: Acting) -> Any:
        notices.revise(
            code=template.code,
            channel=template.channel,
            language=template.language,
            **data,
            **acting.moment,
        )
        return _("The new version is in use.")

    def sections(self, request: HttpRequest, record: NoticeTemplate) -> Iterable[Section]:
        versions = NoticeTemplate.objects.filter(
            code=record.code, channel=record.channel, language=record.language
        )
        yield Section(
            _("Versions"),
            [_("Version"), _("Subject"), _("Text")],
            [(link(row.version, page_of(row)), row.subject, row.body) for row in versions],
        )
