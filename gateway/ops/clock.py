"""The clock of the machine, with the kernel's own word on whether it is synchronised."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

from gateway.model.clock import TimeQuality

STA_UNSYNC = 0x0040
"""`status` bit of adjtimex(2): the clock is not synchronised."""
TIME_ERROR = 5
HOLDOVER_S = 24 * 3600.0
"""A clock that was synchronised within this time keeps good time on its own."""
BUILD_FLOOR_MS = 1_767_225_600_000
"""2026-01-01: the wall clock cannot be before this software was made."""
_CHECK_EVERY_S = 10.0
_TIMESYNC_FLAG = Path("/run/systemd/timesync/synchronized")


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


def kernel_is_synchronised() -> bool:
    """Whether NTP disciplines this machine's clock, as the kernel or systemd-timesyncd says."""
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if 0 <= state < TIME_ERROR and not timex.status & STA_UNSYNC:
        return True
    return _TIMESYNC_FLAG.exists()


class SystemClock:
    """Wall time of the machine; its quality is asked for at most every ten seconds."""

    def __init__(self, is_synchronised: Callable[[], bool] = kernel_is_synchronised) -> None:
        """Take the question that tells whether the clock is disciplined."""
        self._is_synchronised = is_synchronised
        self._checked_at = -_CHECK_EVERY_S
        self._synced_at: float | None = None
        self._is_synced = False

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds of CLOCK_MONOTONIC, which the event loop uses too."""
        return time.monotonic()

    def quality(self) -> TimeQuality:
        """Return sync, holdover for a day after the last synchronisation, else unsync."""
        now = time.monotonic()
        if now - self._checked_at >= _CHECK_EVERY_S:
            self._checked_at = now
            self._is_synced = self.now_ms() >= BUILD_FLOOR_MS and self._is_synchronised()
            if self._is_synced:
                self._synced_at = now
        if self._is_synced:
            return TimeQuality.SYNC
        if self._synced_at is not None and now - self._synced_at < HOLDOVER_S:
            return TimeQuality.HOLDOVER
        return TimeQuality.UNSYNC
