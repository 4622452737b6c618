"""Training looks at what was known then and what came of it since, and says when that is too little."""

import csv
import gzip
import hashlib
import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from lending.models import Application, CreditLine, Customer, Instalment, Loan, Product
from risk.models import CustomerDay, Dataset, ModelVersion
from risk.selectors.features import Moment, vectors_at
from risk.services import training
from tests.lending.conftest import MONDAY, moment

AS_OF = moment(MONDAY, 0)


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def past(books):
    """Make booked applications, with the events before them and one instalment after them, all as bare rows."""

    def make(count: int, quality, late_days, booked=lambda n: MONDAY - timedelta(days=200 + n % 300)):
        product = Product.objects.get(code="cash-loan")
        customers = Customer.objects.bulk_create(
            Customer(
                kind="PERSON",
                name="甲",
                platform_ref=f"t{n}-{count}",
                registered_on=date(2024, 1, 1),
                monthly_income=Decimal(5000 + 10 * (n % 50)),
            )
            for n in range(count)
        )
        days = [booked(n) for n in range(count)]
        applications = Application.objects.bulk_create(
            Application(
                customer=customer,
                product=product,
                state="BOOKED",
                amount=Decimal("3000"),
                created_at=moment(day, 8),
                submitted_at=moment(day, 9),
            )
            for customer, day in zip(customers, days, strict=True)
        )
        CustomerDay.objects.bulk_create(
            CustomerDay(
                customer=customer,
                day=day - timedelta(days=60),  # outside the short windows, so that the long one alone tells
                orders=5,
                order_amount=Decimal("1000"),
                returns=2,
                return_amount=Decimal(round(1000 * (1 - quality(n)), 2)),
            )
            for n, (customer, day) in enumerate(zip(customers, days, strict=True))
        )
        loans = Loan.objects.bulk_create(
            Loan(
                customer=customer,
                product=product,
                application=application,
                state="ACTIVE",
                terms={},
                principal_amount=Decimal("3000"),
                disbursed_on=day,
                matures_on=day + timedelta(days=90),
            )
            for customer, application, day in zip(customers, applications, days, strict=True)
        )
        Instalment.objects.bulk_create(
            Instalment(
                loan=loan,
                number=1,
                accrues_from=loan.disbursed_on,
                due_on=due,
                principal=Decimal("3000"),
                paid_on=_paid(due, late_days(n)),
            )
            for n, loan in enumerate(loans)
            for due in [loan.disbursed_on + timedelta(days=40)]
        )
        return applications

    return make


def _paid(due: date, late: int | None) -> date | None:
    return None if late is None else due + timedelta(days=late)


def truth(seed: int = 5):
    """A hidden quality, and delays that follow from it."""
    rng = random.Random(seed)
    qualities = [rng.random() for _ in range(2000)]
    delays = [45 if rng.random() < 0.55 * (1 - q) ** 2 + 0.02 else 0 for q in qualities]
    return qualities.__getitem__, delays.__getitem__


def train(at, **options):
    return training.train(segment="PERSON", as_of=AS_OF, at=at, by=None, **options)


def test_a_scorecard_is_trained_tested_on_later_data_and_kept(past, at):
    past(700, *truth())
    model = train(at)
    assert (model.state, model.version, model.segment) == ("VALIDATED", 1, "PERSON")
    card = model.scorecard  # raises when the fingerprint does not fit
    used = {feature.name: feature for feature in card.features}
    assert "return_share_180d" in used
    risks = [found.log_odds for found in used["return_share_180d"].bins]
    assert risks == sorted(risks)  # more returned is never safer
    metrics = model.metrics
    assert metrics["test"]["auc"] > 0.62
    assert metrics["train"]["rows"] + metrics["test"]["rows"] == 700
    assert {row["grade"] for row in metrics["grades"]} == set("ABCDEF")
    assert metrics["window_days"] == 180


def test_the_data_is_frozen_as_it_was_known_then(past, at):
    past(400, *truth())
    dataset = train(at).dataset
    content = dataset.file.read()
    assert hashlib.sha256(content).hexdigest() == dataset.sha256
    rows = list(csv.DictReader(gzip.decompress(content).decode().splitlines()))
    assert (len(rows), sum(int(r["bad"]) for r in rows)) == (dataset.rows, dataset.bad) == (400, dataset.bad)
    moments = [r["submitted_at"] for r in rows]
    assert moments == sorted(moments)
    parts = [r["part"] for r in rows]
    assert parts == sorted(parts, reverse=True)  # split by time, not by chance
    bad_to_train = sum(int(r["bad"]) for r in rows if r["part"] == "train")
    assert bad_to_train == -(-dataset.bad * 7 // 10)  # seven tenths of the bad ones, rounded up
    sample = Application.objects.get(pk=rows[17]["application"])
    [vector] = vectors_at("PERSON", [Moment(sample.customer_id, sample.submitted_at)])
    for name in dataset.columns:
        assert rows[17][name] == ("" if vector[name] is None else repr(vector[name]))
    assert "orders_90d" not in dataset.columns  # the same for all: it says nothing


def test_the_same_seed_gives_the_same_card_and_data(past, at):
    past(400, *truth())
    first, second = train(at, seed=3), train(at, seed=3)
    assert (first.version, second.version) == (1, 2)
    assert first.sha256 == second.sha256
    assert first.dataset.sha256 == second.dataset.sha256


def test_what_does_not_hold_on_later_data_stays_a_draft(past, at):
    """The newer third behaves the other way round: what was learned ranks it upside down."""
    quality, _late = truth()

    def late(n):
        worse = quality(n) > 0.7 if n % 300 < 100 else quality(n) < 0.3
        return 45 if worse else 0

    past(400, quality, late)
    model = train(at)
    assert model.state == "DRAFT"
    assert model.metrics["findings"][0].startswith("BLOCKS")


@pytest.mark.parametrize(("late", "bad"), [(0, False), (29, False), (30, True), (None, True)])
def test_bad_is_thirty_days_late(past, late, bad):
    past(1, lambda n: 0.5, lambda n: late)
    [case] = training.matured("PERSON", AS_OF, 180)
    assert case.bad is bad


def test_what_has_no_known_end_is_left_out(past, at):
    day = MONDAY - timedelta(days=180)
    past(1, lambda n: 0.5, lambda n: None, booked=lambda n: day)
    past(2, lambda n: 0.5, lambda n: None, booked=lambda n: day + timedelta(days=1))  # too young
    assert len(training.matured("PERSON", AS_OF, 180)) == 1
    assert len(training.matured("PERSON", AS_OF, 179)) == 3
    assert training.matured("COMPANY", AS_OF, 180) == []
    Instalment.objects.update(due_on=day + timedelta(days=151))  # falls due too late to be judged in time
    assert training.matured("PERSON", AS_OF, 180) == []


def test_a_line_is_judged_by_what_was_bought_on_it(past):
    [application] = past(1, lambda n: 0.5, lambda n: 40)
    line = CreditLine.objects.create(
        customer=application.customer,
        product=Product.objects.get(code="pay-later"),
        application=application,
        base_limit=Decimal("5000"),
        statement_day=1,
        opened_on=MONDAY - timedelta(days=200),
        reviewed_on=MONDAY,
    )
    Loan.objects.update(application=None, line=line)
    [case] = training.matured("PERSON", AS_OF, 180)
    assert case.bad


def test_too_little_data_says_how_little(past, at):
    past(40, *truth())
    with pytest.raises(training.TooLittleData, match="40 applications of PERSON"):
        train(at)
    past(300, lambda n: 0.5, lambda n: 45 if n < 5 else 0)
    with pytest.raises(training.TooLittleData, match="It takes 150 applications, with 14 bad ones"):
        train(at)
    assert not ModelVersion.objects.exists()
    assert not Dataset.objects.exists()


def test_data_that_tells_nothing_is_said_so(past, at):
    past(400, lambda n: 0.5, lambda n: 45 if n % 7 == 0 else 0)
    with pytest.raises(training.TooLittleData, match="tells good from bad"):
        train(at)


def test_the_command_trains_what_can_be_trained(past, staff, capsys):
    past(400, *truth())
    author = staff("analyst")
    call_command("train_scorecard", author="analyst", seed=2)
    told = capsys.readouterr()
    assert "Person M1: VALIDATED" in told.out
    assert "COMPANY: too little data" in told.err
    model = ModelVersion.objects.get()
    assert model.author == author
    assert model.metrics["seed"] == 2


def test_the_command_says_what_is_wrong(books, db):
    with pytest.raises(CommandError, match="Nothing was trained"):
        call_command("train_scorecard")
    with pytest.raises(CommandError, match="no member of staff called nobody"):
        call_command("train_scorecard", author="nobody")


def test_the_command_needs_open_books(db):
    with pytest.raises(CommandError, match="not open"):
        call_command("train_scorecard")
