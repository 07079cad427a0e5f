"""A thread that no end of the process waits for: a server that hangs must not hold up a stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeAlias, TypeVar

_T = TypeVar("_T")
_Job: TypeAlias = Callable[[], None]


class Unfinished(Exception):
    """The work ended with an error that is nobody's; its traceback is on stderr."""


class _Post(Generic[_T]):
    """One piece of work, and the way of its result back into the loop."""

    def __init__(self, work: Callable[[], _T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[_T] = self._loop.create_future()
        self.is_over = threading.Event()

    def run(self) -> None:
        """Work, in the thread."""
        tell: Callable[[], None] = self._failed
        try:
            worth = self._work()
            tell = lambda: self._finished(worth)  # noqa: E731 - what to tell is known only here
        finally:
            self.is_over.set()
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(tell)

    def _finished(self, worth: _T) -> None:
        if not self.result.done():
            self.result.set_result(worth)

    def _failed(self) -> None:
        if not self.result.done():
            self.result.set_exception(Unfinished("see the log"))


class DaemonThread:
    """Runs jobs one after the other."""

    def __init__(self, name: str) -> None:
        """Start nothing yet."""
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_last_over: Callable[[], bool] | None = None
        """Says whether the last job is over; None before the first one."""

    @property
    def is_held_up(self) -> bool:
        """Whether a job that its caller gave up still goes on."""
        return self._is_last_over is not None and not self._is_last_over()

    async def run(self, work: Callable[[], _T]) -> _T:
        """Return what `work` returned; when the caller is cancelled, it goes on by itself.

        Raises:
            Unfinished: it ended with an error.
        """
        post = _Post(work)
        self._is_last_over = post.is_over.is_set
        self._jobs.put(post.run)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        return await post.result

    def end(self, last: _Job) -> None:
        """Do `last` after what is under way, then end; returns at once."""
        if self._thread is not None:
            self._jobs.put(last)
            self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
