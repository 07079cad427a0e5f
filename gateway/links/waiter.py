"""A wait that ends inside the callback that ends it, not in the loop's next round.

A task that awaits an `asyncio.Future` goes on one round of the loop after the result is set. On
the way of every reply that costs a poll of the kernel (a fifth of the CPU of an exchange over
TCP) and whatever other callbacks are ready then, which on a serial line is silence at the wrong
time. This is the Future protocol that asyncio describes beside `_asyncio_future_blocking`, in its
smallest form: one callback, no result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from typing import Self


class Waiter:
    """One wait of one task: `await` it once, `wake` it once."""

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_is_cancelled", "_is_done",
                 "_loop")  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._callback: Callable[[Self], object] | None = None
        self._context: Context | None = None
        self._is_done = False
        self._is_cancelled = False

    def __await__(self) -> Generator[Self, None, None]:
        """Wait for `wake`."""
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self

    def wake(self) -> None:
        """End the wait: the task runs now, or next when this is called by another task."""
        if self._is_done:
            return
        self._is_done = True
        callback, context = self._callback, self._context
        if callback is None or context is None:
            return
        if asyncio.current_task(self._loop) is None:
            context.run(callback, self)
        else:
            self._loop.call_soon(callback, self, context=context)

    # The rest is called by the task that waits.

    def add_done_callback(
        self, callback: Callable[[Self], object], *, context: Context | None = None
    ) -> None:
        """Remember how to go on."""
        self._callback = callback
        self._context = context if context is not None else copy_context()

    def remove_done_callback(self, callback: Callable[[Self], object]) -> int:
        """Forget how to go on; return how many were forgotten."""
        if self._callback is not callback:
            return 0
        self._callback = None
        return 1

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - part of the protocol
        """End the wait with CancelledError, in the loop's next round."""
        if self._is_done:
            return False
        self._is_done = self._is_cancelled = True
        if self._callback is not None and self._context is not None:
            self._loop.call_soon(self._callback, self, context=self._context)
        return True

    def result(self) -> None:
        """Raise CancelledError when the wait was cancelled."""
        if self._is_cancelled:
            raise asyncio.CancelledError

    def done(self) -> bool:
        """Whether the wait has ended."""
        return self._is_done

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._is_cancelled

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the waiting task."""
        return self._loop
