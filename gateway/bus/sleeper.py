"""Wake at an exact moment: asyncio's own timers are rounded up to the next millisecond.

On a line at 9600 baud that millisecond after every silent interval is one percent of all
readings. A timerfd is as exact as the kernel, and costs no spinning.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
from typing import Protocol

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC


class Sleeper(Protocol):
    """Lets a line wait for a loop time."""

    async def until(self, when: float) -> None:
        """Return at `when`, or shortly after, never before."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


def make_sleeper() -> Sleeper:
    """Return the most exact sleeper for the running loop.

    A loop with a time of its own (tests in virtual time) is exact by itself, and a timer of the
    kernel would not know its time.
    """
    loop = asyncio.get_running_loop()
    if type(loop).time is not asyncio.BaseEventLoop.time:
        return LoopSleeper()
    try:
        return TimerfdSleeper()
    except (OSError, AttributeError):
        return LoopSleeper()


class LoopSleeper:
    """Sleeps by the loop's timers."""

    async def until(self, when: float) -> None:
        """Return at `when`; the loop rounds its timers up, never down."""
        loop = asyncio.get_running_loop()
        left = when - loop.time()
        if left > 0:
            await asyncio.sleep(left)

    def close(self) -> None:
        """Do nothing: it holds nothing."""


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


class TimerfdSleeper:
    """Sleeps by a timerfd(2) on the monotonic clock, which is the loop's."""

    def __init__(self) -> None:
        """Open the timer.

        Raises:
            OSError: the kernel has none for us.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _Itimerspec()
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._rang)

    async def until(self, when: float) -> None:
        """Return at `when`."""
        while self._loop.time() < when:
            seconds, nanoseconds = divmod(math.ceil(when * 1e9), 1_000_000_000)
            self._spec.value.seconds = seconds
            self._spec.value.nanoseconds = nanoseconds
            self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(self._spec), None)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def close(self) -> None:
        """Close the timer."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _rang(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
