"""The counter guard: marks and tells, never alters, and believes a counter that counts again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Quality, bad
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import EventBody
from gateway.rules.contract import Setup
from gateway.rules.counters import PATIENCE, SUSPECT, CounterGuard
from tests.support.points import a_device, a_point

METER, ENERGY = DeviceId("em-01"), PointId("ep_imp")
COLUMN = PointColumn((ENERGY,), ("kW.h",))
MINUTE_MS = 60_000
POINT = a_point(
    "ep_imp", unit="kW.h", scale=Decimal("0.01"), is_cumulative=True, rate_per_s=0.1, rollover=1e6
)
"""At most 6 kWh a minute."""


@dataclass
class Run:
    """A guard that is read once a minute, and may be stopped and started in between."""

    restarts: bool = False
    saved: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[EventBody] = field(default_factory=list[EventBody])
    at: int = 0

    def __post_init__(self) -> None:
        self.numbers = count(1)
        self.guard = self._guard()

    def _guard(self) -> CounterGuard:
        devices = {METER: a_device(METER, [POINT])}
        return CounterGuard(Setup(devices, dict(self.saved), lambda: f"e{next(self.numbers)}"))

    def read(self, value: float | None) -> bool:
        """Read a value a minute after the last one; whether it is good."""
        if self.restarts:
            self.guard = self._guard()
        self.at += 1
        marks = (bad("timeout"),) if value is None else None
        readings = Readings(METER, COLUMN, (value,), marks, self.at * MINUTE_MS, TimeQuality.SYNC)
        now = 0.0 if self.restarts else self.at * 60.0
        said = self.guard.step(readings, now)
        for change in said.changes:
            assert change.value is not None
            self.saved[change.key] = change.value
        self.events.extend(said.events)
        assert said.marks in (None, (SUSPECT,))
        return said.marks is None and value is not None

    def all(self, *values: float | None) -> list[bool]:
        """Read them all."""
        return [self.read(value) for value in values]

    def told(self) -> list[tuple[str, str]]:
        """Return type and state of all events so far."""
        return [(event.type, event.state) for event in self.events]


def _raised_and_cleared(kind: str) -> list[tuple[str, str]]:
    return [(kind, "raised"), (kind, "cleared")]


def test_a_counter_that_counts_is_good_and_says_nothing() -> None:
    run = Run()
    assert run.all(812.44, 812.44, 812.5, 813.0) == [True] * 4
    assert not run.events


def test_a_single_zero_is_marked_and_withdrawn() -> None:
    run = Run()
    assert run.all(812.44, 0.0, 812.5, 812.6) == [True, False, True, True]
    assert run.told() == _raised_and_cleared("counter_reset")
    raised, cleared = run.events
    assert (raised.value, raised.threshold) == (0.0, 812.44)
    assert cleared.eid == raised.eid
    assert str(cleared.detail).startswith("withdrawn")


def test_a_reset_is_good_again_when_two_agree() -> None:
    run = Run()
    assert run.all(812.44, 0.0, 0.5, 1.0) == [True, False, True, True]
    assert run.told() == _raised_and_cleared("counter_reset")
    assert str(run.events[-1].detail).startswith("confirmed")


def test_a_rollover_is_known_by_the_registers_top() -> None:
    run = Run()
    assert run.all(999_998.0, 3.5, 4.0) == [True, False, True]
    assert run.told() == _raised_and_cleared("counter_rollover")


def test_a_jump_that_no_load_makes_is_marked() -> None:
    run = Run()
    assert run.all(10.0, 9000.0, 10.2) == [True, False, True]
    assert run.told() == _raised_and_cleared("counter_jump")


def test_a_step_back_of_the_last_digit_is_marked_without_an_event() -> None:
    run = Run()
    assert run.all(812.44, 812.43, 812.44) == [True, False, True]
    assert not run.events


def test_a_step_back_that_stays_is_told() -> None:
    run = Run()
    assert run.all(812.44, 812.43, 812.43) == [True, False, True]
    assert run.told() == _raised_and_cleared("counter_back")


def test_missing_values_neither_raise_nor_confirm() -> None:
    run = Run()
    assert run.all(812.44, None, 0.0, None, 812.9) == [True, False, False, False, True]


def test_a_long_silence_allows_for_what_was_used_meanwhile() -> None:
    run = Run()
    run.read(100.0)
    run.at += 60 * 24
    assert run.read(3000.0)


def test_a_limit_that_is_too_low_is_widened_and_not_held_against_the_counter() -> None:
    run = Run()
    seen = run.all(*(100.0 * n for n in range(30)))
    assert seen[:2] == [True, False]
    assert all(seen[PATIENCE + 3 :])


def test_another_meter_is_told_with_the_last_and_the_first_value() -> None:
    run = Run()
    run.read(812.44)
    run.guard.exchanged(METER)
    assert run.read(5.0)
    assert run.told() == _raised_and_cleared("meter_exchanged")
    assert (run.events[0].value, run.events[0].threshold) == (5.0, 812.44)
    assert run.read(5.1)


def test_an_event_that_stands_is_cleared_with_its_id_after_a_restart() -> None:
    run = Run(restarts=True)
    run.all(812.44, 0.0)
    assert list(run.guard.standing()) == ["em-01/ep_imp/counter_reset"]
    run.all(0.0)
    assert run.events[0].eid == run.events[1].eid
    assert run.told() == _raised_and_cleared("counter_reset")


def test_a_point_that_went_leaves_no_event_behind() -> None:
    run = Run()
    run.all(812.44, 0.0)
    run.guard.replace({METER: a_device(METER, [a_point("u_a")])}, {METER})
    (orphan,) = run.guard.orphans()
    assert (orphan.event.eid, orphan.event.state) == (run.events[0].eid, "cleared")
    assert orphan.change.value is None


VALUES = st.lists(
    st.one_of(
        st.none(),
        st.sampled_from([0.0, -0.0, 5e-324, 812.44, 812.43, 999_999.99, -1.0, 4_294_967_295.0]),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.floats(0, 900_000, width=32))
def test_whatever_came_before_a_counter_that_counts_is_believed(
    values: Sequence[float | None], start: float
) -> None:
    run = Run()
    run.all(*values)
    true = [start + 0.05 * n for n in range(12)]
    seen = run.all(*true)
    assert all(seen[PATIENCE + 1 :])


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_restarts_in_between_make_no_difference(values: Sequence[float | None]) -> None:
    through, again = Run(), Run(restarts=True)
    assert through.all(*values) == again.all(*values)
    assert through.told() == again.told()


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_every_event_that_ends_has_begun_and_only_one_stands(
    values: Sequence[float | None],
) -> None:
    run = Run()
    run.all(*values)
    open_ids: list[str] = []
    for event in run.events:
        if event.state == "raised":
            open_ids.append(event.eid)
        else:
            open_ids.remove(event.eid)
    assert sorted(open_ids) == sorted(run.guard.standing().values())
    assert len(open_ids) <= 1


@pytest.mark.parametrize("quality", [Quality.BAD, Quality.STALE])
def test_a_mark_is_never_made_better(quality: Quality) -> None:
    run = Run()
    run.read(812.44)
    mark = bad("crc") if quality is Quality.BAD else bad("stuck")
    readings = Readings(METER, COLUMN, (0.0,), (mark,), 2 * MINUTE_MS, TimeQuality.SYNC)
    assert run.guard.step(readings, 120.0).marks is None
