"""A scoring that fails is tried again, given up, and taken up by a person."""

from datetime import timedelta
from decimal import Decimal

import pytest

from lending.errors import Refused
from lending.models import Application, Product
from lending.services import applications
from risk.models import Assessment, ModelVersion, ScoringFailure
from risk.services import failures
from risk.services.scoring import score_waiting
from tests.risk.cards import champion
from tests.risk.conftest import MONDAY, moment

NOON = moment(MONDAY)


@pytest.fixture
def broken(staff, at):
    """A champion whose table of points is not the one that was approved: every scoring of a person fails."""
    model = champion(staff("approver"), at)
    ModelVersion.objects.filter(pk=model.pk).delete()
    model.sha256 = "0" * 64
    model.save(force_insert=True)
    return model


def mended(model: ModelVersion) -> None:
    ModelVersion.objects.filter(pk=model.pk).delete()


@pytest.fixture
def apply(make_customer, at):
    def make(name="王芳", code="pay-later") -> Application:
        product = Product.objects.get(code=code)
        customer = make_customer(name, kind=product.audience, monthly_income=Decimal(9000))
        row = (
            applications.start(
                customer_id=customer.pk,
                product_id=product.pk,
                amount=Decimal(8000 if product.audience == "PERSON" else 20000),
                by=None,
                at=at,
            )
            if product.kind == "LINE"
            else None
        )
        assert row is not None
        return applications.submit(application_id=row.pk, by=None, at=at)

    return make


def run(minutes: int = 0) -> int:
    return score_waiting(at=NOON + timedelta(minutes=minutes), on=MONDAY)


def given_up(application: Application) -> ScoringFailure:
    for minutes in (0, 1, 6, 36):
        assert run(minutes) == 0
    return ScoringFailure.objects.get(application=application)


def test_it_is_tried_again_after_growing_pauses_then_given_up(apply, broken):
    apply()
    assert run() == 0
    row = ScoringFailure.objects.get()
    assert (row.state, row.attempts, row.next_try_at) == ("RETRYING", 1, NOON + timedelta(minutes=1))
    assert "fingerprint" in row.error
    run()  # too early: not tried
    assert ScoringFailure.objects.get().attempts == 1
    for minutes in (1, 6, 36):
        run(minutes)
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("DEAD", 4)
    run(600)
    row.refresh_from_db()
    assert row.attempts == 4


def test_one_that_fails_holds_up_none_of_the_others(apply, broken):
    bad, good = (
        apply("坏"),
        apply("好公司", code="purchase-line"),
    )  # companies have no champion: a person decides
    assert run() == 1
    assert Assessment.objects.get().application == good
    assert ScoringFailure.objects.get().application == bad


def test_what_was_mended_is_scored_once_and_no_failure_any_more(apply, broken, staff):
    row = given_up(application := apply())
    mended(broken)
    assert run(700) == 0
    failures.retry(failure_id=row.pk, by=staff("analyst"), at=NOON + timedelta(minutes=700))
    assert run(700) == 1
    row.refresh_from_db()
    assert row.state == "SCORED"
    assert Assessment.objects.get().application == application
    assert run(701) == 0


def test_a_person_takes_it_up(apply, broken, staff):
    row = given_up(application := apply())
    failures.refer(failure_id=row.pk, by=staff("officer"), at=NOON, on=MONDAY)
    application.refresh_from_db()
    assert (application.state, application.reasons) == ("REFERRED", [failures.REASON])
    row.refresh_from_db()
    assert row.state == "REFERRED"
    assert run(800) == 0
    with pytest.raises(Refused):
        failures.refer(failure_id=row.pk, by=staff("other"), at=NOON, on=MONDAY)
