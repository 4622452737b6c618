"""From the wish to the contract: what may be asked, decided, offered and accepted."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django_fsm import TransitionNotAllowed

from lending.errors import Refused
from lending.models import (
    Application,
    ApprovalRequest,
    Customer,
    Event,
    Notice,
    Offer,
    Product,
    RuleParameter,
    User,
)
from lending.services import applications, approvals, customers, desk, lines, offers

from .conftest import MONDAY

D = Decimal
Make = Callable[..., Customer]


@pytest.fixture
def apply(product: Callable[[str], Product], at: datetime, make_customer: Make) -> Callable[..., Application]:
    def make(
        amount: str = "5000",
        code: str = "pay-later",
        tenor: int | None = None,
        customer: Customer | None = None,
    ) -> Application:
        chosen = product(code)
        customer = customer or make_customer(kind=chosen.audience)
        application = applications.start(
            customer_id=customer.pk, product_id=chosen.pk, amount=D(amount), tenor=tenor, by=None, at=at
        )
        return applications.submit(application_id=application.pk, by=None, at=at)

    return make


def decide(application: Application, outcome: str, at: datetime, **values: object) -> Application:
    return applications.decide(
        application_id=application.pk, outcome=outcome, at=at, on=MONDAY, **{"by": None} | values
    )


def test_approved_offered_accepted_opens_a_line(apply: Callable[..., Application], at: datetime) -> None:
    application = decide(apply(), "APPROVE", at, amount=D("3000"), grade="B")
    offer = Offer.objects.get(application=application)
    assert (application.state, offer.amount) == ("OFFERED", D("3000.00"))
    assert offer.sheet_sha256 == offers.fingerprint(offer.sheet)
    offers.show(offer_id=offer.pk, by=None, at=at)
    booked = offers.accept(offer_id=offer.pk, by=None, at=at + timedelta(seconds=30), on=MONDAY)
    again = offers.accept(offer_id=offer.pk, by=None, at=at + timedelta(seconds=40), on=MONDAY)
    assert (booked.state, booked.line.base_limit, again.line.pk) == ("BOOKED", D("3000.00"), booked.line.pk)
    booked.customer.refresh_from_db()
    assert booked.customer.state == "ACTIVE"
    kinds = set(Event.objects.filter(customer=booked.customer).values_list("kind", flat=True))
    assert {"application.submitted", "application.approved", "offer.accepted", "line.opened"} <= kinds


@pytest.mark.parametrize(
    ("code", "tenor", "amount"),
    [
        ("cash-loan", 12, "12000"),
        ("working-capital", 6, "60000"),
        ("supplier-advance", 2, "20000"),  # a bullet: one row at the end
    ],
)
def test_a_loan_is_paid_out_on_acceptance(
    apply: Callable[..., Application], at: datetime, code: str, tenor: int, amount: str
) -> None:
    application = decide(apply(amount, code, tenor), "APPROVE", at)
    offer = application.offers.get()
    offers.show(offer_id=offer.pk, by=None, at=at)
    booked = offers.accept(offer_id=offer.pk, by=None, at=at + timedelta(seconds=30), on=MONDAY)
    loan = booked.loan
    assert (loan.state, loan.principal, loan.instalments.count()) == (
        "ACTIVE",
        D(amount),
        1 if code == "supplier-advance" else tenor,
    )
    assert [str(row["total"]) for row in offer.sheet["plans"][0]["rows"]] == [
        str(row.total) for row in loan.instalments.all()
    ]


def test_many_accept_at_once_and_who_did_not_read_holds_up_nobody(
    apply: Callable[..., Application], at: datetime, make_customer: Make
) -> None:
    names = ("韩梅梅", "李雷", "林涛")
    people = [make_customer(name, platform_ref=f"many-{number}") for number, name in enumerate(names)]
    asked = [
        decide(apply(customer=people[0]), "APPROVE", at),
        decide(apply("12000", "cash-loan", 12, people[1]), "APPROVE", at),
        decide(apply(customer=people[2]), "APPROVE", at),
    ]
    line, loan, unread = (one.offers.get().pk for one in asked)
    offers.show_many([loan, line], by=None, at=at, on=MONDAY)
    later = at + timedelta(seconds=30)
    results = offers.accept_many([unread, loan, line], by=None, at=later, on=MONDAY)
    refused, *booked = results
    assert isinstance(refused, Refused) and refused.code == "too_quick"
    assert [one.pk for one in booked if isinstance(one, Application)] == [asked[1].pk, asked[0].pk]
    states = Application.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["BOOKED", "BOOKED", "OFFERED"]
    assert asked[0].line.base_limit == D(5000)
    assert asked[1].loan.principal == D(12000)


def test_a_decline_needs_reasons_and_can_be_reviewed_once(
    apply: Callable[..., Application], at: datetime, staff: Callable[[str], User]
) -> None:
    application, officer = apply(), staff("officer")
    with pytest.raises(Refused, match="at least one reason"):
        decide(application, "DECLINE", at)
    declined = decide(application, "DECLINE", at, reasons=["return_share", "tenure"])
    assert declined.reasons == ["return_share", "tenure"]
    assert applications.ask_review(application_id=application.pk, by=None, at=at).state == "REFERRED"
    with pytest.raises(Refused, match="person was asked"):
        decide(application, "DECLINE", at, reasons=["return_share"])
    decide(application, "DECLINE", at, reasons=["return_share"], by=officer)
    with pytest.raises(Refused, match="looked at"):
        applications.ask_review(application_id=application.pk, by=None, at=at)
    assert Notice.objects.filter(template__code="application_declined").exists()


@pytest.fixture
def reviewed(apply: Callable[..., Application], at: datetime) -> Application:
    """Declined by the policy; the customer asks for a person."""
    declined = decide(apply(), "DECLINE", at, reasons=["tenure"])
    return applications.ask_review(application_id=declined.pk, by=None, at=at)


def test_a_review_is_owed_by_a_day_and_no_machine_closes_it(reviewed: Application, at: datetime) -> None:
    assert reviewed.review_due_on == MONDAY + timedelta(days=3)
    assert Notice.objects.filter(template__code="review_received", body__contains="2026").exists()
    for outcome in ("APPROVE", "DECLINE"):
        with pytest.raises(Refused) as refused:
            decide(reviewed, outcome, at, reasons=["tenure"])
        assert refused.value.code == "person_only"
    with pytest.raises(IntegrityError, match="application_review_closed_by_a_person"), transaction.atomic():
        Application.objects.filter(pk=reviewed.pk).update(state="DECLINED")


def test_a_decline_is_overridden_by_two_people(
    reviewed: Application, at: datetime, staff: Callable[[str], User]
) -> None:
    maker, checker = staff("maker"), staff("checker")
    when = {"at": at, "on": MONDAY}
    with pytest.raises(Refused, match="two people"):
        decide(reviewed, "APPROVE", at, by=maker, note="Income proven")
    with pytest.raises(Refused):
        desk.approve_application(application_id=reviewed.pk, amount=D("3000"), note="", by=maker, **when)
    request = desk.approve_application(
        application_id=reviewed.pk, amount=D("3000"), note="Income proven", by=maker, **when
    )
    assert isinstance(request, ApprovalRequest) and request.command == "application.override"
    with pytest.raises(Refused, match="second person"):
        approvals.approve(request_id=request.pk, by=maker, **when)
    approvals.approve(request_id=request.pk, by=checker, **when)
    done = Application.objects.get(pk=reviewed.pk)
    assert (done.state, done.overridden_by, done.decided_by) == ("OFFERED", maker, checker)
    event = Event.objects.get(kind="application.overridden")
    assert event.data == {"declined_for": ["tenure"], "asked_by": maker.pk, "reason": "Income proven"}
    with pytest.raises(IntegrityError, match="application_override_by_two"), transaction.atomic():
        Application.objects.filter(pk=reviewed.pk).update(overridden_by=checker)


def test_nothing_is_booked_from_what_was_declined(
    apply: Callable[..., Application], at: datetime, make_customer: Make
) -> None:
    application = decide(apply(), "DECLINE", at, reasons=["tenure"])
    with pytest.raises(IntegrityError, match="declined"), transaction.atomic():
        Application.objects.filter(pk=application.pk).update(state="OFFERED")
    opening = lines.Opening(
        customer=application.customer,
        product=application.product,
        limit=D("1000"),
        application_id=application.pk,
    )
    with pytest.raises(IntegrityError, match="without an offer"), transaction.atomic():
        lines.open_lines([opening], by=None, at=at, on=MONDAY)


def test_a_second_application_waits_for_the_first(
    apply: Callable[..., Application], make_customer: Make, at: datetime
) -> None:
    customer = make_customer()
    first = apply(customer=customer)
    with pytest.raises(Refused, match="open application"):
        apply(customer=customer)
    applications.withdraw(application_id=first.pk, by=None, at=at)
    assert apply(customer=customer).state == "SUBMITTED"


@pytest.mark.parametrize(
    ("amount", "code", "tenor", "field"),
    [
        ("0", "pay-later", None, "amount"),
        ("-100", "pay-later", None, "amount"),
        ("1000.001", "pay-later", None, "amount"),
        ("499.99", "pay-later", None, "amount"),
        ("200000.01", "pay-later", None, "amount"),
        ("5000", "cash-loan", 5, "tenor"),
        ("5000", "cash-loan", None, "tenor"),
    ],
)
def test_what_cannot_be_asked(
    apply: Callable[..., Application], amount: str, code: str, tenor: int | None, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        apply(amount, code, tenor)
    assert refused.value.field == field
    assert not Application.objects.exists()


def test_a_product_for_companies_is_not_for_people(
    apply: Callable[..., Application], make_customer: Make
) -> None:
    with pytest.raises(Refused, match="kind of customer"):
        apply("60000", "working-capital", 6, make_customer(kind="PERSON"))


def test_an_approval_is_never_for_more(apply: Callable[..., Application], at: datetime) -> None:
    with pytest.raises(Refused, match="at most"):
        decide(apply(), "APPROVE", at, amount=D("5000.01"))


def test_nothing_above_the_legal_cost_is_offered(apply: Callable[..., Application], at: datetime) -> None:
    RuleParameter.objects.filter(code="ALL_IN_COST_CAP").update(value="0.10")
    application = apply()
    with pytest.raises(Refused, match="legal cap"):
        decide(application, "APPROVE", at)
    application.refresh_from_db()
    assert application.state == "SUBMITTED"


@pytest.mark.parametrize(
    ("day", "seconds", "accepted"),
    [
        (date(2026, 7, 31), 0, True),
        (date(2026, 8, 1), 4, False),
        (date(2026, 8, 1), 5, True),
    ],
)
def test_the_sheet_must_be_read_once_the_rule_is_in_force(
    apply: Callable[..., Application], at: datetime, day: date, seconds: int, accepted: bool
) -> None:
    application = apply()
    shown = at.replace(month=day.month, day=day.day)
    applications.decide(application_id=application.pk, outcome="APPROVE", by=None, at=shown, on=day)
    offer = application.offers.get()
    offers.show(offer_id=offer.pk, by=None, at=shown)
    moment = shown + timedelta(seconds=seconds)
    if accepted:
        assert offers.accept(offer_id=offer.pk, by=None, at=moment, on=day).state == "BOOKED"
    else:
        with pytest.raises(Refused, match="take a moment"):
            offers.accept(offer_id=offer.pk, by=None, at=moment, on=day)


def test_an_offer_that_was_never_shown_cannot_be_accepted(
    apply: Callable[..., Application], at: datetime
) -> None:
    offer = decide(apply(), "APPROVE", at).offers.get()
    with pytest.raises(Refused, match="take a moment"):
        offers.accept(offer_id=offer.pk, by=None, at=at, on=MONDAY)


def test_an_offer_runs_out(
    apply: Callable[..., Application], at: datetime, run_to: Callable[[date], datetime]
) -> None:
    application = decide(apply(), "APPROVE", at)
    later = run_to(MONDAY + timedelta(days=16))
    application.refresh_from_db()
    assert application.state == "EXPIRED"
    with pytest.raises(Refused, match="no longer open"):
        offers.accept(offer_id=application.offers.get().pk, by=None, at=later, on=later.date())


def test_a_decision_is_made_once(apply: Callable[..., Application], at: datetime) -> None:
    application = apply()
    decide(application, "APPROVE", at)
    with pytest.raises(TransitionNotAllowed):
        decide(application, "DECLINE", at, reasons=["x"])


@pytest.mark.parametrize(
    ("kind", "number", "good"),
    [
        ("PERSON", "11010519491231002X", True),
        ("PERSON", "110105194912310021", False),
        ("COMPANY", "91110000600037341L", True),
        ("COMPANY", "911100006000373410", False),
    ],
)
def test_check_digits(make_customer: Make, kind: str, number: str, good: bool) -> None:
    if good:
        customer = make_customer(kind=kind, id_number=number)
        customer.refresh_from_db()
        assert customer.id_number == number
        assert customer.masked_id_number == number[:4] + "*" * 10 + number[-4:]
    else:
        with pytest.raises(Refused) as refused:
            make_customer(kind=kind, id_number=number)
        assert refused.value.field == "id_number"


def test_secrets_are_encrypted_and_a_look_is_recorded(
    make_customer: Make, at: datetime, staff: Callable, django_db_blocker: object
) -> None:
    from django.db import connection

    customer = make_customer(id_number="11010519491231002X", phone="13812345678")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id_number, phone FROM lending_customer WHERE id = %s", [customer.pk])
        stored = cursor.fetchone()
    assert "19491231" not in stored[0] and "1381234" not in stored[1]
    officer = staff("officer")
    assert customers.reveal(customer_id=customer.pk, field="phone", by=officer, at=at) == "13812345678"
    seen = Event.objects.get(kind="customer.revealed")
    assert (seen.actor, seen.data) == (officer, {"field": "phone"})


def test_the_same_person_is_known(make_customer: Make) -> None:
    make_customer(id_number="11010519491231002X")
    with pytest.raises(Refused, match="known already"):
        make_customer(id_number="11010519491231002x")


CHILD, GROWN = "110105201201010015", "11010519491231002X"


def test_nobody_approves_a_minor_or_a_micro_loan_to_a_student(
    apply: Callable[..., Application], at: datetime, make_customer: Make, staff: Callable[[str], User]
) -> None:
    officer = staff("officer")
    child = apply(customer=make_customer("小明", id_number=CHILD))
    with pytest.raises(Refused) as refused:
        decide(child, "APPROVE", at, by=officer)
    assert refused.value.code == "minor"
    decide(child, "DECLINE", at, by=officer, reasons=("MINOR",))
    terms = {
        name: getattr(child.product, name) for name in ("name", "name_zh", "audience", "method", "tenors")
    }
    terms |= {"kind": "LINE", "min_amount": 500, "max_amount": 9000}
    for lender, answer in (("MICRO_LOAN", "student"), ("BANK", "OFFERED")):
        product = Product.objects.create(**terms, code=lender.lower(), lender_type=lender, state="LIVE")
        application = applications.start(
            customer_id=make_customer("小红", is_student=True).pk,
            product_id=product.pk,
            amount=D("5000"),
            by=None,
            at=at,
        )
        applications.submit(application_id=application.pk, by=None, at=at)
        try:
            found = decide(application, "APPROVE", at, by=officer).state
        except Refused as fault:
            found = fault.code
        assert found == answer
