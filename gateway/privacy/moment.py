"""When derived points are made, and under which name their state is kept."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.clock import TimeQuality

ROOM = "derived"


@dataclass(frozen=True, slots=True)
class Moment:
    """Now by all clocks: monotonic seconds, UTC milliseconds, and what those are worth."""

    at_s: float
    at_ms: int
    tq: TimeQuality
