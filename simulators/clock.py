"""The simulator's own clock: UTC milliseconds and monotonic seconds of this machine."""

from __future__ import annotations

import time

from gateway.model.clock import TimeQuality


class WallClock:
    """A `gateway.model.clock.Clock` over the machine's clocks."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds that never step."""
        return time.monotonic()

    def quality(self) -> TimeQuality:
        """Return SYNC: simulated things believe their machine."""
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        """Return False: it shows a time of day."""
        return False
