"""A database with every migration applied, made once and copied by each process of pytest.

Migrating anew takes tens of seconds and has the same result every time; a copy takes a fraction of one.
"""

import hashlib
import os
import subprocess
import sys

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.local.console import Trouble
from config.local.processes import ROOT

PREFIX = "template_opentab_"
KEPT = 4
LOCK = 0x0A_7E_8B  # any number that nobody else takes


def ensure(url: str) -> str:
    """Return the name of a migrated database on the server of `url`, making it first if it is not there."""
    name = PREFIX + fingerprint()
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        if name not in _templates(server):
            _make(server, url, name)
            for old in _templates(server)[:-KEPT]:
                server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(old)))
    return name


def fingerprint() -> str:
    """Changes when a migration does, ours or that of a package."""
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    for path in sorted(ROOT.glob("*/migrations/*.py")) + sorted(ROOT.glob("collections/*/migrations/*.py")):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _templates(server: psycopg.Connection) -> list[str]:
    """The oldest first."""
    found = server.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY oid", [PREFIX]
    ).fetchall()
    return [name for (name,) in found if not name.endswith("_draft")]


def _make(server: psycopg.Connection, url: str, name: str) -> None:
    draft = sql.Identifier(f"{name}_draft")
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(draft))
    server.execute(sql.SQL("CREATE DATABASE {}").format(draft))
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--noinput", "--skip-checks", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": _renamed(url, f"{name}_draft")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Trouble(f"The migrations fail on an empty database:\n{done.stdout}{done.stderr}")
    server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(draft, sql.Identifier(name)))


def _renamed(url: str, database: str) -> str:
    address, _slash, rest = url.rpartition("/")
    return f"{address}/{database}" + (f"?{rest.split('?', 1)[1]}" if "?" in rest else "")
