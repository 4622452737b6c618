"""Models over their life: made again from frozen data, compared, promoted and rolled back, watched and reviewed."""

import io
import zipfile
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from lending.errors import Refused
from lending.models import Application, Customer, Event, Instalment, Loan, Product
from risk.engine import monitoring as engine
from risk.engine.artefacts import Untrusted
from risk.models import Artefact, Assessment, ModelReview, ModelVersion, Reading
from risk.selectors import comparison
from risk.selectors.models import review_due
from risk.services import models, monitoring, rivals
from tests.lending.conftest import MONDAY, moment
from tests.risk.cards import card, champion
from tests.risk.test_admin import analyst, page, press, sign_in  # noqa: F401 - fixtures
from tests.risk.test_training import files, past, train, truth  # noqa: F401 - fixtures

MONTH = date(2026, 2, 1)
DURING = moment(date(2026, 2, 14))


# --- made again ---------------------------------------------------------------------------------------------


def test_frozen_data_gives_the_same_points_again_and_rivals_open_only_untouched(past, at, capsys):  # noqa: F811
    past(400, *truth())
    model = train(at, seed=3)
    Application.objects.update(submitted_at=at)  # what became of the rows since is of no account
    call_command("reproduce_model", str(model.pk))
    assert "The same points" in capsys.readouterr().out
    event = Event.objects.get(kind="model.reproduced")

    other = card(return_share_180d=(0.5, 1.0))
    claimed = {"card": other.to_json(), "sha256": other.sha256, "created_at": at, "version": 9}
    kept = {"segment": "PERSON", "dataset": model.dataset, "metrics": model.metrics}
    with pytest.raises(CommandError, match="NOT the same: up to"):
        call_command("reproduce_model", str(ModelVersion.objects.create(**claimed, **kept).pk))
    assert event.data | {"largest": 0.0} == {**event.data, "same": True, "same_code": True}

    rows = {name: np.array([1.0, np.nan]) for name, _sign, _kind in model.metrics["specs"]}
    assert {one.kind for one in model.artefacts.all()} == {"boosting", "binned_logistic"}
    for artefact in model.artefacts.all():
        assert 0.5 < artefact.metrics["auc"] < 1
        assert np.all((rivals.opened(artefact).pds(rows) > 0) & (rivals.opened(artefact).pds(rows) < 1))

    with open(artefact.file.path, "r+b") as file:
        file.seek(100)
        file.write(b"\0")
    with pytest.raises(Untrusted, match="fingerprint"):
        rivals.opened(artefact)
    with open(model.dataset.file.path, "ab") as file:
        file.write(b"\0")
    with pytest.raises(CommandError, match="not the one that was frozen"):
        call_command("reproduce_model", str(model.pk))


def test_a_file_with_a_type_that_is_not_listed_does_not_open(db):
    import hashlib

    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier
    from skops import io as skops

    from risk.engine import artefacts

    def refused(content, match, sha256=None):
        with pytest.raises(Untrusted, match=match):
            artefacts.loads(content, sha256 or hashlib.sha256(content).hexdigest())

    whole = {"kind": "boosting", "binnings": []}
    refused(skops.dumps(whole | {"estimator": Customer}), "not on the list: lending.models")
    refused(skops.dumps(whole | {"estimator": DecisionTreeClassifier()}), "is no rival")
    refused(skops.dumps({"estimator": LogisticRegression()}), "does not hold a rival")
    refused(b"PK nonsense", "cannot be read")
    bag = io.BytesIO()
    with zipfile.ZipFile(bag, "w") as file:
        file.writestr("schema.json", '{"__class__": "system", "__module__": "os", "__loader__": "TypeNode"}')
    refused(bag.getvalue(), "os.system|cannot be read")
    good = skops.dumps(whole | {"estimator": LogisticRegression()})
    assert artefacts.loads(good, hashlib.sha256(good).hexdigest()).kind == "boosting"
    refused(good, "fingerprint", "0" * 64)


# --- in charge ----------------------------------------------------------------------------------------------


@pytest.fixture
def two(staff, at):
    """The first champion, retired by the second; the first is the author's."""
    author, second = staff("author"), staff("second")
    made = [
        ModelVersion(
            segment="PERSON",
            version=number,
            card=card(return_share_180d=(0.5, 1.0)).to_json(),
            sha256=card(return_share_180d=(0.5, 1.0)).sha256,
            author=author,
            created_at=at,
        )
        for number in (1, 2)
    ]
    for model in made:
        model.validate()
        model.save()
        models.promote(model_id=model.pk, by=second, at=at)
    return made[0].pk, made[1].pk, author, second


def states():
    return dict(ModelVersion.objects.values_list("version", "state"))


def test_back_to_the_former_champion_by_a_second_person(two, at):
    first, newest, author, second = two
    later = at + timedelta(days=3)
    with pytest.raises(Refused, match="your own work"):
        models.roll_back(model_id=newest, reason="it drifts", by=author, at=later)
    with pytest.raises(Refused, match="Say why"):
        models.roll_back(model_id=newest, reason=" ", by=second, at=later)
    former = models.roll_back(model_id=newest, reason="it drifts", by=second, at=later)
    assert (former.pk, former.approver, former.approved_at) == (first, second, later)
    assert states() == {1: "CHAMPION", 2: "RETIRED"}
    event = Event.objects.get(kind="model.rolled_back")
    assert (event.data["reason"], event.data["instead_of"]) == ("it drifts", 2)
    with pytest.raises(Refused, match="no former champion"):
        models.roll_back(model_id=newest, reason="again", by=second, at=later)  # it is in charge no more
    models.retire(model_id=first, by=second, at=later)
    with pytest.raises(Refused, match="no former champion"):
        models.roll_back(model_id=first, reason="again", by=second, at=later)


def test_the_database_insists_on_two_people_and_on_a_new_signature(two, at):
    first, newest, author, second = two
    later = at + timedelta(days=1)
    never = champion(None, at, state="DRAFT", version=3)
    ModelVersion.objects.filter(pk=never.pk).update(state="RETIRED")
    ModelVersion.objects.filter(pk=newest).update(state="RETIRED", retired_at=at)

    def refused(pk, **values):
        with pytest.raises(DatabaseError), transaction.atomic():
            ModelVersion.objects.filter(pk=pk).update(**values)

    refused(first, state="CHAMPION")  # nobody signed anew
    refused(first, state="CHALLENGER", approved_at=later)
    refused(first, state="CHAMPION", approved_at=later, approver=author)
    refused(never.pk, state="CHAMPION", approved_at=later, approver=second)  # it was in charge at no time
    ModelVersion.objects.filter(pk=first).update(state="CHAMPION", approved_at=later, approver=second)
    refused(newest, state="CHAMPION", approved_at=later, approver=second)  # one champion to a segment


def test_reviews_are_dated_signed_by_another_and_overdue_in_time(two, at, sign_in):  # noqa: F811
    first, newest, author, second = two
    model = ModelVersion.objects.get(pk=newest)
    assert review_due(model) == MONDAY + timedelta(days=365)
    told = {"finding": "holds", "next_on": MONDAY + timedelta(days=90), "at": at, "on": MONDAY}
    with pytest.raises(Refused, match="your own work"):
        models.review(model_id=newest, by=author, **told)
    with pytest.raises(Refused, match="within two years"):
        models.review(model_id=newest, by=second, **told | {"next_on": MONDAY})
    with pytest.raises(Refused, match="in use"):
        models.review(model_id=first, by=second, **told)
    models.review(model_id=newest, by=second, **told)
    assert review_due(model) == MONDAY + timedelta(days=90)
    with pytest.raises(DatabaseError), transaction.atomic():
        ModelReview.objects.update(next_on=MONDAY + timedelta(days=900))

    reader = sign_in("risk_analyst")
    assert "overdue" not in page(reader, "risk_modelversion_change", newest)
    ModelReview.objects.create(
        model=model, on=MONDAY - timedelta(9), finding="x", next_on=MONDAY - timedelta(2), by=second, at=at
    )
    assert "overdue" in page(reader, "risk_modelversion_change", newest)
    assert "Models overdue for review" in page(reader, "index")


# --- watched ------------------------------------------------------------------------------------------------


@pytest.fixture
def book(books):
    """Applications assessed in February with given return shares, booked 190 days before with a known end."""

    def make(shares, bad, shadow=lambda n: [], **options):
        product = Product.objects.get(code="cash-loan")
        people = Customer.objects.bulk_create(
            Customer(kind="PERSON", name="甲", platform_ref=f"g{n}", registered_on=date(2024, 1, 1))
            for n, _share in enumerate(shares)
        )
        day = date(2025, 8, 10)
        applications = Application.objects.bulk_create(
            Application(
                customer=who,
                product=product,
                state="BOOKED",
                amount=Decimal(3000),
                created_at=DURING,
                submitted_at=DURING,
            )
            for who in people
        )
        loans = Loan.objects.bulk_create(
            Loan(
                customer=one.customer,
                product=product,
                application=one,
                state="ACTIVE",
                terms={},
                principal_amount=Decimal(3000),
                disbursed_on=day,
                matures_on=day + timedelta(days=90),
            )
            for one in applications
        )
        Instalment.objects.bulk_create(
            Instalment(
                loan=loan,
                number=1,
                accrues_from=day,
                due_on=day + timedelta(days=40),
                principal=Decimal(3000),
                paid_on=day + timedelta(days=40 + (45 if late else 0)),
            )
            for loan, late in zip(loans, bad, strict=True)
        )
        Assessment.objects.bulk_create(
            Assessment(
                application=one,
                as_of=DURING,
                inputs={"features": {"return_share_180d": share}, "facts": {}, "bounds": {}},
                outcome="APPROVE" if share <= 0.5 else "DECLINE",
                limit=Decimal(1000) if share <= 0.5 else None,
                score=600 - 100 * share,
                pd=0.02 + 0.2 * share,
                grade="C",
                shadow=shadow(n),
                at=DURING,
                **options,
            )
            for n, (one, share) in enumerate(zip(applications, shares, strict=True))
        )

    return make


def watched(staff, at, pd=0.1, **metrics):
    """A champion whose own rows stood half below a return share of 0.5 and half above."""
    made = card(pd=pd, return_share_180d=(0.5, 2.0))
    base = {"bounds": [500.0], "counts": [100, 110]}
    return ModelVersion.objects.create(
        segment="PERSON",
        version=1,
        state="CHAMPION",
        card=made.to_json(),
        sha256=made.sha256,
        approver=staff("approver"),
        metrics={"score_bins": base, **metrics},
        created_at=at,
        approved_at=at,
    )


def test_a_shift_trips_an_alarm_that_an_analyst_answers_once(book, staff, at, analyst):  # noqa: F811
    model = watched(staff, at)
    book([0.9] * 95 + [0.1] * 5, [False] * 100)
    [reading] = monitoring.measure_month(month=MONTH, at=at)
    assert (reading.level, reading.decisions, reading.matured) == ("ACT", 100, 100)
    drift = reading.figures["features"]["return_share_180d"]
    then, now = np.array([100, 100, 10]) / 210, np.array([0.05, 0.95, 0.005])
    assert drift["psi"] == pytest.approx(float(np.sum((now - then) * np.log(now / then))), rel=1e-9)
    assert drift["noise"] == pytest.approx(2 * (1 / 210 + 1 / 100))
    assert {a["figure"] for a in reading.alarms} >= {"score", "return_share_180d", "level"}
    assert monitoring.measure_month(month=MONTH, at=at) == []  # once a month
    assert Event.objects.filter(kind="model.alarmed", subject_id=model.pk).count() == 1

    assert "Alarms of models" in page(analyst, "index")
    shown = page(analyst, "risk_reading_change", reading.pk)
    assert "To be acted on" in shown
    assert f"/{reading.pk}/" in page(analyst, "risk_reading_changelist", alarm="open")
    press(analyst, reading, "reply", answer="A sale of clothes: levels stay")
    reading.refresh_from_db()
    assert (reading.answer, reading.answered_by.username) == (
        "A sale of clothes: levels stay",
        "risk_analyst",
    )
    with pytest.raises(Refused, match="answered already"):
        monitoring.answer(reading_id=reading.pk, text="again", by=staff("x"), at=at)
    for values in ({"level": "STABLE"}, {"answer": "other"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Reading.objects.update(**values)
    shown = page(analyst, "risk_modelversion_monitoring", model.pk)
    assert shown.count("<svg") >= 4
    assert "To be acted on" in shown


def test_the_same_mix_is_stable_and_what_ranks_no_more_is_told(book, staff, at):
    watched(staff, at, pd=0.2, test={"auc": 0.80})
    rng = np.random.default_rng(3)
    shares = np.where(rng.random(400) < 0.5, 0.1, 0.9)
    book(shares.tolist(), (rng.random(400) < 0.36).tolist())
    [reading] = monitoring.measure_month(month=MONTH, at=at)
    assert reading.figures["score"]["level"] == "STABLE"
    assert [(a["figure"], a["level"]) for a in reading.alarms][0] == ("auc", "ACT")
    assert reading.auc == pytest.approx(0.5, abs=0.1)


def test_a_month_that_is_not_over_is_not_measured(books, at, capsys, monkeypatch):
    from lending import clock

    monkeypatch.setattr(clock, "now", lambda: at)
    with pytest.raises(Refused, match="not over"):
        monitoring.measure_month(month=MONDAY, at=at)
    with pytest.raises(CommandError, match="not over"):
        call_command("watch_models", "--month=2026-03")
    call_command("watch_models")
    assert "Nothing to measure" in capsys.readouterr().out


def test_few_rows_alone_trip_no_alarm():
    rng = np.random.default_rng(1)
    base = engine.baseline(rng.normal(560, 30, 5000))
    tripped = [
        engine.score_drift(base, rng.normal(560, 30, 40))["level"] != "STABLE" for _month in range(200)
    ]
    assert sum(tripped) <= 2
    assert engine.score_drift(base, rng.normal(590, 30, 400))["level"] == "ACT"
    assert engine.score_drift(base, np.array([]))["level"] == "STABLE"
    assert engine.ranking(np.array([1, 0]), np.array([0.2, 0.1]), None) is None


# --- side by side -------------------------------------------------------------------------------------------


def test_champion_and_challenger_side_by_side(book, staff, at, analyst):  # noqa: F811
    challenger = champion(None, at, state="CHALLENGER", version=7, return_share_180d=(0.5, 1.0))

    def said(n):
        """It approves what ends in 0 to 2 of ten, whatever the champion says, and knows the bad ones better."""
        outcome = "APPROVE" if n % 10 < 3 else "DECLINE"
        told = {"score": 590 - n % 10, "pd": 0.01 + (n % 10) / 20, "grade": "B", "outcome": outcome}
        return [
            {"model": 7, "policy": None, "reasons": [], "limit": "500" if n % 10 < 3 else None, **told},
            {"model": 1, "policy": 4, "reasons": [], "limit": None, **told},
        ]

    shares = [0.1 if n % 2 else 0.9 for n in range(100)]
    book(shares, [n % 10 > 6 for n in range(100)], shadow=said)
    found = comparison.with_champion(challenger, MONDAY)
    assert (found.total, found.agreement) == (100, 0.4)
    assert found.swap("in") == {"count": 20, "matured": 20, "bad": 0, "bad_rate": 0.0}
    assert found.swap("out") == {"count": 40, "matured": 40, "bad": 20, "bad_rate": 0.5}
    assert found.approved == (Decimal(50_000), Decimal(15_000))
    ours, theirs = found.matured()
    assert theirs["auc"] == 1.0
    assert ours["auc"] < 0.6
    shown = page(analyst, "risk_modelversion_compare", challenger.pk)
    assert "Swap set" in shown and "40.0%" in shown and "1.000" in shown and "<svg" in shown


def test_the_pages_of_a_model_open_in_both_languages(book, at, staff, sign_in):  # noqa: F811
    model = watched(staff, at)
    reader = sign_in("risk_analyst")
    assert "Nothing here." in page(reader, "risk_modelversion_compare", model.pk)
    shown = page(reader, "risk_modelversion_card", model.pk)
    for words in ("Limits of use", "Who answers for it", "Next review", "What it looks at", "<svg"):
        assert words in shown
    reader.cookies["django_language"] = "zh-hans"
    assert "模型卡" in page(reader, "risk_modelversion_card", model.pk)
    page(sign_in("collector"), "risk_modelversion_card", model.pk, status=403)


def test_rivals_are_kept_once_to_a_kind(two, at):
    first = two[0]
    values = {"model_id": first, "kind": "boosting", "file": "x", "sha256": "0", "metrics": {}, "made_at": at}
    Artefact.objects.create(**values)
    for attempt in (lambda: Artefact.objects.create(**values), lambda: Artefact.objects.update(sha256="1")):
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()
