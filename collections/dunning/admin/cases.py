"""The collector's list, the page of a case, and what is done on it."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from dunning.models import Case, Contact
from dunning.models.contact import Outcome, Party
from dunning.models.strategy import Channel
from dunning.selectors import case_page, worklist
from dunning.services import cases, contacts, disputes, legal, promises
from dunning.words import rule_in_words
from lending import clock
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.filters import StaffFilter
from lending.admin.forms import ActionForm, ReasonForm, amount_field
from lending.admin.parts import Section, money, record_link, state_label
from lending.errors import Refused
from lending.fields import digest
from lending.models import User
from lending.selectors import finding

WORK = "dunning.work_case"
State = Case.State


def _open(case: Case) -> bool:
    return case.is_open


def _pausable(case: Case) -> bool:
    return case.state in (State.REMINDING, State.CALLING, State.DEMANDING)


def _paused(case: Case) -> bool:
    return case.state == State.PAUSED


class StageFilter(DropdownFilter):
    """The stage of the case; closed ones only when asked for."""

    title = _("stage")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*State.choices, ("all", _("All, closed ones too"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        if self.value() in State.values:
            return queryset.filter(state=self.value())
        return queryset if self.value() == "all" else queryset.exclude(state=State.CLOSED)


class BucketFilter(DropdownFilter):
    """How late, in the usual buckets of thirty days."""

    title = _("bucket")
    parameter_name = "bucket"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(bucket, bucket) for bucket in worklist.BUCKETS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        if self.value() not in worklist.BUCKETS:
            return queryset
        return queryset.filter(worklist.in_bucket(str(self.value()), clock.today()))


class TodayFilter(DropdownFilter):
    """What waits for a person."""

    title = _("to do")
    parameter_name = "todo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("calls", _("A call is planned by today")), ("mine", _("Mine")), ("nobody", _("Nobody's"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        if self.value() == "calls":
            return queryset.filter(worklist.call_planned_by(clock.today()))
        if self.value() == "mine":
            return queryset.filter(assigned_to_id=request.user.pk)
        return queryset.filter(assigned_to=None) if self.value() == "nobody" else queryset


class CallForm(ActionForm):
    """What came of a call; the gate's word about calling now stands above it."""

    outcome = forms.ChoiceField(label=_("What came of it"), choices=[("", "---"), *Outcome.choices])
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea, max_length=2000)
    number = forms.CharField(
        label=_("Number dialled"), required=False, max_length=24, help_text=_("Empty: the customer's own.")
    )
    party = forms.ChoiceField(label=_("Who answered"), choices=Party.choices, initial=Party.DEBTOR)
    channel = Channel.CALL

    def prepare(self) -> None:
        case = self.subject if isinstance(self.subject, Case) else self.subject.case
        verdict = contacts.may_call(case=case, at=clock.now(), channel=self.channel)
        words = _("It may be made now.") if verdict.allowed else rule_in_words(str(verdict.rule))
        if verdict.retry_at:
            words = f"{words} → {date_format(timezone.localtime(verdict.retry_at), 'DATETIME_FORMAT')}"
        self.fields["outcome"].help_text = words


class VisitForm(CallForm):
    staff = forms.IntegerField(label=_("How many of us went"), min_value=1, max_value=9, initial=2)
    channel = Channel.VISIT

    def prepare(self) -> None:
        super().prepare()
        del self.fields["number"]


class PromiseForm(ActionForm):
    amount = amount_field()
    due_on = forms.DateField(label=_("To be paid by"))

    def prepare(self) -> None:
        self.fields["amount"].initial = self.subject.overdue


class PauseForm(ReasonForm):
    until = forms.DateField(label=_("Until"))
    field_order = ["until", "reason"]


class AssignForm(ActionForm):
    to = forms.ChoiceField(label=_("Collector"), required=False)

    def prepare(self) -> None:
        staff = User.objects.filter(is_staff=True, is_active=True).order_by("username")
        people = [user for user in staff if user.has_perm(WORK)]
        field = cast(forms.ChoiceField, self.fields["to"])
        field.choices = [("", _("Nobody")), *[(user.pk, str(user)) for user in people]]
        field.initial = self.subject.assigned_to_id


class DisputeForm(ReasonForm):
    amount = amount_field(_("Disputed amount"))
    loan = forms.ChoiceField(label=_("Loan"), required=False)
    field_order = ["loan", "amount", "reason"]

    def prepare(self) -> None:
        owing = self.subject.customer.loans.filter(state__in=["ACTIVE", "ACCELERATED"]).order_by("pk")
        loans = [(loan.pk, str(loan)) for loan in owing]
        cast(forms.ChoiceField, self.fields["loan"]).choices = [("", _("The whole debt")), *loans]
        self.fields["amount"].initial = self.subject.overdue


class StopForm(ReasonForm):
    channel = forms.ChoiceField(label=_("Channel"), choices=Channel.choices)
    field_order = ["channel", "reason"]


def day_in_words(day: date | datetime) -> str:
    """A day, or that of a moment, in the reader's form."""
    local = timezone.localtime(day) if isinstance(day, datetime) else day
    return date_format(local, "DATE_FORMAT")


def told(contact: Contact) -> Any:
    """The words of success, or the gate's refusal: the attempt is kept either way."""
    if contact.state == Contact.State.REFUSED:
        raise Refused(
            contact.rule,
            _("Not allowed, and kept on file: %(rule)s") % {"rule": rule_in_words(contact.rule)},
        )
    return _("Written down.")


@admin.register(Case)
class CaseAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        *("rank", "number", "customer_link", "state_", "overdue", "days", "bucket", "last_contact"),
        *("promise", "next_action", "assigned_to", "expected"),
    ]
    list_display_links = ["number"]
    list_filter = [
        StageFilter,
        BucketFilter,
        TodayFilter,
        ("assigned_to", StaffFilter),
        ("overdue", RangeNumericFilter),
    ]
    search_fields = ["=id", "customer__name", "customer__platform_ref"]
    search_help_text = _("Name, platform reference, case number, or a whole phone number")
    ordering = ["-expected", "pk"]
    resource_classes = [
        columns(
            Case,
            *("id", "customer__name", "customer__platform_ref", "state", "overdue", "oldest_due_on", "as_of"),
            *("expected", "assigned_to__username", "next_action_on", "opened_on", "closed_on", "end"),
        )
    ]
    fields = [
        *("customer_link", "phone", "state_", "overdue", "oldest_due_on", "days", "bucket", "as_of"),
        *("promise", "next_action", "assigned_to", "expected", "strategy", "opened_on", "paused_until"),
        *("pause_reason", "closed_on", "end"),
    ]
    readonly_fields = ["customer_link", "phone", "state_", "days", "bucket", "promise", "next_action"]
    actions_detail = [
        "log_call",
        "take_promise",
        {
            "title": _("More"),
            "icon": "more_horiz",
            "items": ["log_visit", "assign", "pause", "resume", "dispute", "stop", "open_matter"],
        },
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        return worklist.ranked(super().get_queryset(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Case], search_term: str
    ) -> tuple[QuerySet[Case], bool]:
        found, distinct = super().get_search_results(request, queryset, search_term)
        if search_term.strip() and not finding.by_index(Case, self.search_fields):
            found |= queryset.filter(customer__phone_digest=digest(search_term))
        return found, distinct

    @display(description=_("rank"))
    def rank(self, case: Any) -> int:
        return case.rank

    @display(description=_("case"), ordering="pk")
    def number(self, case: Case) -> str:
        return str(case)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, case: Case) -> Any:
        return record_link(case.customer)

    @display(description=_("phone"))
    def phone(self, case: Case) -> str:
        return case.customer.masked_phone

    @display(description=_("stage"), ordering="state")
    def state_(self, case: Case) -> Any:
        return state_label(case)

    @display(description=_("days late"), ordering="-oldest_due_on")
    def days(self, case: Case) -> int:
        return case.days_past_due(clock.today())

    @display(description=_("bucket"))
    def bucket(self, case: Case) -> str:
        return case.bucket(clock.today()) if case.is_open else "–"

    @display(description=_("last contact"), ordering="last_contact_at")
    def last_contact(self, case: Any) -> str:
        if case.last_contact_at is None:
            return "–"
        outcome = f" · {Outcome(case.last_outcome).label}" if case.last_outcome in Outcome.values else ""
        return f"{day_in_words(case.last_contact_at)}{outcome}"

    @display(description=_("promise"), ordering="promised_for")
    def promise(self, case: Any) -> str:
        return f"{money(case.promised)} → {day_in_words(case.promised_for)}" if case.promised else "–"

    @display(description=_("next action"), ordering="next_action_on")
    def next_action(self, case: Any) -> str:
        if case.call_planned_for:
            return f"{_('Call')} {day_in_words(case.call_planned_for)}"
        return day_in_words(case.next_action_on) if case.next_action_on else "–"

    def sections(self, request: HttpRequest, record: Case) -> Iterable[Section]:
        return sections(record)

    @service_action(_("Log a call"), permission=WORK, form=CallForm, available=_open, icon="call")
    def log_call(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        task = case.contacts.filter(state=Contact.State.PLANNED, channel=Channel.CALL).order_by("planned_for")
        planned = task.values_list("pk", flat=True).first()
        return told(contacts.log(contact_id=planned, case_id=case.pk, **data, **acting.moment))

    @service_action(
        _("Log a visit"), permission=WORK, form=VisitForm, available=_open, icon="directions_walk"
    )
    def log_visit(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        return told(contacts.log(case_id=case.pk, channel=Channel.VISIT, **data, **acting.moment))

    @service_action(_("Take a promise"), permission=WORK, form=PromiseForm, available=_open, icon="handshake")
    def take_promise(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        promises.take(case_id=case.pk, **data, **acting.day)
        return _("The promise is written down; nobody calls before its day.")

    @service_action(_("Assign"), permission=WORK, form=AssignForm, available=_open, icon="person_add")
    def assign(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        cases.assign(case_id=case.pk, user_id=int(data["to"]) if data["to"] else None, **acting.moment)
        return _("The case is assigned.")

    @service_action(
        _("Pause"),
        permission=WORK,
        form=PauseForm,
        available=_pausable,
        icon="pause",
        confirm=_("Nothing is planned until then, and tasks that wait are called off."),
    )
    def pause(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        cases.pause(case_id=case.pk, until=data["until"], reason=data["reason"], **acting.day)
        return _("The case is paused.")

    @service_action(_("Resume"), permission=WORK, available=_paused, icon="play_arrow")
    def resume(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        cases.resume(case_id=case.pk, **acting.day)
        return _("The strategy takes the case up again.")

    @service_action(
        _("Open a dispute"),
        permission=WORK,
        form=DisputeForm,
        available=_open,
        icon="feedback",
        confirm=_("Nobody asks for the amount while the dispute is open."),
    )
    def dispute(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        loan_id = int(data["loan"]) if data["loan"] else None
        disputes.open(
            customer_id=case.customer_id,
            loan_id=loan_id,
            amount=data["amount"],
            reason=data["reason"],
            **acting.day,
        )
        return _("The dispute is open.")

    @service_action(_("Stop a channel"), permission=WORK, form=StopForm, icon="do_not_disturb")
    def stop(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        contacts.stop(
            customer_id=case.customer_id, channel=data["channel"], note=data["reason"], **acting.moment
        )
        return _("The customer is not contacted this way any more.")

    @service_action(
        _("Open a legal matter"),
        permission="dunning.add_legalmatter",
        available=_pausable,
        icon="gavel",
        variant=ActionVariant.DANGER,
        confirm=_(
            "Notice before a claim goes out by letter and e-mail, and the case is taken to the legal stage."
        ),
    )
    def open_matter(self, case: Case, data: dict[str, Any], acting: Acting) -> Any:
        legal.open(case_id=case.pk, **acting.day)
        return _("Notice is given.")


def sections(case: Case) -> Iterable[Section]:
    yield Section(
        _("Unpaid instalments"),
        [_("Loan"), _("Number"), _("Due on"), _("Total"), _("Outstanding")],
        [
            (record_link(row.loan), row.number, row.due_on, money(row.total), money(row.outstanding))
            for row in case_page.unpaid(case, clock.today())
        ],
        permission="lending.view_instalment",
    )
    yield Section(
        _("What happened"),
        [_("When"), _("What"), _("Details"), _("By")],
        [
            (entry.at, record_link(entry.record, entry.what), entry.details, entry.by or "–")
            for entry in case_page.story(case)
        ],
        permission="dunning.view_contact",
    )
