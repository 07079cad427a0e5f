"""Time as rooms see it: wall clock in UTC milliseconds with its own quality, and monotonic time."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class TimeQuality(StrEnum):
    """Whether the wall clock can be believed (contract: `tq`)."""

    SYNC = "sync"
    HOLDOVER = "holdover"
    UNSYNC = "unsync"


class Clock(Protocol):
    """Handed to whoever needs time; the simulation hands in its own."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step; the event loop's own time."""
        ...

    def quality(self) -> TimeQuality:
        """Return how far `now_ms` can be believed."""
        ...
