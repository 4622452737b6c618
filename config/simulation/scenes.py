"""What a tour of the house should meet on the last day, whatever chance has brought: a scene for each list."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from django.contrib.auth.models import Permission
from rest_framework.authtoken.models import Token

from config.simulation.cast import moment
from config.simulation.objections import WORDS
from dunning.engine.gate import COLLECTION
from dunning.models import Case, Contact, Dispute, Promise
from dunning.models.contact import Channel, Outcome
from dunning.services import contacts, disputes, promises
from lending.errors import Refused
from lending.models import Application, ApprovalRequest, Collateral, CreditLine, Customer, Loan, User
from lending.services import applications, collateral, desk
from risk.models import Alert, Appeal
from risk.services import appeals, events

Staff = Mapping[str, User]


def play(staff: Staff, on: date) -> None:
    """Every scene whose list is empty; one that chance makes impossible is left out."""
    for scene in (refer, object_to_a_cut, promise, dispute, call, ask_for_two, pledge):
        try:
            scene(staff, on)
        except Refused:
            continue


def refer(staff: Staff, on: date) -> None:
    """An application that waits for an officer: someone who was declined asks for a person to look."""
    if Application.objects.filter(state=Application.State.REFERRED).exists():
        return
    declined = Application.objects.filter(state=Application.State.DECLINED, review_requested_at=None)
    if application := declined.order_by("-decided_at").first():
        applications.ask_review(application_id=application.pk, by=None, at=moment(on, 9))


def object_to_a_cut(staff: Staff, on: date) -> None:
    """Someone sends back nearly all of a furnished flat: the control cuts the line at once, and they object."""
    if Appeal.objects.filter(state=Appeal.State.OPEN).exists():
        return
    line = CreditLine.objects.filter(
        state=CreditLine.State.ACTIVE, customer__kind=Customer.Kind.PERSON, customer__alerts=None
    ).order_by("-base_limit")[0]
    events.ingest(rows=list(_spree(line.customer, on)), at=moment(on, 10))
    cut = Alert.objects.filter(line=line, state=Alert.State.OPEN).exclude(action="ALERT")
    if cut.exists():
        appeals.open(line_id=line.pk, text=WORDS[line.customer.language], by=None, at=moment(on, 10, 30))


def _spree(customer: Customer, on: date) -> list[events.EventRow]:
    def told(kind: str, number: int, days_ago: int) -> events.EventRow:
        return events.EventRow(
            customer_ref=customer.platform_ref,
            source="simulation",
            external_id=f"spree-{kind}-{number}",
            kind=kind,
            at=moment(on - timedelta(days=days_ago), 9, number),
            order_ref=f"spree-{number}",
            amount=Decimal(2900 + 10 * number),
            data={"category": "HOME"},
        )

    return [told("ORDER", n, 8) for n in range(6)] + [told("RETURN", n, 0) for n in range(5)]


def promise(staff: Staff, on: date) -> None:
    """A collector has just reached someone, who promises to pay by the end of the week."""
    if Promise.objects.filter(state=Promise.State.OPEN).exists():
        return
    case = _quiet_cases()[0]
    contacts.log(case_id=case.pk, outcome=Outcome.PROMISED, by=staff["collector"], at=moment(on, 10))
    promises.take(
        case_id=case.pk,
        amount=case.overdue,
        due_on=on + timedelta(days=4),
        by=staff["collector"],
        at=moment(on, 10, 5),
        on=on,
    )


def dispute(staff: Staff, on: date) -> None:
    """Someone says that a parcel never came: nobody chases them for it while that is open."""
    if Dispute.objects.filter(state=Dispute.State.OPEN).exists():
        return
    case = _quiet_cases().last()
    disputes.open(
        customer_id=case.customer_id,
        amount=min(case.overdue, Decimal(100)),
        reason="One of the parcels never came.",
        by=staff["collector"],
        at=moment(on, 11),
        on=on,
    )


def call(staff: Staff, on: date) -> None:
    """Somebody asked to be called back today."""
    if Contact.objects.filter(state=Contact.State.PLANNED, channel=Channel.CALL).exists():
        return
    case = _quiet_cases()[0]
    wish = contacts.Wish(
        customer=case.customer,
        case=case,
        channel=Channel.CALL,
        purpose=COLLECTION,
        step="call-back",
        due_on=case.oldest_due_on,
        amount=case.overdue,
    )
    contacts.plan([wish], on=on, at=moment(on, 9))


def _quiet_cases():  # type: ignore[no-untyped-def]
    """Cases out of court without a promise, the best hope first."""
    out_of_court = [Case.State.REMINDING, Case.State.CALLING, Case.State.DEMANDING]
    cases = Case.objects.filter(state__in=out_of_court, promises=None)
    if not cases.exists():
        raise Refused("no_case", "nobody is in arrears")
    return cases.select_related("customer").order_by("-expected", "pk")


def ask_for_two(staff: Staff, on: date) -> None:
    """Things that one person asked for and another must allow: a higher limit, and a penalty given up."""
    line = CreditLine.objects.filter(state=CreditLine.State.ACTIVE).order_by("-used")[0]
    to = line.base_limit + Decimal(5000)
    asked = {"by": staff["credit_officer"], "at": moment(on, 14), "on": on}
    if not ApprovalRequest.objects.filter(state="PENDING", command="line.raise_limit").exists():
        desk.ask_raise(line_id=line.pk, to=to, reason="Pays in time and asks for more", **asked)
    owing = Loan.objects.filter(state__in=Loan.OWING, penalty__gt=0).order_by("-penalty")
    if loan := owing.first():
        asked["by"] = staff["accountant"]
        desk.ask_waiver(
            loan_id=loan.pk,
            kind="PENALTY",
            amount=loan.penalty,
            key=f"waive:{loan.pk}:{on}",
            reason="The customer was in hospital",
            **asked,
        )


def pledge(staff: Staff, on: date) -> None:
    """A company that gives security: a press that is pledged, and a receivable that is not registered yet."""
    if Collateral.objects.exists():
        return
    company = Customer.objects.filter(kind=Customer.Kind.COMPANY, state=Customer.State.ACTIVE).order_by("pk")[
        0
    ]
    made = {"customer_id": company.pk, "by": staff["credit_officer"], "at": moment(on, 15), "on": on}
    press = collateral.propose(
        kind=Collateral.Kind.EQUIPMENT,
        description="Hydraulic press, 400 t, built 2022",
        value=Decimal(680_000),
        haircut=Decimal("0.4"),
        valued_on=on - timedelta(days=20),
        expires_on=on + timedelta(days=700),
        **made,
    )
    for step in ("verify", "pledge"):
        collateral.move(
            collateral_id=press.pk, step=step, note="Seen on site", by=made["by"], at=moment(on, 15, 5)
        )
    collateral.propose(
        kind=Collateral.Kind.RECEIVABLE,
        description="Invoices to a hardware chain, due in 60 days",
        value=Decimal(240_000),
        haircut=Decimal("0.3"),
        valued_on=on,
        third_party="Hardware chain",
        **made,
    )


def log_in(password: str) -> None:
    """Accounts for some customers, so that their pages can be seen: one who pays, one in arrears, a company."""
    owing = Customer.objects.filter(user=None, loans__state__in=Loan.OWING).distinct()
    people = owing.filter(kind=Customer.Kind.PERSON)
    chosen: dict[str, Callable[[], Customer | None]] = {
        "customer": people.filter(cases=None, lines__state="ACTIVE").order_by("-lines__used", "pk").first,
        "late": people.exclude(cases__state=Case.State.CLOSED)
        .filter(cases__isnull=False)
        .order_by("pk")
        .first,
        "company": owing.filter(kind=Customer.Kind.COMPANY).order_by("pk").first,
    }
    for name, find in chosen.items():
        if customer := find():
            user = User.objects.create_user(name, f"{name}@example.com", password, language=customer.language)
            customer.user, customer.email = user, user.email
            customer.save(update_fields=["user", "email"])


def connect_platform() -> str:
    """A machine user for the API; returns its token."""
    user, _made = User.objects.get_or_create(username="platform", defaults={"email": ""})
    user.user_permissions.add(Permission.objects.get(codename="use_platform_api"))
    return str(Token.objects.get_or_create(user=user)[0].key)
