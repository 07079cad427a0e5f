"""Events that a profile declares on a point: raised, held with hysteresis, cleared, one id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Quality
from gateway.model.reading import PointColumn, Readings, Value
from gateway.model.record import EventBody, StateChange
from gateway.rules.contract import NOTHING, Orphan, Raised, RuleSpec, Setup, Stage
from gateway.settings.site import Condition, Device, EventRule

ROOM = "alarms"
"""Room name under which raised events are kept over a restart."""


@dataclass(slots=True)
class _Alarm:
    """One rule on one point: whether its event stands, and since when its condition holds.

    One for all jobs that read the point, so that a command's read does not raise it again.
    """

    rule: EventRule
    key: str
    point: PointId
    eid: str | None = None
    holding_since: float | None = None


@dataclass(frozen=True, slots=True)
class _Watched:
    """An alarm, and the place of its point among the readings of one job."""

    index: int
    alarm: _Alarm


class Alarms:
    """The state of all events of the gateway."""

    def __init__(
        self,
        devices: Mapping[DeviceId, Device],
        saved: Mapping[str, str],
        new_eid: Callable[[], str],
    ) -> None:
        """Take the site, the events that stood at the last stop, and a maker of unique ids."""
        self._devices = devices
        self._standing = dict(saved)
        self._new_eid = new_eid
        self._alarms: dict[str, _Alarm] = {}
        self._watched: dict[tuple[DeviceId, PointColumn], tuple[_Watched, ...]] = {}

    def watches(self, readings: Readings) -> bool:
        """Whether a point of this job has an event."""
        return bool(self._watched_by(readings))

    def exchanged(self, device: DeviceId) -> None:
        """Keep what stands: an alarm is of the place, not of the device that told it."""

    def replace(
        self,
        devices: Mapping[DeviceId, Device],
        touched: Collection[DeviceId] = (),  # noqa: ARG002 - see Rule
    ) -> None:
        """Take a changed site; events that stand keep their id where the rule still exists."""
        self._devices = devices
        self._watched.clear()

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events whose device, point or rule the site does not have any more."""
        kept = {
            _key(device.id, point.id, rule)
            for device in self._devices.values()
            for point in device.points
            for rule in point.events
        }
        self._alarms = {key: alarm for key, alarm in self._alarms.items() if key in kept}
        return tuple(
            self._orphan(key, self._standing.pop(key))
            for key in sorted(self._standing.keys() - kept)
        )

    def standing(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        return self._standing

    def step(self, readings: Readings, now: float) -> Raised:
        """Return events that these readings raise or clear. `now` is monotonic seconds.

        A bad value neither raises nor clears: missing data is not an all-clear.
        """
        watched = self._watched_by(readings)
        if not watched:
            return NOTHING
        events: list[EventBody] = []
        changes: list[StateChange] = []
        for each in watched:
            alarm, value = each.alarm, readings.values[each.index]
            is_good = readings.marks is None or (readings.marks[each.index].quality is Quality.GOOD)
            if value is None or not is_good:
                continue
            event = self._judge(alarm, value, now)
            if event is not None:
                events.append(event)
                changes.append(StateChange(ROOM, alarm.key, alarm.eid))
        return Raised(tuple(events), tuple(changes)) if events else NOTHING

    def _judge(self, alarm: _Alarm, value: Value, now: float) -> EventBody | None:
        if alarm.eid is not None:
            return self._cleared(alarm, value) if is_past(alarm.rule.when, value) else None
        if not is_met(alarm.rule.when, value):
            alarm.holding_since = None
            return None
        if alarm.holding_since is None:
            alarm.holding_since = now
        if now - alarm.holding_since < alarm.rule.when.for_s:
            return None
        alarm.eid = self._standing[alarm.key] = self._new_eid()
        return _event(alarm, alarm.eid, "raised", value)

    def _cleared(self, alarm: _Alarm, value: Value) -> EventBody:
        eid = self._standing.pop(alarm.key)
        alarm.eid = alarm.holding_since = None
        return _event(alarm, eid, "cleared", value)

    def _watched_by(self, readings: Readings) -> tuple[_Watched, ...]:
        key = (readings.device, readings.column)
        watched = self._watched.get(key)
        if watched is None:
            rules = {point.id: point.events for point in self._devices[readings.device].points}
            watched = self._watched[key] = tuple(
                _Watched(index, self._alarm(readings.device, point, rule))
                for index, point in enumerate(readings.column.points)
                for rule in rules[point]
            )
        return watched

    def _alarm(self, device: DeviceId, point: PointId, rule: EventRule) -> _Alarm:
        key = _key(device, point, rule)
        alarm = self._alarms.get(key)
        if alarm is None:
            alarm = self._alarms[key] = _Alarm(rule, key, point, self._standing.get(key))
        alarm.rule = rule
        return alarm

    def _orphan(self, key: str, eid: str) -> Orphan:
        device, point, type_ = key.split("/", 2)
        text = "nothing watches it any more: the site was changed"
        event = EventBody(eid, type_, 0, "cleared", point, detail=text)
        return Orphan(DeviceId(device), event, StateChange(ROOM, key, None))


def is_met(when: Condition, value: Value) -> bool:
    """Whether the condition to raise holds."""
    if when.equals is not None:
        return value == when.equals and isinstance(value, bool) == isinstance(when.equals, bool)
    if isinstance(value, bool | str):
        return False
    return (when.above is not None and value > when.above) or (
        when.below is not None and value < when.below
    )


def is_past(when: Condition, value: Value) -> bool:
    """Whether a standing event is over: the condition gone, past the hysteresis."""
    if when.clear is None or isinstance(value, bool | str):
        return not is_met(when, value)
    if when.above is not None:
        return value <= when.clear
    return value >= when.clear


def _key(device: DeviceId, point: PointId, rule: EventRule) -> str:
    return f"{device}/{point}/{rule.type}"


def _event(alarm: _Alarm, eid: str, state: str, value: Value) -> EventBody:
    rule = alarm.rule
    limit = rule.when.equals if rule.when.equals is not None else rule.when.above
    return EventBody(
        eid,
        rule.type,
        rule.severity,
        state,
        alarm.point,
        value,
        rule.when.below if limit is None else limit,
        rule.duty,
    )


def _make(setup: Setup) -> Alarms:
    return Alarms(setup.devices, setup.saved, setup.new_eid)


RULE = RuleSpec(ROOM, Stage.JUDGE, _make)
