"""The house rules that a program can hold."""

import ast
import collections
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from celery import current_app
from celery.app.routes import MapRoute
from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from config import schedule
from config.local.run import QUEUES

ROOT = Path(__file__).resolve().parent.parent
APPS = ("lending", "risk", "collections/dunning")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


# --- the collections source root -------------------------------------------------------------------------


def test_python_keeps_its_own_collections():
    assert not Path(collections.__file__).is_relative_to(ROOT)


def test_python_keeps_its_own_collections_when_started_in_the_repository():
    done = run(sys.executable, "-c", "import config, collections; print(collections.__file__)")
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).is_relative_to(ROOT)


def test_the_collections_folder_is_no_package():
    assert [path.name for path in (ROOT / "collections").iterdir() if path.is_file()] == []


def test_the_source_root_comes_after_the_standard_library():
    assert sys.path.index(str(ROOT / "collections")) > sys.path.index(str(Path(ast.__file__).parent))


# --- imports -----------------------------------------------------------------------------------------------


def test_imports_point_one_way():
    path = f"{ROOT}:{ROOT / 'collections'}"
    lint = Path(sys.executable).parent / "lint-imports"
    done = run("env", f"PYTHONPATH={path}", str(lint), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


# --- the clock ---------------------------------------------------------------------------------------------

CLOCK = "lending/clock.py"
READINGS = {"now", "utcnow", "today", "localdate", "time", "time_ns", "Now"}
CLOCK_OWNERS = {"timezone", "datetime", "date", "time", "functions", "dj_timezone"}
CLOCK_MODULES = {"django.utils.timezone", "time", "django.db.models.functions"}
# What the database calls its own clock; `now()` only where it is SQL that says it.
SQL_CLOCK = re.compile(
    r"\b(CURRENT_(DATE|TIME|TIMESTAMP)|LOCALTIME(STAMP)?)\b|\b(clock|statement|transaction)_timestamp\("
    r"|\b(SELECT|UPDATE|INSERT|DELETE)\b(?s:.*)\b(now|NOW)\(\)"
)
COLUMN_OPTIONS = {"auto_now", "auto_now_add"}


def clock_readings(tree: ast.AST) -> Iterator[int]:
    """The lines that read the wall clock, by attribute, by import or through a column that does."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id=owner)):
                found = name in READINGS and owner in CLOCK_OWNERS
            case ast.Attribute(attr=name, value=ast.Attribute(attr=owner)):
                found = name in READINGS and owner in CLOCK_OWNERS
            case ast.Call(func=ast.Attribute(attr="localtime"), args=[]):
                found = True
            case ast.ImportFrom(module=module, names=names):
                found = module in CLOCK_MODULES and any(alias.name in READINGS for alias in names)
            case ast.keyword(arg=name):
                found = name in COLUMN_OPTIONS
            case ast.Constant(value=str(text)):
                found = SQL_CLOCK.search(text) is not None
            case _:
                found = False
        if found:
            yield getattr(node, "lineno", 0)


@pytest.mark.parametrize(
    "line",
    [
        "timezone.now()",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "DateTimeField(default=timezone.now)",
        "DateTimeField(auto_now_add=True)",
        "from django.utils.timezone import now",
        "timezone.localtime()",
        "functions.Now()",
        '"UPDATE t SET at = now()"',
        '"due_on < CURRENT_DATE"',
    ],
)
def test_a_reading_of_the_clock_is_seen(line):
    assert list(clock_readings(ast.parse(line)))


@pytest.mark.parametrize("line", ["timezone.localtime(at)", "clock.now()", "date(2026, 1, 1)", "x.today"])
def test_other_lines_are_not_taken_for_one(line):
    assert not list(clock_readings(ast.parse(line)))


def test_only_the_clock_reads_the_clock():
    readings = [
        f"{path.relative_to(ROOT)}:{line}"
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts and path != ROOT / CLOCK
        for line in clock_readings(ast.parse(path.read_text()))
    ]
    assert readings == []


LOCKS_KEYS = re.compile(r"\bFOR UPDATE\b|select_for_update\((?!no_key=True)")


def test_a_lock_holds_up_nobody_who_only_refers_to_the_row():
    """`FOR UPDATE` would: the commit of a notice would wait for whoever works for its customer, and he for the loan."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for app in (*APPS, "config")
        for path in sorted((ROOT / app).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if LOCKS_KEYS.search(line)
    ]
    assert found == []


SHIFTED = """
import time_machine, pytest, sys
traveller = time_machine.travel({moment!r}, tick=True)
traveller.start()
sys.exit(pytest.main({arguments!r}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["2031-02-28T23:59:30+08:00", "2019-12-31T16:00:00+00:00"])
def test_the_domain_does_not_notice_what_the_wall_clock_says(moment):
    """A part of the suite in a process whose clock stands years away, at the edge of a day: the same outcome."""
    files = ["tests/lending/test_close.py", "tests/lending/test_lines.py", "tests/dunning/test_promises.py"]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SHIFTED.format(moment=moment, arguments=["-q", "-p", "no:cacheprovider", "-x", *files]),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TEST_DATABASE_NAME": f"{connection.settings_dict['NAME']}_shifted"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


# --- requirements ------------------------------------------------------------------------------------------


def requirement_lines() -> list[tuple[str, str]]:
    """(heading, line) of each requirement."""
    heading, lines = "", []
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line.startswith("#"):
            heading = line
        elif line:
            lines.append((heading, line))
    return lines


def test_each_requirement_is_pinned_to_what_is_installed():
    for _heading, line in requirement_lines():
        name, version = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)(?:\s+#.*)?", line).groups()
        assert importlib.metadata.version(name) == version, name


def test_each_requirement_that_we_chose_says_why():
    chosen = [line for heading, line in requirement_lines() if "for a reason" in heading]
    assert len(chosen) > 20
    assert [line for line in chosen if not re.search(r"  # .{5,}", line)] == []


# --- the schedule ------------------------------------------------------------------------------------------


def test_each_scheduled_task_exists_and_has_a_queue_that_somebody_works():
    current_app.loader.import_default_modules()
    routes = MapRoute(schedule.ROUTES)
    for entry in schedule.BEAT_SCHEDULE.values():
        assert entry["task"] in current_app.tasks
        assert routes(entry["task"])["queue"] in QUEUES.split(",")


def test_the_containers_work_the_same_queues():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    commands = [service.get("command") or "" for service in compose["services"].values()]
    worked = {
        queue for text in commands for names in re.findall(r"-Q (\S+)", text) for queue in names.split(",")
    }
    assert worked == set(QUEUES.split(","))


def test_each_dotted_path_in_the_settings_leads_somewhere():
    paths = [*settings.CLOSE_STEPS, *settings.PURCHASE_SCREENS, *settings.NOTICE_SCREENS]
    paths += [settings.SMS_BACKEND, settings.NOTICE_EMAIL_BACKEND, settings.AXES_CLIENT_IP_CALLABLE]
    assert settings.CLOSE_STEPS
    planned = [path for lanes in schedule.CLOSE_PLAN for lane in lanes for path in lane]
    assert sorted(planned) == sorted(settings.CLOSE_STEPS)  # each of them once
    for path in paths:
        assert callable(import_string(path)), path
