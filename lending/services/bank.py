"""Bank statements: taken in once, matched, and posted line by line, by rule where it is sure and by staff elsewhere."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from lending import events, nudge, tables
from lending.engine import matching
from lending.errors import Refused
from lending.fields import ZERO, digest
from lending.models import BankLine, BankStatement, Loan, Transaction, UnappliedMoney, User
from lending.selectors import matching as candidates
from lending.services import checks, loans, suspense
from lending.services.posting import Posting, Type, post_many

State = BankLine.State
BATCH = 200
COLUMNS: dict[str, tuple[str, ...]] = {
    "date": ("value date", "date", "booking date", "交易日期", "记账日期", "入账日期", "日期", "交易时间"),
    "amount": ("amount", "金额", "交易金额", "发生额"),
    "credit": ("credit", "money in", "贷方金额", "贷方发生额", "收入", "收入金额", "贷方"),
    "debit": ("debit", "money out", "借方金额", "借方发生额", "支出", "支出金额", "借方"),
    "currency": ("currency", "ccy", "币种"),
    "payer": ("payer", "counterparty", "name", "payer name", "对方户名", "对方名称", "付款人", "付款人名称"),
    "account": ("payer account", "counterparty account", "account", "对方账号", "对方账户", "付款人账号"),
    "text": ("reference", "text", "remittance information", "purpose", "附言", "摘要", "用途", "备注"),
    "bank_reference": (
        "bank reference",
        "transaction id",
        "id",
        "流水号",
        "交易流水号",
        "核心流水号",
        "凭证号",
    ),
}
UNREADABLE = {
    "no_date": _("The date cannot be read: %(value)s"),
    "no_amount": _("There is no amount that can be read."),
    "decimals": _("The amount has more than two decimals."),
}


# --- in -----------------------------------------------------------------------------------------------------


@transaction.atomic
def take_in(*, name: str, content: bytes, account: str, by: User | None, at: datetime) -> BankStatement:
    """Take a statement in (CSV or XLSX). Lines that an earlier statement brought are known and left out."""
    fingerprint = sha256(content).hexdigest()
    if known := BankStatement.objects.filter(sha256=fingerprint).first():
        raise Refused(
            "same_file", _("This file was taken in before, as %(file)s.") % {"file": known}, field="file"
        )
    table = tables.read(name, content)
    places = tables.columns(table.header, COLUMNS)
    if "date" not in places or not {"amount", "credit"} & set(places):
        raise Refused(
            "columns", _("The file needs a column with the date and one with the amount."), field="file"
        )
    statement = BankStatement(
        account=account, name=name[-200:], sha256=fingerprint, imported_by=by, imported_at=at
    )
    try:
        with transaction.atomic():
            statement.save(force_insert=True)
    except IntegrityError as error:
        raise Refused("same_file", _("This file is being taken in already."), field="file") from error
    lines = _lines(statement, table, places)
    before = BankLine.objects.filter(account=account).count()
    BankLine.objects.bulk_create(lines, ignore_conflicts=True, batch_size=2000)
    statement.known = len(lines) - (BankLine.objects.filter(account=account).count() - before)
    statement.save()
    events.record(
        "bank.taken_in", statement, by=by, at=at, file=statement.name, rows=len(lines) - statement.known
    )
    nudge.bank_lines()
    return statement


def _lines(statement: BankStatement, table: tables.Table, places: dict[str, int]) -> list[BankLine]:
    twins: Counter[tuple[str, ...]] = Counter()
    lines = []
    for number, cells in table.rows:
        row = {name: cells[place] if place < len(cells) else "" for name, place in places.items()}
        try:
            lines.append(_line(statement, number, row, twins))
        except Refused as fault:
            statement.problems.append([number, fault.code, {"value": row.get("date", "")[:40]}])
    return lines


def _line(
    statement: BankStatement, number: int, row: dict[str, str], twins: Counter[tuple[str, ...]]
) -> BankLine:
    value_on = tables.day(row["date"])
    if value_on is None:
        raise Refused("no_date", "")
    amount = _amount(row)
    currency = (
        (row.get("currency") or settings.CURRENCY).upper().replace("人民币", "CNY").replace("RMB", "CNY")
    )
    account = row.get("account", "")
    line = BankLine(
        statement=statement,
        number=number,
        account=statement.account,
        bank_reference=_reference(row, twins),
        value_on=value_on,
        amount=amount,
        currency=currency[:3],
        payer=row.get("payer", "")[:120],
        payer_account=account,
        payer_digest=digest(account) if account else "",
        text=row.get("text", "")[:300],
    )
    first = State.OUTGOING if amount <= 0 else State.FOREIGN if currency != settings.CURRENCY else State.OPEN
    # A line begins in one of three states; from there on only its transitions move it.
    line.__dict__["state"] = first
    return line


def _amount(row: dict[str, str]) -> Decimal:
    """Above zero for money in. Where there are two columns, the one for money out counts below zero."""
    signed = tables.amount(row.get("amount", ""))
    if signed is None:
        came, went = tables.amount(row.get("credit", "")), tables.amount(row.get("debit", ""))
        if came is None and went is None:
            raise Refused("no_amount", "")
        signed = (came or ZERO) - abs(went or ZERO)
    if signed != signed.quantize(ZERO) or abs(signed) > checks.LARGEST:
        raise Refused("decimals", "")
    return signed.quantize(ZERO)


def _reference(row: dict[str, str], twins: Counter[tuple[str, ...]]) -> str:
    """The bank's own; without one, a fingerprint of the line, and of its place among lines that are the same."""
    if own := row.get("bank_reference"):
        return own[:80]
    mark = tuple(row.get(name, "") for name in COLUMNS)
    twins[mark] += 1
    return f"~{sha256('|'.join([*mark, str(twins[mark])]).encode()).hexdigest()[:40]}"


# --- matching -----------------------------------------------------------------------------------------------


def match_lines(*, at: datetime, on: date, limit: int = BATCH) -> int:
    """Look at the next lines that nobody looked at: post what is sure, leave suggestions on the rest.

    Each line in a transaction of its own; returns how many were dealt with here.
    """
    lines = list(BankLine.objects.filter(state=State.OPEN, suggestions__isnull=True).order_by("pk")[:limit])
    found = candidates.suggest(lines, on)
    return sum(_match(line.pk, found[line.pk], at=at, on=on) for line in lines)


@transaction.atomic
def _match(line_id: int, found: list[matching.Match], *, at: datetime, on: date) -> int:
    waiting = BankLine.objects.filter(state=State.OPEN, suggestions__isnull=True, pk=line_id)
    line = waiting.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
    if line is None:
        return 0
    line.suggestions = _kept(found)
    line.save()
    if best := matching.exact(found):
        _try(line, best, at=at, on=on)
    return 1


def _kept(found: list[matching.Match]) -> list[dict[str, Any]]:
    return [
        {"customer": one.customer_id, "loan": one.loan_id, "score": one.score, "reasons": list(one.reasons)}
        for one in found
    ]


def _try(line: BankLine, best: matching.Match, *, at: datetime, on: date) -> None:
    """Post without a person; what the loan refuses is left to one, with the reason."""
    try:
        with transaction.atomic():
            _settle(line, [(best.loan_id, line.amount)], best.customer_id, by=None, at=at, on=on)
            line.score = best.score
            line.save()
    except Refused as refusal:
        line.refresh_from_db()
        line.note = str(refusal)[:300]
        line.save()


def look_again(*, line_id: int, on: date) -> BankLine:
    """Suggest anew, as debts have changed since."""
    line = BankLine.objects.get(pk=line_id)
    line.suggestions = _kept(candidates.suggest([line], on)[line.pk])
    line.save(update_fields=["suggestions"])
    return line


# --- what staff do ------------------------------------------------------------------------------------------


@transaction.atomic
def accept(*, line_id: int, choice: int, by: User | None, at: datetime, on: date) -> BankLine:
    """Take the suggestion of that number, 0 for the best."""
    line = _lock(line_id)
    chosen = (line.suggestions or [])[choice : choice + 1]
    if not chosen or choice < 0:
        raise Refused("no_suggestion", _("There is no such suggestion."), field="choice")
    one = chosen[0]
    line.score = one["score"]
    return _settle(line, [(one["loan"], line.amount)], one["customer"], by=by, at=at, on=on)


@transaction.atomic
def assign(
    *,
    line_id: int,
    by: User | None,
    at: datetime,
    on: date,
    customer_id: int | None = None,
    loan_id: int | None = None,
) -> BankLine:
    """Post it to a loan or to everything that a customer owes."""
    line = _lock(line_id)
    if loan_id is not None:
        customer_id = Loan.objects.get(pk=loan_id).customer_id
    if customer_id is None:
        raise Refused("target", _("Name a customer or a loan."), field="target")
    return _settle(line, [(loan_id, line.amount)], customer_id, by=by, at=at, on=on)


@transaction.atomic
def split(
    *, line_id: int, shares: Sequence[tuple[int, Decimal]], by: User | None, at: datetime, on: date
) -> BankLine:
    """Post it to several loans; what is left of it is held as unapplied."""
    line = _lock(line_id)
    for _loan, amount in shares:
        checks.amount(amount)
    if not shares:
        raise Refused("target", _("Name a customer or a loan."))
    if len({loan_id for loan_id, _amount in shares}) < len(shares):
        raise Refused("twice", _("A loan is named twice."))
    if sum(amount for _loan, amount in shares) > line.amount:
        raise Refused("too_much", _("That is more than came in: %(amount)s.") % {"amount": line.amount})
    owners = dict(Loan.objects.filter(pk__in=[pk for pk, _amount in shares]).values_list("pk", "customer_id"))
    customer_id = owners[shares[0][0]] if len(set(owners.values())) == 1 else None
    return _settle(line, shares, customer_id, by=by, at=at, on=on)


@transaction.atomic
def set_aside(
    *, line_id: int, by: User | None, at: datetime, on: date, customer_id: int | None = None
) -> BankLine:
    """Hold its money until it is known what it is for."""
    line = _lock(line_id)
    line.hold()
    reason = UnappliedMoney.Reason.BY_HAND if customer_id else UnappliedMoney.Reason.UNKNOWN_PAYER
    _hold(line, line.amount, reason, customer_id, by=by, at=at, on=on)
    return _handled(line, "bank.held", customer_id, by=by, at=at)


@transaction.atomic
def ignore(*, line_id: int, reason: str, by: User | None, at: datetime) -> BankLine:
    """It is no payment of a customer: interest of the bank, a transfer of our own."""
    checks.reason(reason, field="reason")
    line = _lock(line_id)
    line.ignore(reason=reason)
    return _handled(line, "bank.ignored", None, by=by, at=at)


@transaction.atomic
def reopen(*, line_id: int, by: User | None, at: datetime) -> BankLine:
    """Put an ignored line back into the queue."""
    line = _lock(line_id)
    line.reopen()
    return _handled(line, "bank.reopened", None, by=by, at=at)


def _lock(line_id: int) -> BankLine:
    line = BankLine.objects.select_for_update(no_key=True, of=("self",)).get(pk=line_id)
    if line.state == State.FOREIGN:
        raise Refused(
            "currency",
            _("The currency is %(value)s: payments are in %(ours)s.")
            % {"value": line.currency, "ours": settings.CURRENCY},
        )
    return line


def _settle(
    line: BankLine,
    shares: Sequence[tuple[int | None, Decimal]],
    customer_id: int | None,
    *,
    by: User | None,
    at: datetime,
    on: date,
) -> BankLine:
    """Post a locked line: shares for loans, or all of it for what the customer owes; what is left is held."""
    line.post()
    if line.value_on > on:
        raise Refused("future", _("The date lies in the future."))
    key = f"bank:{line.pk}"
    postings = [_posting(line, loan_id, amount, key) for loan_id, amount in shares if loan_id]
    post_many(postings, by=by, at=at, on=on)
    if not postings:
        assert customer_id
        receipt = loans.Receipt(customer_id, line.amount, key, "bank", line.value_on)
        loans.pay_many(receipts=[receipt], by=by, at=at, on=on)
    elif rest := line.amount - sum(amount for _loan, amount in shares):
        _hold(line, rest, UnappliedMoney.Reason.SURPLUS, customer_id, by=by, at=at, on=on)
    return _handled(line, "bank.posted", customer_id, by=by, at=at)


def _posting(line: BankLine, loan_id: int, amount: Decimal, key: str) -> Posting:
    loan = Loan.objects.get(pk=loan_id)
    type_ = Type.RECOVERY if loan.state == Loan.State.WRITTEN_OFF else Type.REPAYMENT
    return Posting(loan_id, type_, amount, f"{key}:{loan_id}", line.value_on, channel="bank", payment_key=key)


def _hold(
    line: BankLine,
    amount: Decimal,
    reason: str,
    customer_id: int | None,
    *,
    by: User | None,
    at: datetime,
    on: date,
) -> None:
    held = suspense.Held(
        amount=amount,
        received_on=min(line.value_on, on),
        reason=reason,
        key=f"bank:{line.pk}:rest",
        customer_id=customer_id,
        payer=line.payer,
        reference=line.text,
        channel="bank",
    )
    suspense.hold([held], by=by, at=at, on=on)


def _handled(
    line: BankLine, kind: str, customer_id: int | None, *, by: User | None, at: datetime
) -> BankLine:
    line.handled_by, line.handled_at, line.customer_id = by, at, customer_id
    line.save()
    events.record(kind, line, by=by, at=at, amount=line.amount, reason=line.note)
    return line


def transactions(line: BankLine) -> Any:
    """What the line became on loans."""
    return Transaction.objects.filter(payment_key=f"bank:{line.pk}").select_related("loan")
