"""The disk of the simulated machine: runs the store's jobs inside the loop, and fails on demand.

Errors are those that SQLite meets: a write that the kernel refuses (RLIMIT_FSIZE, set while the
job runs) and "database or disk is full" (raised by the connection at the statement).
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")
WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT", "REPLACE", "CREATE")


class Disk(Executor):
    """An executor: one job at a time, in order, in virtual time."""

    def __init__(self, rng: Random) -> None:
        self._loop = asyncio.get_running_loop()
        self._rng = rng
        self.is_full = False
        self.is_failing = False
        self.slow_s = 0.0
        """Longest time of a job."""
        self.jobs = 0
        self.before: Callable[[], None] | None = None
        self.after: Callable[[], None] | None = None
        """Called once, around the next job: where a power cut may strike."""
        self.each: Callable[[], None] | None = None
        """Called after every job."""
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_busy = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()

        def do() -> None:
            before, self.before = self.before, None
            if before is not None:
                before()
            self._run(future, lambda: fn(*args, **kwargs))
            if self.each is not None:
                self.each()
            after, self.after = self.after, None
            if after is not None:
                after()

        if not self.slow_s and not self._is_busy:
            do()
        else:
            self._waiting.append(do)
            self._begin()
        return future

    def _begin(self) -> None:
        if self._waiting and not self._is_busy:
            self._is_busy = True
            self._loop.call_later(self._rng.uniform(0, self.slow_s), self._end)

    def _end(self) -> None:
        self._is_busy = False
        self._waiting.popleft()()
        self._begin()

    def _run(self, future: Future[T], work: Callable[[], T]) -> None:
        self.jobs += 1
        try:
            with self._troubles():
                result = work()
        except Exception as error:  # noqa: BLE001 - an executor hands every error over
            future.set_exception(error)
        else:
            future.set_result(result)

    @contextmanager
    def _troubles(self) -> Generator[None]:
        _Connection.is_full = self.is_full
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        if self.is_failing:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            _Connection.is_full = False
            if self.is_failing:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class _Connection(sqlite3.Connection):
    """A connection whose disk may be full."""

    is_full = False

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if _Connection.is_full and sql.lstrip().upper().startswith(WRITES):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        return super().execute(sql, *parameters)


@contextmanager
def simulated_disk() -> Generator[None]:
    """Let databases be opened on the simulated disk."""
    real = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return real(*args, **{"factory": _Connection, **kwargs})

    with patch.object(sqlite3, "connect", connect):
        yield
