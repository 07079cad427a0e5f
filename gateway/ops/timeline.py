"""What time it is, from a wall clock that may be wrong and a monotonic one that never is. Pure.

While a reference vouches for the wall clock, it is the time (`sync`). When that ends, the time goes
on by the monotonic clock from where it was, whatever is done to the wall clock (`holdover`, for a
day). Without a reference the wall clock is taken as it is (`unsync`), unless it is earlier than it
can be: then time is counted from that floor, and is provisional.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model.clock import TimeQuality

HOLDOVER_MS = 24 * 3_600_000
"""A crystal of 50 ppm is off by 4 s after this time."""
STEP_MS = 2000
"""A wall clock that moves further than this against the monotonic one has been set."""
ASK_EVERY_MS = 10_000
ASK_EVERY_MS_WITHOUT_SYNC = 1000
"""Synchronisation is waited for: what is held back can go."""


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was set."""

    from_ms: int
    to_ms: int


class Timeline:
    """One run of the gateway. `look` with both clocks before asking anything."""

    def __init__(self, floor_ms: int, build_ms: int, wall_ms: int, mono_ms: int) -> None:
        """Take the earliest time that it can be, and both clocks now.

        `build_ms` is the floor below which no reference is believed either.
        """
        self.floor_ms = max(floor_ms, build_ms)
        self._build_ms = build_ms
        self._provisional = self.floor_ms - mono_ms
        self._gap = wall_ms - mono_ms
        self._believed: int | None = None
        """Distance of the true time to monotonic time, as the reference last said."""
        self._believed_at = 0
        self._asked_at: int | None = None
        self.now_ms = wall_ms
        self.quality = TimeQuality.UNSYNC
        self.is_provisional = False

    def look(self, wall_ms: int, mono_ms: int, is_synced: Callable[[bool], bool]) -> Step | None:
        """Take both clocks; return the step of the wall clock since the last look, if any.

        `is_synced` is told whether the wall clock was set just now.
        """
        gap, before = wall_ms - mono_ms, self._gap
        step = Step(mono_ms + before, wall_ms) if abs(gap - before) > STEP_MS else None
        self._gap = gap
        is_sync = self.quality is TimeQuality.SYNC
        if step is not None or self._is_to_be_asked(mono_ms):
            self._asked_at = mono_ms
            is_sync = is_synced(step is not None) and wall_ms >= self._build_ms
        if is_sync:
            self._believed, self._believed_at = gap, mono_ms
            self.floor_ms = min(self.floor_ms, wall_ms)  # it came from a clock that was ahead
        self._settle(wall_ms, mono_ms, is_sync=is_sync)
        return step

    def _is_to_be_asked(self, mono_ms: int) -> bool:
        every = ASK_EVERY_MS if self.quality is TimeQuality.SYNC else ASK_EVERY_MS_WITHOUT_SYNC
        return self._asked_at is None or mono_ms - self._asked_at >= every

    def _settle(self, wall_ms: int, mono_ms: int, *, is_sync: bool) -> None:
        believed, self.is_provisional = self._believed, False
        if is_sync:
            self.quality, self.now_ms = TimeQuality.SYNC, wall_ms
            return
        if believed is not None and mono_ms - self._believed_at < HOLDOVER_MS:
            self.quality, self.now_ms = TimeQuality.HOLDOVER, mono_ms + believed
            return
        self.quality, self.now_ms = TimeQuality.UNSYNC, wall_ms
        if wall_ms < self.floor_ms:
            self.is_provisional = believed is None
            self.now_ms = mono_ms + (self._provisional if believed is None else believed)
