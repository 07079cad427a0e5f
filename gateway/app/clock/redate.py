"""Times of records that were made while the box had no time of day: corrected, or marked. Pure.

Rows on disk stay as they are. What is remembered is a span of seqs and by how much the clock was
behind; a run that ended before anyone knew leaves a span without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.model.clock import TimeQuality
from gateway.model.quality import Mark, Quality, Reason
from gateway.model.reading import Readings
from gateway.model.record import Committed, PropBody, StateBody

_NO_TIME = Mark(Quality.STALE, Reason.CLOCK)


@dataclass(frozen=True, slots=True)
class Span:
    """Records of one run of the gateway, made before it knew the time."""

    ep: int
    first: int
    last: int | None = None
    """None while it is still going on."""
    until_ms: int | None = None
    """Provisional time at its end; what has a later one was made with the right clock."""
    behind_ms: int | None = None
    """How much the provisional time was behind; None: nobody knows, and never will."""
    is_vouched_for: bool = True
    """Whether a reference gave the right time; else somebody set the clock by hand."""

    def to_json(self) -> list[Any]:
        """Return what is stored."""
        return [
            self.ep,
            self.first,
            self.last,
            self.until_ms,
            self.behind_ms,
            self.is_vouched_for,
        ]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Span:
        """Return what `to_json` gave."""
        return cls(*stored)

    @property
    def quality(self) -> TimeQuality:
        """What its corrected times are worth."""
        return TimeQuality.HOLDOVER if self.is_vouched_for else TimeQuality.UNSYNC

    def is_of_its_run(self, committed: Committed) -> bool:
        """Whether this record was made in its run or later."""
        return committed.ep == self.ep and committed.seq >= self.first

    def holds(self, committed: Committed) -> bool:
        """Whether this record, of its run or later, was made in it.

        One that was taken before and committed after its end counts as well. Its time tells: the
        right time is later than any provisional one; what says `holdover` was corrected already.
        """
        return (
            (self.last is None or committed.seq <= self.last)
            and (self.until_ms is None or committed.record.ts_ms <= self.until_ms)
            and self.may_hold(committed.record.tq)
        )

    def may_hold(self, tq: TimeQuality) -> bool:
        """Whether something of that quality may have a time of this span.

        Where the remembered time came from a clock that was ahead, the right time is the earlier
        one, and only the quality tells them apart.
        """
        is_later_right = self.behind_ms is not None and self.behind_ms > 0
        return tq is TimeQuality.UNSYNC or (is_later_right and tq is not TimeQuality.HOLDOVER)


def redated(committed: Committed, spans: Sequence[Span]) -> Committed:
    """Return the record with the time at which it was really made.

    Its time quality is `holdover`: the clock was not disciplined then, but has been traced back;
    it stays `unsync` where nobody vouches for the clock that it was traced back from.
    Where that cannot be done, values are stale with the reason `clock`: their time is a guess.
    """
    record = committed.record
    span = next((one for one in reversed(spans) if one.is_of_its_run(committed)), None)
    if span is None or span.last is None or not span.holds(committed):
        return committed
    if span.behind_ms is not None:
        body = record.body
        if isinstance(body, StateBody):
            body = replace(body, since_ms=body.since_ms + span.behind_ms)
        ts_ms = record.ts_ms + span.behind_ms
        return replace(committed, record=replace(record, ts_ms=ts_ms, tq=span.quality, body=body))
    if not isinstance(record.body, PropBody):
        return committed  # `unsync` says it; an event is as true as before
    return replace(committed, record=replace(record, body=_without_time(record.body)))


def redated_readings(readings: Readings, span: Span) -> Readings:
    """Return readings of the run of this span as `redated` would their record."""
    is_provisional = (
        span.may_hold(readings.tq) and span.until_ms is not None and readings.ts_ms <= span.until_ms
    )
    if not is_provisional or span.behind_ms is None:
        return readings
    return replace(readings, ts_ms=readings.ts_ms + span.behind_ms, tq=span.quality)


def _without_time(body: PropBody) -> PropBody:
    marks = body.marks
    if marks is None:
        return replace(body, marks=(_NO_TIME,) * len(body.values))
    return replace(
        body,
        marks=tuple(_NO_TIME if mark.quality is Quality.GOOD else mark for mark in marks),
    )
