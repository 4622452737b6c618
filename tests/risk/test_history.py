"""Anyone's table: learned from and measured without a database, leaks named, bad input refused in words."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from risk import history
from risk.importing import table
from risk.importing.files import FileFault


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    rows = 500
    income, debt = rng.lognormal(8, 0.5, rows), rng.lognormal(7, 0.6, rows)
    bad = (rng.random(rows) < 1 / (1 + np.exp(-(-1.3 + 1.6 * (debt / income - 0.4))))).astype(int)
    return pd.DataFrame(
        {
            "loan_id": range(rows),
            "when": pd.date_range("2023-01-01", periods=rows).astype(str),
            "income": income.round(2),
            "debt": debt.round(2),
            "city": rng.choice(["北京", "上海", "广州"], rows),
            "amount_charged_off": bad * rng.integers(500, 900, rows),
            "phone_age": np.where(rng.random(rows) < 0.03, 999999, rng.integers(1, 90, rows)),
            "closed_on": (pd.Timestamp("2023-06-01") + pd.to_timedelta(range(rows), "D")).astype(str),
            "end": np.where(bad == 1, "defaulted", "repaid"),
        }
    )


@pytest.fixture
def file(frame, tmp_path):
    path = tmp_path / "past.csv.gz"
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    return path


def learn(path, *words):
    call_command("train_scorecard", "--data", str(path), *words)


def test_the_command_measures_three_models_and_names_the_leaks(file, tmp_path, capsys):
    options = ["--target", "end", "--positive", "defaulted", "--folds", "2", "--plain", "--json"]
    learn(file, *options, "--report", str(tmp_path / "r"), "--language", "zh-hans")
    told = json.loads(capsys.readouterr().out)
    assert list(told["models"]) == ["scorecard", "binned_logistic", "boosting"]
    for model in told["models"].values():
        assert len(model["folds"]) == 2
        for row in (model, *model["folds"]):
            assert set(history.FIGURES) <= set(row)
            assert row["gini"] == pytest.approx(2 * row["auc"] - 1, abs=1e-9)
    named = {(sign["feature"], sign["kind"]) for sign in told["warnings"]}
    assert {("amount_charged_off", kind) for kind in ("SINGLE_AUC", "SINGLE_IV", "TARGET_LIKE_NAME")} <= named
    assert ("phone_age", "SENTINEL") in named
    assert {"column": "loan_id", "why": "IDENTIFIER"} in told["left_out"]
    assert told["scorecard"]["table_error"] < 1e-9
    page = (tmp_path / "r" / "report.html").read_text()
    assert page.count("<svg") >= 4
    assert 'lang="zh-hans"' in page
    assert not any(outside in page for outside in ("<script", "<link", "src=", "url("))


def test_the_same_without_leaks_and_by_time(file, capsys):
    learn(
        *(file, "--target", "end", "--positive", "defaulted", "--time", "when", "--json", "--plain"),
        *("--exclude", "amount_charged_off", "city"),
    )
    told = json.loads(capsys.readouterr().out)
    assert told["split"] == "time"
    assert told["models"]["scorecard"]["rows"] == 150
    assert {f["name"] for f in told["features"]} == {"income", "debt", "phone_age", "closed_on"}
    assert ("closed_on", "DATE_AFTER") in {(s["feature"], s["kind"]) for s in told["warnings"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "fate"], "no column fate"),
        (["--target", "end", "--exclude", "age"], "no column age"),
        (["--target", "city"], "3 values"),
        (["--target", "end", "--positive", "late"], "does not part the target"),
        (["--target", "end", "--time", "city"], "must hold a date or a number"),
        (["--target", "end", "--exclude", "end"], "cannot be left out"),
        (["--target", "end", "--folds", "1"], "Between 2 and 50"),
        ([], "--target"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(file, options, message):
    with pytest.raises(CommandError, match=message):
        learn(file, *options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,end\n", "no rows"),
        (b"a,end\n1,0\n2,0\n", "one value only"),
        (b"a,end\n1,0\n2,1\n", "At least 10 good and 10 bad"),
        (b"\x1f\x8bbroken", "cannot be read"),
        (b"PK\x03\x04\x00\x00\x00", "not a text file"),
    ],
)
def test_files_that_teach_nothing_are_refused_in_words(tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        learn(path, "--target", "end")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        learn(tmp_path / "none.csv", "--target", "end")


def written(tmp_path: Path, frame: pd.DataFrame, **options) -> Path:
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False, **options)
    return path


def test_columns_are_read_for_what_they_hold(tmp_path):
    rows = 40
    frame = pd.DataFrame(
        {
            "money": ["$1,200.50", "(300)"] * (rows // 2),
            "rate": ["7.5%", "?"] * (rows // 2),
            "comma": ["1.234,5", "-0,125"] * (rows // 2),
            "whole": ["12,345", "1,000,000"] * (rows // 2),
            "day": ["31/12/2020", "01/02/2021"] * (rows // 2),
            "packed": ["20210131", "20201231"] * (rows // 2),
            "word": ["a", "b"] * (rows // 2),
            "same": ["x"] * rows,
            "nothing": [""] * rows,
            "bad": [0, 1] * (rows // 2),
        }
    )
    past = table.read(written(tmp_path, frame, sep=";", encoding="gb18030"), target="bad")
    assert past.table["money"][:2].tolist() == [1200.5, -300]
    assert past.table["rate"][0] == 7.5
    assert past.table["comma"][:2].tolist() == [1234.5, -0.125]
    assert past.table["whole"][:2].tolist() == [12345, 1_000_000]
    assert np.isnan(past.table["rate"][1])
    assert past.table["day"][1] - past.table["day"][0] == 32
    assert past.table["packed"][0] - past.table["packed"][1] == 31
    assert dict(past.left_out) == {"same": "CONSTANT", "nothing": "EMPTY"}
    assert [spec.kind for spec in past.specs if spec.name == "word"] == ["category"]


def test_people_that_come_several_times_are_pointed_out(tmp_path):
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(120), 4)
    frame = pd.DataFrame({"person": [f"p{n}" for n in person], "x": rng.normal(size=480)})
    frame["bad"] = (rng.random(120) < 0.4).astype(int)[person]
    path = written(tmp_path, frame)
    assert {"kind": "GROUP_LIKE", "feature": "person"} in table.read(path, target="bad").signs
    grouped = table.read(path, target="bad", group="person")
    assert grouped.signs == ()
    assert grouped.groups is not None


def test_too_few_groups_to_hold_any_out_are_refused(tmp_path):
    frame = pd.DataFrame(
        {
            "x": [n * 7 % 31 for n in range(90)],
            "who": [n % 9 for n in range(90)],
            "bad": [n % 4 == 0 for n in range(90)],
        }
    )
    past = table.read(written(tmp_path, frame), target="bad", group="who")
    with pytest.raises(FileFault, match="has 9 values; it takes 10 or more"):
        history.learn(past)


def test_a_split_that_cannot_be_tested_is_said_so(tmp_path):
    frame = pd.DataFrame({"x": [n % 7 for n in range(100)], "t": range(100), "bad": [1] * 20 + [0] * 80})
    past = table.read(written(tmp_path, frame.sample(frac=1, random_state=1)), target="bad", time="t")
    with pytest.raises(FileFault, match="only good or only bad"):
        history.learn(past, ratios=0, pairs=0)
