"""The tables in which a policy is written: a line for each rule, and for each row of limits and prices.

They work without JavaScript: spare lines stand at the end, and the names that rules may use stand beside. With it,
names are completed while one types (static/staff/policy.js). Rules and limits can also be pasted as JSON.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from risk import features
from risk.engine import terms
from risk.engine.policy import SCORE_FACTS
from risk.engine.scorecard import BANDS
from risk.judgment import known_facts
from risk.models import Segment
from risk.reasons import codes, reason_text

SPARE = 3
MOST_LINES = 1000
KINDS = (("KNOCK_OUT", _("declines")), ("REFER", _("refers")))
OUTCOMES = (("", _("approves")), ("REFER", _("refers")), ("DECLINE", _("declines")))
TYPES = {float: _("number"), str: _("text"), bool: _("yes or no"), list: _("list")}
# What the facts mean that are no features.
FACT_WORDS = {
    "asked": _("Amount asked for"),
    "exposure": _("What the customer owes us or may draw already"),
    "monthly_income": _("Monthly income; of a company a month's revenue"),
    "monthly_spend": _("A month's purchases, or invoices, of the last 90 days"),
    "monthly_due": _("To pay us within 30 days, with what is overdue"),
    "affordability": _(
        "What a month leaves: income (of a company revenue less costs) less what is due to us"
    ),
    "overdue_days": _("Days past due with us"),
    "blocked": _("Blocked or closed"),
    "consented": _("Agreed to the assessment"),
    "lender_type": _("Kind of lender"),
    "product": _("Code of the product"),
    "region": _("Region"),
    "industry": _("Code of the industry"),
    "industry_standing": _("GREEN, YELLOW, ORANGE or RED"),
    "age": _("Years of age"),
    "minimum_age": _("Age of majority"),
    "is_student": _("In higher education"),
    "score": _("Score"),
    "pd": _("Probability of default"),
    "grade": _("Grade"),
}
HEADS = {
    "grade": _("Grade"),
    "product": _("Products"),
    "exposure_from": _("Owed already, from"),
    "exposure_below": _("Owed already, below"),
    "affordability_from": _("Left over a month, from"),
    "affordability_below": _("Left over a month, below"),
    "outcome": _("Outcome"),
    "max": _("At most"),
    "share_of_income": _("Times monthly income"),
    "multiple_of_spend": _("Times monthly spend"),
    "multiple_of_affordability": _("Times what a month leaves"),
    "annual_rate": _("Annual rate"),
    "fee_rate": _("Fee rate per instalment"),
}


def names(segments: Sequence[str]) -> list[dict[str, Any]]:
    """Every name that a rule may use, with its type, what it means, and the segments that know it."""
    found: dict[str, dict[str, Any]] = {}
    for segment in segments:
        for name, kind in {**known_facts(segment), **SCORE_FACTS}.items():
            one = found.setdefault(name, {"name": name, "type": str(TYPES[kind]), "segments": []})
            one["label"] = str(features.ALL[name].label if name in features.ALL else FACT_WORDS.get(name, ""))
            one["segments"].append(segment)
    return sorted(found.values(), key=lambda one: one["name"])


class _Table(forms.Widget):
    """Lines of plain values. `faults` has what is wrong, by the name of the line."""

    template = ""
    columns: Sequence[str] = ()

    def __init__(self) -> None:
        super().__init__()
        self.faults: Mapping[str, Sequence[str]] = {}
        self.segments: Sequence[str] = list(Segment.values)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Pasted text as it is, or the lines that somebody wrote something into."""
        if data.get(name, "").strip():
            return data[name]
        count = data.get(f"{name}-count", "")
        if not count.isdecimal():
            return None
        lines = []
        for number in range(min(int(count), MOST_LINES)):
            line = {part: data.get(f"{name}-{number}-{part}", "").strip() for part in self.columns}
            if f"{name}-{number}-delete" not in data and self.is_filled(line):
                lines.append(line)
        return self.from_lines(lines)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}-count" not in data

    def is_filled(self, line: Mapping[str, str]) -> bool:
        raise NotImplementedError

    def from_lines(self, lines: list[dict[str, str]]) -> Any:
        raise NotImplementedError

    def to_lines(self, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
        raise NotImplementedError

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        raw, value = _parsed(value)
        lines = [
            {"place": place, "line": line, "faults": self.faults.get(str(place), self.faults.get(known, ()))}
            for place, (known, line) in enumerate(self.to_lines(value), start=1)
        ]
        blank = {"line": dict.fromkeys(self.columns, ""), "faults": ()}
        lines += [{**blank, "place": len(lines) + 1 + spare} for spare in range(SPARE)]
        context = {"name": name, "raw": raw, "lines": lines, "count": len(lines), **self.context()}
        return mark_safe(render_to_string(self.template, context))  # noqa: S308 - the template escapes

    def context(self) -> dict[str, Any]:
        return {}


def _parsed(value: Any) -> tuple[str, Any]:
    """Text that is no JSON stays text, to be mended; anything else goes into the table."""
    if not isinstance(value, str):
        return "", value
    try:
        return "", json.loads(value)
    except ValueError:
        return value, None


class RulesTable(_Table):
    template = "admin/policy_rules.html"
    columns = ("code", "kind", "expression", "reason")

    def is_filled(self, line: Mapping[str, str]) -> bool:
        return bool(line["code"] or line["expression"] or line["reason"])

    def from_lines(self, lines: list[dict[str, str]]) -> Any:
        return lines

    def to_lines(self, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for rule in value if isinstance(value, list) else []:
            if isinstance(rule, dict):
                yield str(rule.get("code")), {part: rule.get(part, "") for part in self.columns}

    def context(self) -> dict[str, Any]:
        reasons = sorted((code, reason_text(code)) for code in codes())
        return {"kinds": KINDS, "names": names(self.segments), "reasons": reasons}


class MatrixTable(_Table):
    template = "admin/policy_matrix.html"
    columns = tuple(HEADS)

    def is_filled(self, line: Mapping[str, str]) -> bool:
        return any(value for name, value in line.items() if name != "grade")

    def from_lines(self, lines: list[dict[str, str]]) -> Any:
        """One row of a grade stands by itself, several in a list."""
        found: dict[str, list[dict[str, Any]]] = {}
        for line in lines:
            row: dict[str, Any] = {name: value for name, value in line.items() if value and name != "grade"}
            products = [code.strip() for code in row.get("product", "").split(",") if code.strip()]
            if products:
                row["product"] = products if len(products) > 1 else products[0]
            found.setdefault(line["grade"], []).append(row)
        return {grade: rows[0] if len(rows) == 1 else rows for grade, rows in found.items()}

    def to_lines(self, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for grade in sorted(value) if isinstance(value, dict) else []:
            found = value[grade]
            if not isinstance(found, list | dict) or not all(isinstance(r, dict) for r in _listed(found)):
                continue
            for name, row in terms.rows_of(value, grade):
                products = row.get("product", "")
                shown = products if isinstance(products, str) else ", ".join(map(str, products))
                yield (
                    name,
                    {part: row.get(part, "") for part in self.columns} | {"grade": grade, "product": shown},
                )

    def context(self) -> dict[str, Any]:
        return {"heads": HEADS.values(), "grades": list(BANDS), "outcomes": OUTCOMES}

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        # The number of a line says nothing of a row; its name does.
        self.faults = {key: wrong for key, wrong in self.faults.items() if not key.isdecimal()}
        return super().render(name, value, attrs, renderer)


def _listed(rows: Any) -> list[Any]:
    return rows if isinstance(rows, list) else [rows]


class TableField(forms.JSONField):
    """Plain values, from the lines of a table or from pasted text. `empty` is what no line at all means."""

    def __init__(self, *, empty: type, **options: Any) -> None:
        super().__init__(required=False, **options)
        self.empty = empty

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data

    def prepare_value(self, value: Any) -> Any:
        return value

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return self.empty() if found is None else found


FAULT_WORDS = {
    "syntax": _("this is no rule: the way it is written is not right"),
    "unknown name": _("unknown name"),
    "unknown function": _("unknown function"),
    "unknown kind": _("unknown kind"),
    "unknown outcome": _("unknown outcome"),
    "unknown word": _("unknown word"),
    "code used twice": _("code used twice"),
    "types or numbers do not fit": _("types or numbers do not fit"),
    "not true or false": _("it does not answer yes or no"),
    "no row": _("no row"),
    "no such grade": _("no such grade"),
    "a row with an outcome sets neither limit nor price": _(
        "a row with an outcome sets neither limit nor price"
    ),
    "product must be a code or a list of codes": _("product must be a code or a list of codes"),
}


def fault_text(fault: str) -> str:
    """A fault that the engine found, in the reader's language; the rest of it, after a colon, is a name."""
    head, colon, name = fault.partition(": ")
    if head in FAULT_WORDS:
        return f"{FAULT_WORDS[head]}{colon}{name}"
    column, _space, rest = fault.partition(" ")
    words = {
        "must be an amount above zero": gettext("must be an amount above zero"),
        "must be a number": gettext("must be a number"),
        "must be a fraction from 0 to 1, of at most 8 places": gettext(
            "must be a fraction from 0 to 1, of at most 8 places"
        ),
        "ends before it begins": gettext("ends before it begins"),
    }
    return f"{HEADS.get(column, column)}: {words[rest]}" if rest in words else fault
