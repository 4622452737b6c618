import pytest
from hypothesis import given
from hypothesis import strategies as st

from lending.engine import allocate
from tests.lending.engine.cases import D


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        ("100.00", [1, 1, 1], "33.34 33.33 33.33"),
        ("0.05", [1, 1], "0.03 0.02"),
        ("100.00", [D("0.5"), D("0.3"), D("0.2")], "50.00 30.00 20.00"),
        ("1.00", [3, 2, 2], "0.43 0.29 0.28"),
        ("-1.00", [1, 2], "-0.33 -0.67"),
        ("0.01", [0, 0, 1], "0.00 0.00 0.01"),
    ],
)
def test_largest_remainder(total: str, weights: list, parts: str) -> None:
    assert " ".join(map(str, allocate(D(total), weights))) == parts


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any),
    st.integers(0, 4),
)
def test_nothing_is_lost_and_nobody_is_a_unit_off(minor: int, weights: list[int], decimals: int) -> None:
    unit = D(1).scaleb(-decimals)
    total = minor * unit
    parts = allocate(total, weights, decimals)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < unit * sum(weights)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_weights_that_share_nothing_out_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(D("1.00"), weights)


def test_a_total_finer_than_the_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="decimals"):
        allocate(D("1.005"), [1, 1])
