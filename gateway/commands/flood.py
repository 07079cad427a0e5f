"""What comes in floods is told by a count each second, not one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gateway.model.ids import SinkName

AT_ONCE = 100
"""Refusals that are told one by one, when there were none for a while."""
PER_S = 1.0
"""And how many more in each second: what a store can keep for years."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(frozen=True, slots=True)
class Untold:
    """What one sink sent that was neither done, nor answered, nor audited by itself."""

    sink: SinkName
    count: int
    reasons: tuple[tuple[str, int], ...]
    """The most frequent ones first."""

    def fields(self) -> tuple[tuple[str, str], ...]:
        """Return it for an audit entry."""
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.reasons)
        return (
            ("sink", str(self.sink)),
            ("status", "flood"),
            ("count", str(self.count)),
            ("detail", reasons),
        )


class Flood:
    """An allowance for each sink, and what went beyond it."""

    def __init__(self) -> None:
        """Have counted nothing."""
        self._buckets: dict[SinkName, _Bucket] = {}
        self._untold: dict[SinkName, Counter[str]] = {}

    def is_told(self, sink: SinkName, reason: str, now: float) -> bool:
        """Return whether this refusal may be told by itself; else it is counted.

        `now` is monotonic seconds; `reason` is one of few.
        """
        bucket = self._buckets.setdefault(sink, _Bucket(AT_ONCE, now))
        bucket.left = min(AT_ONCE, bucket.left + (now - bucket.at) * PER_S)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return True
        self.count(sink, reason)
        return False

    def count(self, sink: SinkName, reason: str, times: int = 1) -> None:
        """Count what is not told by itself in any case."""
        self._untold.setdefault(sink, Counter())[reason] += times

    @property
    def has_untold(self) -> bool:
        """Whether `untold` would give anything."""
        return bool(self._untold)

    def untold(self) -> list[Untold]:
        """Return what was counted since the last call."""
        counted, self._untold = self._untold, {}
        return [
            Untold(sink, reasons.total(), tuple(reasons.most_common()))
            for sink, reasons in counted.items()
        ]
