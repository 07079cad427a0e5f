"""Time as rooms see it: wall clock in UTC milliseconds with its own quality, and monotonic time."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class TimeQuality(StrEnum):
    """Whether the wall clock can be believed (contract: `tq`)."""

    SYNC = "sync"
    HOLDOVER = "holdover"
    UNSYNC = "unsync"

    def worse(self, other: TimeQuality) -> TimeQuality:
        """Return the one that can be believed less."""
        return max(self, other, key=list(TimeQuality).index)


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

    def is_provisional(self) -> bool:
        """Whether `now_ms` is no time of day at all: the clock of the machine cannot be right.

        It then counts on from the last time that is known to have passed, so that spans are right
        and moments are too early.
        """
        ...
