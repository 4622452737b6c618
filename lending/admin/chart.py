"""The chart of accounts: the accounts there are, and the account that plays each role."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock
from lending.admin import books
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, label, link, money, record_link
from lending.models import Account, AccountMapping, Product, Role
from lending.models.chart import KINDS
from lending.selectors import ledger
from lending.services import chart

CHANGE = "lending.change_account"
STATEMENT_LINES = 50


class NamesForm(ActionForm):
    name = forms.CharField(label=_("Name"), max_length=120)
    name_zh = forms.CharField(label=_("Chinese name"), max_length=120)

    def prepare(self) -> None:
        if self.subject is not None:
            self.fields["name"].initial, self.fields["name_zh"].initial = (
                self.subject.name,
                self.subject.name_zh,
            )


class AccountForm(NamesForm):
    code = forms.CharField(label=_("Code"), max_length=18)
    kind = forms.ChoiceField(label=_("Kind"), choices=Account.Kind.choices)
    field_order = ["code", "kind", "name", "name_zh"]


class AssignForm(ActionForm):
    """Another account for the role of a mapping: only accounts of a kind that fits."""

    account = forms.ChoiceField(label=_("Account"))

    def prepare(self) -> None:
        fitting = Account.objects.filter(kind__in=KINDS[self.subject.role])
        self.fields["account"].choices = [(one.pk, str(one)) for one in fitting]
        self.fields["account"].initial = self.subject.account_id


class OverrideForm(ActionForm):
    """An account of its own for one product."""

    product_code = forms.ChoiceField(label=_("Product"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    account = forms.ChoiceField(label=_("Account"))

    def prepare(self) -> None:
        codes = Product.objects.order_by("code").values_list("code", flat=True).distinct()
        self.fields["product_code"].choices = [(code, code) for code in codes]
        self.fields["account"].choices = [(one.pk, str(one)) for one in Account.objects.all()]


@admin.register(Account)
class AccountAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["code", "local_name", "kind", "roles_"]
    list_filter = [("kind", ChoicesDropdownFilter)]
    search_fields = ["code", "name", "name_zh"]
    resource_classes = [columns(Account, "code", "name", "name_zh", "kind")]
    fields = ["code", "name", "name_zh", "kind", "roles_", "balance"]
    readonly_fields = ["roles_", "balance"]
    actions_list = ["open_account"]
    actions_detail = ["rename", "drop"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return super().get_queryset(request).prefetch_related("roles")

    @display(description=_("name"))
    def local_name(self, account: Account) -> str:
        return account.local_name

    @display(description=_("roles"))
    def roles_(self, account: Account) -> str:
        return ", ".join(str(one) for one in account.roles.all() if one.until is None) or "–"

    @display(description=_("balance"))
    def balance(self, account: Account) -> str:
        return money(ledger.sums().get(account.pk, ledger.Moved()).balance)

    def sections(self, request: HttpRequest, record: Account) -> Iterable[Section]:
        latest = ledger.lines(account=record.pk).order_by("-id")[:STATEMENT_LINES]
        on = clock.today()
        whole = books.STATEMENT.url(account=record.pk, since=on.replace(day=1), until=on)
        yield Section(
            _("Account statement"),
            [_("Booked on"), _("Entry"), _("Loan"), _("Debit"), _("Credit")],
            [
                (
                    row.entry.booked_on,
                    record_link(row.entry),
                    record_link(row.loan),
                    money(row.amount) if row.amount > 0 else "",
                    money(-row.amount) if row.amount < 0 else "",
                )
                for row in latest
            ],
            links=[link(_("Statement of a period"), whole)],
            permission="lending.view_journalline",
            note=_("The latest %(count)s lines, newest first.") % {"count": STATEMENT_LINES},
        )

    def get_urls(self) -> list[Any]:
        reports = [report.path(self.admin_site) for report in books.REPORTS]
        return [*reports, books.export_path(self.admin_site), *super().get_urls()]

    @service_action(_("Open an account"), permission="lending.add_account", form=AccountForm, icon="add")
    def open_account(self, _none: None, data: dict[str, Any], acting: Acting) -> Any:
        account = chart.open_account(**data, **acting.moment)
        return _("%(account)s is open.") % {"account": account}

    @service_action(_("Rename"), permission=CHANGE, form=NamesForm, icon="edit")
    def rename(self, account: Account, data: dict[str, Any], acting: Acting) -> Any:
        chart.rename_account(code=account.pk, **data, **acting.moment)
        return _("The account is renamed.")

    @service_action(
        _("Take out of the chart"),
        permission="lending.delete_account",
        available=lambda account: not chart.is_used(account),
        icon="delete",
        variant=ActionVariant.DANGER,
        confirm=_("Nothing was ever booked on this account, and it never played a role."),
    )
    def drop(self, account: Account, data: dict[str, Any], acting: Acting) -> Any:
        chart.drop_account(code=account.pk, **acting.moment)
        return HttpResponseRedirect(reverse("admin:lending_account_changelist"))


class InForce(admin.SimpleListFilter):
    """The mappings that hold; those that were, on request."""

    title, parameter_name = _("in force"), "was"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("past", _("past")), ("all", _("all"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": _("in force")}, *others]

    def queryset(self, request: HttpRequest, rows: QuerySet) -> QuerySet:
        if self.value() == "all":
            return rows
        return rows.filter(until__isnull=self.value() != "past")


@admin.register(AccountMapping)
class AccountMappingAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["role", "product_", "account", "since", "standing", "by"]
    list_display_links = ["role"]
    list_filter = [InForce, ("role", ChoicesDropdownFilter)]
    list_select_related = ["account", "by"]
    search_fields = ["product_code", "account__code", "account__name"]
    resource_classes = [columns(AccountMapping, "role", "product_code", "account", "since", "until")]
    fields = ["role", "product_", "account", "since", "until", "by"]
    readonly_fields = ["product_"]
    actions_list = ["override"]
    actions_detail = ["assign", "withdraw"]

    @display(description=_("product"), ordering="product_code")
    def product_(self, mapping: AccountMapping) -> Any:
        return mapping.product_code or _("every other")

    @display(description=_("standing"))
    def standing(self, mapping: AccountMapping) -> Any:
        return label(_("past")) if mapping.until else label(_("in force"), "success")

    @service_action(
        _("Change the account"),
        permission=CHANGE,
        form=AssignForm,
        available=lambda mapping: mapping.until is None,
        icon="swap_horiz",
        variant=ActionVariant.PRIMARY,
        confirm=_("Holds for entries from now on. What was booked stays on the account of before."),
    )
    def assign(self, mapping: AccountMapping, data: dict[str, Any], acting: Acting) -> Any:
        chart.assign(
            role=mapping.role,
            product_code=mapping.product_code,
            account_code=data["account"],
            **acting.moment,
        )
        return self._to_list()

    @service_action(
        _("Go with the house"),
        permission=CHANGE,
        available=lambda mapping: mapping.until is None and mapping.product_code != "",
        icon="undo",
        confirm=_("From now on the product is booked like every other."),
    )
    def withdraw(self, mapping: AccountMapping, data: dict[str, Any], acting: Acting) -> Any:
        chart.withdraw(role=mapping.role, product_code=mapping.product_code, **acting.moment)
        return self._to_list()

    @service_action(
        _("Account of its own for a product"),
        permission=CHANGE,
        form=OverrideForm,
        icon="call_split",
        confirm=_("Holds for entries from now on. What was booked stays on the account of before."),
    )
    def override(self, _none: None, data: dict[str, Any], acting: Acting) -> Any:
        chart.assign(
            role=data["role"],
            product_code=data["product_code"],
            account_code=data["account"],
            **acting.moment,
        )
        return _("The chart is changed.")

    def _to_list(self) -> HttpResponseRedirect:
        """The mapping that was changed is history: its list has the new one."""
        return HttpResponseRedirect(reverse("admin:lending_accountmapping_changelist"))
