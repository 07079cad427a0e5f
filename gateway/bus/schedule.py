"""What is due on a line: absolute times without drift, classes without starvation.

Pure: loop time and wall time come in as arguments. Two stages: entries wait by their time, and
when it has come they stand in the queue of their class, first come first served. A period that is
shorter than the cycle so turns into a round robin over all that want more than there is.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from gateway.settings.site import At, PollRule, Priority

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

T = TypeVar("T")

AGED_S = 15.0
"""How long something due may stand behind higher classes before it rises."""
AGED_EVERY = 4
"""One in so many turns goes to the aged while higher classes still wait."""
RECHECK_S = 30.0
"""A wall-clock mark is looked at again after this time: the wall clock may have been set."""
_ORDER = {Priority.ALARM: 0, Priority.NORMAL: 1, Priority.ENERGY: 2}


def next_mark_ms(step_s: float, now_ms: int, zone: ZoneInfo) -> int:
    """Return the first moment after now that is a multiple of `step_s` from local midnight.

    On days when the clocks change, marks are where the clock on the wall shows them; in a repeated
    hour a mark comes twice, in a skipped one it falls on the moment after the jump.
    """
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0, tzinfo=None)
    since = (now.replace(tzinfo=None) - midnight).total_seconds()
    wanted = min((math.floor(since / step_s) + 1) * step_s, 86400.0)
    by_wall = (midnight + timedelta(seconds=wanted)).replace(tzinfo=zone, fold=now.fold)
    marks = [by_wall.astimezone(UTC)]
    by_time = now.astimezone(UTC) + timedelta(seconds=wanted - since)
    if _is_mark(by_time.astimezone(zone), step_s):
        marks.append(by_time)
    later = [ms for mark in marks if (ms := round(mark.timestamp() * 1000)) > now_ms]
    return min(later, default=now_ms + round(step_s * 1000))


def _is_mark(at: datetime, step_s: float) -> bool:
    seconds = at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6
    return abs(seconds / step_s - round(seconds / step_s)) < 1e-6  # noqa: PLR2004 - rounding


class Entry(Generic[T]):
    """One thing that is done again and again."""

    __slots__ = ("due", "mark_ms", "missed", "phase", "priority", "rule", "ticket", "what")

    def __init__(self, what: T, rule: PollRule, priority: Priority) -> None:
        """Begin without a time; `Schedule.add` gives it one."""
        self.what = what
        self.rule = rule
        self.priority = _ORDER[priority]
        self.phase: float | None = 0.0
        """None: its phase is when its first turn is done."""
        self.due = 0.0
        """Loop time at which it was or will be due."""
        self.mark_ms: int | None = None
        """The wall-clock mark it waits for."""
        self.missed = 0
        """Times that passed while it was still waiting or being done."""
        self.ticket = 0


class Schedule(Generic[T]):
    """The entries of one line."""

    def __init__(self, zone: ZoneInfo) -> None:
        """Begin empty; wall-clock marks are those of the zone."""
        self._zone = zone
        self._waiting: list[tuple[float, int, Entry[T]]] = []
        self._ready: tuple[deque[tuple[int, Entry[T]]], ...] = (deque(), deque(), deque())
        self._ticket = 0
        self._turns = 0
        self.missed = 0
        """Missed times of all entries together."""

    def add(self, entry: Entry[T], now: float, spread: float | None) -> None:
        """Take a new entry: due at once, and from then on at its phase.

        `spread` in [0, 1) is its place within the period, so that equal periods do not fall due
        together. None keeps the order of the first round: what took its turn one after the other
        falls due one after the other, which leaves no collision on a line that is nearly full.
        """
        entry.phase = None if spread is None else now + spread * entry.rule.seconds
        self._wait(entry, now)

    def drop(self, entry: Entry[T]) -> None:
        """Forget an entry."""
        entry.ticket = -1

    def done(self, entry: Entry[T], now: float, wall_ms: int) -> None:
        """Note that it was done; it waits for its next time, and those that passed are missed."""
        if entry.ticket < 0:
            return
        if isinstance(entry.rule, At):
            self._next_mark(entry, now, wall_ms)
            return
        period = entry.rule.seconds
        if entry.phase is None:
            entry.phase = now
        marks = math.floor((now - entry.phase) / period + 1e-9) + 1
        following = entry.phase + marks * period
        # Between due and following lie the times that nobody served. The first due time of an
        # entry is no multiple of its period, hence the floor.
        skipped = math.floor((following - entry.due) / period - 1 + 1e-6)
        if skipped > 0:
            entry.missed += skipped
            self.missed += skipped
        self._wait(entry, following)

    def again(self, entry: Entry[T], at: float) -> None:
        """Let the same time be served again later: the device was busy, or needs a pause."""
        if entry.ticket >= 0:
            due = entry.due
            self._wait(entry, at)
            entry.due = due

    def hurry(self, entry: Entry[T], now: float) -> None:
        """Make it due now, whatever it waits for."""
        if entry.ticket >= 0:
            entry.mark_ms = None
            self._wait(entry, now)

    def next_at(self, now: float) -> float | None:
        """Return when something is due, `now` when something is already, None when nothing."""
        if any(self._ready):
            return now
        while self._waiting and self._waiting[0][2].ticket != self._waiting[0][1]:
            heapq.heappop(self._waiting)
        return max(now, self._waiting[0][0]) if self._waiting else None

    def pop(self, now: float, wall_ms: int) -> Entry[T] | None:
        """Take what is to be done now; it must be given back by `done` or `again`."""
        self._collect(now, wall_ms)
        for queue in self._ready_in_order(now):
            while queue:
                ticket, entry = queue.popleft()
                if entry.ticket == ticket:
                    return entry
        return None

    def _ready_in_order(self, now: float) -> tuple[deque[tuple[int, Entry[T]]], ...]:
        """Return the queues, the best first: by class, with a turn for the aged now and then."""
        alarm, normal, energy = self._ready
        if not energy and not normal:
            return self._ready
        self._turns += 1
        if self._turns % AGED_EVERY == 0:
            if energy and now - energy[0][1].due > AGED_S:
                return (energy, alarm, normal)
            if normal and now - normal[0][1].due > AGED_S:
                return (normal, alarm, energy)
        return self._ready

    def _collect(self, now: float, wall_ms: int) -> None:
        """Move to the queues what has become due."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            _, ticket, entry = heapq.heappop(waiting)
            if entry.ticket != ticket:
                continue
            if entry.mark_ms is not None and wall_ms < entry.mark_ms:
                self._await_mark(entry, now, wall_ms)
            else:
                entry.mark_ms = None
                self._ready[entry.priority].append((ticket, entry))

    def _next_mark(self, entry: Entry[T], now: float, wall_ms: int) -> None:
        step_s = entry.rule.seconds
        skipped = math.floor((now - entry.due) / step_s)
        if skipped > 0:
            entry.missed += skipped
            self.missed += skipped
        entry.mark_ms = next_mark_ms(step_s, wall_ms, self._zone)
        self._await_mark(entry, now, wall_ms)

    def _await_mark(self, entry: Entry[T], now: float, wall_ms: int) -> None:
        mark_ms = wall_ms if entry.mark_ms is None else entry.mark_ms
        # Set forward or back, the wall clock moves a mark; a mark far away is computed anew.
        step_ms = entry.rule.seconds * 1000
        if mark_ms - wall_ms > step_ms:
            mark_ms = next_mark_ms(entry.rule.seconds, wall_ms, self._zone)
            entry.mark_ms = mark_ms
        self._wait(entry, now + min((mark_ms - wall_ms) / 1000, RECHECK_S))

    def _wait(self, entry: Entry[T], until: float) -> None:
        self._ticket += 1
        entry.ticket = self._ticket
        entry.due = until
        heapq.heappush(self._waiting, (until, self._ticket, entry))
