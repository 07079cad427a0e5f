"""Plays the service manager: feeds must come, else the process is killed and started again.

What systemd does for `WatchdogSec=` and `Restart=always` in `deploy/systemd/linli-gateway.service`,
small enough to see; PID 1 of a test machine is rarely systemd.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.gateway_process import GatewayProcess

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
"""ptrace(2) requests: attach without a signal, stop, let go."""
_ALL_CHILDREN = 0x40000000
"""`__WALL` of wait(2)."""


class Starved(Exception):
    """The watchdog was not fed in time."""


def watch(gateway: GatewayProcess, watchdog_s: float, until: Callable[[], bool]) -> None:
    """Return when `until` holds.

    Raises:
        Starved: no WATCHDOG=1 came for so long.
    """
    fed = time.monotonic()
    while not until():
        try:
            gateway.wait_for(b"WATCHDOG=1", within_s=watchdog_s - (time.monotonic() - fed))
        except TimeoutError as late:
            raise Starved(f"no word for {watchdog_s} s") from late
        fed = time.monotonic()


class StoppedThread:
    """One thread of a child process stopped, its others going on: an event loop that hangs.

    Raises OSError where ptrace(2) is not allowed. Leaving the block lets it go on, if it lives.
    """

    def __init__(self, thread: int) -> None:
        """Take the thread; the main thread has the number of its process."""
        self._thread = thread
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.ptrace.argtypes = [ctypes.c_long] * 4
        self._libc.ptrace.restype = ctypes.c_long

    def __enter__(self) -> Self:
        self._ask(_SEIZE)
        self._ask(_INTERRUPT)
        # The stop is reported like an end: taken here, else Popen would believe that it ended.
        os.waitpid(self._thread, _ALL_CHILDREN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._libc.ptrace(_DETACH, self._thread, 0, 0)  # refused when it is dead, and then needless

    def _ask(self, request: int) -> None:
        if self._libc.ptrace(request, self._thread, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def end_as_systemd(gateway: GatewayProcess) -> None:
    """Kill it as the watchdog does: SIGABRT, which a stopped thread cannot take, then SIGKILL."""
    gateway.process.send_signal(signal.SIGABRT)
    gateway.kill()
