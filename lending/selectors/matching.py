"""Candidates for lines of a bank statement: gathered for many lines in a few statements, judged by the engine."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from django.db.models import Q, Sum

from lending.engine import matching
from lending.fields import ZERO
from lending.models import BankLine, Customer, Instalment, Loan, MandateAccount, Payment, Statement

MOST_NAMESAKES = 20


def suggest(lines: Sequence[BankLine], on: date) -> dict[int, list[matching.Match]]:
    """For each line its matches, best first."""
    texts = {line.pk: matching.references(f"{line.text} {line.bank_reference}") for line in lines}
    pointers = _Pointers(lines, texts)
    figures = _Figures({customer for line in lines for customer, _loan in pointers.of(line)}, on)
    return {
        line.pk: matching.match(
            line.amount,
            [
                figures.candidate(customer_id, loan_id, frozenset(reasons))
                for (customer_id, loan_id), reasons in pointers.of(line).items()
            ],
        )
        for line in lines
    }


class _Pointers:
    """What the lines point at: loans, bills, payments, customers, accounts and names, each looked up once for all."""

    def __init__(self, lines: Iterable[BankLine], texts: dict[int, matching.References]) -> None:
        lines = list(lines)
        self.texts = texts
        words = {word for text in texts.values() for word in text.words}
        self.loans = dict(
            Loan.objects.filter(pk__in={n for t in texts.values() for n in t.loans}).values_list(
                "pk", "customer_id"
            )
        )
        self.bills = dict(
            Statement.objects.filter(pk__in={n for t in texts.values() for n in t.bills}).values_list(
                "pk", "customer_id"
            )
        )
        self.payments = dict(
            Payment.objects.filter(reference__in=words).values_list("reference", "customer_id")
        )
        self.refs = dict(Customer.objects.filter(platform_ref__in=words).values_list("platform_ref", "pk"))
        self.accounts = _accounts({line.payer_digest for line in lines if line.payer_digest})
        self.names = _names({line.payer for line in lines if line.payer})

    def of(self, line: BankLine) -> dict[tuple[int, int | None], set[str]]:
        """(customer, loan or None) -> how the line points there. A customer behind a named loan is not named twice."""
        found: dict[tuple[int, int | None], set[str]] = defaultdict(set)
        for key, reason in self._named(self.texts[line.pk]):
            found[key].add(reason)
        for customer_id, reason in self._known(line):
            keys = [key for key in found if key[0] == customer_id]
            for key in keys or [(customer_id, None)]:
                found[key].add(reason)
        return found

    def _named(self, text: matching.References) -> Iterator[tuple[tuple[int, int | None], str]]:
        """What the text names outright."""
        for number in text.loans:
            if number in self.loans:
                yield (self.loans[number], number), "LOAN_NUMBER"
        tables = (
            (text.bills, self.bills, "BILL_NUMBER"),
            (text.words, self.payments, "PAYMENT_REFERENCE"),
            (text.words, self.refs, "CUSTOMER_REFERENCE"),
        )
        for marks, owners, reason in tables:
            for mark in marks:
                if mark in owners:
                    yield (owners[mark], None), reason  # type: ignore[index]

    def _known(self, line: BankLine) -> Iterator[tuple[int, str]]:
        """Whose account or name it is."""
        for customer_id in self.accounts.get(line.payer_digest, ()):
            yield customer_id, "KNOWN_ACCOUNT"
        for customer_id in self.names.get(matching.plain_name(line.payer), ()):
            yield customer_id, "SAME_NAME"


def _accounts(digests: set[str]) -> dict[str, set[int]]:
    """Whose payments came from these accounts before, or who gave a mandate on them."""
    known = BankLine.objects.filter(
        payer_digest__in=digests, state=BankLine.State.POSTED, customer__isnull=False
    )
    found: dict[str, set[int]] = defaultdict(set)
    for fingerprint, customer_id in known.values_list("payer_digest", "customer_id").distinct():
        found[fingerprint].add(customer_id)
    signed = MandateAccount.objects.filter(number_digest__in=digests)
    for fingerprint, customer_id in signed.values_list("number_digest", "mandate__customer_id"):
        found[fingerprint].add(customer_id)
    return found


def _names(names: set[str]) -> dict[str, list[int]]:
    """Customers of these names who owe something; of a name that very many have, none."""
    owing = Customer.objects.filter(name__in=names, loans__state__in=Loan.OWING).distinct()
    found: dict[str, list[int]] = defaultdict(list)
    for pk, name in owing.values_list("pk", "name"):
        found[matching.plain_name(name)].append(pk)
    return {name: pks for name, pks in found.items() if len(pks) <= MOST_NAMESAKES}


class _Figures:
    """What customers and their loans owe: due by the day, coming next, altogether."""

    def __init__(self, customer_ids: set[int], on: date) -> None:
        rows = Instalment.objects.filter(
            loan__customer_id__in=customer_ids, loan__state__in=Loan.OWING, outstanding__gt=0
        ).order_by("due_on")
        self.rows: dict[int, list[tuple[int, date, Decimal]]] = defaultdict(list)
        self.on = on
        for customer_id, loan_id, due_on, amount in rows.values_list(
            "loan__customer_id", "loan_id", "due_on", "outstanding"
        ):
            self.rows[customer_id].append((loan_id, due_on, amount))

    def candidate(self, customer_id: int, loan_id: int | None, reasons: frozenset[str]) -> matching.Candidate:
        rows = [row for row in self.rows[customer_id] if loan_id in (None, row[0])]
        due = sum((amount for _loan, day, amount in rows if day <= self.on), ZERO)
        ahead = [day for _loan, day, _amount in rows if day > self.on]
        coming = sum((amount for _loan, day, amount in rows if ahead and day <= ahead[0]), ZERO)
        owed = sum((amount for _loan, _day, amount in rows), ZERO)
        return matching.Candidate(customer_id, loan_id, reasons, due, coming, owed, owed)


def open_sum() -> Decimal:
    """The money of the lines that wait for a person."""
    return BankLine.objects.filter(Q(state="OPEN")).aggregate(sum=Sum("amount"))["sum"] or ZERO
