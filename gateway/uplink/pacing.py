"""How many bytes of telemetry may be on their way, learned from the acknowledgements. Pure.

What waits in the buffers of a slow link stands in front of the next alarm. So the limit grows while
acknowledgements come as fast as they ever did, and shrinks when they are late: on a line of 16
kbit/s it ends at some kilobytes, in a local network at its bound. (The idea of LEDBAT, RFC 6817.)
"""

from __future__ import annotations

MOST_BYTES = 128 * 1024
"""Telemetry on its way in a fast network; more would gain nothing."""
START_BYTES = 4096
FLOOR_BYTES = 2048
LATE_S = 0.3
"""So much later than the fastest one is no queue yet: a loaded machine does that too."""
FORGET_S = 60.0
"""The route may have changed: the fastest acknowledgement counts so long, at most twice as long."""
_SHRINK_MOST, _SHRINK_LEAST = 0.25, 0.8


class Pacing:
    """The limit of one connection."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Take the upper bound."""
        self._most = most_bytes
        self.limit = START_BYTES
        self._fastest_s = self._fastest_before_s = float("inf")
        self._forget_at = 0.0
        self._shrinks_from = 0.0
        self._was_late = False

    def answered(self, size: int, took_s: float, now: float, *, is_full: bool) -> None:
        """Note an acknowledgement that took so long; `is_full` when the limit was in use."""
        if now >= self._forget_at:
            self._forget_at = now + FORGET_S
            self._fastest_before_s, self._fastest_s = self._fastest_s, float("inf")
        self._fastest_s = min(self._fastest_s, took_s)
        queued_s = took_s - min(self._fastest_s, self._fastest_before_s)
        if queued_s <= LATE_S:
            if is_full:  # doubled in each round trip at first, later one message more in each
                more = max(1, size * size // self.limit) if self._was_late else size
                self.limit = min(self._most, self.limit + more)
        elif now - took_s >= self._shrinks_from:  # sent since the limit was last made smaller
            self._shrinks_from = now
            self._was_late = True
            share = max(_SHRINK_MOST, min(_SHRINK_LEAST, LATE_S / queued_s))
            self.limit = max(FLOOR_BYTES, int(self.limit * share))
