"""The loop of the simulation: virtual time, and hardly a system call.

Like `tests.support.virtual_time.VirtualTimeLoop`, but real descriptors are looked at now and then
only: the loop's own pipe is all there is, and what it announces is in the loop already.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from tests.support.virtual_time import STARTS_AT_S, STUCK_S

LOOK_EVERY = 1000
"""Turns between two looks at real descriptors."""


class _JumpingSelector(selectors.BaseSelector):
    """A wait for a timer is a jump in time."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self._turns = 0
        self.now = STARTS_AT_S

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = self._real.select(STUCK_S)
            if not events:
                raise RuntimeError("stuck: every task waits for something that nobody will do")
            return events
        if timeout > 0:
            self.now += timeout
        self._turns += 1
        return self._real.select(0) if self._turns % LOOK_EVERY == 0 else []

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class SimulationLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` costs no real time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return virtual seconds."""
        return self._jumping.now
