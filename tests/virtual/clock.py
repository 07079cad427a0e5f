"""The clock of the simulated machine: its wall clock steps, and boots wrong.

What the gateway makes of that is `gateway.ops.timeline`, as under `SystemClock`.
"""

from __future__ import annotations

import asyncio

from gateway.model.clock import TimeQuality
from gateway.ops.clock import BUILD_FLOOR_MS
from gateway.ops.timeline import Step, Timeline
from tests.support.virtual_time import EPOCH_MS


class SimClock:
    """A `Clock`. True time is the loop's on top of an epoch; the wall clock may be off."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._steps: list[Step] = []
        self.off_ms = 0
        self.is_synchronised = True
        self.boot(0)

    def boot(self, floor_ms: int) -> None:
        """Begin a life of the machine; the floor is the time that it remembers."""
        self._line = Timeline(
            max(floor_ms, BUILD_FLOOR_MS), BUILD_FLOOR_MS, self.wall_ms(), self._mono_ms()
        )
        self._steps.clear()

    def true_ms(self) -> int:
        """Return UTC milliseconds as they are."""
        return EPOCH_MS + self._mono_ms()

    def wall_ms(self) -> int:
        """Return what the machine's own clock says."""
        return self.true_ms() + self.off_ms

    def now_ms(self) -> int:
        """Return what the gateway takes for UTC milliseconds."""
        return self._look().now_ms

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def quality(self) -> TimeQuality:
        """Return how far it can be believed."""
        return self._look().quality

    def is_provisional(self) -> bool:
        """Return whether there is no time of day."""
        return self._look().is_provisional

    def take_steps(self) -> list[Step]:
        """Return the steps of the wall clock since this was last asked."""
        self._look()
        steps, self._steps = self._steps, []
        return steps

    def _look(self) -> Timeline:
        line = self._line
        step = line.look(self.wall_ms(), self._mono_ms(), lambda _: self.is_synchronised)
        if step is not None:
            self._steps.append(step)
        return line

    def _mono_ms(self) -> int:
        return round(self._loop.time() * 1000)
