"""Roll rates: the matrix of small histories by hand, of anybody's file, and of a real one against pandas."""

import gzip
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from lending.engine.rollrates import matrix, moves

D = Decimal
REAL = Path(__file__).resolve().parents[4] / "shared/datasets/card_status_months_le_-13.csv.gz"

# Four accounts over three months; one has a gap and one leaves.
HISTORY = [
    *(("a", 1, "M0"), ("a", 2, "M0"), ("a", 3, "M1")),
    *(("b", 3, "M2"), ("b", 1, "M0"), ("b", 2, "M1")),
    *(("c", 1, "M1"), ("c", 3, "M1")),
    *(("d", 1, "M1"), ("d", 2, "M0")),
]


def test_the_matrix_of_a_small_history() -> None:
    found = matrix(moves(HISTORY), ["M0", "M1", "M2"])
    assert found.counts == ((1, 2, 0), (1, 0, 1), (0, 0, 0))
    assert found.totals == (3, 2, 0)
    assert found.share("M0", "M1") == D(2) / 3
    assert found.share("M2", "M2") is None
    assert all(sum(row) == 1 for row in found.shares()[:2])


def test_states_that_nobody_named_come_after_those_named() -> None:
    assert matrix([("b", "a", 1)], ["c"]).states == ("c", "a", "b")


def test_money_rolls_as_accounts_do() -> None:
    found = matrix([("M0", "M1", D("25.50")), ("M0", "M0", D("74.50"))])
    assert found.share("M0", "M1") == D("0.255")


def test_two_states_in_one_month_are_refused_and_the_same_twice_is_not() -> None:
    assert list(moves([("a", 1, "x"), ("a", 1, "x"), ("a", 2, "y")])) == [("x", "y", 1)]
    with pytest.raises(ValueError, match="account a has two states"):
        list(moves([("a", 1, "x"), ("a", 1, "y")]))


def test_the_chance_of_getting_there_grows_with_the_months() -> None:
    found = matrix(
        [("M0", "M0", 90), ("M0", "M1", 10), ("M1", "M0", 50), ("M1", "bad", 50)], ["M0", "M1", "bad"]
    )
    reached = found.reaching("bad", 3)
    # By hand: one month 0 / 0.5; two months 0.05 / 0.5; three months 0.9*0.05 + 0.1*0.5 / 0.5*0.05 + 0.5.
    assert [row["M0"] for row in reached] == [D(0), D("0.05"), D("0.095")]
    assert [row["M1"] for row in reached] == [D("0.5"), D("0.5"), D("0.525")]
    assert [row["bad"] for row in reached] == [1, 1, 1]


def test_a_state_that_nothing_left_stays() -> None:
    assert matrix([("M0", "paid", 1)]).reaching("M0", 2)[-1] == {"M0": 1, "paid": 0}


# --- the command --------------------------------------------------------------------------------------------------


def table(path: Path | str, **options: str) -> list[list[str]]:
    out = StringIO()
    call_command("roll_rates", str(path), csv=True, stdout=out, **options)
    return [line.split(",") for line in out.getvalue().splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "history.csv"
    months = {1: "2026-12", 2: "202701", 3: "2027-02-28"}
    lines = [f"{account},{months[month]},{state}" for account, month, state in HISTORY]
    path.write_text("account,when,bucket\n" + "\n".join(lines) + "\n\n", encoding="utf-8-sig")
    return path


COLUMNS = {"id": "account", "month": "when", "status": "bucket"}


def test_anybodys_columns_and_months_do(file: Path) -> None:
    rows = table(file, order="M2", **COLUMNS)
    assert rows[0] == ["from", "to", "accounts", "share"]
    assert rows[1][:2] == ["M2", "M2"]
    assert {(row[0], row[1]): row[2] for row in rows if row[2] not in ("0", "accounts")} == {
        ("M0", "M0"): "1",
        ("M0", "M1"): "2",
        ("M1", "M0"): "1",
        ("M1", "M2"): "1",
    }


def test_for_people_it_prints_percentages(file: Path) -> None:
    out = StringIO()
    call_command("roll_rates", str(file), stdout=out, **COLUMNS)
    first, *lines = out.getvalue().splitlines()
    assert first.split() == ["from\\to", "M0", "M1", "M2", "accounts"]
    assert lines[0].split() == ["M0", "33.33%", "66.67%", "0.00%", "3"]
    assert lines[2].split() == ["M2", "–", "–", "–", "0"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "There is no column ID, MONTHS_BALANCE, STATUS; the file has: nothing"),
        ("ID,STATUS\n1,0\n", "There is no column MONTHS_BALANCE; the file has: ID, STATUS"),
        ("ID,MONTHS_BALANCE,STATUS\n1,soon,0\n", "Line 2 cannot be read: 1,soon,0"),
        ("ID,MONTHS_BALANCE,STATUS\n1,2026-13,0\n", "Line 2 cannot be read"),
        ("ID,MONTHS_BALANCE,STATUS\n1,-1\n", "Line 2 cannot be read"),
        ("ID,MONTHS_BALANCE,STATUS\n1,-1,0\n1,-1,1\n", "account 1 has two states"),
        ("ID,MONTHS_BALANCE,STATUS\n1,-1,0\n1,-3,1\n", "No account has two months"),
    ],
)
def test_a_file_without_a_history_is_refused_in_words(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(CommandError, match=fault):
        table(path)


def test_what_is_no_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        table(tmp_path / "nothing.csv")
    (tmp_path / "x.csv.gz").write_bytes(b"this is no gzip")
    with pytest.raises(CommandError, match="gzip"):
        table(tmp_path / "x.csv.gz")
    with gzip.open(tmp_path / "y.csv.gz", "wb") as packed:
        packed.write(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="decode"):
        table(tmp_path / "y.csv.gz")


@pytest.mark.skipif(not REAL.exists(), reason=f"the history of real cards is not here: {REAL}")
def test_a_real_history_has_the_matrix_that_pandas_finds() -> None:
    import pandas

    frame = pandas.read_csv(REAL).sort_values(["ID", "MONTHS_BALANCE"])
    later = frame.groupby("ID").shift(-1)
    follows = later["MONTHS_BALANCE"] == frame["MONTHS_BALANCE"] + 1
    counts = pandas.crosstab(frame["STATUS"][follows], later["STATUS"][follows])
    shares = counts.div(counts.sum(axis=1), axis=0)
    rows = table(REAL)[1:]
    assert len(rows) == len(counts) ** 2 == 64
    for before, after, accounts, share in rows:
        assert int(accounts) == counts.loc[before, after]
        assert float(share) == pytest.approx(shares.loc[before, after], abs=1e-12)
