"""The simulated platform: the same story for the same seed, told by the product's own services."""

from collections import Counter
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Sum
from stdnum.cn import ric, uscc

from config.simulation import companies, paying, people, run, scenes, shopping, world
from config.simulation.digest import digest
from dunning.models import Contact, Dispute, LegalMatter, Promise
from lending import reference, roles
from lending.models import (
    Application,
    ApprovalRequest,
    BusinessDate,
    Collateral,
    CreditLine,
    Customer,
    JournalLine,
    Loan,
    Notice,
    Purchase,
    Statement,
)
from risk.models import Alert, Appeal, Assessment, ModelVersion, PlatformEvent

START, END = date(2026, 1, 1), date(2026, 6, 30)
SMALL = run.Plan(customers=16, companies=4, months=2, seed=7, until=date(2026, 10, 31))


def someone(number=1, seed=1):
    return people.person(seed, number, START, END)


# --- the world ------------------------------------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_world_and_another_seed_another():
    assert someone() == someone()
    assert someone(seed=2) != someone()
    assert shopping.acts(1, someone(), START, END) == shopping.acts(1, someone(), START, END)


def test_who_else_lives_there_changes_nobody():
    small, large = (world.build(1, many, 2, START, END) for many in (5, 50))
    assert small.people == large.people[:5]
    assert small.wishes().keys() <= large.wishes().keys()


def test_papers_have_true_check_digits_and_belong_to_one_person_each():
    everyone = [someone(number) for number in range(1, 1500)]
    assert all(ric.is_valid(person.id_number) for person in everyone)
    assert len({person.id_number for person in everyone}) == len(everyone)
    firms = [companies.company(1, number, START, END) for number in range(1, 200)]
    assert all(uscc.is_valid(firm.id_number) for firm in firms)
    assert len({one.phone for one in [*everyone, *firms]}) == len(everyone) + len(firms)


def test_quality_shows_in_what_people_do():
    """Otherwise there would be nothing to learn: the worse half sends back, disputes and misses payments more."""
    everyone = [someone(number) for number in range(1, 401)]
    everyone.sort(key=lambda person: person.quality)
    worse, better = (_seen(half) for half in (everyone[:200], everyone[200:]))
    assert worse["returned"] > 1.3 * better["returned"]
    assert worse["disputed"] > 1.3 * better["disputed"]
    assert worse["late"] > 1.5 * better["late"]
    assert worse["broke"] > 1.5 * better["broke"]


def _seen(group):
    acts = Counter(act.kind for person in group for act in shopping.acts(1, person, START, END))
    dues = [START + timedelta(days=30 * month) for month in range(1, 6)]
    paid = [(paying.pays_on(1, person, due), due) for person in group for due in dues]
    return {
        "returned": acts[shopping.RETURN] / acts[shopping.ORDER],
        "disputed": acts[shopping.DISPUTE] / acts[shopping.DELIVERY],
        "late": sum(on > due for on, due in paid) / len(paid),
        "broke": sum(on > due + timedelta(days=30) for on, due in paid) / len(paid),
    }


def test_whoever_is_two_months_late_mostly_stays_so():
    """Balances in the second month past due roll on to the third at 0.8 to 0.95 (public index data)."""
    dues = [START + timedelta(days=30 * month) for month in range(1, 4)]
    late = Counter()
    for number in range(1, 3001):
        for due in dues:
            days = (paying.pays_on(1, someone(number), due) - due).days
            late.update({30: days > 30, 60: days > 60})
    assert 0.75 < late[60] / late[30] < 0.97


def test_the_shops_year_has_its_peaks():
    assert shopping.season(date(2026, 11, 11)) > 3 * shopping.season(date(2026, 9, 9))
    assert (
        shopping.season(date(2026, 6, 18))
        > shopping.season(date(2026, 6, 10))
        > shopping.season(date(2026, 7, 1))
    )


def quietly(*_):
    pass


# --- the story ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_product_lives_through_the_months(db):
    run.simulate(SMALL, quietly)
    assert BusinessDate.current() == SMALL.until
    assert Customer.objects.count() == SMALL.customers + SMALL.companies
    assert PlatformEvent.objects.exists()
    booked = Application.objects.filter(state="BOOKED").count()
    assert 0 < booked <= Assessment.objects.count()
    assert Purchase.objects.filter(state="CAPTURED").exists()
    assert not Notice.objects.filter(state="PENDING", send_after__date__lt=SMALL.until).exists()
    the_books_balance_and_agree_with_the_loans()
    with pytest.raises(CommandError, match="customers"):
        call_command("simulate", customers=1, companies=0, months=1)


def the_books_balance_and_agree_with_the_loans():
    assert JournalLine.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    booked = JournalLine.objects.filter(account_id="1303").aggregate(sum=Sum("amount"))["sum"]
    assert booked == Loan.objects.filter(state__in=Loan.OWING).aggregate(sum=Sum("principal"))["sum"]
    drawn = Loan.objects.filter(line__isnull=False).aggregate(sum=Sum("principal"))["sum"]
    assert CreditLine.objects.aggregate(sum=Sum("used"))["sum"] == drawn
    assert not CreditLine.objects.filter(used__gt=F("base_limit")).exists()


@pytest.mark.slow
@pytest.mark.django_db(
    transaction=True
)  # in one long transaction PostgreSQL could neither clean up nor count
def test_the_demo_has_something_on_every_list(settings):
    reference.install()
    plan = run.Plan(customers=40, companies=6, months=6, seed=5, until=date(2026, 10, 31), demo=True)
    run.simulate(plan, quietly)
    staff = {user.username: user for user in roles.demo_users()}
    scenes.play(staff, plan.until)
    scenes.log_in("demo")
    scenes.connect_platform()
    lists = {
        "referred application": Application.objects.filter(state="REFERRED"),
        "decided by the machine": Application.objects.filter(state="BOOKED", decided_by=None),
        "appeal": Appeal.objects.filter(state="OPEN"),
        "line cut or suspended": Alert.objects.filter(state="OPEN", action__in=("CUT", "SUSPEND")),
        "line held for arrears": CreditLine.objects.filter(state="SUSPENDED"),
        "call": Contact.objects.filter(state="PLANNED", channel="CALL"),
        "promise": Promise.objects.filter(state="OPEN"),
        "dispute": Dispute.objects.filter(state="OPEN"),
        "legal matter": LegalMatter.objects.exclude(state="CLOSED"),
        "approval": ApprovalRequest.objects.filter(state="PENDING"),
        "collateral": Collateral.objects.filter(state="PLEDGED"),
        "champion": ModelVersion.objects.filter(state="CHAMPION"),
        "bill": Statement.objects.all(),
        "customer who can sign in": Customer.objects.filter(user__isnull=False),
    }
    assert [name for name, rows in lists.items() if not rows.exists()] == []


@pytest.mark.parametrize(
    "plan", [{"customers": -1}, {"customers": 0, "companies": 0}, {"months": 0}, {"months": 61}]
)
def test_plans_without_sense_are_refused(db, plan):
    with pytest.raises(CommandError):
        call_command("simulate", **({"customers": 2, "companies": 0, "months": 1} | plan))
    assert not Customer.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_runs_tell_the_same_story_whoever_does_the_work():
    """Once in one process, once in two, on real connections: the same business content to the last cent."""
    told = []
    for workers in (1, 2):
        reference.install()
        run.simulate(SMALL, quietly, workers)
        told.append(digest())
        call_command("flush", interactive=False, verbosity=0)
    assert told[0] == told[1]
