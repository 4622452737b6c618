"""A real Celery worker on a real Redis: it does what waits, and dying in the middle loses and doubles nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from dunning.models import Case, Contact
from lending import clock, reference
from lending.models import Application, Customer, Event, Notice, Product
from lending.services import applications, close, customers, lines, purchases
from lending.tasks import close_day, send_notices
from risk.models import Assessment
from risk.tasks import score_applications
from tests.support import eventually, kill, worker

pytestmark = [pytest.mark.worker, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def today(transactional_db: None) -> date:
    """Books open on the day of the wall clock, so that the worker's clock and the test's agree."""
    close.open_books(on=timezone.localdate())
    reference.starter_products()
    return clock.today()


def noon(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day, 12))


def waiting(number: int, day: date) -> Application:
    customer = customers.register(
        kind="PERSON",
        name=f"客户{number}",
        registered_on=day,
        monthly_income=Decimal(8000),
        by=None,
        at=noon(day),
    )
    application = applications.start(
        customer_id=customer.pk,
        product_id=Product.objects.get(code="pay-later").pk,
        amount=Decimal(5000),
        by=None,
        at=noon(day),
    )
    return applications.submit(application_id=application.pk, by=None, at=noon(day))


def overdue(day: date) -> Customer:
    """Someone who bought on the line forty days ago and never paid."""
    customer = customers.register(
        kind="PERSON",
        name="老赖",
        registered_on=day,
        phone="13800138000",
        email="late@example.com",
        by=None,
        at=noon(day),
    )
    customers.give_consent(
        customer_id=customer.pk, purpose="ELECTRONIC", text_version="1", by=None, at=noon(day)
    )
    product = Product.objects.get(code="pay-later")
    line = lines.open_line(
        customer_id=customer.pk, product_id=product.pk, limit=Decimal(5000), by=None, at=noon(day), on=day
    )
    held = purchases.authorise(
        line_id=line.pk, order_ref="o-1", amount=Decimal(900), tenor=3, by=None, at=noon(day), on=day
    )
    purchases.capture(purchase_id=held.pk, by=None, at=noon(day), on=day)
    return customer


def test_a_worker_scores_an_application(today: date) -> None:
    application = waiting(1, today)
    with worker():
        score_applications.delay()
        eventually(lambda: Assessment.objects.filter(application=application).exists(), "scored")
    application.refresh_from_db()
    assert application.state in ("OFFERED", "REFERRED", "DECLINED")


def test_a_worker_closes_the_days_and_escalates(transactional_db: None, settings: Any) -> None:
    settings.OUTBOX_DIR.mkdir(parents=True, exist_ok=True)
    start = timezone.localdate() - timedelta(days=40)
    close.open_books(on=start)
    reference.starter_products()
    customer = overdue(start)
    with worker():
        close_day.delay()
        eventually(lambda: clock.today() == timezone.localdate(), "all days closed")
        send_notices.delay()
        eventually(
            lambda: Notice.objects.filter(customer=customer, state="SENT").exists(), "a message went out"
        )
    case = Case.objects.get(customer=customer)
    assert case.state in ("REMINDING", "CALLING", "DEMANDING")
    assert Contact.objects.filter(case=case).exists()


@contextmanager
def held_up(application: Application) -> Iterator[None]:
    """Whoever decides the application waits for us: another assessment of it is being written, and never is."""
    with transaction.atomic():
        Assessment.objects.create(
            application=application,
            as_of=noon(clock.today()),
            inputs={},
            outcome="REFER",
            at=noon(clock.today()),
        )
        yield
        transaction.set_rollback(True)


def waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone() is not None


def test_killed_in_the_middle_nothing_is_lost_and_nothing_done_twice(today: date) -> None:
    count = 60
    rows = [waiting(number, today) for number in range(count)]
    with held_up(rows[-15]), worker() as first:
        for _message in range(3):
            score_applications.delay()
        eventually(waits_for_us, "work began and came to the one that is held")
        kill(first)
        done = Assessment.objects.exclude(application=rows[-15]).count()
    assert 5 <= done < count - 1, "the worker must die in the middle for this test to say anything"
    with worker():
        score_applications.delay()
        score_applications.delay()
        eventually(lambda: Assessment.objects.count() == count, "the rest was scored")
    decided = Event.objects.filter(
        kind__in=["application.approved", "application.referred", "application.declined"]
    )
    assert sorted(decided.values_list("subject_id", flat=True)) == sorted(row.pk for row in rows)
    assert not Application.objects.filter(state="SUBMITTED").exists()
