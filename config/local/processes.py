"""The processes of a run: each in a session of its own, so that Ctrl-C reaches only their leader."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from config.local.console import Trouble, step

ROOT = Path(__file__).resolve().parent.parent.parent
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>: a signal for the child when its parent dies
LOG_LIMIT = 10_000_000  # bytes


class Process:
    """One that runs beside us and writes its own log."""

    def __init__(self, name: str, command: list[str], *, log: Path):
        self.name, self.log = name, log
        log.parent.mkdir(mode=0o700, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.old"))
        with log.open("ab") as output:
            self.process = _start(command, stdout=output, stderr=subprocess.STDOUT)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def stop(self, *, patience: float = 20) -> None:
        """Ask it to finish what it holds; insist when that takes too long."""
        if self.ended():
            return
        with step(f"Stopping {self.name}"):
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def manage(*arguments: str) -> None:
    """Run a management command to its end, with its output on our terminal.

    Raises Trouble when it fails.
    """
    process = _start([sys.executable, "manage.py", *arguments], stdout=None, stderr=None)
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code:
        raise Trouble(f"`manage.py {' '.join(arguments)}` failed (see above).")


def _start(command: list[str], *, stdout: IO[bytes] | None, stderr: int | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )


def _end_with_parent() -> None:
    # When we are killed so hard that we cannot stop anybody, the kernel does it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
