"""`make run`: servers, database, demo, web, worker and beat, until Ctrl-C."""

import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil
import psycopg
from psycopg import sql

from config import env
from config.local.console import Trouble, say, step
from config.local.processes import Process, manage
from config.local.servers import LOCAL, Postgres, Servers, demo_servers

QUEUES = "scoring,money,contacts,default"


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        shown = "127.0.0.1" if self.host in {"", "0.0.0.0", "::"} else self.host  # noqa: S104
        return f"http://{shown}:{self.port}"


class Stop(BaseException):
    """Somebody pressed Ctrl-C, or the machine goes down."""


def run() -> None:
    """Bring everything up, stay until stopped, bring everything down in the reverse order."""
    address = Address(env.text("HOST", "127.0.0.1"), _port())
    with _stoppable(), ExitStack() as running:
        running.enter_context(_only_one())
        _check_free(address)
        say("OpenTab on this machine")
        private = not env.text("DATABASE_URL")
        _start_servers(running)
        with step("Bringing the database up to date"):
            manage("migrate", "--noinput", "--verbosity", "0")
        _furnish(private)
        processes = _start_processes(running, address)
        with step("Waiting for the first page"):
            _wait_until_served(address, processes)
        _welcome(address)
        _watch(processes)


def _port() -> int:
    try:
        return env.number("PORT", 8000)
    except env.MissingSetting as problem:
        raise Trouble(str(problem)) from None


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the first signal into Stop, wherever we are; a later one does not disturb the stopping."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, lambda *_: say("  Still stopping ..."))
        raise Stop

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, on_signal)
    try:
        yield
    except Stop:
        say("Stopped. `make run` goes on from here.")


@contextmanager
def _only_one() -> Iterator[None]:
    with open(LOCAL / "run.lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Trouble(f"OpenTab already runs from this folder: {lock.read().strip()}.") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, port {env.text('PORT', '8000')}")
        lock.flush()
        yield


def _check_free(address: Address) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as problem:
            raise Trouble(
                f"Port {address.port} cannot be used: {problem.strerror}{_holder_of(address.port)}. "
                f"Choose another: make run PORT={address.port + 1}"
            ) from None


def _holder_of(port: int) -> str:
    """Who listens there, as far as we may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr.port == port and connection.status == psutil.CONN_LISTEN and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""


def _start_servers(running: ExitStack) -> None:
    """Start the private servers that the environment does not replace by others."""
    ours = {name: not env.text(name) for name in ("DATABASE_URL", "REDIS_URL")}
    if not any(ours.values()):
        return
    servers = demo_servers()
    running.callback(_stop_servers, servers)
    os.environ.update(servers.start(postgres=ours["DATABASE_URL"], redis=ours["REDIS_URL"]))
    if ours["DATABASE_URL"] and _demo_unfinished().exists():
        say("  The demo was cut short the last time: beginning it anew")
        Postgres(servers).drop_database()


def _stop_servers(servers: Servers) -> None:
    with step("Stopping PostgreSQL and Redis"):
        servers.stop()


def _demo_unfinished() -> Path:
    return LOCAL / "demo.unfinished"


def _furnish(private: bool) -> None:
    """Fill an empty database with a lively portfolio. DEMO=0 only opens the books; DEMO=1 fills any."""
    if not env.flag("DEMO", private):
        if private and not _has("lending_businessdate"):
            manage("open_books", "--products")
        return
    if _has("lending_customer"):
        return
    say("  Loading the demo portfolio (once; `make run DEMO=0` starts with an empty house)")
    if private:
        _demo_unfinished().touch()
    manage("demo")
    _demo_unfinished().unlink(missing_ok=True)


def _has(table: str) -> bool:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
        ).fetchone()
    return bool(row and row[0])


def _start_processes(running: ExitStack, address: Address) -> list[Process]:
    os.environ["BIND"] = f"{address.host}:{address.port}"
    os.environ.setdefault("WEB_CONCURRENCY", "2")
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    commands = {
        "web": [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "config.wsgi"],
        "worker": [*celery, "worker", "-l", "INFO", "-Q", QUEUES, "-c", "2", "--without-gossip"],
        "beat": [*celery, "beat", "-l", "INFO", "--pidfile=", "-s", str(LOCAL / "beat-schedule")],
    }
    processes = []
    for name, command in commands.items():
        process = Process(name, command, log=LOCAL / "logs" / f"{name}.log")
        running.callback(process.stop)
        processes.append(process)
    return processes


def _wait_until_served(address: Address, processes: list[Process], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not _answers(address):
        _raise_if_ended(processes)
        if time.monotonic() > end:
            raise Trouble(f"The site does not answer at {address}.\n{processes[0].last_lines()}")
        time.sleep(0.2)


def _answers(address: Address) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False


def _raise_if_ended(processes: list[Process]) -> None:
    for process in processes:
        if process.ended():
            raise Trouble(f"{process.name} ended by itself:\n{process.last_lines()}\nMore in {process.log}")


def _welcome(address: Address) -> None:
    say(f"""
  Customers   {address}/
  Staff       {address}/admin/
  API         {address}/api/docs/
{_demo_logins()}
  Logs        {LOCAL / "logs"}
  Ctrl-C stops everything; the data stays in {LOCAL}
""")


def _demo_logins() -> str:
    """Who can sign in with the demo's password; nothing where there is no demo."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT is_staff, username, email FROM lending_user"
            " WHERE email LIKE '%@example.com' AND is_active AND NOT starts_with(password, '!') ORDER BY id"
        ).fetchall()
    staff = [username for is_staff, username, _email in found if is_staff]
    customers = [email for is_staff, _username, email in found if not is_staff]
    lines = [f"\n  Sign in, with the password {env.text('DEMO_PASSWORD', 'demo')}"] if found else []
    lines += [f"  - staff     {', '.join(staff)}"] if staff else []
    lines += [f"  - customers {', '.join(customers[:3])}"] if customers else []
    return "\n".join(lines + [""]) if lines else ""


def _watch(processes: list[Process]) -> None:
    while True:
        _raise_if_ended(processes)
        time.sleep(0.5)
