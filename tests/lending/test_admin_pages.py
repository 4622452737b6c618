"""The pages of the staff admin show what is true, to whom they should, in a bounded number of statements."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import translation

from lending import roles
from lending.admin import timeline
from lending.admin.search import search
from lending.models import Event, User
from lending.selectors import customer_page, portfolio
from lending.services import applications, collateral, customers, lines, loans
from tests.lending.admin_support import desk, member, page, words

Make = Callable[..., object]
DASHBOARD = "/admin/"


# --- the dashboard --------------------------------------------------------------------------------------------


def test_the_dashboard_without_books_says_so(db: None) -> None:
    assert "The books are not open yet." in words(desk("accountant").get(DASHBOARD))


def test_the_figures_of_the_book(make_loan: Make, run_to: Make, books: date) -> None:
    loan = make_loan("1200", tenor=3)
    first = portfolio.glance(books)
    assert (first.lines, first.limits, first.used) == (1, Decimal(10000), Decimal(1200))
    assert (first.outstanding, first.overdue, first.par(1)) == (Decimal(1200), 0, 0)

    due = loan.instalments.get(number=1)
    on = due.due_on + timedelta(days=31)
    run_to(on)
    late = portfolio.glance(on)
    assert late.par(1) == late.par(31) == 1
    assert late.par(91) == 0
    rows = loan.instalments.filter(due_on__lt=on)
    assert late.overdue == sum(row.outstanding for row in rows) > 0
    assert sum(late.buckets) == late.outstanding == Decimal(1200)


def test_collected_money_counts_once_and_not_when_taken_back(
    make_loan: Make, at: object, books: date
) -> None:
    loan = make_loan()
    now = {"by": None, "at": at, "on": books}
    paid = loans.repay(loan_id=loan.pk, amount=Decimal(100), key="p-1", **now)
    loans.repay(loan_id=loan.pk, amount=Decimal(50), key="p-2", **now)
    assert portfolio.glance(books).collected == Decimal(150)
    loans.reverse(transaction_id=paid.pk, key="r-1", note="Bounced", **now)
    assert portfolio.glance(books).collected == Decimal(50)
    assert portfolio.glance(books + timedelta(days=30)).collected == 0


def test_the_book_over_time(make_loan: Make, run_to: Make, books: date) -> None:
    loan = make_loan("1200", tenor=3)
    run_to(date(2026, 5, 31))
    history = portfolio.history(date(2026, 5, 31))
    assert [month.on for month in history] == [date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]
    assert {month.outstanding for month in history} == {Decimal(1200)}
    owed = [sum(row.total for row in loan.instalments.filter(due_on__lt=month.on)) for month in history]
    assert [month.overdue for month in history] == owed
    assert owed[-1] > 0
    assert portfolio.history(date(2026, 12, 31), months=1)[0].on == date(2026, 12, 31)


def test_paid_late_was_overdue_only_until_then(make_loan: Make, run_to: Make) -> None:
    loan = make_loan("1200", tenor=1)
    first = loan.instalments.get()
    late = first.due_on + timedelta(days=5)
    at = run_to(late)
    owed = loan.instalments.get().outstanding
    loans.repay(loan_id=loan.pk, amount=owed, key="late", by=None, at=at, on=late)
    by_day = {day: portfolio.history(day, months=1) for day in (late - timedelta(days=1), late)}
    assert by_day[late - timedelta(days=1)][0].overdue == owed > 1200
    assert by_day[late] == [] or by_day[late][0].overdue == 0


def test_principal_by_industry(make_customer: Make, make_line: Make, make_loan: Make) -> None:
    shop = make_customer(kind="COMPANY", name="Shop", industry_id="F")
    make_loan("100000", tenor=3, line=make_line("200000", "purchase-line", shop))
    make_loan("1200", ref="o-2")
    assert [(row and row.code, amount) for row, amount in portfolio.industries()] == [
        ("F", Decimal(100000)),
        (None, Decimal(1200)),
    ]
    shares = words(desk("risk_analyst").get(reverse("admin:lending_industry_changelist")))
    assert "98.81%" in shares


def test_cards_are_for_those_who_can_do_the_work(make_customer: Make, product: Make, at: object) -> None:
    application = applications.start(
        customer_id=make_customer().pk,
        product_id=product("pay-later").pk,
        amount=Decimal(1000),
        by=None,
        at=at,
    )
    applications.submit(application_id=application.pk, by=None, at=at)
    applications.decide(application_id=application.pk, outcome="REFER", by=None, at=at, on=at.date())
    assert "Applications waiting 1" in words(desk("credit_officer").get(DASHBOARD))
    assert "Applications waiting" not in words(desk("accountant").get(DASHBOARD))
    assert "Books are on 2026-03-02" in words(desk("accountant").get(DASHBOARD))


def test_every_card_leads_somewhere(make_loan: Make) -> None:
    make_loan()
    for role in roles.ROLES:
        client = desk(role)
        for card in client.get(DASHBOARD).context.get("cards", []):
            if card.url:
                answer = client.get(card.url)
                # A filter that the list does not know would send back to the list without it.
                assert answer.status_code == 200, (role, card)


def test_the_dashboard_asks_a_bounded_number_of_times(
    make_loan: Make, make_line: Make, django_assert_max_num_queries: Make
) -> None:
    for number in range(3):
        make_loan(ref=f"o-{number}")
    client = desk("senior_approver")
    client.get(DASHBOARD)
    with django_assert_max_num_queries(40):
        client.get(DASHBOARD)


# --- the customer on one page ---------------------------------------------------------------------------------


@pytest.fixture
def debtor(make_loan: Make, run_to: Make) -> object:
    """A customer with a line, a loan that is late, security, and a past."""
    loan = make_loan("1200", tenor=3)
    on = loan.instalments.get(number=1).due_on + timedelta(days=3)
    at = run_to(on)
    now = {"by": member("credit_officer"), "at": at}
    item = collateral.propose(
        customer_id=loan.customer_id,
        kind="DEPOSIT",
        description="Deposit",
        value=Decimal(600),
        haircut=Decimal("0.5"),
        valued_on=on,
        on=on,
        **now,
    )
    for step in ("verify", "pledge"):
        collateral.move(collateral_id=item.pk, step=step, note="seen", **now)
    lines.cut(line_id=loan.line_id, to=Decimal(4000), cause="Many returns", **now)
    customers.update_details(customer_id=loan.customer_id, region="Hebei", **now)
    return loan.customer


def test_exposure_adds_up(debtor: object) -> None:
    loan = debtor.loans.get()
    on = loan.instalments.get(number=1).due_on + timedelta(days=3)
    exposure = customer_page.exposure(debtor, on)
    assert (exposure.limit, exposure.used, exposure.days_past_due) == (Decimal(4000), Decimal(1200), 3)
    assert exposure.owed == loan.principal + loan.interest + loan.fee + loan.penalty
    assert exposure.overdue == loan.instalments.get(number=1).outstanding
    assert (exposure.security, exposure.coverage) == (Decimal(300), Decimal(300) / exposure.owed)


def test_the_page_tells_the_whole_story(debtor: object) -> None:
    told = words(desk("credit_officer").get(page(debtor)))
    for part in (
        *(
            "Overdue",
            "Days past due",
            "To be paid",
            "Credit lines",
            "Limit changes",
            "Many returns",
            "Deposit",
        ),
        *("Timeline", "Limit cut", "change: 10,000.00 → 4,000.00", "Details changed", "region: – → Hebei"),
        *("the-credit_officer", "the system"),
    ):
        assert part in told, part


def test_the_page_in_chinese_and_for_each_role(debtor: object) -> None:
    for role in roles.ROLES:
        answer = desk(role).get(page(debtor), headers={"accept-language": "zh-hans"})
        assert answer.status_code == 200
    assert "lending.view_application" not in member("collector").get_all_permissions()
    tabs = [tab.title for tab in desk("collector").get(page(debtor)).context["page"].tabs]
    assert len(tabs) == len(set(tabs))
    sections = desk("collector").get(page(debtor)).context["page"].tabs
    assert "Applications" not in [str(one.title) for tab in sections for one in tab.sections]


def test_the_page_asks_as_often_for_a_long_story(
    debtor: object, make_loan: Make, django_assert_max_num_queries: Make
) -> None:
    line = debtor.lines.get()
    lines.lift_hold(line_id=line.pk, cause="ARREARS", by=None, at=Event.objects.latest("at").at)
    client = desk("credit_officer")
    client.get(page(debtor))
    with django_assert_max_num_queries(75) as first:
        client.get(page(debtor))
    for number in range(4):
        make_loan("100", line=line, ref=f"more-{number}")
    with django_assert_max_num_queries(len(first) + 2):
        client.get(page(debtor))


# --- words ----------------------------------------------------------------------------------------------------


def recorded_kinds() -> set[str]:
    """Every kind of event that the code writes by its full name."""
    kinds = set()
    for folder in ("lending", "risk", "collections/dunning"):
        for path in (settings.BASE_DIR / folder).rglob("*.py"):
            found = re.findall(r'events\.(?:record|build)\(\s*"([a-z_]+\.[a-z_]+)"', Path(path).read_text())
            kinds.update(found)
    return kinds


def test_every_event_has_words() -> None:
    kinds = recorded_kinds()
    assert len(kinds) > 40
    assert {kind for kind in kinds if kind not in timeline._tables()} == set()


def test_changes_in_words() -> None:
    said = dict(timeline.changes({"before": {"a": 1, "b": 2}, "after": {"a": 1, "b": 3}, "sha256": "f00"}))
    assert said == {"b": "2 → 3"}
    assert dict(timeline.changes({"cause": "ARREARS", "amount": "5.00"})) == {
        "cause": "Arrears",
        "amount": "5.00",
    }
    assert dict(timeline.changes({"wish": "ARREARS"})) == {"wish": "Paying what is overdue in parts"}
    assert list(timeline.changes({})) == []


def test_history_leads_to_the_events_of_the_record(debtor: object) -> None:
    client = desk("credit_officer")
    line = debtor.lines.get()
    answer = client.get(reverse("admin:lending_creditline_history", args=[line.pk]), follow=True)
    assert answer.status_code == 200
    shown = list(answer.context["cl"].result_list)
    assert {(event.subject_type, event.subject_id) for event in shown} == {("lending.creditline", line.pk)}
    assert "line.limit_cut" in {event.kind for event in shown}


# --- search, exports, roles -----------------------------------------------------------------------------------


def test_search_by_name_number_and_phone(make_customer: Make, make_loan: Make, rf: Make) -> None:
    customer = make_customer(name="韩梅梅", phone="13812345678", id_number="11010519491231002X")
    loan = make_loan()

    def found(role: str, term: str) -> list[str]:
        request = rf.get("/")
        request.user = member(role)
        return [result.title for result in search(request, term.lower())]

    for term in ("韩梅", "13812345678", "11010519491231002X", customer.platform_ref):
        assert found("collector", term) == [customer.name], term
    assert found("collector", "1381234567") == []
    assert found("collector", f"L{loan.pk:08d}") == [str(loan)]
    assert found("collector", "A00000001") == []
    assert found("collector", "o-1") == ["o-1"]
    answer = desk("collector").get("/admin/search/", {"s": "韩梅梅", "extended": "1"})
    assert page(customer) in answer.content.decode()


def test_the_list_finds_a_customer_by_a_whole_number_only(make_customer: Make) -> None:
    make_customer(name="韩梅梅", phone="13812345678")
    client, url = desk("collector"), reverse("admin:lending_customer_changelist")
    assert "韩梅梅" in words(client.get(url, {"q": "13812345678"}))
    assert "韩梅梅" not in words(client.get(url, {"q": "1381234567"}))


def test_an_export_holds_no_secret_and_no_formula(make_customer: Make) -> None:
    make_customer(
        name='=HYPERLINK("http://example.com")', phone="13812345678", id_number="11010519491231002X"
    )
    client, url = desk("credit_officer"), reverse("admin:lending_customer_export")
    form = client.get(url)
    assert form.status_code == 200
    answer = client.post(url, {"format": "0", "resource": "", "customerresource_id": "on"})
    text = answer.content.decode()
    assert "HYPERLINK" in text
    assert "=HYPERLINK" not in text
    assert "13812345678" not in text
    assert "11010519491231002X" not in text


def test_roles_are_installed_and_stay(db: None) -> None:
    from django.apps import apps

    group = Group.objects.get(name="collector")
    before = set(group.permissions.values_list("codename", flat=True))
    group.permissions.add(Permission.objects.get(codename="write_off_loan"))
    roles.install(sender=apps.get_app_config("lending"))
    roles.install(sender=apps.get_app_config("lending"))
    assert set(group.permissions.values_list("codename", flat=True)) == before
    assert "write_off_loan" not in before


def test_every_grant_names_a_permission_that_exists(db: None) -> None:
    known = {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Permission.objects.select_related("content_type")
    }
    for role in roles.ROLES:
        missing = {name for name in roles.granted(role) if "*" not in name and name not in known}
        assert not missing, role


def test_the_reader_views_everything_and_may_only_lift_a_ban_in_writing(db: None) -> None:
    held = member(roles.READER).get_all_permissions()
    assert {name for name in held if not name.split(".")[1].startswith("view_")} == {"risk.give_waiver"}
    assert {"lending.view_event", "lending.view_journalline", "risk.view_assessment"} <= held
    assert "authtoken.view_token" not in held


def test_demo_users(db: None, settings: object) -> None:
    settings.DEMO_PASSWORD = ""
    with pytest.raises(ImproperlyConfigured):
        roles.demo_users()
    settings.DEMO_PASSWORD = "a word"
    roles.demo_users()
    users = roles.demo_users()
    assert {user.username for user in users} == set(roles.ROLES)
    assert User.objects.filter(username__in=roles.ROLES).count() == len(roles.ROLES)
    assert users[0].check_password("a word")
    assert not any(user.is_superuser for user in users)


def test_the_sidebar_shows_nobody_what_would_be_refused(make_loan: Make) -> None:
    make_loan()
    for role in roles.ROLES:
        client = desk(role)
        groups = client.get(DASHBOARD).context["sidebar_navigation"]
        for item in [item for group in groups for item in group["items"]]:
            assert client.get(str(item["link"])).status_code == 200, (role, item["link"])


def test_the_business_date_is_on_every_page(books: date) -> None:
    assert "2026-03-02" in words(desk("collector").get(reverse("admin:lending_customer_changelist")))


def test_the_language_of_the_staff_is_remembered(books: date) -> None:
    client = desk("collector")
    assert 'action="/language/"' in client.get(DASHBOARD).content.decode()
    client.post("/language/", {"language": "zh-hans"}, headers={"referer": DASHBOARD})
    again = desk("collector").get(reverse("admin:lending_customer_changelist"))
    assert "客户" in words(again)


def test_a_reader_of_accounts_sees_nothing_of_passwords(books: date) -> None:
    told = words(desk("compliance_officer").get(page(member("collector"))))
    assert "the-collector" in told
    assert "Collector" in told
    assert not re.search("algorithm|hash|salt", told, re.IGNORECASE)


def test_rules_that_nobody_has_read_are_marked(books: date) -> None:
    told = words(desk("compliance_officer").get(reverse("admin:lending_ruleparameter_changelist")))
    assert "unverified" in told
    with translation.override("en"):
        assert "法发〔2017〕22号" in told
