"""The clock of the machine, with the word of a reference on whether it is synchronised.

A machine without a battery for its clock wakes up in 1970, or on the day its image was made. What
is below the floor, a time that is known to have passed, cannot be right (see `timeline`).
"""

from __future__ import annotations

import ctypes
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

from gateway.model.clock import TimeQuality
from gateway.ops.timeline import Step, Timeline

STA_UNSYNC = 0x0040
"""`status` bit of adjtimex(2): the clock is not synchronised."""
TIME_ERROR = 5
BUILD_FLOOR_MS = 1_767_225_600_000
"""2026-01-01: the wall clock cannot be before this software was made."""
FLAG_VARIABLE = "LINLI_TIME_FLAG"
"""Names a file that whoever keeps the clock touches at every synchronisation (GPS, PTP, a vendor's
daemon); where it is set, the kernel is not asked."""
_TIMESYNC_FLAG = Path("/run/systemd/timesync/synchronized")
_MOST_STEPS = 100


class _Timex(ctypes.Structure):
    """`struct timex` as far as we read it; the rest is room (adjtimex(2), 208 bytes on 64 bit)."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _kernel_says_so() -> bool:
    timex = _Timex()
    state = _libc().adjtimex(ctypes.byref(timex))
    return 0 <= state < TIME_ERROR and not timex.status & STA_UNSYNC


def kernel_is_synchronised() -> bool:
    """Whether NTP disciplines this machine's clock, as the kernel or systemd-timesyncd says."""
    return _kernel_says_so() or _TIMESYNC_FLAG.exists()


class Reference(Protocol):
    """Who vouches for the wall clock."""

    def vouches(self) -> bool:
        """Whether the wall clock is right."""
        ...

    def stepped(self) -> None:
        """The wall clock was set: what was said before it tells nothing more."""
        ...


class FlagFile:
    """A file that its owner touches at every synchronisation."""

    def __init__(self, path: Path) -> None:
        """Take the file, which need not be there yet."""
        self._path = path
        self._outdated: int | None = None

    def vouches(self) -> bool:
        """Whether it is there, and was touched since the clock was set."""
        touched = self._touched()
        return touched is not None and touched != self._outdated

    def stepped(self) -> None:
        """Wait for the next touch. The owner that set the clock itself touches right after it."""
        self._outdated = self._touched()

    def _touched(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None


class KernelReference:
    """NTP, as the kernel says; setting the clock makes the kernel say no until NTP is back.

    systemd-timesyncd keeps the kernel at `unsync` where the hardware clock runs in local time; its
    own flag file counts then.
    """

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._timesync = FlagFile(_TIMESYNC_FLAG)

    def vouches(self) -> bool:
        """Whether NTP disciplines the clock."""
        return _kernel_says_so() or self._timesync.vouches()

    def stepped(self) -> None:
        """Let the flag file of timesyncd be confirmed anew."""
        self._timesync.stepped()


class Says:
    """A reference that is a function: the operator's own word (`clock: trusted`), or a test's."""

    def __init__(self, vouches: Callable[[], bool]) -> None:
        """Take the function."""
        self.vouches = vouches

    def stepped(self) -> None:
        """Go on as before."""


def reference_of(environment: Mapping[str, str] = os.environ) -> Reference:
    """Return who vouches for the clock on this machine."""
    flag = environment.get(FLAG_VARIABLE)
    return FlagFile(Path(flag)) if flag else KernelReference()


class SystemClock:
    """The time of this machine, as far as it can be believed."""

    def __init__(
        self,
        reference: Reference | Callable[[], bool] | None = None,
        floor_ms: int = BUILD_FLOOR_MS,
    ) -> None:
        """Take who vouches for the wall clock, and the floor."""
        if reference is None:
            reference = reference_of()
        self._reference = Says(reference) if callable(reference) else reference
        self._line = Timeline(floor_ms, BUILD_FLOOR_MS, _wall_ms(), _mono_ms())
        self._steps: deque[Step] = deque(maxlen=_MOST_STEPS)

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC; provisional ones below the floor."""
        return self._look().now_ms

    def is_provisional(self) -> bool:
        """Whether the machine's clock is below the floor, and nothing better is known."""
        return self._look().is_provisional

    def monotonic(self) -> float:
        """Return seconds of CLOCK_MONOTONIC, which the event loop uses too."""
        return time.monotonic()

    def quality(self) -> TimeQuality:
        """Return sync, holdover for a day after the last synchronisation, else unsync."""
        return self._look().quality

    def take_steps(self) -> list[Step]:
        """Return the steps of the wall clock since this was last asked."""
        self._look()
        steps = list(self._steps)
        self._steps.clear()
        return steps

    def wall_ms(self) -> int:
        """Return what the machine's own clock says, right or wrong."""
        return _wall_ms()

    def _look(self) -> Timeline:
        line = self._line
        step = line.look(_wall_ms(), _mono_ms(), self._vouched)
        if step is not None:
            self._steps.append(step)
        return line

    def _vouched(self, was_set: bool) -> bool:  # noqa: FBT001 - the timeline's signature
        if was_set:
            self._reference.stepped()
        return self._reference.vouches()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000
