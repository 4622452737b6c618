"""Controls act in the transaction of the event, let go by themselves, and hear the customer."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connections
from django_fsm import TransitionNotAllowed

from lending import reference
from lending.errors import Refused
from lending.models import CreditLine, Customer, Event, Industry, Instalment, Notice, Product
from lending.services import close, customers, lines, purchases
from risk.models import Alert, Appeal, Control, CustomerDay, PlatformEvent
from risk.selectors.appeals import of_line
from risk.services import alerts, appeals, controls
from risk.services.events import ingest
from tests.lending.conftest import MONDAY, moment
from tests.risk.conftest import days_ago, row


@pytest.fixture
def alice(at):
    return customers.register(
        kind="PERSON",
        name="爱丽丝",
        platform_ref="alice",
        registered_on=MONDAY - timedelta(days=400),
        language="en",
        by=None,
        at=at,
    )


@pytest.fixture
def line(alice, make_line):
    return make_line(limit="10000", customer=alice)


@pytest.fixture
def officer(staff):
    return staff("officer")


def fresh(line: CreditLine) -> CreditLine:
    return CreditLine.objects.get(pk=line.pk)


def spree_of_returns(now=None):
    """Five orders of which four fifths go back."""
    orders = [row("alice", at=days_ago(n + 2), amount="100") for n in range(5)]
    return [*orders, *(row("alice", "RETURN", at=days_ago(1), amount="100") for _ in range(4))]


def spree_of_orders():
    """A steady past, then a week of six times as much."""
    past = [row("alice", at=days_ago(n), amount="200") for n in range(20, 110, 10)]
    return [*past, *(row("alice", at=days_ago(n), amount="2000") for n in range(7))]


def in_app(customer: Customer) -> list[str]:
    rows = Notice.objects.filter(customer=customer, channel=Notice.Channel.IN_APP).order_by("pk")
    return [row.body for row in rows]


def test_a_spree_of_returns_cuts_the_line_and_says_why(alice, line, tell, make_loan):
    loan = make_loan(line=line, amount="6000")
    schedule = list(Instalment.objects.filter(loan=loan).order_by("number").values())
    tell(*spree_of_returns())
    assert fresh(line).base_limit == Decimal("5000")
    assert fresh(line).free(MONDAY) == 0  # 6,000 is used: no new draws
    assert list(Instalment.objects.filter(loan=loan).order_by("number").values()) == schedule
    alert = Alert.objects.get()
    assert (alert.state, alert.action, alert.figure) == ("OPEN", "CUT", Decimal("0.8000"))
    assert (alert.limit_before, alert.limit_after) == (Decimal("10000"), Decimal("5000"))
    told = in_app(alice)[-1]
    for part in ("¥5,000.00", "¥400.00", "¥500.00", "80%", "60%"):
        assert part in told
    assert Event.objects.filter(kind="line.limit_cut", customer=alice).exists()


def test_a_spending_surge_suspends_the_line_and_says_why(alice, line, tell):
    tell(*spree_of_orders())
    assert fresh(line).state == "SUSPENDED"
    alert = Alert.objects.get()
    assert (alert.action, alert.limit_before) == ("SUSPEND", None)
    assert "¥14,000.00" in in_app(alice)[-1]
    with pytest.raises(Refused) as refused:
        buy(line)
    assert refused.value.code == "line_suspended"


def buy(line, ref="o-9", at=moment(MONDAY)):  # noqa: B008
    return purchases.authorise(
        line_id=line.pk, order_ref=ref, amount=Decimal("600"), tenor=3, by=None, at=at, on=MONDAY
    )


def test_the_reason_is_in_the_customers_language(line, alice, tell, at):
    customers.update_details(customer_id=alice.pk, language="zh-hans", by=None, at=at)
    tell(*spree_of_returns())
    assert "额度" in in_app(alice)[-1]


def test_event_and_action_are_one_transaction(line, alice, tell, monkeypatch):
    """If the customer cannot be told, nothing has happened: not the cut, not the events, not the sums."""

    def broken(**_kwargs):
        raise RuntimeError("no words")

    monkeypatch.setattr(controls.notices, "queue", broken)
    with pytest.raises(RuntimeError):
        tell(*spree_of_returns())
    assert fresh(line).base_limit == Decimal("10000")
    assert not (PlatformEvent.objects.exists() or CustomerDay.objects.exists() or Alert.objects.exists())


def test_more_of_the_same_does_not_trip_twice(line, tell):
    tell(*spree_of_returns())
    tell(row("alice", "RETURN", amount="50"), row("alice", "RETURN", amount="50"))
    assert Alert.objects.count() == 1
    assert fresh(line).base_limit == Decimal("5000")


def test_too_few_orders_trip_nothing(line, tell):
    tell(row("alice", at=days_ago(1)), row("alice", "RETURN", at=days_ago(1)))
    assert not Alert.objects.exists()


def test_who_has_no_line_is_left_alone(alice, tell):
    tell(*spree_of_returns())
    assert not Alert.objects.exists()


def test_a_control_that_is_switched_off_watches_nothing(line, tell):
    Control.objects.update(active=False)
    tell(*spree_of_returns())
    assert not Alert.objects.exists()


def test_an_alert_alone_tells_staff_and_not_the_customer(alice, line, tell):
    Control.objects.filter(code="return-share").update(action="ALERT")
    before = len(in_app(alice))
    tell(*spree_of_returns())
    assert Alert.objects.get().action == "ALERT"
    assert len(in_app(alice)) == before
    assert fresh(line).base_limit == Decimal("10000")


def test_late_events_count_on_their_own_day(line, tell):
    """Out of order: the returns are told of before the orders they belong to."""
    tell(*reversed(spree_of_returns()))
    assert Alert.objects.get().figure == Decimal("0.8000")


def test_old_events_trip_nothing_today(line, tell):
    moved = [row("alice", at=days_ago(n + 100), amount="100") for n in range(5)]
    tell(*moved, *(row("alice", "RETURN", at=days_ago(95), amount="100") for _ in range(5)))
    assert not Alert.objects.exists()


# --- letting go ---------------------------------------------------------------------------------------------


def test_a_cleared_control_gives_the_limit_back_by_itself(alice, line, tell):
    tell(*spree_of_returns())
    on = MONDAY + timedelta(days=30)
    assert controls.release(on=on, at=moment(on)) == 0  # still within the window
    on = MONDAY + timedelta(days=70)
    assert controls.release(on=on, at=moment(on)) == 1
    assert controls.release(on=on, at=moment(on)) == 0
    assert fresh(line).base_limit == Decimal("10000")
    assert Alert.objects.get().state == "RELEASED"
    assert "¥10,000.00" in in_app(alice)[-1]


def test_release_waits_for_its_own_lower_level(line, tell):
    """Hysteresis: below the trip level but above the release level nothing changes."""
    tell(*spree_of_returns())
    later = moment(MONDAY + timedelta(days=5))
    tell(*(row("alice", at=later, amount="100") for _ in range(4)), now=later)
    assert controls.release(on=later.date(), at=later) == 0  # 400 of 900: below 60%, above 30%
    tell(*(row("alice", at=later, amount="300") for _ in range(4)), now=later)
    assert controls.release(on=later.date(), at=later) == 1  # 400 of 2,100


def test_a_cleared_surge_resumes_the_line(line, tell):
    tell(*spree_of_orders())
    on = MONDAY + timedelta(days=20)
    assert controls.release(on=on, at=moment(on)) == 1
    assert fresh(line).state == "ACTIVE"


def test_the_line_stays_suspended_for_another_cause(line, tell):
    tell(*spree_of_orders())
    lines.place_hold(line_id=line.pk, cause="STAFF", by=None, at=moment(MONDAY))
    on = MONDAY + timedelta(days=20)
    controls.release(on=on, at=moment(on))
    assert fresh(line).state == "SUSPENDED"


def test_two_controls_that_suspend_both_have_to_clear(line, tell):
    Control.objects.filter(code="return-share").update(action="SUSPEND")
    tell(*spree_of_orders())
    tell(*(row("alice", "RETURN", at=days_ago(0, 10), amount="2000") for _ in range(7)))
    assert Alert.objects.filter(state="OPEN").count() == 2
    on = MONDAY + timedelta(days=20)
    assert controls.release(on=on, at=moment(on)) == 1  # the surge is over, the returns still count
    assert fresh(line).state == "SUSPENDED"
    on = MONDAY + timedelta(days=70)
    assert controls.release(on=on, at=moment(on)) == 1
    assert fresh(line).state == "ACTIVE"


def test_two_cuts_are_undone_together(line, tell):
    Control.objects.filter(code="spending-surge").update(action="CUT", cut_share=Decimal("0.2"))
    tell(*spree_of_orders())
    tell(*(row("alice", "RETURN", at=days_ago(0, 10), amount="2000") for _ in range(7)))
    assert fresh(line).base_limit == Decimal("4000")  # 10,000 less a fifth, less a half
    on = MONDAY + timedelta(days=20)
    controls.release(on=on, at=moment(on))
    assert fresh(line).base_limit == Decimal("4000")
    on = MONDAY + timedelta(days=70)
    controls.release(on=on, at=moment(on))
    assert fresh(line).base_limit == Decimal("10000")


def test_a_limit_that_staff_have_set_since_stays(line, tell, officer):
    tell(*spree_of_returns())
    lines.raise_limit(line_id=line.pk, to=Decimal("7000"), cause="known", by=officer, at=moment(MONDAY))
    on = MONDAY + timedelta(days=70)
    assert controls.release(on=on, at=moment(on)) == 1
    assert fresh(line).base_limit == Decimal("7000")


def test_switching_a_control_off_ends_its_alerts(line, tell, at):
    tell(*spree_of_returns())
    Control.objects.update(active=False)
    assert controls.release(on=MONDAY, at=at) == 1
    assert fresh(line).base_limit == Decimal("10000")


def test_a_closed_line_is_not_given_back(line, tell):
    tell(*spree_of_returns())
    lines.close(line_id=line.pk, by=None, at=moment(MONDAY))
    on = MONDAY + timedelta(days=70)
    assert controls.release(on=on, at=moment(on)) == 1
    assert fresh(line).base_limit == Decimal("5000")


# --- people -------------------------------------------------------------------------------------------------


def test_lifting_gives_back_and_the_same_facts_do_not_trip_again(line, tell, officer, at):
    tell(*spree_of_returns())
    alert = Alert.objects.get()
    alerts.lift(alert_id=alert.pk, note="Faulty batch of goods", by=officer, at=at)
    assert fresh(line).base_limit == Decimal("10000")
    tell(row("alice", "RETURN", amount="10"))
    assert Alert.objects.count() == 1
    with pytest.raises(TransitionNotAllowed):
        alerts.lift(alert_id=alert.pk, note="again", by=officer, at=at)


def test_lifting_needs_a_word_why(line, tell, officer, at):
    tell(*spree_of_returns())
    with pytest.raises(Refused) as refused:
        alerts.lift(alert_id=Alert.objects.get().pk, note="  ", by=officer, at=at)
    assert refused.value.field == "note"


def test_alerts_are_judged(line, tell, officer, at):
    tell(*spree_of_returns())
    pk = Alert.objects.get().pk
    alerts.judge(alert_id=pk, outcome="TRUE", by=officer, at=at)
    assert Alert.objects.get().outcome == "TRUE"
    with pytest.raises(Refused):
        alerts.judge(alert_id=pk, outcome="MAYBE", by=officer, at=at)


def test_an_upheld_appeal_restores_the_line_and_tells_the_customer(alice, line, tell, officer, at):
    tell(*spree_of_orders())
    appeal = appeals.open(line_id=line.pk, text="I furnished a flat", by=None, at=at)
    assert appeal.alert == Alert.objects.get()
    appeals.decide(appeal_id=appeal.pk, uphold=True, answer="A move explains it", by=officer, at=at)
    assert fresh(line).state == "ACTIVE"
    alert = Alert.objects.get()
    assert (alert.state, alert.outcome, alert.closed_by) == ("LIFTED", "FALSE", officer)
    assert "A move explains it" in in_app(alice)[-1]
    assert of_line(line_id=line.pk)[0]["answer"] == "A move explains it"
    buy(line)


def test_an_upheld_appeal_gives_back_a_cut(line, tell, officer, at):
    tell(*spree_of_returns())
    appeal = appeals.open(line_id=line.pk, text="The shoes were faulty", by=None, at=at)
    appeals.decide(appeal_id=appeal.pk, uphold=True, answer="So they were", by=officer, at=at)
    assert fresh(line).base_limit == Decimal("10000")


def test_a_rejected_appeal_changes_nothing_and_is_answered(alice, line, tell, officer, at):
    tell(*spree_of_orders())
    appeal = appeals.open(line_id=line.pk, text="I want it back", by=None, at=at)
    appeals.decide(appeal_id=appeal.pk, uphold=False, answer="The orders went abroad", by=officer, at=at)
    assert fresh(line).state == "SUSPENDED"
    assert Alert.objects.get().outcome == "TRUE"
    assert "The orders went abroad" in in_app(alice)[-1]
    with pytest.raises(TransitionNotAllowed):
        appeals.decide(appeal_id=appeal.pk, uphold=True, answer="Yes", by=officer, at=at)


def test_one_appeal_at_a_time_and_only_with_a_cause(line, tell, officer, at):
    with pytest.raises(Refused) as refused:
        appeals.open(line_id=line.pk, text="Hello", by=None, at=at)
    assert refused.value.code == "nothing_to_appeal"
    tell(*spree_of_orders())
    with pytest.raises(Refused) as refused:
        appeals.open(line_id=line.pk, text="   ", by=None, at=at)
    assert refused.value.field == "text"
    appeals.open(line_id=line.pk, text="Please", by=None, at=at)
    with pytest.raises(Refused) as refused:
        appeals.open(line_id=line.pk, text="Please!", by=None, at=at)
    assert refused.value.code == "appeal_open"


def test_appeals_are_decided_by_staff_with_an_answer(line, tell, officer, at, django_user_model):
    tell(*spree_of_orders())
    appeal = appeals.open(line_id=line.pk, text="Please", by=None, at=at)
    shopper = django_user_model.objects.create_user("shopper")
    for by, answer in ((shopper, "Yes"), (officer, " ")):
        with pytest.raises(Refused):
            appeals.decide(appeal_id=appeal.pk, uphold=True, answer=answer, by=by, at=at)
    assert Appeal.objects.get().state == "OPEN"


# --- screens ------------------------------------------------------------------------------------------------


def test_purchases_pass_the_screens(line):
    assert buy(line).state == "AUTHORISED"


def test_a_tripped_control_screens_purchases_even_without_its_hold(line, tell, officer, at):
    tell(*spree_of_orders())
    lines.lift_hold(line_id=line.pk, cause="CONTROL", by=officer, at=at)
    with pytest.raises(Refused) as refused:
        buy(line)
    assert refused.value.code == "control_tripped"


def test_a_red_industry_buys_nothing(make_line, at):
    firm = customers.register(
        kind="COMPANY", name="红色行业公司", registered_on=MONDAY, industry_id="E", by=None, at=at
    )
    line = make_line(limit="50000", code="purchase-line", customer=firm)
    Industry.objects.filter(code="E").update(standing="RED")
    with pytest.raises(Refused) as refused:
        buy(line)
    assert refused.value.code == "industry_stop"


# --- two connections ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_batches_that_trip_only_together_do_trip():
    """Orders and returns come in at once over two connections: neither alone trips, whoever is second sees both."""
    close.open_books(on=MONDAY)
    reference.starter_products()
    at = moment(MONDAY)
    since = MONDAY - timedelta(days=400)
    alice = customers.register(
        kind="PERSON", name="爱", platform_ref="alice", registered_on=since, by=None, at=at
    )
    product = Product.objects.get(code="pay-later")
    lines.open_line(
        customer_id=alice.pk, product_id=product.pk, limit=Decimal("10000"), by=None, at=at, on=MONDAY
    )
    rows = spree_of_returns()
    barrier, errors = threading.Barrier(2), []

    def work(mine):
        try:
            barrier.wait()
            ingest(rows=mine, at=at)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in (rows[:5], rows[5:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert Alert.objects.get().figure == Decimal("0.8000")
    assert CreditLine.objects.get().base_limit == Decimal("5000")
