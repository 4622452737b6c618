"""A mapping: how the lines of a foreign file become events and customers. See docs/import-events.md."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _

from risk.models import PlatformEvent
from risk.services.events import UNSTORABLE

Line = Mapping[str, str]  # column -> text; a missing value is not in it
Condition = Callable[[Line], bool]

DATE_FORMAT = "%Y-%m-%d"
LONGEST = {"customer": 64, "name": 120, "region": 64}


class MappingFault(Exception):
    """The mapping itself is wrong; the message says where."""


class LineFault(Exception):
    """A line does not give what the mapping asks of it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(slots=True)
class Draft:
    """An event as a line tells of it; `amount` is not rounded yet, as lines may have to be added up."""

    customer_ref: str
    external_id: str
    kind: str
    at: datetime
    order_ref: str
    amount: Decimal | None
    data: Mapping[str, str]


@dataclass(frozen=True)
class Text:
    """A text with columns in braces: `uk-{CustomerID}`."""

    template: str
    columns: frozenset[str]

    def of(self, line: Line, name: str) -> str:
        missing = sorted(self.columns - line.keys())
        if missing:
            raise LineFault(name, _("%s is missing.") % ", ".join(missing))
        return self.template.format_map(line)


@dataclass(frozen=True)
class Moment:
    """A date or time in a column, in its format, with days added; the first of several that is there."""

    choices: tuple[tuple[str, str, int], ...]  # column, format, days
    zone: ZoneInfo

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(column for column, _format, _days in self.choices)

    def of(self, line: Line, name: str) -> datetime:
        for column, format, days in self.choices:
            if column in line:
                return self._read(line[column], format, name).replace(tzinfo=self.zone) + timedelta(days)
        raise LineFault(name, _("%s is missing.") % ", ".join(sorted(self.columns)))

    def _read(self, text: str, format: str, name: str) -> datetime:
        try:
            return _parsed(text, format)
        except ValueError:
            told = {"text": text, "format": format}
            raise LineFault(name, _("%(text)s is not a date like %(format)s.") % told) from None


@lru_cache(maxsize=4096)  # the lines of one order share their time
def _parsed(text: str, format: str) -> datetime:
    return datetime.strptime(text, format)  # noqa: DTZ007 - the mapping's zone comes next


@dataclass(frozen=True)
class Amount:
    """The product of columns, without its sign if so wished."""

    factors: tuple[str, ...]
    absolute: bool

    def of(self, line: Line, name: str) -> Decimal:
        product = Decimal(1)
        for column in self.factors:
            if column not in line:
                raise LineFault(name, _("%s is missing.") % column)
            product *= self._read(line[column], name)
        return abs(product) if self.absolute else product

    def _read(self, text: str, name: str) -> Decimal:
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise LineFault(name, _("%s is not a number.") % text)
        return value


@dataclass(frozen=True)
class EventRule:
    """One kind of event that a line may tell of."""

    kind: str
    when: Condition
    external_id: Text
    at: Moment
    amount: Amount | None = None
    order_ref: Text | None = None
    data: Mapping[str, Text] = field(default_factory=dict)

    def draft(self, line: Line, customer_ref: str) -> Draft:
        return Draft(
            customer_ref=customer_ref,
            external_id=self.external_id.of(line, "external_id"),
            kind=self.kind,
            at=self.at.of(line, "at"),
            order_ref=self.order_ref.of(line, "order_ref") if self.order_ref else "",
            amount=self.amount.of(line, "amount") if self.amount else None,
            data={name: text.of(line, "data") for name, text in self.data.items()},
        )


@dataclass(frozen=True)
class NewCustomers:
    """How a customer that we do not know yet is registered."""

    kind: str
    name: Text
    language: str
    registered_on: Moment | None
    region: Text | None


@dataclass(frozen=True)
class FileMapping:
    """The whole mapping. `sum_lines`: lines with the same number are one event, their amounts added up."""

    source: str
    format: str
    delimiter: str
    encoding: str
    missing: frozenset[str]
    sentinels: Mapping[str, frozenset[str]]
    customer: Text
    customers: NewCustomers | None
    sum_lines: bool
    rules: tuple[EventRule, ...]
    columns: frozenset[str]

    def clean(self, raw: Mapping[str, Any]) -> dict[str, str]:
        """The line without what stands for nothing; raises `LineFault` for what no database can hold."""
        texts = {name: str(value).strip() for name, value in raw.items() if value is not None and name}
        if any(map(UNSTORABLE.search, texts.values())):
            raise LineFault("line", _("The line has characters that cannot be kept."))
        return {
            name: text
            for name, text in texts.items()
            if text not in self.missing and text not in self.sentinels.get(name, ())
        }

    def drafts(self, line: Line) -> list[Draft]:
        """Every event that the line tells of; raises `LineFault` when one cannot be read, and gives none."""
        customer_ref = self.customer.of(line, "customer")
        if len(customer_ref) > LONGEST["customer"]:
            raise LineFault("customer", _("At most %d characters, please.") % LONGEST["customer"])
        found = [rule.draft(line, customer_ref) for rule in self.rules if rule.when(line)]
        if not found:
            raise LineFault("events", _("No event of the mapping fits this line."))
        return found

    def registration(self, line: Line, first_seen: date) -> dict[str, Any]:
        """What `customers.register` needs for the customer of this line, beside the reference."""
        assert self.customers is not None
        since = self.customers.registered_on
        texts = {
            "name": self.customers.name.of(line, "customer"),
            "region": self.customers.region.of(line, "region") if self.customers.region else "",
        }
        for name, text in texts.items():
            if len(text) > LONGEST[name]:
                raise LineFault(name, _("At most %d characters, please.") % LONGEST[name])
        return {
            **texts,
            "kind": self.customers.kind,
            "language": self.customers.language,
            "registered_on": since.of(line, "registered_on").date() if since else first_seen,
        }


# --- reading the mapping ------------------------------------------------------------------------------------


def load(text: str, default_zone: str) -> FileMapping:
    """The mapping in a JSON text; raises `MappingFault` with the place of the first mistake."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise MappingFault(_("The mapping is not JSON: %s") % error) from None
    return _Reader(default_zone).mapping(raw)


class _Reader:
    """Reads a mapping part by part, knowing where it is and which columns were named."""

    def __init__(self, default_zone: str) -> None:
        self.default_zone = default_zone
        self.columns: set[str] = set()

    def mapping(self, raw: Any) -> FileMapping:
        known = {"source", "format", "delimiter", "encoding", "timezone", "missing", "sentinels", "customer"}
        raw = self.object(raw, "mapping", known | {"create_customers", "sum_lines", "events"})
        self.zone = self._zone(raw.get("timezone", self.default_zone))
        rules = raw.get("events")
        if not isinstance(rules, list) or not rules:
            raise MappingFault(_("%s: name at least one event.") % "events")
        sentinels = self.object(raw.get("sentinels", {}), "sentinels")
        return FileMapping(
            source=self.text(raw.get("source"), "source"),
            format=self.one_of(raw.get("format", "csv"), "format", ("csv", "jsonl")),
            delimiter=self.text(raw.get("delimiter", ","), "delimiter"),
            encoding=self.text(raw.get("encoding", "utf-8"), "encoding"),
            missing=frozenset(["", *self.texts(raw.get("missing", []), "missing")]),
            sentinels={c: frozenset(self.texts(v, f"sentinels.{c}")) for c, v in sentinels.items()},
            customer=self.template(raw.get("customer"), "customer"),
            customers=self.customers(raw.get("create_customers", False)),
            sum_lines=self.flag(raw.get("sum_lines", False), "sum_lines"),
            rules=tuple(self.rule(rule, f"events[{n}]") for n, rule in enumerate(rules)),
            columns=frozenset(self.columns),
        )

    def rule(self, raw: Any, place: str) -> EventRule:
        known = {"kind", "when", "external_id", "order_ref", "at", "amount", "data"}
        raw = self.object(raw, place, known)
        data = self.object(raw.get("data", {}), f"{place}.data")
        kind = self.one_of(raw.get("kind"), f"{place}.kind", PlatformEvent.Kind.values)
        if kind in PlatformEvent.MONEY and "amount" not in raw:
            raise MappingFault(_("%s: an event of this kind needs an amount.") % f"{place}.amount")
        return EventRule(
            kind=kind,
            when=self.condition(raw["when"], f"{place}.when") if "when" in raw else lambda line: True,
            external_id=self.template(raw.get("external_id"), f"{place}.external_id"),
            order_ref=self.template(raw["order_ref"], f"{place}.order_ref") if "order_ref" in raw else None,
            at=self.moment(raw.get("at"), f"{place}.at"),
            amount=self.amount(raw["amount"], f"{place}.amount") if "amount" in raw else None,
            data={name: self.template(text, f"{place}.data.{name}") for name, text in data.items()},
        )

    def condition(self, raw: Any, place: str) -> Condition:
        raw = self.object(raw, place)
        for word, combine in (("all", all), ("any", any)):
            if word in raw:
                self.object(raw, place, {word})
                parts = [self.condition(part, f"{place}.{word}") for part in raw[word]]
                return lambda line: combine(part(line) for part in parts)
        if "not" in raw:
            self.object(raw, place, {"not"})
            inner = self.condition(raw["not"], f"{place}.not")
            return lambda line: not inner(line)
        return self.test(raw, place)

    def test(self, raw: Mapping[str, Any], place: str) -> Condition:
        """One column, tested in one way; a missing value is only ever `present: false`."""
        column = self.column(raw.get("column"), f"{place}.column")
        tests = sorted(raw.keys() - {"column"})
        if len(tests) != 1 or tests[0] not in ("starts_with", "equals", "in", "present"):
            raise MappingFault(_("%s: use one of starts_with, equals, in, present.") % place)
        word, value = tests[0], raw[tests[0]]
        if word == "present":
            wanted = self.flag(value, f"{place}.present")
            return lambda line: (column in line) == wanted
        if word == "starts_with":
            prefix = self.text(value, f"{place}.starts_with")
            return lambda line: line.get(column, "").startswith(prefix)
        allowed = {value} if word == "equals" else set(self.texts(value, f"{place}.in"))
        return lambda line: line.get(column) in allowed

    def moment(self, raw: Any, place: str) -> Moment:
        choices = raw if isinstance(raw, list) else [raw]
        return Moment(tuple(self.choice(one, place) for one in choices), self.zone)

    def choice(self, raw: Any, place: str) -> tuple[str, str, int]:
        raw = self.object(raw, place, {"column", "format", "plus_days"})
        days = raw.get("plus_days", 0)
        if not isinstance(days, int):
            raise MappingFault(_("%s: must be a whole number.") % f"{place}.plus_days")
        format = self.text(raw.get("format", DATE_FORMAT), f"{place}.format")
        return self.column(raw.get("column"), f"{place}.column"), format, days

    def amount(self, raw: Any, place: str) -> Amount:
        raw = self.object(raw, place, {"column", "times", "absolute"})
        factors = self.texts(raw.get("times", [raw.get("column")]), f"{place}.times")
        columns = tuple(self.column(factor, place) for factor in factors)
        return Amount(columns, self.flag(raw.get("absolute", False), f"{place}.absolute"))

    def customers(self, raw: Any) -> NewCustomers | None:
        if raw is False:
            return None
        known = {"kind", "name", "language", "registered_on", "region"}
        raw = self.object({} if raw is True else raw, "create_customers", known)
        since, region = raw.get("registered_on"), raw.get("region")
        return NewCustomers(
            kind=self.one_of(raw.get("kind", "PERSON"), "create_customers.kind", ("PERSON", "COMPANY")),
            name=self.template(raw.get("name", _("Imported customer")), "create_customers.name"),
            language=self.one_of(raw.get("language", "en"), "create_customers.language", ("en", "zh-hans")),
            registered_on=self.moment(since, "create_customers.registered_on") if since else None,
            region=self.template(region, "create_customers.region") if region else None,
        )

    # --- the small parts ---

    def template(self, raw: Any, place: str) -> Text:
        template = self.text(raw, place)
        try:
            parsed = list(Formatter().parse(template))
        except ValueError:
            raise MappingFault(_("%s: the braces do not match.") % place) from None
        names = frozenset(name for _literal, name, _spec, _conversion in parsed if name is not None)
        if any(not name or name != name.strip() or set(".[") & set(name) for name in names):
            raise MappingFault(_("%s: name a column between the braces.") % place)
        self.columns |= names
        return Text(template, names)

    def column(self, raw: Any, place: str) -> str:
        name = self.text(raw, place)
        self.columns.add(name)
        return name

    def object(self, raw: Any, place: str, known: set[str] | None = None) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise MappingFault(_("%s: must be an object.") % place)
        if known is not None and (unknown := sorted(raw.keys() - known)):
            raise MappingFault(_("%(place)s: there is no %(word)s.") % {"place": place, "word": unknown[0]})
        return raw

    def text(self, raw: Any, place: str) -> str:
        if not isinstance(raw, str) or not raw:
            raise MappingFault(_("%s: must be a text.") % place)
        return raw

    def texts(self, raw: Any, place: str) -> list[str]:
        if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
            raise MappingFault(_("%s: must be a list of texts.") % place)
        return raw

    def flag(self, raw: Any, place: str) -> bool:
        if not isinstance(raw, bool):
            raise MappingFault(_("%s: must be true or false.") % place)
        return raw

    def one_of(self, raw: Any, place: str, allowed: Sequence[str]) -> str:
        if raw not in allowed:
            raise MappingFault(
                _("%(place)s: use one of %(words)s.") % {"place": place, "words": ", ".join(allowed)}
            )
        return raw

    def _zone(self, name: Any) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, TypeError):
            raise MappingFault(_("%s: there is no such time zone.") % "timezone") from None
