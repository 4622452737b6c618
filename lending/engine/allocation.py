"""Who is paid first: the order in which a payment meets what is owed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lending.engine.errors import TermsError

PRESETS = ("OLDEST_FIRST", "DUE_THEN_PRINCIPAL")
PROCESSING = ("HORIZONTAL", "VERTICAL")
FUTURE = ("NEXT", "LAST", "NEXT_LAST", "REAMORTISE")
WHEN = ("PAST_DUE", "DUE", "IN_ADVANCE")
PRINCIPAL, INTEREST, FEE, PENALTY = range(4)
COMPONENTS = ("PRINCIPAL", "INTEREST", "FEE", "PENALTY")
PARTS = {f"{when}_{name}": (w, c) for w, when in enumerate(WHEN) for c, name in enumerate(COMPONENTS)}


@dataclass(frozen=True, slots=True)
class Rule:
    """One order of all twelve parts, and where money goes that meets instalments not yet due."""

    order: tuple[str, ...]
    future: str = "NEXT"
    groups: tuple[tuple[int, tuple[int, ...]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.order) != len(PARTS) or set(self.order) != set(PARTS):
            raise TermsError("allocation", f"order must name each of {', '.join(PARTS)} once")
        if self.future not in FUTURE:
            raise TermsError("allocation", f"future must be one of {', '.join(FUTURE)}")
        object.__setattr__(self, "groups", _groups(self.order))


def _groups(order: tuple[str, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """The parts by past due, due and in advance, in the order in which each is first named."""
    groups: dict[int, list[int]] = {}
    for name in order:
        when, component = PARTS[name]
        groups.setdefault(when, []).append(component)
    return tuple((when, tuple(components)) for when, components in groups.items())


@dataclass(frozen=True, slots=True)
class Allocation:
    """Rules per transaction type, with a DEFAULT; HORIZONTAL goes by instalment, VERTICAL by component."""

    processing: str
    rules: tuple[tuple[str, Rule], ...]

    def __post_init__(self) -> None:
        if self.processing not in PROCESSING:
            raise TermsError("allocation", f"processing must be one of {', '.join(PROCESSING)}")
        if "DEFAULT" not in dict(self.rules):
            raise TermsError("allocation", "rules must have a DEFAULT")

    def rule_for(self, event_type: str) -> Rule:
        default = None
        for name, rule in self.rules:
            if name == event_type:
                return rule
            if name == "DEFAULT":
                default = rule
        assert default is not None
        return default

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        rules = data.get("rules")
        if not isinstance(rules, Mapping) or not all(isinstance(rule, Mapping) for rule in rules.values()):
            raise TermsError("allocation", "rules must be an object of rules")
        return cls(
            processing=data.get("processing", ""),
            rules=tuple(
                (name, Rule(tuple(rule.get("order", ())), rule.get("future", "NEXT")))
                for name, rule in rules.items()
            ),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "processing": self.processing,
            "rules": {name: {"order": list(r.order), "future": r.future} for name, r in self.rules},
        }
