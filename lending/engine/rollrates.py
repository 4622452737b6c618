"""Roll rates: of the accounts that stood in one state at the end of a month, how many stood in which a month later.

The same code reads the house's own months and a file of somebody else's history. A state is any word; the order in
which states are shown is that of the first argument that names them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True)
class Matrix:
    """`counts[a][b]` accounts (or money) went from state `a` to state `b` in a month."""

    states: tuple[str, ...]
    counts: tuple[tuple[Decimal, ...], ...]

    @property
    def totals(self) -> tuple[Decimal, ...]:
        """What stood in each state."""
        return tuple(sum(row, Decimal(0)) for row in self.counts)

    def share(self, before: str, after: str) -> Decimal | None:
        """The share that rolled; None where nothing stood in `before`."""
        row = self.states.index(before)
        total = self.totals[row]
        return self.counts[row][self.states.index(after)] / total if total else None

    def shares(self) -> list[list[Decimal | None]]:
        return [[self.share(before, after) for after in self.states] for before in self.states]

    def reaching(self, target: str, months: int) -> list[dict[str, Decimal]]:
        """By number of months from 1 on: the chance of having been in `target` by then, from each state, if every
        month goes like these. A state that nothing was seen to leave stays where it is."""
        steps = [
            [
                (share if share is not None else Decimal(int(one == other)))
                for other, share in zip(self.states, row, strict=True)
            ]
            for one, row in zip(self.states, self.shares(), strict=True)
        ]
        reached = [Decimal(int(state == target)) for state in self.states]
        found = []
        for _month in range(months):
            reached = [
                Decimal(1)
                if state == target
                else sum((share * chance for share, chance in zip(row, reached, strict=True)), Decimal(0))
                for state, row in zip(self.states, steps, strict=True)
            ]
            found.append(
                {state: _rounded(chance) for state, chance in zip(self.states, reached, strict=True)}
            )
        return found


def _rounded(chance: Decimal) -> Decimal:
    return chance.quantize(Decimal("0.00000001"), ROUND_HALF_UP)


def matrix(moves: Iterable[tuple[str, str, Decimal | int]], states: Sequence[str] = ()) -> Matrix:
    """The matrix of moves (before, after, how many); states that `states` does not name follow in order of their
    names."""
    sums: Counter[tuple[str, str]] = Counter()
    for before, after, count in moves:
        sums[before, after] += count  # type: ignore[assignment]
    found = {state for pair in sums for state in pair}
    order = tuple(dict.fromkeys([*states, *sorted(found)]))
    return Matrix(order, tuple(tuple(Decimal(sums[a, b]) for b in order) for a in order))


def moves(history: Iterable[tuple[str, int, str]]) -> Iterable[tuple[str, str, int]]:
    """The moves of accounts given as (account, number of the month, state), in any order; months that do not follow
    each other make no move. Raises ValueError for an account that has two states in one month."""
    months: dict[tuple[str, int], str] = {}
    for account, month, state in history:
        if months.setdefault((account, month), state) != state:
            raise ValueError(f"account {account} has two states in month {month}")
    counts: Counter[tuple[str, str]] = Counter()
    for (account, month), state in months.items():
        if (after := months.get((account, month + 1))) is not None:
            counts[state, after] += 1
    return [(before, after, count) for (before, after), count in counts.items()]
