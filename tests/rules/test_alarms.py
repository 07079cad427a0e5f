"""An event has one id from raised to cleared, also over a restart."""

from itertools import count

import pytest

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import bad
from gateway.model.reading import PointColumn, Readings, Value
from gateway.rules.alarms import ROOM, Alarms
from gateway.settings.site import Condition, EventRule
from tests.support.points import a_device, a_point

SENSOR = DeviceId("gas-1")
COLUMN = PointColumn((PointId("gas"),), ("%{LEL}",))


def _alarms(when: Condition, saved: dict[str, str] | None = None) -> Alarms:
    rule = EventRule("gas_alarm", 4, when, "fire")
    devices = {SENSOR: a_device(SENSOR, [a_point("gas", events=(rule,))])}
    numbers = count(1)
    return Alarms(devices, saved or {}, lambda: f"e{next(numbers)}")


def _read(value: Value | None) -> Readings:
    marks = (bad("timeout"),) if value is None else None
    return Readings(SENSOR, COLUMN, (value,), marks, 0, TimeQuality.SYNC)


def _states(alarms: Alarms, *values: Value | None) -> list[tuple[str, str] | None]:
    seen: list[tuple[str, str] | None] = []
    for now, value in enumerate(values):
        events = alarms.step(_read(value), float(now)).events
        seen.append((events[0].state, events[0].eid) if events else None)
    return seen


def test_raised_once_and_cleared_with_the_same_id() -> None:
    alarms = _alarms(Condition(above=20.0))
    assert _states(alarms, 5.0, 21.0, 22.0, 20.0, 5.0, 30.0) == [
        None,
        ("raised", "e1"),
        None,
        ("cleared", "e1"),
        None,
        ("raised", "e2"),
    ]


def test_hysteresis_holds_the_event() -> None:
    alarms = _alarms(Condition(above=20.0, clear=15.0))
    assert _states(alarms, 21.0, 16.0, 15.0) == [("raised", "e1"), None, ("cleared", "e1")]


def test_a_condition_must_hold_for_its_time() -> None:
    alarms = _alarms(Condition(below=1.0, for_s=2.0))
    assert _states(alarms, 0.0, 2.0, 0.0, 0.0, 0.0) == [None] * 4 + [("raised", "e1")]


def test_a_bad_value_neither_raises_nor_clears() -> None:
    alarms = _alarms(Condition(equals=True))
    assert _states(alarms, None, True, None, None, False) == [
        None,
        ("raised", "e1"),
        None,
        None,
        ("cleared", "e1"),
    ]


def test_an_event_that_stood_at_the_stop_is_cleared_with_its_old_id() -> None:
    first = _alarms(Condition(equals=True))
    raised = first.step(_read(value=True), 0.0)
    (change,) = raised.changes
    assert change.room == ROOM
    second = _alarms(Condition(equals=True), {change.key: change.value})
    cleared = second.step(_read(value=False), 0.0)
    assert [(event.state, event.eid) for event in cleared.events] == [("cleared", "e1")]
    assert [change.value for change in cleared.changes] == [None]


@pytest.mark.parametrize(("equals", "value"), [(True, 1), (1, True)])
def test_true_is_not_one(equals: Value, value: Value) -> None:
    assert _states(_alarms(Condition(equals=equals)), value) == [None]


def test_a_read_in_another_company_neither_raises_again_nor_breaks_the_clearing() -> None:
    rule = EventRule("gas_alarm", 4, Condition(above=20.0), "fire")
    points = [a_point("gas", events=(rule,)), a_point("temp")]
    alarms = Alarms({SENSOR: a_device(SENSOR, points)}, {}, lambda: "e1")
    both = PointColumn((PointId("gas"), PointId("temp")), ("%{LEL}", "Cel"))

    def asked(gas: float) -> Readings:
        return Readings(SENSOR, both, (gas, 20.0), None, 0, TimeQuality.SYNC, asked=True)

    assert [event.state for event in alarms.step(asked(30.0), 0.0).events] == ["raised"]
    assert not alarms.step(_read(30.0), 1.0).events
    assert [event.state for event in alarms.step(asked(5.0), 2.0).events] == ["cleared"]
    assert not alarms.step(_read(5.0), 3.0).events


def test_the_event_of_a_device_that_is_removed_is_ended_and_forgotten() -> None:
    alarms = _alarms(Condition(above=20.0))
    alarms.step(_read(30.0), 0.0)
    assert not alarms.orphans()
    alarms.replace({})
    (orphan,) = alarms.orphans()
    assert (orphan.device, orphan.event.eid, orphan.event.state) == (SENSOR, "e1", "cleared")
    assert orphan.change.value is None
    assert not alarms.standing()
