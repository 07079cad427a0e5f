"""One input between marks of the wall clock: how much it grew, its mean, its extremes. Pure.

Missing data is not zero: where the reading at a mark is missing, both sides of that mark have no
value, and nothing is put in between. A counter that begins anew (the counter guard says so) ends
the span that it was in without a value. While the wall clock is not to be believed there are no
marks, and so no values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from gateway.model.clock import TimeQuality
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, Reason, bad
from gateway.model.reading import Value
from gateway.settings.site_derived import Take

NextMark: TypeAlias = Callable[[float, int], int]
"""Return the first mark of a step in seconds after a time in UTC ms."""
COVERAGE = 0.9
"""Part of the readings that must be there for a mean or an extreme (domain.md, section 4)."""
LEAST_LATE_S = 10.0
"""A reading this late still stands for the mark; more where the point is read less often."""
_WORSE = {Quality.GOOD: 0, Quality.STALE: 2, Quality.BAD: 3}


@dataclass(frozen=True, slots=True)
class Fix:
    """One reading of an input; `value` is None where it is not good."""

    ts_ms: int
    tq: TimeQuality
    value: Value | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class Bin:
    """What an input gives for the span that ends at `mark_ms`."""

    mark_ms: int
    tq: TimeQuality
    value: Value | None
    mark: Mark


def worst(marks: Iterable[Mark]) -> Mark:
    """Return the mark that can be believed least; good when there are none."""
    return max(marks, key=_rank, default=GOOD)


def _rank(mark: Mark) -> int:
    return _WORSE[mark.quality] + (mark == SIMULATED)


def difference(later: float, earlier: float) -> float:
    """Return the exact difference of two decimals: 30.3 - 30.1 is 0.2."""
    found = Decimal(str(later)) - Decimal(str(earlier))
    is_whole = isinstance(later, int) and isinstance(earlier, int)
    return int(found) if is_whole else float(found)


class Bins:
    """The spans of one input. Mutable; owned by the point that is made of it."""

    def __init__(
        self,
        take: Take,
        step_s: float,
        poll_s: float,
        next_mark: NextMark,
    ) -> None:
        """Begin without a mark: the first reading finds it."""
        self._take, self._step_s, self._poll_s = take, step_s, poll_s
        self._next_mark = next_mark
        self._late_ms = round(1000 * min(max(2 * poll_s, LEAST_LATE_S), step_s / 2))
        self._end: int | None = None
        """The mark that is awaited."""
        self._opened: Fix | None = None
        """The counter at the mark before."""
        self._has_begun = False
        self.is_moved = False
        """Whether a restart must know something else than what was saved last."""
        self._good: list[float | Value] = []
        self._marks: set[Mark] = set()
        self._tq = TimeQuality.SYNC

    # --- readings in ---------------------------------------------------------------------------

    def add(self, fix: Fix) -> list[Bin]:
        """Take a reading; return the spans that it ends."""
        if fix.tq is TimeQuality.UNSYNC:
            return self._lose_time(fix)
        if self._end is None or fix.ts_ms < self._end - 2000 * self._step_s:
            self._begin(self._next_mark(self._step_s, fix.ts_ms - 1))
        ended: list[Bin] = []
        while self._end is not None and fix.ts_ms >= self._end:
            if fix.ts_ms - self._end > self._late_ms:
                ended += self._close(None)
                self._skip_to(fix.ts_ms)
            elif self._take is not Take.DELTA:
                ended += self._close(None)
            elif fix.value is None:
                break  # another reading may still come in time
            else:
                ended += self._close(fix)
        self._note(fix)
        return ended

    def tick(self, now_ms: int, tq: TimeQuality) -> list[Bin]:
        """Return the spans that ended while nothing came. `now_ms` is the wall clock."""
        if tq is TimeQuality.UNSYNC:
            return []
        ended: list[Bin] = []
        if self._end is not None and now_ms >= self._end + self._late_ms:
            self._tq = self._tq.worse(tq)
            ended += self._close(None)
            self._skip_to(now_ms)
        return ended

    def rebased(self) -> None:
        """The counter counts on from somewhere else: what it had before tells nothing."""
        if self._take is Take.DELTA:
            self._opened, self.is_moved = None, True
            self._marks.add(bad(Reason.COUNTER))

    # --- state over a restart --------------------------------------------------------------------

    def saved(self) -> list[Any] | None:
        """Return what a restart must know; None: nothing."""
        opened = self._opened
        if self._end is None or opened is None:
            return None
        return [self._end, opened.ts_ms, opened.value, opened.mark == SIMULATED]

    def restore(self, saved: Sequence[Any]) -> None:
        """Go on where `saved` was said."""
        end, ts_ms, value, is_simulated = saved
        self._begin(end)
        mark = SIMULATED if is_simulated else GOOD
        self._opened = Fix(ts_ms, TimeQuality.SYNC, value, mark)
        self._has_begun = True

    # --- spans -----------------------------------------------------------------------------------

    def _begin(self, end_ms: int) -> None:
        self._end, self._opened, self._has_begun = end_ms, None, False
        self.is_moved = True
        self._forget()

    def _forget(self) -> None:
        self._good, self._marks, self._tq = [], set(), TimeQuality.SYNC

    def _note(self, fix: Fix) -> None:
        self._tq = self._tq.worse(fix.tq)
        self._marks.add(fix.mark)
        if fix.value is not None and self._take is not Take.DELTA:
            self._good.append(fix.value)

    def _lose_time(self, fix: Fix) -> list[Bin]:
        was_at_work, self._end, self._opened = self._has_begun, None, None
        self._has_begun, self.is_moved = False, True
        self._forget()
        return [Bin(fix.ts_ms, fix.tq, None, bad(Reason.CLOCK))] if was_at_work else []

    def _skip_to(self, ts_ms: int) -> None:
        """Await the first mark for which a reading at this time is not too late."""
        if self._end is not None and ts_ms - self._end > self._late_ms:
            self._end = self._next_mark(self._step_s, ts_ms - self._late_ms - 1)

    def _close(self, fix: Fix | None) -> list[Bin]:
        """End the span at the awaited mark; `fix` is the counter there, None where it is missing.

        The span in which we began is not told: it was never whole.
        """
        end, was_whole = self._end or 0, self._has_begun
        value, mark = self._delta(fix) if self._take is Take.DELTA else self._of_many()
        tq = self._tq if fix is None else self._tq.worse(fix.tq)
        self._opened, self._has_begun, self.is_moved = fix, True, True
        self._end = self._next_mark(self._step_s, end)
        self._forget()
        return [Bin(end, tq, value, mark)] if was_whole else []

    def _delta(self, fix: Fix | None) -> tuple[Value | None, Mark]:
        opened = self._opened
        if fix is None or opened is None:
            return None, self._why_not()
        now, before = fix.value, opened.value
        if isinstance(now, bool | str | None) or isinstance(before, bool | str | None):
            return None, bad(Reason.CONFIG)
        grown = difference(now, before)
        if grown < 0:
            return None, bad(Reason.COUNTER)
        return grown, worst((opened.mark, fix.mark))

    def _of_many(self) -> tuple[Value | None, Mark]:
        good, is_last = self._good, self._take is Take.LAST
        expected = max(1, math.floor(self._step_s / self._poll_s))
        wanted = 1 if is_last else math.ceil(COVERAGE * expected)
        if len(good) < wanted:
            return None, self._why_not()
        missing = worst(self._marks)
        mark = missing if missing.quality is Quality.GOOD else stale(missing)
        if is_last:
            return good[-1], mark
        numbers = [one for one in good if not isinstance(one, bool | str)]
        if len(numbers) < len(good):
            return None, bad(Reason.CONFIG)
        return _of_numbers(self._take, numbers), mark

    def _why_not(self) -> Mark:
        found = worst(self._marks)
        return found if found.quality is Quality.BAD else bad(found.reason or Reason.TIMEOUT)


def stale(missing: Mark) -> Mark:
    """Return the mark of a value that was made without some of its inputs, and why."""
    return Mark(Quality.STALE, missing.reason)


def _of_numbers(take: Take, numbers: Sequence[float]) -> float:
    if take is Take.MIN:
        return min(numbers)
    return max(numbers) if take is Take.MAX else math.fsum(numbers) / len(numbers)
