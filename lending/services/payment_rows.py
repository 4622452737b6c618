"""The rows of a payment file: read, looked up, and told what is wrong with them, before anything is posted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from lending import bulk, tables
from lending.models import Customer, Loan, PaymentFile, PaymentRow, UnappliedMoney
from lending.services import checks

State = PaymentRow.State

POSTED = bulk.Tuples(
    """
    SELECT t.payment_key, l.customer_id, SUM(t.amount)
    FROM lending_transaction t JOIN lending_loan l ON l.id = t.loan_id
    WHERE t.payment_key = ANY(%s::text[]) AND NOT t.payment_key = '' GROUP BY 1, 2
    """
)
HELD = bulk.Tuples("SELECT key, amount, customer_id FROM lending_unappliedmoney WHERE key = ANY(%s::text[])")

# What a column can be, and the words by which it is recognised (case, spaces and dots do not matter).
COLUMNS: dict[str, tuple[str, ...]] = {
    "date": ("date", "value date", "payment date", "paid on", "日期", "入账日期", "还款日期", "交易日期"),
    "amount": ("amount", "sum", "paid", "金额", "还款金额", "交易金额", "实收金额"),
    "currency": ("currency", "ccy", "币种"),
    "loan": ("loan", "loan number", "loan no", "借据号", "借款编号", "贷款编号", "借据编号"),
    "customer": ("customer", "customer reference", "customer no", "platform reference", "客户号", "客户编号"),
    "payment": (
        "payment",
        "payment number",
        "payment no",
        "transaction id",
        "流水号",
        "交易流水号",
        "付款编号",
    ),
    "payer": ("payer", "payer name", "name", "付款人", "户名", "付款户名"),
    "note": ("note", "remark", "reference", "备注", "摘要", "附言"),
}
LABELS: dict[str, Any] = {
    "date": _("Value date"),
    "amount": _("Amount"),
    "currency": _("Currency"),
    "loan": _("Loan"),
    "customer": _("Customer"),
    "payment": _("Payment number"),
    "payer": _("Payer"),
    "note": _("Note"),
}
NEEDED = (("amount",), ("loan", "customer"))

# Why a row is not posted, in words; %(...)s from its details.
PROBLEMS: dict[str, Any] = {
    "no_amount": _("There is no amount that can be read."),
    "not_positive": _("The amount must be above zero."),
    "decimals": _("The amount has more than two decimals."),
    "too_large": _("The amount is too large."),
    "no_date": _("The date cannot be read: %(value)s"),
    "future": _("The date lies in the future."),
    "currency": _("The currency is %(value)s: payments are in %(ours)s."),
    "unknown_loan": _("There is no loan %(value)s."),
    "unknown_customer": _("There is no customer %(value)s."),
    "other_customer": _("The loan %(loan)s is not of the customer %(value)s."),
    "no_target": _("The line names neither a loan nor a customer."),
    "before_disbursement": _("The date is before the loan was paid out."),
    "loan_closed": _("The loan is closed: %(state)s."),
    "loan_waits": _("The loan has not been paid out yet."),
    "nothing_owed": _("The customer owes nothing at present."),
    "same_number": _("The payment number is in line %(line)s already."),
    "same_line": _("Line %(line)s is the same payment: if both are meant, give them payment numbers."),
    "paid_before": _("This payment was posted before."),
    "key_reused": _("This payment number was used for another payment."),
    "refused": _("Refused: %(value)s"),
}


def words(row: PaymentRow) -> str:
    """What is wrong with the row, in the reader's language."""
    if not row.code:
        return ""
    details: dict[str, Any] = {"value": row.code} | row.details
    if "state" in details:
        details["state"] = Loan.State(details["state"]).label
    template: str = str(PROBLEMS.get(row.code, PROBLEMS["refused"]))
    return template % details


def report_header(file: PaymentFile) -> list[Any]:
    """The columns of the report on what was not posted: ours, then those of the file."""
    return [_("Line"), _("State"), _("Problem"), *file.header]


def report(row: PaymentRow, width: int) -> list[Any]:
    """A line of that report; the file's own cells stand as they were, to be mended and uploaded again."""
    cells = (row.cells + [""] * width)[:width]
    return [row.number, row.get_state_display(), words(row), *cells]


class _Fault(Exception):
    def __init__(self, code: str, **details: str) -> None:
        super().__init__(code)
        self.code, self.details = code, details


@dataclass(slots=True)
class Reading:
    """One pass over the rows of a file. `on` is the open business date."""

    file: PaymentFile
    on: date
    loans: dict[int, Loan] = field(default_factory=dict)
    by_ref: dict[str, int] = field(default_factory=dict)
    owing: set[int] = field(default_factory=set)
    seen: dict[Any, int] = field(default_factory=dict)

    def read(self, rows: Sequence[PaymentRow]) -> None:
        """Fill in and judge the rows of the file, in the order of its lines."""
        self._look_up(rows)
        before = posted([self._key(row) for row in rows])
        for row in rows:
            self._judge(row, before)

    def cell(self, row: PaymentRow, name: str) -> str:
        place = self.file.mapping.get(name)
        return row.cells[place] if place is not None and place < len(row.cells) else ""

    def _key(self, row: PaymentRow) -> str:
        number = self.cell(row, "payment")
        return f"in:{number}"[:80] if number else f"file:{self.file.pk}:{row.number}"

    def _look_up(self, rows: Sequence[PaymentRow]) -> None:
        numbers = {number for row in rows if (number := loan_number(self.cell(row, "loan")))}
        refs = {ref for row in rows if (ref := self.cell(row, "customer"))}
        columns = ("pk", "customer_id", "state", "disbursed_on", "currency")
        self.loans = Loan.objects.only(*columns).in_bulk(numbers)
        self.by_ref = dict(Customer.objects.filter(platform_ref__in=refs).values_list("platform_ref", "pk"))
        owing = Loan.objects.filter(customer_id__in=self.by_ref.values(), state__in=Loan.OWING)
        self.owing = set(owing.values_list("customer_id", flat=True))

    def _judge(self, row: PaymentRow, before: Mapping[str, tuple[Decimal, int | None]]) -> None:
        row.key, row.code, row.details = self._key(row), "", {}
        row.payer, row.note = self.cell(row, "payer")[:120], self.cell(row, "note")[:200]
        row.loan_id = row.customer_id = row.amount = row.value_on = None
        try:
            self._fill(row)
            self._place(row)
            self._check_twice(row, before)
        except _Fault as fault:
            twice = fault.code in ("same_number", "same_line", "paid_before")
            (row.know if twice else row.doubt)(code=fault.code, **fault.details)
        else:
            row.accept()

    def _fill(self, row: PaymentRow) -> None:
        row.amount = _amount(self.cell(row, "amount"))
        currency = self.cell(row, "currency").upper().replace("RMB", "CNY").replace("人民币", "CNY")
        if currency and currency != settings.CURRENCY:
            raise _Fault("currency", value=currency[:20], ours=settings.CURRENCY)
        text = self.cell(row, "date")
        row.value_on = tables.day(text) if text else self.on
        if row.value_on is None:
            raise _Fault("no_date", value=text[:40])
        if row.value_on > self.on:
            raise _Fault("future")

    def _place(self, row: PaymentRow) -> None:
        """Whose debt it pays. Where the file says so, what cannot be placed is held instead of refused."""
        try:
            self._find(row)
        except _Fault as fault:
            if self.file.unplaced != PaymentFile.Unplaced.HOLD or fault.code == "before_disbursement":
                raise
            row.loan_id, row.details = None, {"hold": HOLDS.get(fault.code, "UNKNOWN_PAYER")}

    def _find(self, row: PaymentRow) -> None:
        text, ref = self.cell(row, "loan"), self.cell(row, "customer")
        if text:
            loan = self.loans.get(loan_number(text) or 0)
            if loan is None:
                raise _Fault("unknown_loan", value=text[:40])
            if ref and self.by_ref.get(ref) != loan.customer_id:
                raise _Fault("other_customer", loan=str(loan), value=ref[:40])
            row.loan_id, row.customer_id = loan.pk, loan.customer_id
            self._check_loan(loan, row)
        elif ref:
            row.customer_id = self.by_ref.get(ref)
            if row.customer_id is None:
                raise _Fault("unknown_customer", value=ref[:40])
            if row.customer_id not in self.owing:
                raise _Fault("nothing_owed")
        else:
            raise _Fault("no_target")

    def _check_loan(self, loan: Loan, row: PaymentRow) -> None:
        if loan.state == Loan.State.APPROVED:
            raise _Fault("loan_waits")
        if loan.state not in Loan.OWING:
            raise _Fault("loan_closed", state=loan.state)
        if row.value_on and row.value_on < loan.disbursed_on:
            raise _Fault("before_disbursement")

    def _check_twice(self, row: PaymentRow, before: Mapping[str, tuple[Decimal, int | None]]) -> None:
        numbered = row.key.startswith("in:")
        mark = (
            row.key
            if numbered
            else (row.loan_id, row.customer_id, row.amount, row.value_on, row.payer, row.note)
        )
        first = self.seen.setdefault(mark, row.number)
        if first != row.number:
            raise _Fault("same_number" if numbered else "same_line", line=str(first))
        if known := before.get(row.key):
            same = known[0] == row.amount and known[1] in (row.customer_id, None)
            raise _Fault("paid_before" if same else "key_reused")


HOLDS = {
    "nothing_owed": UnappliedMoney.Reason.NOTHING_OWED,
    "loan_closed": UnappliedMoney.Reason.LOAN_CLOSED,
    "loan_waits": UnappliedMoney.Reason.NOTHING_OWED,
}


# Refusals of the services that are said in the words above, as they need no details.
PLAIN = ("before_disbursement", "future", "nothing_owed", "key_reused")


def loan_number(text: str) -> int | None:
    """123 for L00000123 and 123, None for what is no loan's number."""
    digits = text.strip().upper().removeprefix("L")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _amount(text: str) -> Decimal:
    value = tables.amount(text)
    if value is None:
        raise _Fault("no_amount")
    if value <= 0:
        raise _Fault("not_positive")
    if value != value.quantize(Decimal("0.01")):
        raise _Fault("decimals")
    if value > checks.LARGEST:
        raise _Fault("too_large")
    return value.quantize(Decimal("0.01"))


def posted(keys: Iterable[str]) -> dict[str, tuple[Decimal, int | None]]:
    """What was posted or held under these keys: how much, and for whom."""
    keys = list(keys)
    on_loans, held = bulk.read((POSTED, [keys]), (HELD, [[*keys, *(f"{key}:rest" for key in keys)]]))
    found: dict[str, tuple[Decimal, int | None]] = {
        key: (amount, customer_id) for key, customer_id, amount in on_loans
    }
    for key, amount, customer_id in held:
        payment = key.removesuffix(":rest")
        known = found.get(payment, (Decimal(0), customer_id))
        found[payment] = (known[0] + amount, customer_id)
    return found
