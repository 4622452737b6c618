"""Every state machine of lending, walked pair by pair: what is in the table is allowed, everything else refused."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django_fsm import TransitionNotAllowed

from lending.models import (
    Application,
    ApprovalRequest,
    BankLine,
    BusinessDay,
    CloseException,
    Collateral,
    CreditLine,
    Customer,
    DayClose,
    Debit,
    DebitAttempt,
    Loan,
    Mandate,
    Notice,
    Payment,
    PaymentFile,
    PaymentRow,
    Product,
    Purchase,
    UnappliedMoney,
    User,
)

# model -> transition -> (arguments, {source: target})
MACHINES: dict[type[models.Model], dict[str, tuple[dict[str, Any], dict[str, str]]]] = {
    Customer: {
        "activate": ({}, {"PROSPECT": "ACTIVE", "ACTIVE": "ACTIVE"}),
        "block": ({}, {"PROSPECT": "BLOCKED", "ACTIVE": "BLOCKED"}),
        "unblock": ({}, {"BLOCKED": "ACTIVE"}),
        "close": ({}, {"PROSPECT": "CLOSED", "ACTIVE": "CLOSED", "BLOCKED": "CLOSED"}),
    },
    Product: {
        "go_live": ({}, {"DRAFT": "LIVE"}),
        "retire": ({}, {"LIVE": "RETIRED"}),
    },
    Application: {
        "submit": ({"at": None}, {"DRAFT": "SUBMITTED"}),
        "refer": ({}, {"SUBMITTED": "REFERRED"}),
        "approve": ({}, {"SUBMITTED": "APPROVED", "REFERRED": "APPROVED"}),
        "decline": ({}, {"SUBMITTED": "DECLINED", "REFERRED": "DECLINED"}),
        "ask_review": ({"at": None}, {"DECLINED": "REFERRED"}),
        "offer": ({}, {"APPROVED": "OFFERED"}),
        "accept": ({}, {"OFFERED": "ACCEPTED"}),
        "book": ({}, {"ACCEPTED": "BOOKED"}),
        "withdraw": (
            {},
            dict.fromkeys(("DRAFT", "SUBMITTED", "REFERRED", "APPROVED", "OFFERED"), "WITHDRAWN"),
        ),
        "expire": ({}, {"DRAFT": "EXPIRED", "OFFERED": "EXPIRED"}),
    },
    CreditLine: {
        "open": ({}, {"PENDING": "ACTIVE"}),
        "suspend": ({}, {"ACTIVE": "SUSPENDED", "SUSPENDED": "SUSPENDED"}),
        "resume": ({}, {"SUSPENDED": "ACTIVE"}),
        "close": ({}, {"PENDING": "CLOSED", "ACTIVE": "CLOSED", "SUSPENDED": "CLOSED"}),
    },
    Purchase: {
        "capture": ({"amount": Decimal(1), "loan": None}, {"AUTHORISED": "CAPTURED"}),
        "void": ({}, {"AUTHORISED": "VOIDED"}),
        "expire": ({}, {"AUTHORISED": "EXPIRED"}),
        "refund_whole": ({}, {"CAPTURED": "REFUNDED"}),
    },
    Loan: {
        "activate": ({}, {"APPROVED": "ACTIVE"}),
        "cancel": ({}, dict.fromkeys(("APPROVED", "ACTIVE", "ACCELERATED"), "CANCELLED")),
        "accelerate": ({}, {"ACTIVE": "ACCELERATED"}),
        "slow_down": ({}, {"ACCELERATED": "ACTIVE"}),
        "restore": ({}, {"WRITTEN_OFF": "ACTIVE"}),
        "settle": ({"on": None}, {"ACTIVE": "SETTLED", "ACCELERATED": "SETTLED"}),
        "reopen": ({}, {"SETTLED": "ACTIVE"}),
        "write_off": ({}, {"ACTIVE": "WRITTEN_OFF", "ACCELERATED": "WRITTEN_OFF"}),
    },
    BusinessDay: {
        "start_closing": ({"at": None}, {"OPEN": "CLOSING"}),
        "close": ({"at": None}, {"CLOSING": "CLOSED"}),
    },
    DayClose: {
        "start": ({"at": None}, {"WAITING": "RUNNING", "RUNNING": "RUNNING"}),
        "finish": ({"rows": 1, "at": None}, {"RUNNING": "DONE"}),
        "fail": ({"error": "x", "at": None}, {"RUNNING": "FAILED"}),
        "retry": ({}, {"FAILED": "WAITING"}),
    },
    CloseException: {
        "resolve": ({"by": None, "at": None, "note": ""}, {"OPEN": "RESOLVED"}),
    },
    Collateral: {
        "verify": ({}, {"PROPOSED": "VERIFIED"}),
        "pledge": ({}, {"VERIFIED": "PLEDGED"}),
        "release": ({}, dict.fromkeys(("PROPOSED", "VERIFIED", "PLEDGED"), "RELEASED")),
        "enforce": ({}, {"PLEDGED": "ENFORCED"}),
        "lapse": ({}, {"VERIFIED": "LAPSED", "PLEDGED": "LAPSED"}),
    },
    Notice: {
        "sent": ({}, {"PENDING": "SENT"}),
        "delivered": ({}, {"SENT": "DELIVERED"}),
        "fail": ({"error": "x"}, {"PENDING": "FAILED", "SENT": "FAILED"}),
        "suppress": ({"error": "x"}, {"PENDING": "SUPPRESSED"}),
    },
    ApprovalRequest: {
        "approve": ({"checker": User()}, {"PENDING": "APPROVED"}),
        "reject": ({"checker": User()}, {"PENDING": "REJECTED"}),
        "withdraw": ({}, {"PENDING": "WITHDRAWN"}),
        "expire": ({}, {"PENDING": "EXPIRED"}),
    },
    Payment: {
        "succeed": ({}, {"STARTED": "PAID"}),
        "fail": ({"error": "x"}, {"STARTED": "FAILED"}),
    },
    Mandate: {
        "activate": ({}, {"PENDING": "ACTIVE"}),
        "suspend": ({"reason": "x"}, {"ACTIVE": "SUSPENDED"}),
        "resume": ({}, {"SUSPENDED": "ACTIVE"}),
        "revoke": ({"reason": "x"}, dict.fromkeys(("PENDING", "ACTIVE", "SUSPENDED"), "REVOKED")),
        "expire": ({}, dict.fromkeys(("PENDING", "ACTIVE", "SUSPENDED"), "EXPIRED")),
    },
    Debit: {
        "succeed": ({}, {"PLANNED": "PAID"}),
        "stop": ({"reason": "CURRENT"}, {"PLANNED": "STOPPED"}),
        "fail": ({"reason": "TRIES"}, {"PLANNED": "FAILED"}),
    },
    DebitAttempt: {
        "succeed": ({}, {"SENT": "PAID"}),
        "fail": ({"code": "x"}, {"SENT": "FAILED"}),
    },
    BankLine: {
        "post": ({}, {"OPEN": "POSTED"}),
        "hold": ({}, {"OPEN": "HELD"}),
        "ignore": ({"reason": "x"}, {"OPEN": "IGNORED"}),
        "reopen": ({}, {"IGNORED": "OPEN"}),
    },
    UnappliedMoney: {
        "use_up": ({}, {"HELD": "APPLIED"}),
        "refund": ({}, {"HELD": "REFUNDED"}),
        "restore": ({}, dict.fromkeys(("HELD", "APPLIED", "REFUNDED"), "HELD")),
    },
    PaymentFile: {
        "confirm": ({}, {"UPLOADED": "CONFIRMED"}),
        "finish": ({}, {"CONFIRMED": "DONE"}),
        "discard": ({}, {"UPLOADED": "DISCARDED"}),
    },
    PaymentRow: {
        "accept": ({}, dict.fromkeys(("READY", "PROBLEM", "DUPLICATE"), "READY")),
        "doubt": ({"code": "x"}, dict.fromkeys(("READY", "PROBLEM", "DUPLICATE"), "PROBLEM")),
        "know": ({"code": "x"}, dict.fromkeys(("READY", "PROBLEM", "DUPLICATE"), "DUPLICATE")),
        "post": ({}, {"READY": "POSTED"}),
        "hold": ({}, {"READY": "HELD"}),
        "fail": ({"code": "x"}, {"READY": "FAILED"}),
    },
}


def pairs() -> Iterator[Any]:
    for model, transitions in MACHINES.items():
        for name in transitions:
            for state in model.State.values:  # type: ignore[attr-defined]
                yield pytest.param(model, name, state, id=f"{model.__name__}.{name} from {state}")


@pytest.mark.parametrize(("model", "name", "state"), list(pairs()))
def test_transition(model: type[models.Model], name: str, state: str) -> None:
    arguments, allowed = MACHINES[model][name]
    row: Any = model(state=state)
    if state in allowed:
        getattr(row, name)(**arguments)
        assert row.state == allowed[state]
    else:
        with pytest.raises(TransitionNotAllowed):
            getattr(row, name)(**arguments)
        assert row.state == state


@pytest.mark.parametrize("model", MACHINES)
def test_the_table_knows_every_transition(model: type[models.Model]) -> None:
    declared = {t.name for t in model(state="?")._meta.get_field("state").get_all_transitions(model)}  # type: ignore[union-attr]
    assert declared == set(MACHINES[model])


@pytest.mark.parametrize("model", MACHINES)
def test_the_state_cannot_be_assigned(model: type[models.Model]) -> None:
    row: Any = model()
    with pytest.raises(AttributeError):
        row.state = "ELSEWHERE"


@pytest.mark.parametrize("model", MACHINES)
@pytest.mark.django_db
def test_the_database_knows_the_states(model: type[models.Model]) -> None:
    """The CHECK on the column refuses a state that the machine does not know."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
            [table],
        )
        checks = [row[0] for row in cursor.fetchall() if "state" in row[0]]
    assert any(all(state in check for state in model.State.values) for check in checks)  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_a_state_out_of_the_blue_is_refused_by_the_database() -> None:
    customer = Customer.objects.create(kind="PERSON", name="x", platform_ref="x", registered_on="2026-01-01")
    with pytest.raises(IntegrityError, match="customer_state_known"), transaction.atomic():
        Customer.objects.filter(pk=customer.pk).update(state="LOST")
