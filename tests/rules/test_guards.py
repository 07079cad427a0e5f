"""Rates, flat lines and identity: each marks, tells, and lets go by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, Mark, bad
from gateway.model.reading import PointColumn, Readings, Value
from gateway.model.record import EventBody
from gateway.rules import registry
from gateway.rules.chain import Rules
from gateway.settings.site import (
    Condition,
    Device,
    EventRule,
    ValueType,
)
from tests.support.points import a_device, a_point

METER = DeviceId("em-01")
WARM = a_point("temp", unit="Cel", scale=Decimal("0.1"), rate_per_s=0.5)
VOLTS = a_point("u_a", scale=Decimal("0.1"), stuck_s=600.0)
HERTZ = a_point("freq", unit="Hz", scale=Decimal("0.01"), stuck_s=600.0)
NUMBER = a_point("serial", type=ValueType.TEXT, unit=None, is_identity=True)
ENERGY = a_point("ep_imp", unit="kW.h", scale=Decimal("0.01"), is_cumulative=True)
TOO_HOT = EventRule("too_hot", 2, Condition(above=60.0))


@dataclass
class Run:
    """All rules over one device."""

    device: Device
    saved: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    events: list[EventBody] = field(default_factory=list[EventBody])

    def __post_init__(self) -> None:
        self.numbers = count(1)
        self.columns: dict[tuple[str, ...], PointColumn] = {}
        self.restart()

    def restart(self) -> None:
        """Start anew with what was saved."""

        def states(room: str) -> dict[str, Any]:
            return {key: value for (owner, key), value in self.saved.items() if owner == room}

        self.rules = Rules({METER: self.device}, states, lambda: f"e{next(self.numbers)}")

    def read(self, now: float, **values: Value | None) -> tuple[Mark, ...]:
        """Read these points; return their marks."""
        points = tuple(values)
        column = self.columns.setdefault(
            points, PointColumn(tuple(map(PointId, points)), (None,) * len(points))
        )
        given = tuple(values.values())
        marks = tuple(GOOD if v is not None else bad("timeout") for v in given)
        said = self.rules.step(
            Readings(
                METER,
                column,
                given,
                marks if None in given else None,
                int(now * 1000),
                TimeQuality.SYNC,
            ),
            now,
        )
        for change in said.changes:
            if change.value is None:
                self.saved.pop((change.room, change.key), None)
            else:
                self.saved[change.room, change.key] = change.value
        self.events.extend(said.events)
        return marks if said.marks is None else said.marks

    def told(self) -> list[tuple[str, str, str | None]]:
        """Return all events and forget them."""
        events, self.events = self.events, []
        return [(event.type, event.state, event.point) for event in events]


def _run(*points: Any) -> Run:
    return Run(a_device(METER, points))


def test_rules_are_found_by_their_folder_and_marks_come_before_judgements() -> None:
    rooms = [spec.room for spec in registry.specs()]
    assert rooms[0] == "identity"
    assert {"counters", "rates", "stuck"} < set(rooms[: rooms.index("alarms")])


# --- rate ------------------------------------------------------------------------------------


def test_a_spike_is_marked_and_raises_no_alarm() -> None:
    run = _run(a_point("temp", unit="Cel", rate_per_s=0.5, events=(TOO_HOT,)))
    marks = [run.read(60.0 * n, temp=v) for n, v in enumerate((20.0, 85.0, 20.1))]
    assert marks == [(GOOD,), (bad("range"),), (GOOD,)]
    assert run.told() == []


def test_a_true_step_is_believed_at_the_second_reading_and_alarms_then() -> None:
    run = _run(a_point("temp", unit="Cel", rate_per_s=0.5, events=(TOO_HOT,)))
    marks = [run.read(60.0 * n, temp=v) for n, v in enumerate((20.0, 85.0, 86.0))]
    assert marks == [(GOOD,), (bad("range"),), (GOOD,)]
    assert run.told() == [("too_hot", "raised", "temp")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), max_size=20), st.floats(-1e6, 1e6))
def test_a_steady_value_is_never_refused_for_long(before: list[float], value: float) -> None:
    run = _run(WARM)
    for n, each in enumerate(before):
        run.read(float(n), temp=each)
    seen = [run.read(float(len(before) + n), temp=value) for n in range(6)]
    assert seen[1:] == [(GOOD,)] * 5


# --- flat lines --------------------------------------------------------------------------------


def _minutes(run: Run, first: int, last: int, **values: Callable[[int], float]) -> list[Any]:
    return [run.read(60.0 * n, **{k: v(n) for k, v in values.items()}) for n in range(first, last)]


def test_a_flat_line_is_stale_and_clears_by_itself() -> None:
    run = _run(VOLTS, HERTZ)
    marks = _minutes(run, 0, 15, u_a=lambda _: 230.1, freq=lambda n: 50 + n / 100)
    assert [each[0].reason for each in marks[:10]] == [None] * 10
    assert (marks[-1][0].quality, marks[-1][0].reason) == (500, "stuck")
    assert marks[-1][1] == GOOD
    assert run.told() == [("point_stuck", "raised", "u_a")]
    assert run.read(900.0, u_a=230.2, freq=50.0) == (GOOD, GOOD)
    assert run.told() == [("point_stuck", "cleared", "u_a")]


def test_what_moves_is_never_stale() -> None:
    run = _run(VOLTS, HERTZ)
    marks = _minutes(run, 0, 300, u_a=lambda n: 230 + n % 7, freq=lambda n: 50 + n % 5 / 100)
    assert set(marks) == {(GOOD, GOOD)}


def test_nothing_at_rest_at_zero_is_stale() -> None:
    run = _run(VOLTS)
    assert set(_minutes(run, 0, 60, u_a=lambda _: 0.0)) == {(GOOD,)}


def test_a_device_that_answers_from_memory_is_one_event() -> None:
    run = _run(VOLTS, HERTZ)
    _minutes(run, 0, 15, u_a=lambda _: 230.1, freq=lambda _: 50.0)
    assert run.told() == [("device_frozen", "raised", None)]
    assert run.read(900.0, u_a=230.2, freq=50.01) == (GOOD, GOOD)
    assert run.told() == [("device_frozen", "cleared", None)]


def test_the_values_of_a_device_that_was_frozen_have_their_time_again() -> None:
    run = _run(VOLTS, HERTZ)
    _minutes(run, 0, 15, u_a=lambda _: 230.1, freq=lambda _: 50.0)
    assert run.told() == [("device_frozen", "raised", None)]
    _minutes(run, 15, 20, u_a=lambda _: 230.1, freq=lambda n: 50 + n / 100)
    assert run.told() == [("device_frozen", "cleared", None)]
    _minutes(run, 20, 40, u_a=lambda _: 230.1, freq=lambda n: 50 + n / 100)
    assert run.told() == [("point_stuck", "raised", "u_a")]


def test_a_flat_line_keeps_its_id_over_a_restart() -> None:
    run = _run(VOLTS, HERTZ)
    _minutes(run, 0, 15, u_a=lambda _: 230.1, freq=lambda n: 50 + n / 100)
    (eid,) = run.rules.standing().values()
    run.restart()
    assert list(run.rules.standing().values()) == [eid]
    assert run.read(900.0, u_a=230.1, freq=50.0)[0].reason == "stuck"
    run.events.clear()
    run.read(960.0, u_a=230.5, freq=50.1)
    assert [(e.eid, e.state) for e in run.events] == [(eid, "cleared")]
    assert not [key for key in run.saved if key[0] == "stuck"]


# --- identity --------------------------------------------------------------------------------


def test_a_swapped_meter_is_told_and_believed_when_read_twice() -> None:
    run = _run(NUMBER, ENERGY)
    assert run.read(0.0, serial="A1", ep_imp=812.0) == (GOOD, GOOD)
    assert run.read(60.0, serial="B7", ep_imp=4.0) == (bad("identity"),) * 2
    assert run.told() == [("identity_changed", "raised", "serial")]
    assert run.read(90.0, ep_imp=4.1) == (bad("identity"),)
    assert run.read(120.0, serial="B7", ep_imp=4.2) == (GOOD, GOOD)
    assert run.told() == [
        ("identity_changed", "cleared", "serial"),
        ("meter_exchanged", "raised", "ep_imp"),
        ("meter_exchanged", "cleared", "ep_imp"),
    ]


def test_a_number_that_was_misread_once_is_withdrawn() -> None:
    run = _run(NUMBER, ENERGY)
    for n, number in enumerate(("A1", "A?", "A1")):
        run.read(60.0 * n, serial=number, ep_imp=812.0)
    assert run.told() == [
        ("identity_changed", "raised", "serial"),
        ("identity_changed", "cleared", "serial"),
    ]
    assert run.read(240.0, ep_imp=812.1) == (GOOD,)


def test_a_number_is_known_over_a_restart() -> None:
    run = _run(NUMBER, ENERGY)
    run.read(0.0, serial="A1", ep_imp=812.0)
    run.restart()
    assert run.read(60.0, serial="B7", ep_imp=4.0) == (bad("identity"),) * 2
    run.restart()
    assert run.read(120.0, ep_imp=4.1) == (bad("identity"),)


def test_a_number_that_did_not_come_says_nothing() -> None:
    run = _run(NUMBER)
    run.read(0.0, serial="A1")
    run.read(60.0, serial=None)
    assert run.read(120.0, serial="A1") == (GOOD,)
    assert run.told() == []


# --- all of them -----------------------------------------------------------------------------

NUMBERS = st.one_of(st.none(), st.floats(-1e3, 1e6), st.sampled_from([0.0, 230.0, 812.0]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from(["A", "B", None])), max_size=40))
def test_no_rule_makes_a_mark_better_or_touches_a_value(
    rows: list[tuple[float | None, float | None, str | None]],
) -> None:
    run = _run(VOLTS, ENERGY, NUMBER)
    for n, (volts, energy, number) in enumerate(rows):
        values = {"u_a": volts, "ep_imp": energy, "serial": number}
        marks = run.read(100.0 * n, **values)
        for mark, value in zip(marks, values.values(), strict=True):
            assert value is not None or mark == bad("timeout")


def test_a_job_that_no_rule_watches_is_left_alone() -> None:
    run = _run(a_point("p_tot"))
    assert run.read(0.0, p_tot=1.0) == (GOOD,)
    assert not run.events
