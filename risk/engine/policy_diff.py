"""What differs between two versions of a policy, rule by rule and row by row, on plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from risk.engine import terms

ADDED, REMOVED, CHANGED = "ADDED", "REMOVED", "CHANGED"


@dataclass(frozen=True)
class Change:
    """`where` is a rule's code, or a row of the matrix; `part` what of it differs, "" for the whole."""

    kind: str
    where: str
    part: str
    before: Any
    after: Any


def rules(before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> list[Change]:
    """Rules by their code. Their order decides only which reasons come first, and is not compared."""
    old, new = ({rule["code"]: rule for rule in found} for found in (before, after))
    return _changes(old, new)


def matrix(before: terms.Matrix, after: terms.Matrix) -> list[Change]:
    """Rows by grade and place."""
    old, new = (
        {name: row for grade in sorted(found) for name, row in terms.rows_of(found, grade)}
        for found in (before, after)
    )
    return _changes(old, new)


def _changes(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> list[Change]:
    found = [Change(REMOVED, where, "", told(old[where]), "") for where in old if where not in new]
    found += [Change(ADDED, where, "", "", told(new[where])) for where in new if where not in old]
    for where in new:
        if where in old:
            for part in sorted(old[where].keys() | new[where].keys()):
                was, now = old[where].get(part, ""), new[where].get(part, "")
                if str(was) != str(now):
                    found.append(Change(CHANGED, where, part, was, now))
    return found


def told(row: Mapping[str, Any]) -> str:
    """A rule or a row on one line."""
    return "; ".join(f"{name}: {value}" for name, value in row.items() if name != "code")
