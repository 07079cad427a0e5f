"""Flat lines: a value that always moves in physics and has not for long is stale (`stuck`).

Only points with `stuck:` are watched, and 0 may rest: a phase without load, a pump that is off.
When every watched point of a device rests while it answers, somebody answers from memory (a DTU
that caches, a display that hangs): that is one event for the device, not one for each point. All of
it clears by itself when a value moves; the others of a frozen device have their time again then.

A value is looked at until it moves and then not again for a quarter of its time, so that what moves
as it should costs nearly nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark, Quality, Reason
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import EventBody, StateChange
from gateway.rules.contract import (
    NOTHING,
    Orphan,
    Raised,
    RuleSpec,
    Setup,
    Stage,
    good_number,
    with_mark,
)
from gateway.settings.site import Device

ROOM = "stuck"
STALE = Mark(Quality.STALE, Reason.STUCK)
POINT, DEVICE = "point_stuck", "device_frozen"
SEVERITY = {POINT: 1, DEVICE: 2}
LEAST_READINGS = 4
"""A value that was not read so often in its time tells nothing."""
FEWEST = 2
"""Watched points that a device needs to be called frozen."""


@dataclass(slots=True)
class _Rest:
    """A value that has not moved."""

    value: float
    since: float
    readings: int = 1


@dataclass(slots=True)
class _Column:
    """One job: its watched points by their place, and those that have not moved."""

    limits: dict[int, float]
    resting: dict[int, _Rest] = field(default_factory=dict[int, _Rest])
    look_at: float = 0.0


class FlatLines:
    """All points with `stuck:`."""

    def __init__(self, setup: Setup) -> None:
        """Take the site, and the events that stood at the last stop."""
        self._devices = setup.devices
        self._new_eid: Callable[[], str] = setup.new_eid
        self._standing: dict[str, str] = {
            key: eid for key, eid in setup.saved.items() if isinstance(eid, str)
        }
        self._stuck: dict[DeviceId, set[PointId]] = {}
        for key in setup.saved:
            device, point = key.split("/", 1)
            if point:
                self._stuck.setdefault(DeviceId(device), set()).add(PointId(point))
        self._columns: dict[tuple[DeviceId, PointColumn], _Column] = {}

    def watches(self, readings: Readings) -> bool:
        """Whether the job has points that always move."""
        return bool(self._column(readings).limits)

    def step(self, readings: Readings, now: float) -> Raised:
        """Mark what rests, and tell when that begins and ends."""
        column = self._column(readings)
        if not column.resting and now < column.look_at:
            return NOTHING
        if now >= column.look_at:
            _look_again(column, readings, now)
        stuck = self._stuck.setdefault(readings.device, set())
        before = set(stuck)
        self._judge(column, readings, stuck, now)
        if self._is_frozen(readings.device, before) > self._is_frozen(readings.device, stuck):
            self._thaw(readings.device, stuck)
        points = readings.column.points
        marked = {i: STALE for i in column.limits if points[i] in stuck}
        marks = with_mark(readings, marked) if marked else None
        if before == stuck:
            return Raised((), (), marks) if marked else NOTHING
        events, changes = self._told(readings, before, stuck)
        return Raised(events, changes, marks)

    @staticmethod
    def _judge(column: _Column, readings: Readings, stuck: set[PointId], now: float) -> None:
        for index, rest in list(column.resting.items()):
            value, point = good_number(readings, index), readings.column.points[index]
            if value is None:
                continue
            rest.readings += 1
            if value != rest.value or not value:
                del column.resting[index]
                stuck.discard(point)
            elif rest.readings > LEAST_READINGS and now - rest.since >= column.limits[index]:
                stuck.add(point)

    def _told(
        self, readings: Readings, before: set[PointId], stuck: set[PointId]
    ) -> tuple[tuple[EventBody, ...], tuple[StateChange, ...]]:
        """Return the events between two sets of stuck points, and the state of all that changed."""
        device = readings.device
        wanted = {f"{device}/{point}" for point in stuck}
        stands = {f"{device}/"} if self._is_frozen(device, stuck) else wanted
        values = dict(zip(readings.column.points, readings.values, strict=True))
        events: list[EventBody] = []
        mine = {key for key in self._standing if key.startswith(f"{device}/")}
        for key in sorted(mine - stands):
            point = key.split("/", 1)[1]
            text = "the device is frozen: told as one" if key in wanted else "it moves again"
            eid, kind = self._standing.pop(key), POINT if point else DEVICE
            value = values.get(PointId(point))
            events.append(
                EventBody(eid, kind, SEVERITY[kind], "cleared", point or None, value, detail=text)
            )
        for key in sorted(stands - mine):
            point = key.split("/", 1)[1]
            eid, kind = self._new_eid(), POINT if point else DEVICE
            self._standing[key] = eid
            value = values.get(PointId(point))
            text = "it has not moved" if point else "no value has moved, and it answers"
            events.append(
                EventBody(eid, kind, SEVERITY[kind], "raised", point or None, value, detail=text)
            )
        touched = mine | stands | wanted | {f"{device}/{point}" for point in before}
        changes = tuple(
            StateChange(ROOM, key, self._standing.get(key, True if key in wanted else None))
            for key in sorted(touched)
        )
        return tuple(events), changes

    def _is_frozen(self, device: DeviceId, stuck: Collection[PointId]) -> bool:
        watched = self._watched(device)
        return len(watched) >= FEWEST and watched.issubset(stuck)

    def _thaw(self, device: DeviceId, stuck: set[PointId]) -> None:
        """Give every value its time again: it rested because the device did."""
        stuck.clear()
        self.exchanged(device)

    def exchanged(self, device: DeviceId) -> None:
        """Look at this device anew."""
        for key, column in self._columns.items():
            if key[0] == device:
                column.resting.clear()
                column.look_at = 0.0

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; unchanged devices keep what is known of them."""
        self._devices = devices
        for key in [key for key in self._columns if key[0] in touched]:
            del self._columns[key]

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events of what nothing watches any more."""
        kept = {f"{device}/" for device in self._devices} | {
            f"{device.id}/{point}"
            for device in self._devices.values()
            for point in self._watched(device.id)
        }
        for device, points in self._stuck.items():
            points -= {point for point in points if f"{device}/{point}" not in kept}
        return tuple(
            self._orphan(key, self._standing.pop(key))
            for key in sorted(self._standing.keys() - kept)
        )

    @staticmethod
    def _orphan(key: str, eid: str) -> Orphan:
        device, point = key.split("/", 1)
        kind = POINT if point else DEVICE
        text = "nothing watches it any more: the site was changed"
        event = EventBody(eid, kind, SEVERITY[kind], "cleared", point or None, detail=text)
        return Orphan(DeviceId(device), event, StateChange(ROOM, key, None))

    def standing(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        return {
            f"{key}/{DEVICE if key.endswith('/') else POINT}": eid
            for key, eid in self._standing.items()
        }

    def _watched(self, device: DeviceId) -> set[PointId]:
        return {p.id for p in self._devices[device].points if p.stuck_s is not None}

    def _column(self, readings: Readings) -> _Column:
        key = (readings.device, readings.column)
        column = self._columns.get(key)
        if column is None:
            limits = {p.id: p.stuck_s for p in self._devices[readings.device].points if p.stuck_s}
            column = self._columns[key] = _Column(
                {i: limits[p] for i, p in enumerate(readings.column.points) if p in limits}
            )
        return column


def _look_again(column: _Column, readings: Readings, now: float) -> None:
    """Begin to watch what moved in the last quarter."""
    for index in column.limits:
        value = good_number(readings, index)
        if value and index not in column.resting:
            column.resting[index] = _Rest(value, now)
    column.look_at = now + min(column.limits.values()) / 4


RULE = RuleSpec(ROOM, Stage.MARK, FlatLines)
