"""The counter guard: what a cumulative register may not do is marked, told, and never altered.

A counter goes up, and no faster than its `rate`. A value that does neither is published as read,
with q 0 and reason `counter`, and becomes a second line beside the old one. The next value that
goes on from the old line ends it (a single zero, a jump, jitter of the last digit); one that goes
on from the new line is good again and its base (2 of 2). A counter that keeps rising faster than
its `rate` is believed after `PATIENCE` readings: the limit is wrong then, and widened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark, Reason, bad
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import EventBody, StateChange
from gateway.rules.contract import (
    NOTHING,
    Orphan,
    Raised,
    RuleSpec,
    Setup,
    Stage,
    both,
    ended,
    good_number,
    with_mark,
)
from gateway.settings.site import Device, Point

ROOM = "counters"
SUSPECT = bad(Reason.COUNTER)
SAVE_S = 60.0
"""The base of a counter that is read faster than this is saved once in so long."""
PATIENCE = 4
"""Readings in a row that rise too fast, until the limit is held to be wrong and not the counter."""
NEAR_TOP, NEAR_ZERO = 0.9, 0.1
FAR_BELOW = 0.5
NEW_BASE = "confirmed: counts on from here"
OLD_BASE = "withdrawn: counts on as before"
NEW_METER = "the meter was exchanged: counts on from here"
FLOAT32_STEP = 2.0**-23
SEVERITY = {
    "counter_back": 1,
    "counter_reset": 2,
    "counter_rollover": 0,
    "counter_jump": 2,
    "meter_exchanged": 1,
}


@dataclass(frozen=True, slots=True)
class Fix:
    """A value at its time. `at` is monotonic, of this run only."""

    value: float
    ts_ms: int
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one counter."""

    base: Fix
    """The last good value."""
    other: Fix | None = None
    """The last value that did not go on from it."""
    kind: str = ""
    eid: str | None = None
    rising: int = 0
    limit: float | None = None
    """Rate that was learnt, where it is above the point's own."""
    is_exchanged: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """One value judged: what is known now, whether it is suspect, what happened."""

    memory: Memory
    is_suspect: bool = False
    event: str | None = None
    """raised, confirmed, withdrawn, exchanged; None: nothing to tell."""


def judge(point: Point, known: Memory | None, now: Fix) -> Verdict:
    """Return what one good reading of a counter means."""
    if known is None:
        return Verdict(Memory(now))
    settled = Memory(now, limit=known.limit)
    if known.is_exchanged:
        return Verdict(settled, event="exchanged")
    if goes_on(known.base, now, _limit(point, known), point):
        return Verdict(settled, event="withdrawn" if known.other else None)
    return _judge_other(point, known, now)


def _judge_other(point: Point, known: Memory, now: Fix) -> Verdict:
    """Return what a reading means that does not go on from the base."""
    rising = 0
    if known.other is not None:
        if goes_on(known.other, now, _limit(point, known), point):
            return Verdict(Memory(now, limit=known.limit), event="confirmed")
        rising = known.rising + 1 if now.value > known.other.value else 0
        elapsed = seconds(known.other, now)
        if rising >= PATIENCE and elapsed:
            learnt = 2 * (now.value - known.other.value) / elapsed
            return Verdict(Memory(now, limit=learnt), event="confirmed")
    kind, event = known.kind, None
    if known.eid is None:
        kind, event = kind_of(point, known.base.value, now.value), "raised"
    return Verdict(
        replace(known, other=now, rising=rising, kind=kind), is_suspect=True, event=event
    )


def _limit(point: Point, known: Memory) -> float | None:
    """Return the wider of the point's limit and a learnt one; None where the point has none."""
    given = point.rate_per_s
    return None if given is None else max(given, known.limit or given)


def goes_on(fix: Fix, now: Fix, limit: float | None, point: Point) -> bool:
    """Whether a counter that was at `fix` can be at `now`."""
    if now.value < fix.value:
        return False
    elapsed = seconds(fix, now)
    if limit is None or elapsed is None:
        return True
    return now.value - fix.value <= limit * elapsed + 2 * digit_of(point, now.value)


def seconds(fix: Fix, now: Fix) -> float | None:
    """Return the time between; None where the wall clock went back and nothing else tells."""
    elapsed = (now.ts_ms - fix.ts_ms) / 1000
    if fix.at is not None and now.at is not None:
        elapsed = max(elapsed, now.at - fix.at)
    return elapsed if elapsed >= 0 else None


def digit_of(point: Point, value: float) -> float:
    """Return one step of the last digit; a 32-bit float has none below its mantissa."""
    return max(float(abs(point.scale)), point.resolution or 0.0, abs(value) * FLOAT32_STEP)


def kind_of(point: Point, last: float, value: float) -> str:
    """Return the event type of a value that does not go on from the last one."""
    if value > last:
        return "counter_jump"
    top = point.rollover
    if top is not None and last >= NEAR_TOP * top and 0 <= value <= NEAR_ZERO * top:
        return "counter_rollover"
    return "counter_reset" if value < FAR_BELOW * last else "counter_back"


class CounterGuard:
    """All cumulative points of the site."""

    def __init__(self, setup: Setup) -> None:
        """Take the site, and what was known at the last stop."""
        self._devices = setup.devices
        self._new_eid: Callable[[], str] = setup.new_eid
        self._known: dict[DeviceId, dict[PointId, Memory]] = {
            DeviceId(device): {PointId(p): _loaded(v) for p, v in points.items()}
            for device, points in setup.saved.items()
        }
        self._columns: dict[tuple[DeviceId, PointColumn], tuple[tuple[int, Point], ...]] = {}
        self._saved_at: dict[DeviceId, float] = {}

    def watches(self, readings: Readings) -> bool:
        """Whether the job has counters."""
        return bool(self._counters(readings))

    def step(self, readings: Readings, now: float) -> Raised:
        """Mark what a counter cannot do, and say so."""
        known = self._known.setdefault(readings.device, {})
        suspects: dict[int, Mark] = {}
        events: list[EventBody] = []
        is_news = False
        for index, point in self._counters(readings):
            value = good_number(readings, index)
            if value is None:
                continue
            before = known.get(point.id)
            verdict = judge(point, before, Fix(value, readings.ts_ms, now))
            known[point.id] = verdict.memory
            if verdict.is_suspect:
                suspects[index] = SUSPECT
            if verdict.event is not None and before is not None:
                told = self._told(point, verdict, before, value)
                events.extend(told)
                eid = told[0].eid if verdict.event == "raised" and told else None
                known[point.id] = replace(verdict.memory, eid=eid)
            is_news |= verdict.is_suspect or verdict.event is not None or before is None
        changes = self._saved(readings.device, now, is_news=is_news) if known else ()
        marks = with_mark(readings, suspects) if suspects else None
        return Raised(tuple(events), changes, marks) if events or changes or marks else NOTHING

    def _told(
        self, point: Point, verdict: Verdict, before: Memory, value: float
    ) -> Sequence[EventBody]:
        """Return the events of a verdict, the one that begins or ends first."""
        was = before.base.value
        step = _Step(point.id, verdict.memory.kind or before.kind, value, was)
        match verdict.event:
            case "raised":
                if was - 1.5 * digit_of(point, was) <= value < was:
                    return ()  # jitter: the mark tells it, an event only if it stays
                return (step.event(self._new_eid()),)
            case "exchanged":
                new = replace(step, kind="meter_exchanged").event(self._new_eid())
                return (*_end(step, before.eid, "the meter was exchanged"), *both(new, NEW_METER))
            case "confirmed":
                eid = before.eid
                return _end(step, eid, NEW_BASE) or both(step.event(self._new_eid()), NEW_BASE)
            case _:
                return _end(step, before.eid, OLD_BASE)

    def exchanged(self, device: DeviceId) -> None:
        """The next value of every counter is another meter's first."""
        known = self._known.get(device, {})
        self._known[device] = {p: replace(m, is_exchanged=True) for p, m in known.items()}

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; what a changed device says next is its first value."""
        self._devices = devices
        self._columns.clear()
        for device in touched:
            self.exchanged(device)

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events of counters that the site does not have any more, and forget those."""
        found: list[Orphan] = []
        for device in list(self._known):
            site = self._devices.get(device)
            kept = {point.id for point in (site.points if site else ()) if point.is_cumulative}
            known = self._known[device]
            gone = {p: known.pop(p) for p in list(known) if p not in kept}
            if not known:
                del self._known[device]
            for point, memory in gone.items():
                if memory.eid is not None:
                    text = "nothing watches it any more: the site was changed"
                    end = EventBody(memory.eid, memory.kind, 0, "cleared", point, detail=text)
                    found.append(Orphan(device, end, self._change(device)))
        return tuple(found)

    def standing(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        return {
            f"{device}/{point}/{memory.kind}": memory.eid
            for device, points in self._known.items()
            for point, memory in points.items()
            if memory.eid is not None
        }

    def _counters(self, readings: Readings) -> tuple[tuple[int, Point], ...]:
        key = (readings.device, readings.column)
        found = self._columns.get(key)
        if found is None:
            points = {p.id: p for p in self._devices[readings.device].points if p.is_cumulative}
            found = self._columns[key] = tuple(
                (index, points[point])
                for index, point in enumerate(readings.column.points)
                if point in points
            )
        return found

    def _saved(self, device: DeviceId, now: float, *, is_news: bool) -> tuple[StateChange, ...]:
        last = self._saved_at.get(device)
        if not is_news and last is not None and now - last < SAVE_S:
            return ()
        self._saved_at[device] = now
        return (self._change(device),)

    def _change(self, device: DeviceId) -> StateChange:
        known = self._known.get(device)
        saved = {point: _stored(memory) for point, memory in known.items()} if known else None
        return StateChange(ROOM, device, saved)


@dataclass(frozen=True, slots=True)
class _Step:
    """From which value to which a counter went."""

    point: PointId
    kind: str
    value: float
    was: float

    def event(self, eid: str) -> EventBody:
        """Return the begin of its event."""
        detail = f"{self.value:g} after {self.was:g}"
        severity = SEVERITY[self.kind]
        return EventBody(
            eid, self.kind, severity, "raised", self.point, self.value, self.was, detail=detail
        )


def _end(step: _Step, eid: str | None, detail: str) -> tuple[EventBody, ...]:
    """Return the end of an event that stands, with what became of it."""
    return () if eid is None else (ended(step.event(eid), step.value, detail),)


def _stored(memory: Memory) -> list[Any]:
    base, other = memory.base, memory.other
    return [
        [base.value, base.ts_ms],
        None if other is None else [other.value, other.ts_ms],
        memory.kind,
        memory.eid,
        memory.rising,
        memory.limit,
        memory.is_exchanged,
    ]


def _loaded(stored: list[Any]) -> Memory:
    base, other, *rest = stored
    return Memory(Fix(*base), None if other is None else Fix(*other), *rest)


RULE = RuleSpec(ROOM, Stage.MARK, CounterGuard)
