"""The wall clock of the simulated machine: runs with the loop, steps, and boots wrong."""

from __future__ import annotations

import asyncio

from gateway.model.clock import TimeQuality
from gateway.ops.clock import BUILD_FLOOR_MS
from tests.support.virtual_time import EPOCH_MS


class SimClock:
    """A `Clock`. True time is the loop's on top of an epoch; the wall clock may be off."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.off_ms = 0
        self.is_synchronised = True

    def now_ms(self) -> int:
        """Return what the machine takes for UTC milliseconds."""
        return self.true_ms() + self.off_ms

    def true_ms(self) -> int:
        """Return UTC milliseconds as they are."""
        return EPOCH_MS + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def quality(self) -> TimeQuality:
        """Return sync, or unsync while nobody told it the time."""
        return TimeQuality.SYNC if self.is_synchronised else TimeQuality.UNSYNC

    def is_provisional(self) -> bool:
        """Return whether what it shows is certainly no time of day."""
        return self.now_ms() < BUILD_FLOOR_MS
