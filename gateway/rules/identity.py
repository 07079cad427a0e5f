"""The identity check: a device that tells its number is known by it over restarts.

Where a point with `identity: true` gives another number, an event `identity_changed` is raised and
every value of the device is marked `identity` (q 0), until the number is read a second time. Then
the meter was exchanged: all rules begin anew, and the counter guard tells the last value of the
old meter and the first of the new one. A number that was misread once is withdrawn in the same
way. `linli read DEVICE serial` is such a second reading: a technician need not wait for the poll.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark, Quality, Reason, bad
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import EventBody, StateChange
from gateway.rules.contract import (
    NOTHING,
    Orphan,
    Raised,
    RuleSpec,
    Setup,
    Stage,
    ended,
    with_mark,
)
from gateway.settings.site import Device

ROOM = "identity"
OTHER_DEVICE = bad(Reason.IDENTITY)
TYPE, SEVERITY = "identity_changed", 2


@dataclass(frozen=True, slots=True)
class Known:
    """The number of one device, and the one that came last where it is another."""

    number: str
    other: str | None = None
    eid: str | None = None


class IdentityGuard:
    """The numbers of all devices that tell one."""

    def __init__(self, setup: Setup) -> None:
        """Take the site, and the numbers that were known at the last stop."""
        self._devices = setup.devices
        self._new_eid: Callable[[], str] = setup.new_eid
        self._known = {key: Known(*value) for key, value in setup.saved.items()}
        self._points: dict[DeviceId, PointId | None] = {}
        self._places: dict[tuple[DeviceId, PointColumn], int | None] = {}

    def watches(self, readings: Readings) -> bool:
        """Whether the device tells a number: then every job of it is watched."""
        return self._point(readings.device) is not None

    def step(self, readings: Readings, now: float) -> Raised:  # noqa: ARG002 - see Rule
        """Mark all values of a device that gave another number."""
        point = self._point(readings.device)
        if point is None:
            return NOTHING
        key = f"{readings.device}/{point}"
        number = self._number(readings, point)
        if number is not None:
            return self._read(readings, key, number)
        known = self._known.get(key)
        if known is None or known.other is None:
            return NOTHING
        return Raised((), (), _all_marked(readings))

    def _read(self, readings: Readings, key: str, number: str) -> Raised:
        known = self._known.get(key)
        if known is None:
            return self._keep(key, Known(number))
        if number == known.number:
            if known.eid is None:
                return NOTHING
            text = "withdrawn: it was misread once"
            end = ended(_event(key, known, known.eid, number), number, text)
            return self._keep(key, Known(number), end)
        if number == known.other and known.eid is not None:
            text = "confirmed by a second reading: another device answers here"
            end = ended(_event(key, known, known.eid, number), number, text)
            return self._keep(key, Known(number), end, is_exchanged=True)
        eid = known.eid or self._new_eid()
        begun = _event(key, known, eid, number)
        if known.eid is not None:
            begun = replace(begun, state="updated")
        said = self._keep(key, Known(known.number, number, eid), begun)
        return Raised(said.events, said.changes, _all_marked(readings))

    def _keep(
        self, key: str, known: Known, *events: EventBody, is_exchanged: bool = False
    ) -> Raised:
        self._known[key] = known
        change = StateChange(ROOM, key, [known.number, known.other, known.eid])
        return Raised(events, (change,), None, is_exchanged)

    def exchanged(self, device: DeviceId) -> None:
        """Nothing: this rule is the one that says so."""

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; a device that was changed in it is introduced anew."""
        self._devices = devices
        self._points.clear()
        self._places.clear()
        for key, known in list(self._known.items()):
            if key.split("/", 1)[0] in touched and known.eid is None:
                self._known.pop(key)

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events of devices that tell no number any more."""
        found: list[Orphan] = []
        for key in list(self._known):
            device, point = key.split("/", 1)
            name = DeviceId(device)
            if name in self._devices and self._point(name) == point:
                continue
            known = self._known.pop(key)
            if known.eid is not None:
                text = "nothing watches it any more: the site was changed"
                end = EventBody(known.eid, TYPE, SEVERITY, "cleared", point, detail=text)
                found.append(Orphan(name, end, StateChange(ROOM, key, None)))
        return tuple(found)

    def standing(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        return {f"{key}/{TYPE}": one.eid for key, one in self._known.items() if one.eid is not None}

    def _point(self, device: DeviceId) -> PointId | None:
        if device not in self._points:
            points = self._devices[device].points
            self._points[device] = next((p.id for p in points if p.is_identity), None)
        return self._points[device]

    def _number(self, readings: Readings, point: PointId) -> str | None:
        key = (readings.device, readings.column)
        if key not in self._places:
            found = readings.column.points
            self._places[key] = found.index(point) if point in found else None
        index = self._places[key]
        if index is None:
            return None
        marks, value = readings.marks, readings.values[index]
        is_good = marks is None or marks[index].quality is Quality.GOOD
        return str(value).strip() or None if is_good and value is not None else None


def _all_marked(readings: Readings) -> tuple[Mark, ...]:
    return with_mark(readings, dict.fromkeys(range(len(readings.values)), OTHER_DEVICE))


def _event(key: str, known: Known, eid: str, number: str) -> EventBody:
    point = key.split("/", 1)[1]
    detail = f"it said {known.number} until now"
    return EventBody(eid, TYPE, SEVERITY, "raised", point, number, known.number, detail=detail)


RULE = RuleSpec(ROOM, Stage.IDENTITY, IdentityGuard)
