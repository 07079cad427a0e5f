"""The meters' own clocks, held against ours: what a tariff or a freeze is worth depends on them.

A meter tells its clock as the text point `clock`, or as `clock_date` and `clock_time` (DL/T 645,
which has one identifier for each). The drift is what the meter is ahead, in seconds; an event
`clock_drift` with that value is raised when it is more than `LIMIT_S`, or the `drift` of the point,
and cleared when it is no more than half of that. Measured only while our own clock is right
(`sync`, `holdover`): else the fault might be ours.

Meters show local time. One that stays on standard time all year is right too: of the two the
smaller drift counts. M-Bus clocks tell no seconds, so that theirs is up to a minute late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TypeVar

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Quality
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import EventBody, StateChange
from gateway.rules.contract import NOTHING, Orphan, Raised, RuleSpec, Setup, Stage, ended
from gateway.settings.site import Device, ValueType

ROOM = "meter_clock"
TYPE, SEVERITY, DUTY = "clock_drift", 1, "energy"
CLOCK, DATE, TIME = PointId("clock"), PointId("clock_date"), PointId("clock_time")
LIMIT_S = 300.0
"""DL/T 645 meters keep half a second a day; at five minutes the quarter-hours are wrong."""
GOOD_AGAIN = 0.5
"""Part of the limit."""
PAIR_WITHIN_S = 900.0
"""A date and a time of the day that were read further apart are not put together."""
MIDNIGHT_S = 10.0
"""So near to the meter's midnight nobody knows to which day a time belongs: the next one tells."""
STEP_S = 2.0
_DAY_S = 86400.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Half:
    """A date or a time of the day, and when it was read by our clocks."""

    told: date | float
    ts_ms: int
    at: float


class MeterClocks:
    """The clocks of all devices that tell one."""

    def __init__(self, setup: Setup) -> None:
        """Take the site with its zone, and the events that stood at the last stop."""
        self._devices = setup.devices
        self._zone = setup.zone
        self._new_eid: Callable[[], str] = setup.new_eid
        self._standing: dict[str, str] = dict(setup.saved)
        self._halves: dict[tuple[DeviceId, PointId], _Half] = {}
        self._places: dict[tuple[DeviceId, PointColumn], Mapping[PointId, int]] = {}

    def watches(self, readings: Readings) -> bool:
        """Whether the job reads a clock."""
        return bool(self._clocks(readings))

    def step(self, readings: Readings, now: float) -> Raised:
        """Tell when the drift of a clock becomes too much, and when it is well again."""
        drift_s = None
        if readings.tq is not TimeQuality.UNSYNC:
            drift_s = self._drift(readings, now)
        if drift_s is None:
            return NOTHING
        point = CLOCK if CLOCK in self._clocks(readings) else TIME
        key = f"{readings.device}/{point}"
        eid, limit_s = self._standing.get(key), self._limit_s(readings.device, point)
        if eid is None and abs(drift_s) > limit_s:
            eid = self._standing[key] = self._new_eid()
            begun = _event(eid, "raised", point, drift_s, limit_s=limit_s)
            return Raised((begun,), (StateChange(ROOM, key, eid),))
        if eid is not None and abs(drift_s) <= limit_s * GOOD_AGAIN:
            del self._standing[key]
            end = _event(eid, "cleared", point, drift_s, limit_s=limit_s)
            return Raised((end,), (StateChange(ROOM, key, None),))
        return NOTHING

    def exchanged(self, device: DeviceId) -> None:
        """Forget what the old meter told; an event ends when the new one is right."""
        for point in (DATE, TIME):
            self._halves.pop((device, point), None)

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site."""
        self._devices = devices
        self._places.clear()
        for device in touched:
            self.exchanged(device)

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events of clocks that are read no more."""
        kept = {f"{d.id}/{p.id}" for d in self._devices.values() for p in d.points}
        return tuple(
            _orphan(key, self._standing.pop(key)) for key in sorted(self._standing.keys() - kept)
        )

    def standing(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        return {f"{key}/{TYPE}": eid for key, eid in self._standing.items()}

    def _clocks(self, readings: Readings) -> Mapping[PointId, int]:
        """Return the places of the points that tell a clock."""
        key = (readings.device, readings.column)
        found = self._places.get(key)
        if found is None:
            texts = {
                p.id
                for p in self._devices[readings.device].points
                if p.id in {CLOCK, DATE, TIME} and p.type is ValueType.TEXT
            }
            column = readings.column.points
            found = self._places[key] = {p: i for i, p in enumerate(column) if p in texts}
        return found

    def _limit_s(self, device: DeviceId, point: PointId) -> float:
        points = self._devices[device].points
        return next((p.drift_s for p in points if p.id == point and p.drift_s), LIMIT_S)

    def _drift(self, readings: Readings, now: float) -> float | None:
        """Return what the meter's clock is ahead, in seconds; None where that is not known."""
        fresh = False
        for point, index in self._clocks(readings).items():
            text = _good_text(readings, index)
            if text is None:
                continue
            if point == CLOCK:
                clock = _parsed(datetime.fromisoformat, text)
                return None if clock is None else ahead_s(clock, readings.ts_ms, self._zone)
            told = _parsed(date.fromisoformat if point == DATE else _seconds, text)
            if told is not None:
                half = _Half(told, readings.ts_ms, now)
                self._halves[readings.device, point] = half
                fresh = True
        if not fresh:
            return None
        return self._paired(readings.device)

    def _paired(self, device: DeviceId) -> float | None:
        day, second = self._halves.get((device, DATE)), self._halves.get((device, TIME))
        if day is None or second is None or isinstance(second.told, date):
            return None
        later_s = second.at - day.at
        if not isinstance(day.told, date) or abs(later_s) > PAIR_WITHIN_S:
            return None
        self.exchanged(device)  # each half once: the meter may be set before it is read again
        if abs((second.ts_ms - day.ts_ms) / 1000 - later_s) > STEP_S:
            return None  # our clock was set between them
        # The time of the day that the meter showed when its date was read.
        then_s = (second.told - later_s) % _DAY_S
        if not MIDNIGHT_S <= then_s <= _DAY_S - MIDNIGHT_S:
            return None
        clock = datetime.combine(day.told, time()) + timedelta(seconds=then_s)
        return ahead_s(clock, day.ts_ms, self._zone)


def ahead_s(clock: datetime, ts_ms: int, zone: tzinfo) -> float:
    """Return by how many seconds a clock without zone is ahead of this moment.

    It may show the local time or, all year, the local standard time.
    """
    local = datetime.fromtimestamp(ts_ms / 1000, zone)
    shown = clock.replace(tzinfo=None)
    by_wall = (shown - local.replace(tzinfo=None)).total_seconds()
    by_standard = by_wall + (local.dst() or timedelta()).total_seconds()
    return min(by_wall, by_standard, key=abs)


def _good_text(readings: Readings, index: int) -> str | None:
    value, marks = readings.values[index], readings.marks
    is_good = marks is None or marks[index].quality is Quality.GOOD
    return value if is_good and isinstance(value, str) else None


def _seconds(text: str) -> float:
    """Return the seconds since midnight of a time of the day."""
    told = time.fromisoformat(text)
    return told.hour * 3600.0 + told.minute * 60.0 + told.second


def _parsed(parse: Callable[[str], T], text: str) -> T | None:
    """Return what a text says; None for one that is no date or time."""
    try:
        return parse(text)
    except ValueError:
        return None


def _event(eid: str, state: str, point: PointId, drift_s: float, *, limit_s: float) -> EventBody:
    way = "ahead" if drift_s > 0 else "behind"
    detail = f"the meter's clock is {_spoken(abs(drift_s))} {way}"
    return EventBody(
        eid, TYPE, SEVERITY, state, point, round(drift_s, 1), limit_s, DUTY, detail=detail
    )


def _spoken(seconds: float) -> str:
    days, rest = divmod(math.floor(seconds), int(_DAY_S))
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {text}" if days else text


def _orphan(key: str, eid: str) -> Orphan:
    device, point = key.split("/", 1)
    begun = EventBody(eid, TYPE, SEVERITY, "raised", point, duty=DUTY)
    event = ended(begun, None, "nothing watches it any more: the site was changed")
    return Orphan(DeviceId(device), event, StateChange(ROOM, key, None))


RULE = RuleSpec(ROOM, Stage.JUDGE, MeterClocks)
