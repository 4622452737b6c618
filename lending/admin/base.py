"""The classes every page of the staff admin is built on: records are read, and changed only by services.

A record's page shows fields, sections and buttons. A button is a `service_action`: it asks for what it needs
in a small form, calls one service, and turns a refusal into words. The admin itself writes nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_fsm import TransitionNotAllowed
from unfold.admin import ModelAdmin
from unfold.enums import ActionVariant

from lending import clock
from lending.admin.forms import ActionForm
from lending.admin.paging import BoundedChangeList, BoundedPaginator
from lending.admin.parts import Section, allowed, page_of
from lending.errors import Refused
from lending.selectors import finding


@dataclass(frozen=True)
class Acting:
    """Who acts, when, and on which business date: what services want to know."""

    by: Any
    at: datetime
    on: date
    request: HttpRequest

    @classmethod
    def from_request(cls, request: HttpRequest) -> "Acting":
        return cls(by=request.user, at=clock.now(), on=clock.today(), request=request)

    @property
    def moment(self) -> dict[str, Any]:
        """The keywords of a service that needs no business date: `**acting.moment`."""
        return {"by": self.by, "at": self.at}

    @property
    def day(self) -> dict[str, Any]:
        """The keywords of a service that needs the business date too: `**acting.day`."""
        return {"by": self.by, "at": self.at, "on": self.on}


Available = Callable[[Any], bool]


def service_action(
    label: Any,
    *,
    permission: str,
    form: type[ActionForm] = ActionForm,
    confirm: Any = "",
    available: Available | None = None,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    preview: Callable[[Any, dict[str, Any], Acting], Any] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., HttpResponse]]:
    """Make a button of a method `(self, record, data, acting) -> message` that calls one service.

    Name the method in `actions_detail` (a record's page; `record` is the object) or `actions_list` (above a
    list; `record` is None). A GET shows the form with the words of `confirm`, a POST acts. Needs `permission`
    ("app.codename"), and `available(record)` where it depends on the record. The method returns the words of
    success, or a response of its own. `Refused` becomes an error of the form, at its field.

    With `preview(record, data, acting)` the form first leads to a page that shows what would happen, and only from
    there on; if the record has moved in the meantime, it is shown again. What is shown has a `mark` for that, and
    is laid out by admin/parts/preview.html.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., HttpResponse]:
        @wraps(method)
        def view(self: "ServiceAdmin", request: HttpRequest, object_id: str | None = None) -> HttpResponse:
            record = self.subject_of_action(request, object_id, permission)
            if available is not None and not available(record):
                messages.error(
                    request, _("This cannot be done now: %(record)s has moved on.") % {"record": record}
                )
                return HttpResponseRedirect(self.url_after(record))
            return self.run_action(request, record, method, view)

        for name, value in {
            "short_description": label,
            "permission": permission,
            "form_class": form,
            "confirm": confirm,
            "available": available,
            "icon": icon,
            "variant": variant,
            "preview": preview,
            "attrs": {},
            "original_function_name": method.__name__,
        }.items():
            setattr(view, name, value)
        return view

    return decorate


class StaffAdmin(ModelAdmin):
    """What every list and page of the staff has in common."""

    change_form_template = "admin/record.html"
    actions = None
    list_per_page = 50
    list_fullwidth = True
    list_filter_submit = True
    paginator, show_full_result_count = BoundedPaginator, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        return BoundedChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """In a large table only by index: names of customers, and whole values."""
        names = list(self.get_search_fields(request))
        if not search_term.strip() or not finding.by_index(self.model, names):
            return super().get_search_results(request, queryset, search_term)
        found, cut = finding.search(queryset, names, search_term.strip())
        if cut:
            words = gettext(
                "More than %(most)s customers are meant. Some are left out: give more of the name."
            )
            messages.warning(request, words % {"most": f"{finding.MOST:,}"})
        return found, False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        # A list has nothing to post to unless an action or an editable column of it is there for this user.
        if request.method == "POST" and not self.get_actions(request) and not self.list_editable:
            raise PermissionDenied
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        with clock.standing():
            answer = super().changelist_view(request, extra_context)
            return answer.render() if isinstance(answer, TemplateResponse) else answer


class ReadOnlyAdmin(StaffAdmin):
    """Lists and pages of records that nobody can add, change or delete here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def sections(self, request: HttpRequest, record: Any) -> Iterable[Section]:
        """The tables below the fields of a record's page."""
        return ()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        record = self.get_object(request, object_id) if object_id else None
        shown = record is not None and self.has_view_permission(request, record)
        context = {
            **(extra_context or {}),
            "sections": allowed(request.user, self.sections(request, record)) if shown else [],
        }
        return super().changeform_view(request, object_id, form_url, context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What happened to a record stands in the events, not in a log of the admin."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = urlencode({"subject_type": self.opts.label_lower, "subject_id": object_id})
        return HttpResponseRedirect(f"{reverse('admin:lending_event_changelist')}?{query}")


class ServiceAdmin(ReadOnlyAdmin):
    """A read-only admin with buttons. Add, change and delete stay closed unless a subclass opens them."""

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        record = self.get_object(request, str(object_id))
        if record is None:
            return []
        return [action for action in self._get_base_actions_detail() if _offered(action, request, record)]

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        return [action for action in self._get_base_actions_list() if _offered(action, request, None)]

    def subject_of_action(self, request: HttpRequest, object_id: str | None, permission: str) -> Any:
        """The record an action is about; raises PermissionDenied or Http404."""
        if not request.user.has_perm(permission) or not self.has_view_permission(request):
            raise PermissionDenied
        if object_id is None:
            return None
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404
        return record

    def url_after(self, record: Any) -> str:
        """Where to go when the action is done: back to the record."""
        return page_of(record) or reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def run_action(
        self, request: HttpRequest, record: Any, method: Callable[..., Any], action: Any
    ) -> HttpResponse:
        data = (request.POST, request.FILES) if request.method == "POST" else ()
        form = action.form_class(*data, subject=record)
        if form.is_valid() and request.POST.get("step") != "edit":
            acting = Acting.from_request(request)
            try:
                if shown := _to_look_at(request, record, form, action, acting):
                    return self._ask(request, record, form, action, shown)
                result = method(self, record, form.cleaned_data, acting)
            except Refused as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
            except TransitionNotAllowed:
                form.add_error(
                    None, _("This cannot be done now: %(record)s has moved on.") % {"record": record}
                )
            else:
                return self._done(request, record, result)
        return self._ask(request, record, form, action)

    def _done(self, request: HttpRequest, record: Any, result: Any) -> HttpResponse:
        if isinstance(result, HttpResponse):
            return result
        messages.success(request, result or _("Done."))
        return HttpResponseRedirect(self.url_after(record))

    def _ask(
        self, request: HttpRequest, record: Any, form: ActionForm, action: Any, shown: Any = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": record,
            "title": action.short_description,
            "form": form,
            "confirm": action.confirm,
            "danger": action.variant == ActionVariant.DANGER,
            "previews": action.preview is not None,
            "shown": shown,
            "answers": form.answers() if shown else (),
            "back": self.url_after(record),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/action_form.html", context)


def _to_look_at(request: HttpRequest, record: Any, form: ActionForm, action: Any, acting: Acting) -> Any:
    """What the page has to show before it acts: a preview that was asked for, or that does not hold any more."""
    step, seen = request.POST.get("step"), request.POST.get("seen")
    if action.preview is None or (step != "preview" and seen is None):
        return None
    shown = action.preview(record, dict(form.cleaned_data), acting)
    if step == "preview":
        return shown
    if shown.mark == seen:
        return None
    form.add_error(None, _("%(record)s has moved in the meantime. Please look again.") % {"record": record})
    return shown


def _moved_on(record: Any) -> str:
    return gettext("This cannot be done now: %(record)s has moved on.") % {"record": record}


def _offered(action: Any, request: HttpRequest, record: Any) -> bool:
    """Whether the button is shown: the person may, and the record is in a state for it."""
    method = action.method
    available = getattr(method, "available", None)
    return request.user.has_perm(method.permission) and (available is None or bool(available(record)))
