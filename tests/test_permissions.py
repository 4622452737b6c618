"""Every address of the site, asked by everybody: nothing opens that nobody said may open.

A new address fails here until it asks for a permission that this sweep can see, or stands in a list below with
reason why it may do without.
"""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.utils import quote
from django.core.files.base import ContentFile
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django.utils.regex_helper import normalize
from rest_framework.authtoken.models import TokenProxy

from lending import clock, reference, roles
from lending.admin.base import ReadOnlyAdmin
from lending.models import Customer, Event, Product, User
from lending.services import applications, close, collateral, customers, desk, lines, payments, purchases

# Pages for people without an account, and what machines ask without one.
PUBLIC = {
    "",
    "healthz",
    "metrics",
    "language/",
    "i18n/setlang/",
    "shop/",
    "shop/<slug:slug>/",
    # A payment comes back from the gateway in a browser that may have lost its session; it shows nothing of anyone.
    "payments/return/",
    # The link in a message is its own key; it shows a masked name and what is due.
    "p/<str:token>/",
    "p/paid/",
    "sandbox/<slug:reference>/",
    # Signing in, signing up and getting back in.
    "accounts/login/",
    "accounts/logout/",
    "accounts/inactive/",
    "accounts/signup/",
    "accounts/confirm-email/",
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$",
    "accounts/login/code/confirm/",
    "accounts/password/reset/",
    "accounts/password/reset/done/",
    "accounts/password/reset/key/done/",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
    "accounts/2fa/authenticate/",
    "admin/login/",
    "admin/logout/",
    # The description of the API, not its data.
    "api/schema/",
    "api/docs/",
    "api/",
}

# Pages of the admin for anyone on the staff: they show nothing, or ask on their own for each thing they show.
STAFF = {
    "index",
    "logout",
    "password_change",
    "password_change_done",
    "search",
    "jsi18n",
    "autocomplete",
    "view_on_site",
    "app_list",
    "login",
    None,  # old addresses, which lead on to the page that asks, and everything else: "not found"
}

# Pages of the admin that are neither Django's own for a model nor a button, with the permission each asks for.
PAGES = {
    "lending_account_trial_balance": "lending.view_account",
    "lending_account_balance_sheet": "lending.view_account",
    "lending_account_profit_and_loss": "lending.view_account",
    "lending_account_tie_out": "lending.view_account",
    "lending_account_offenders": "lending.view_account",
    "lending_account_statement": "lending.view_journalline",
    "lending_account_day_book": "lending.view_journalline",
    "lending_account_export_books": "lending.view_journalline",
    **{
        f"lending_bookmonth_{name}": "lending.view_bookmonth"
        for name in ("at_risk", "ageing", "rolls", "cures", "vintages", "concentration")
    },
    "lending_bookmonth_loans": "lending.view_loansnapshot",
    "lending_bookmonth_cohort": "lending.view_loan",
    "lending_provisionmonth_report": "lending.view_provisionmonth",
    "lending_provisionmonth_loans": "lending.view_loanprovision",
    "lending_application_document": "lending.view_document",
    "lending_application_letter": "lending.view_application",
    "lending_product_allocation": "lending.view_product",
    "lending_bankline_queue": "lending.match_bankline",
    "lending_paymentfile_template": "lending.view_paymentfile",
    "lending_paymentfile_report": "lending.view_paymentfile",
    "lending_offer_file": "lending.view_offer",
    "lending_product_preview": "lending.view_product",
    "dunning_legalmatter_document": "dunning.view_legaldocument",
    "risk_assessment_fairness": "risk.view_assessment",
    "risk_financialstatement_template": "risk.view_financialstatement",
    "risk_modelversion_features": "risk.view_modelversion",
    "risk_modelversion_points": "risk.view_modelversion",
    "risk_modelversion_card": "risk.view_modelversion",
    "risk_modelversion_compare": "risk.view_modelversion",
    "risk_modelversion_monitoring": "risk.view_modelversion",
    "auth_user_password_change": "lending.change_user",
}

SAMPLES = {"int": "1", "str": "x", "slug": "x", "path": "1", "uuid": "00000000-0000-0000-0000-000000000001"}


@dataclass(frozen=True)
class Address:
    """One URL pattern, with a path that leads to it."""

    route: str
    path: str
    name: str | None
    view: Any

    @property
    def model_admin(self) -> ModelAdmin | None:
        return getattr(self.view, "model_admin", None)

    def __str__(self) -> str:
        return self.route


def addresses(resolver: URLResolver | None = None, route: str = "", path: str = "/") -> Iterator[Address]:
    for entry in (resolver or get_resolver()).url_patterns:
        here, there = route + str(entry.pattern), path + _sample(entry)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, here, there)
        else:
            yield Address(here, there, entry.name, entry.callback)


def _sample(entry: URLPattern | URLResolver) -> str:
    """A path that the pattern takes; the page of a record in the admin, of one that exists where there is one."""
    if isinstance(entry.pattern, RegexPattern):
        text, names = normalize(str(entry.pattern))[0]
        return text % dict.fromkeys(names, "1")
    samples = SAMPLES | {"path": _first_key(entry)}
    return re.sub(r"<(?:(\w+):)?\w+>", lambda found: samples[found[1] or "str"], str(entry.pattern))


def _first_key(entry: URLPattern | URLResolver) -> str:
    admin = getattr(getattr(entry, "callback", None), "model_admin", None)
    first = admin.model._default_manager.order_by("pk").first() if admin else None
    return quote(str(first.pk)) if first else "1"


def below(prefix: str) -> list[Address]:
    found = [address for address in addresses() if address.route.startswith(prefix)]
    assert found
    return found


def signed_in(user: User) -> Client:
    client = Client()
    # The guard against guessing wants an address, which a log-in without a request has not.
    with override_settings(AXES_ENABLED=False):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture(autouse=True)
def quiet() -> None:
    """A thousand refusals are what is asked for here; none of them is news."""
    logging.getLogger("django.request").setLevel(logging.CRITICAL)


@pytest.fixture
def member(db: None) -> Callable[[str], Client]:
    """A member of staff in one role, signed in."""

    def join(role: str) -> Client:
        user = User.objects.create_user(username=f"{role}-1", is_staff=True)
        user.groups.set(roles.Group.objects.filter(name=role))
        return signed_in(user)

    return join


@pytest.fixture
def house(db: None) -> Customer:
    """A house in which most lists have something in them: a customer who applied, bought, owes and pledged."""
    on = date(2026, 3, 2)
    close.open_books(on=on)
    reference.starter_products()
    now = {"by": None, "at": clock.now()}
    customer = customers.register(
        kind="PERSON", name="李雷", registered_on=on, platform_ref="P-1", phone="13800138000", **now
    )
    customers.give_consent(customer_id=customer.pk, purpose="MARKETING", text_version="1", **now)
    product = Product.objects.get(code="pay-later")
    application = applications.start(
        customer_id=customer.pk, product_id=product.pk, amount=Decimal(5000), **now
    )
    applications.attach_document(
        application_id=application.pk, kind="INCOME", file=ContentFile(b"x", "x.pdf"), **now
    )
    applications.submit(application_id=application.pk, **now)
    applications.decide(application_id=application.pk, outcome="APPROVE", on=on, **now)
    line = lines.open_line(customer_id=customer.pk, product_id=product.pk, limit=Decimal(5000), on=on, **now)
    buy = {"order_ref": "o-1", "amount": Decimal(1200), "tenor": 3}
    purchase = purchases.authorise(line_id=line.pk, on=on, **buy, **now)
    purchases.capture(purchase_id=purchase.pk, on=on, **now)
    payments.start(customer_id=customer.pk, amount=Decimal(100), on=on, **now)
    collateral.propose(
        customer_id=customer.pk,
        kind="DEPOSIT",
        description="Deposit",
        value=Decimal(500),
        haircut=Decimal(0),
        valued_on=on,
        on=on,
        **now,
    )
    maker = User.objects.create_user(username="maker", is_staff=True)
    desk.ask_raise(line_id=line.pk, to=Decimal(6000), reason="Good payer", by=maker, at=now["at"], on=on)
    TokenProxy.objects.create(user=maker)
    return customer


def _turned_away(response: Any) -> bool:
    """Refused, or shown the way to a door."""
    if response.status_code in (301, 302):
        return "/login/" in response["Location"]
    return response.status_code in (401, 403)


def test_strangers_see_only_what_is_public(house: Customer) -> None:
    opened, client = [], Client()
    for address in addresses():
        if address.route in PUBLIC or address.route == "admin/^(?P<url>.*)$":
            continue
        for ask in (client.get, client.post):
            client.cookies.clear()
            response = ask(address.path)
            if not _turned_away(response) and response.status_code != 405:
                opened.append(f"{ask.__name__} {address}: {response.status_code}")
    assert opened == []


def test_the_list_of_public_pages_names_only_pages_that_exist(db: None) -> None:
    known = {address.route for address in addresses()}
    assert PUBLIC - known <= {"metrics"}


def test_a_customer_gets_no_page_of_the_staff(house: Customer) -> None:
    user = User.objects.create_user(username="customer@example.com", email="customer@example.com")
    Customer.objects.filter(pk=house.pk).update(user=user)
    client = signed_in(user)
    for address in below("admin/"):
        response = client.get(address.path)
        if address.route not in PUBLIC:
            assert _turned_away(response) or response.status_code == 404, address


def test_a_customer_gets_nothing_from_the_api(house: Customer) -> None:
    user = User.objects.create_user(username="customer@example.com")
    Customer.objects.filter(pk=house.pk).update(user=user)
    client = signed_in(user)
    for address in below("api/v1/"):
        assert client.get(address.path).status_code in (403, 405), address


# --- roles ----------------------------------------------------------------------------------------------------


def needed(address: Address) -> list[str]:
    """The permissions that an address of the admin asks for; fails when it asks for none that can be seen."""
    if address.name in PAGES:
        return [PAGES[address.name]]
    admin = address.model_admin
    if address.name in STAFF:
        return []
    assert admin is not None or address.name, f"{address} shows no permission"
    admin = admin or _admin_of(address)
    return _needed_of_model(address, admin)


def _admin_of(address: Address) -> ModelAdmin:
    """Exports do not carry their admin; their name begins with the model's."""
    from django.contrib import admin

    for one in admin.site._registry.values():
        if address.name == f"{one.opts.app_label}_{one.opts.model_name}_export":
            return one
    raise AssertionError(f"{address} shows no permission: name it in PAGES with the one it asks for")


def _needed_of_model(address: Address, admin: ModelAdmin) -> list[str]:
    app, model = admin.opts.app_label, admin.opts.model_name
    kind = (address.name or "change").removeprefix(f"{app}_{model}_")
    if button := getattr(admin, kind, None):
        return [button.permission, f"{app}.view_{model}"]
    permissions = {
        "changelist": "view",
        "history": "view",
        "export": "view",
        "add": "add",
        "delete": "delete",
    }
    if kind not in permissions and kind != "change":
        raise AssertionError(f"{address} shows no permission: make it a service_action or name it in PAGES")
    return [f"{app}.{permissions.get(kind, 'view')}_{model}"]


def _closed(address: Address, user: User) -> bool:
    """Whether the admin itself closes the page to everybody, whatever they hold."""
    admin = address.model_admin
    if admin is None or not address.name:
        return False
    request = type("Request", (), {"user": user, "GET": {}})()
    if address.name.endswith("_add"):
        return not admin.has_add_permission(request)
    return address.name.endswith("_delete") and not admin.has_delete_permission(request)


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_opens_exactly_what_its_permissions_say(
    role: str, member: Callable[[str], Client], house: Customer
) -> None:
    client = member(role)
    user = User.objects.get(username=f"{role}-1")
    wrong = []
    for address in below("admin/"):
        if address.name in ("logout", "login"):
            continue
        may = user.has_perms(needed(address)) and not _closed(address, user)
        status = client.get(address.path).status_code
        # What is not there is "not found" or sends back; it is never refused to who may see it.
        if (status == 403) == may and address.name != "autocomplete":
            wrong.append(f"{address} ({', '.join(needed(address))}): {status}")
    assert wrong == []


# The one thing that is theirs: to lift the ban on a forbidden feature, in writing, when another person asks.
LIFTING = {f"risk_featurewaiver_{verb}" for verb in ("give", "refuse", "revoke")}


def test_the_compliance_officer_changes_nothing(member: Callable[[str], Client], house: Customer) -> None:
    client = member(roles.READER)
    before = Event.objects.count()
    allowed = []
    for address in below("admin/"):
        reads = (address.name or "").endswith(("_export", "_history"))
        if address.name in STAFF or address.name in PAGES or reads or address.name in LIFTING:
            continue
        status = client.post(
            address.path, {"_save": "1", "reason": "x", "action": "delete_selected"}
        ).status_code
        if status != 403:
            allowed.append(f"{address}: {status}")
    assert allowed == []
    assert Event.objects.count() == before


def test_the_compliance_officer_reads_everything_of_ours(
    member: Callable[[str], Client], house: Customer
) -> None:
    from django.contrib import admin

    client = member(roles.READER)
    for one in admin.site._registry.values():
        if one.opts.app_label in ("lending", "risk", "dunning"):
            path = f"/admin/{one.opts.app_label}/{one.opts.model_name}/"
            assert client.get(path).status_code == 200, path


def test_only_these_admins_can_write_at_all() -> None:
    """Everything else is read, whoever asks; what changes it is a button."""
    from django.contrib import admin

    writers = {model._meta.label for model, one in admin.site._registry.items() if not _read_only(one)}
    accounts = {"lending.User", "auth.Group", "authtoken.TokenProxy"}
    # Drafts and levels, each written by a service that the form calls.
    drafts = {"lending.Product", "risk.PolicyVersion", "risk.Control"}
    assert writers == accounts | drafts


def _read_only(one: ModelAdmin) -> bool:
    superuser = User(is_superuser=True, is_staff=True)
    request = type("Request", (), {"user": superuser, "GET": {}})()
    checks = (one.has_add_permission, one.has_change_permission, one.has_delete_permission)
    return isinstance(one, ReadOnlyAdmin) and not any(check(request) for check in checks)


def test_no_state_can_be_typed_in() -> None:
    from django.contrib import admin
    from django_fsm import FSMFieldMixin

    superuser = User(is_superuser=True, is_staff=True)
    request = type("Request", (), {"user": superuser, "GET": {}})()
    for model, one in admin.site._registry.items():
        if not isinstance(one, ReadOnlyAdmin):
            continue
        typed = set(one.get_form(request, model(), change=True).base_fields)
        states = {field.name for field in model._meta.fields if isinstance(field, FSMFieldMixin)}
        assert not typed & states, model
