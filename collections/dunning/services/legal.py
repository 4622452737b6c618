"""Legal matters: notice, claim, judgment, enforcement, with their dates, papers and costs."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from dunning.engine import gate as gate_engine
from dunning.models import Case, Contact, LegalCost, LegalDocument, LegalMatter, StrategyStep
from dunning.selectors import arrears
from dunning.services import cases, contacts, turn
from dunning.words import rule_in_words
from lending import events
from lending.errors import Refused
from lending.models import User
from lending.selectors import rules
from lending.services import checks

State = LegalMatter.State


@transaction.atomic
def open(*, case_id: int, by: User | None, at: datetime, on: date) -> LegalMatter:
    """Give notice before a claim, by letter and e-mail, and take the case to the legal stage.

    Raises Refused when the contact gate says no, TransitionNotAllowed when the case is paused or there
    already.
    """
    turn.take()
    case = cases.lock(case_id)
    letter = give_notices([(case, _step(case))], by=by, at=at, on=on)[0]
    if letter.state == Contact.State.REFUSED:
        raise Refused(letter.rule, rule_in_words(letter.rule))
    case.save(update_fields=["state", "next_action_on"])
    return case.legal_matters.get(state=State.NOTICE)


def _step(case: Case) -> str:
    """The strategy's own step, so that the clock does not take it again; a second matter has a number."""
    code = (
        case.strategy.steps.filter(channel=StrategyStep.LEGAL_MATTER).values_list("code", flat=True).first()
    )
    before = case.legal_matters.count()
    return f"{code or 'legal'}-{before + 1}" if before or code is None else code


def give_notices(
    ripe: Sequence[tuple[Case, str]], *, by: User | None, at: datetime, on: date
) -> list[Contact]:
    """Give notice in each case, as that step of its strategy: the letters, planned or refused by the gate.

    Where the letter is planned, a matter is open. The caller holds the locks of the cases and saves them.
    """
    if not ripe:
        return []
    disputed = arrears.disputed([case.customer_id for case, _code in ripe])
    claims = {
        c.pk: max(c.overdue - (disputed.get(c.customer_id) or Decimal(0)), Decimal(0)) for c, _code in ripe
    }
    pay_by = on + timedelta(days=int(rules.parameter("LEGAL_NOTICE_DAYS_TO_PAY", on)))
    wishes = [
        contacts.Wish(
            customer=case.customer,
            case=case,
            channel=channel,
            purpose=gate_engine.LEGAL,
            step=code,
            due_on=case.oldest_due_on,
            amount=claims[case.pk],
            template="legal_notice",
            context={"amount": claims[case.pk], "due_on": case.oldest_due_on, "pay_by": pay_by},
        )
        for channel in (gate_engine.LETTER, gate_engine.EMAIL)
        for case, code in ripe
    ]
    letters = contacts.plan(wishes, on=on, at=at)[: len(ripe)]
    given = [
        case
        for (case, _code), letter in zip(ripe, letters, strict=True)
        if letter.state != Contact.State.REFUSED
    ]
    for case in given:
        case.go_legal()
        case.next_action_on = None
    matters = LegalMatter.objects.bulk_create(
        LegalMatter(customer=case.customer, case=case, claim=claims[case.pk], noticed_on=on, pay_by=pay_by)
        for case in given
    )
    events.record_many([events.build("matter.opened", m, by=by, at=at, claim=m.claim) for m in matters])
    return letters


@transaction.atomic
def advance(
    *,
    matter_id: int,
    to: str,
    by: User | None,
    at: datetime,
    on: date,
    court: str = "",
    reference: str = "",
    awarded: Decimal | None = None,
    result: str = "",
) -> LegalMatter:
    """Take a matter on: FILED (court, reference), JUDGED (awarded), ENFORCED, or CLOSED (result).

    Closed while the debt is still there, the case goes back to demanding. Raises Refused with the field that
    is missing, TransitionNotAllowed for a step that does not follow.
    """
    case_id = LegalMatter.objects.values_list("case_id", flat=True).get(pk=matter_id)
    case = Case.objects.select_for_update(no_key=True, of=("self",)).get(pk=case_id)
    matter = (
        LegalMatter.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .get(pk=matter_id)
    )
    if to == State.FILED:
        _need(court, "court", _("Which court?"))
        matter.file(on=on, court=court.strip(), reference=reference.strip())
    elif to == State.JUDGED:
        if awarded is None or awarded < 0 or awarded != awarded.quantize(Decimal("0.01")):
            raise Refused("awarded", _("What was awarded? Zero if the claim was dismissed."), field="awarded")
        matter.judge(on=on, awarded=awarded)
    elif to == State.ENFORCED:
        matter.enforce(on=on)
    elif to == State.CLOSED:
        _need(result, "result", _("How did it end?"))
        matter.close(on=on, result=result.strip())
        _back_from_court(case, on)
    else:
        raise Refused("to", _("Choose the next step."), field="to")
    matter.save()
    events.record("matter.advanced", matter, by=by, at=at, to=to, awarded=awarded)
    return matter


def _need(value: str, field: str, words: object) -> None:
    if not value.strip():
        raise Refused(field, words, field=field)


def _back_from_court(case: Case, on: date) -> None:
    if case.state == Case.State.LEGAL:
        case.leave_court()
        case.next_action_on = on
        case.save(update_fields=["state", "next_action_on"])


@transaction.atomic
def add_cost(
    *,
    matter_id: int,
    kind: str,
    amount: Decimal,
    spent_on: date,
    by: User | None,
    at: datetime,
    note: str = "",
) -> LegalCost:
    """Write down what was spent on a matter. It is not added to what the customer owes: a court decides that."""
    checks.amount(amount)
    if kind not in LegalCost.Kind.values:
        raise Refused("kind", _("Choose what it was for."), field="kind")
    matter = (
        LegalMatter.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .get(pk=matter_id)
    )
    cost = LegalCost.objects.create(
        matter=matter, kind=kind, amount=amount, spent_on=spent_on, note=note[:200], by=by
    )
    events.record("matter.cost_added", matter, by=by, at=at, kind=kind, amount=amount)
    return cost


@transaction.atomic
def add_document(*, matter_id: int, title: str, file: File, by: User | None, at: datetime) -> LegalDocument:
    """Keep a paper of a matter, with its fingerprint."""
    matter = (
        LegalMatter.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .get(pk=matter_id)
    )
    _need(title, "title", _("Give the paper a title."))
    content = file.read()
    file.seek(0)
    document = LegalDocument.objects.create(
        matter=matter,
        title=title.strip()[:120],
        file=file,
        sha256=hashlib.sha256(content).hexdigest(),
        added_at=at,
        by=by,
    )
    events.record("matter.document_added", matter, by=by, at=at, title=document.title)
    return document


def reveal_document(*, document_id: int, by: User, at: datetime) -> LegalDocument:
    """A member of the staff takes a paper out: who, which and when is written down."""
    document = LegalDocument.objects.select_related("matter").get(pk=document_id)
    facts = {"document": document.pk, "title": document.title, "sha256": document.sha256}
    events.record("document.revealed", document.matter, by=by, at=at, **facts)
    return document
