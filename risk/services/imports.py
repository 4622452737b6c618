"""Importing a file of events: in chunks that each go in whole, and safe to start again."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lending.errors import Refused
from lending.models import Customer
from lending.services import customers
from risk.importing.files import RawLine
from risk.importing.mapping import Draft, FileMapping, LineFault
from risk.services import events

CHUNK = 5_000
CENT = Decimal("0.01")


@dataclass(frozen=True)
class RefusedLine:
    number: int
    field: str
    reason: str
    raw: str


@dataclass
class Tally:
    """What has become of the file so far."""

    lines: int = 0
    refused_lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused_events: int = 0
    new_customers: int = 0
    done: float = 0.0


@dataclass
class _Pending:
    """An event to be, and the lines that it is made of."""

    draft: Draft
    lines: list[RawLine]
    clean: Mapping[str, str]  # of the first line

    def add(self, draft: Draft) -> None:
        """Another line of the event: its amount on top, the earlier time."""
        if draft.amount is not None:
            self.draft.amount = draft.amount + (self.draft.amount or Decimal(0))
        self.draft.at = min(self.draft.at, draft.at)


@dataclass
class Import:
    """One run over a file. `refuse` is told of each refused line, `progress` of the tally now and then."""

    mapping: FileMapping
    at: datetime
    refuse: Callable[[RefusedLine], None]
    progress: Callable[[Tally], None]
    tally: Tally = field(default_factory=Tally)

    def run(self, lines: Iterable[RawLine]) -> Tally:
        """Take in everything; what was taken in before is counted as known."""
        pending: dict[Any, _Pending] = {}
        for line in lines:
            self._read(line, pending)
            # Lines of one event may stand apart, so their sums wait for the end of the file.
            if not self.mapping.sum_lines and len(pending) >= CHUNK:
                self._flush(pending)
        self._flush(pending)
        self.progress(self.tally)
        return self.tally

    def _read(self, line: RawLine, pending: dict[Any, _Pending]) -> None:
        self.tally.lines += 1
        self.tally.done = line.done
        if self.tally.lines % CHUNK == 0:
            self.progress(self.tally)
        try:
            made = self._made(line, pending)
        except LineFault as fault:
            self._refuse(line, fault.field, str(fault))
        else:
            for one in made:
                self._add(one, pending)

    def _made(self, line: RawLine, pending: Mapping[Any, _Pending]) -> list[_Pending]:
        if line.values is None:
            raise LineFault("line", line.fault)
        clean = self.mapping.clean(line.values)
        made = [_Pending(draft, [line], clean) for draft in self.mapping.drafts(clean)]
        if self.mapping.sum_lines:
            self._check_same(made, pending)
        return made

    def _check_same(self, made: Iterable[_Pending], pending: Mapping[Any, _Pending]) -> None:
        for one in made:
            known = pending.get(one.draft.external_id)
            if known is not None and (known.draft.customer_ref, known.draft.kind) != (
                one.draft.customer_ref,
                one.draft.kind,
            ):
                raise LineFault("external_id", _("Other lines of this number are about something else."))

    def _add(self, one: _Pending, pending: dict[Any, _Pending]) -> None:
        if not self.mapping.sum_lines:
            pending[len(pending)] = one
            return
        known = pending.setdefault(one.draft.external_id, one)
        if known is not one:
            known.lines += one.lines
            known.add(one.draft)

    def _refuse(self, line: RawLine, name: str, reason: str) -> None:
        self.tally.refused_lines += 1
        self.refuse(RefusedLine(line.number, name, reason, line.raw))

    def _flush(self, pending: dict[Any, _Pending]) -> None:
        waiting = list(pending.values())
        pending.clear()
        for start in range(0, len(waiting), CHUNK):
            self._take_in(waiting[start : start + CHUNK])
            self.progress(self.tally)

    @transaction.atomic
    def _take_in(self, chunk: list[_Pending]) -> None:
        """A chunk goes in whole, with the customers it needs, or not at all."""
        if self.mapping.customers:
            chunk = list(self._with_customers(chunk))
        result = events.ingest(rows=[self._row(one.draft) for one in chunk], at=self.at)
        self.tally.accepted += result.accepted
        self.tally.duplicates += result.duplicates
        for refusal in result.refused:
            self.tally.refused_events += 1
            for line in chunk[refusal.index].lines:
                self._refuse(line, refusal.field, refusal.message)

    def _with_customers(self, chunk: list[_Pending]) -> Iterator[_Pending]:
        """The events whose customer is known or could be registered; the lines of the others are refused."""
        refs = {one.draft.customer_ref for one in chunk}
        known = set(Customer.objects.filter(platform_ref__in=refs).values_list("platform_ref", flat=True))
        waiting = sorted(chunk, key=lambda one: one.draft.at)
        while waiting:
            # Each customer's first event speaks for them; where it will not do, their next one does.
            first: dict[str, _Pending] = {}
            for one in waiting:
                if one.draft.customer_ref not in known:
                    first.setdefault(one.draft.customer_ref, one)
            faults = self._register(list(first.values()))
            known |= first.keys() - faults.keys()
            later = []
            for one in waiting:
                ref = one.draft.customer_ref
                if ref in known:
                    yield one
                elif one is first[ref]:
                    for line in one.lines:
                        self._refuse(line, faults[ref].field, str(faults[ref]))
                else:
                    later.append(one)
            waiting = later

    def _register(self, newcomers: list[_Pending]) -> dict[str, Refused | LineFault]:
        """Register the customers of these events; returns what is wrong, by the reference of the customer."""
        faults: dict[str, Refused | LineFault] = {}
        wanted: list[customers.Newcomer] = []
        for one in newcomers:
            first_seen = timezone.localtime(one.draft.at).date()
            try:
                values = self.mapping.registration(one.clean, first_seen)
            except LineFault as fault:
                faults[one.draft.customer_ref] = fault
            else:
                wanted.append(customers.Newcomer(platform_ref=one.draft.customer_ref, **values))
        made = customers.register_many(wanted, by=None, at=self.at) if wanted else []
        for newcomer, answer in zip(wanted, made, strict=True):
            if isinstance(answer, Refused):
                faults[newcomer.platform_ref] = answer
        self.tally.new_customers += len(newcomers) - len(faults)
        return faults

    def _row(self, draft: Draft) -> events.EventRow:
        amount = None if draft.amount is None else draft.amount.quantize(CENT, ROUND_HALF_UP)
        return events.EventRow(
            customer_ref=draft.customer_ref,
            source=self.mapping.source,
            external_id=draft.external_id,
            kind=draft.kind,
            at=draft.at,
            order_ref=draft.order_ref,
            amount=amount,
            data=draft.data,
        )
