"""Dividing an amount so that nothing is lost and nobody gets more than a unit too much."""

from collections.abc import Sequence
from decimal import Decimal

from lending.engine.money import from_minor, to_minor


def allocate(total: Decimal, weights: Sequence[Decimal | int], decimals: int = 2) -> list[Decimal]:
    """Divide ``total`` by ``weights`` with the largest remainder method (Hamilton); the parts sum to it.

    Every part is its exact share rounded towards zero, and the units left over go to the largest remainders,
    earlier parts first. Raises ValueError for no weights, a negative weight, weights that are all zero, or a
    total with more decimals than ``decimals``.
    """
    shares = [Decimal(weight) for weight in weights]
    if not shares or min(shares) < 0 or not any(shares):
        raise ValueError("weights must be at least one, none negative, not all zero")
    minor = to_minor(total, decimals)
    parts = allocate_minor(abs(minor), _whole(shares))
    sign = -1 if minor < 0 else 1
    return [from_minor(sign * part, decimals) for part in parts]


def allocate_minor(total: int, weights: Sequence[int]) -> list[int]:
    """The same for whole minor units (``total`` >= 0) and whole weights."""
    whole = sum(weights)
    parts, remainders = [], []
    for weight in weights:
        part, rest = divmod(total * weight, whole)
        parts.append(part)
        remainders.append(rest)
    left = total - sum(parts)
    for index in sorted(range(len(parts)), key=lambda i: (-remainders[i], i))[:left]:
        parts[index] += 1
    assert sum(parts) == total, "a split must give back what it divided"
    return parts


def _whole(shares: Sequence[Decimal]) -> list[int]:
    """Weights scaled to integers in their own proportion."""
    finest = min(int(share.as_tuple().exponent) for share in shares)
    return [int(share.scaleb(-finest)) if finest < 0 else int(share) for share in shares]
