"""Several processes that each live a part of the story, in step with each other."""

import multiprocessing
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from django.db import connections


class Mishap(Exception):
    """What went wrong in another process, with its trace."""


class Crew:
    """The first hand works in this process, each other one in a process and on a connection of its own."""

    def __init__(self, hands: Sequence[Any]) -> None:
        self._first, *self._others = hands
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []

    def __enter__(self) -> Self:
        if self._others:
            connections.close_all()  # a connection cannot be shared with a child
        fork = multiprocessing.get_context("fork")
        for hand in self._others:
            ours, theirs = fork.Pipe()
            self._pipes.append(ours)
            process = fork.Process(target=_work, args=(hand, theirs, self._pipes), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.close()
            process.join(timeout=5)
            if process.is_alive():
                process.terminate()

    def all(self, part: str, *arguments: Any) -> None:
        """Every hand does this part; returns when all of them have. Raises Mishap."""
        for pipe in self._pipes:
            pipe.send((part, arguments))
        getattr(self._first, part)(*arguments)
        for pipe in self._pipes:
            if trouble := pipe.recv():
                raise Mishap(trouble)


def _work(hand: Any, pipe: Connection, of_parent: Sequence[Connection]) -> None:
    for end in of_parent:  # held here too, a parent that is killed would never be missed
        end.close()
    while True:
        try:
            part, arguments = pipe.recv()
        except EOFError:
            connections.close_all()
            return
        try:
            getattr(hand, part)(*arguments)
            pipe.send("")
        except Exception:
            pipe.send(traceback.format_exc())
