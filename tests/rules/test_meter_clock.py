"""Meters' clocks against ours: measured, told, told well again, and never guessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import bad
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import EventBody
from gateway.rules.chain import Rules
from gateway.rules.meter_clock import LIMIT_S, MIDNIGHT_S, PAIR_WITHIN_S, ahead_s
from gateway.settings.site import ValueType
from tests.support.points import a_device, a_point

METER = DeviceId("em-01")
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
ONE = ("clock",)
TWO = ("clock_date", "clock_time")
NOON = datetime(2026, 11, 27, 12, tzinfo=SHANGHAI)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _texts(shown: datetime) -> dict[str, str]:
    """Return what a meter tells whose clock shows this."""
    return {
        "clock": f"{shown:%Y-%m-%dT%H:%M:%S}",
        "clock_date": f"{shown:%Y-%m-%d}",
        "clock_time": f"{shown:%H:%M:%S}",
    }


@dataclass
class Run:
    """All rules over one meter that tells its clock; the site is in Shanghai."""

    points: tuple[str, ...] = ONE
    zone: tzinfo = SHANGHAI
    begin: datetime = NOON
    limit_s: float | None = None
    saved: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[EventBody] = field(default_factory=list[EventBody])

    def __post_init__(self) -> None:
        self.numbers = count(1)
        self.device = a_device(
            METER,
            [
                a_point(
                    p,
                    type=ValueType.TEXT,
                    unit=None,
                    is_identity=p == "serial",
                    drift_s=self.limit_s,
                )
                for p in (*self.points, "serial")
            ],
        )
        self.columns = {p: PointColumn((PointId(p),), (None,)) for p in (*self.points, "serial")}
        self.restart()

    def restart(self) -> None:
        """Start anew with what was saved."""
        self.rules = Rules(
            {METER: self.device},
            lambda room: self.saved if room == "meter_clock" else {},
            lambda: f"e{next(self.numbers)}",
            zone=self.zone,
        )

    def say(
        self,
        point: str,
        text: str | None,
        at_s: float,
        *,
        stepped_s: float = 0.0,
        tq: TimeQuality = TimeQuality.SYNC,
    ) -> None:
        """Read one point, so long after the beginning."""
        wall_ms = _ms(self.begin) + round((at_s + stepped_s) * 1000)
        marks = None if text is not None else (bad("timeout"),)
        said = self.rules.step(
            Readings(METER, self.columns[point], (text,), marks, wall_ms, tq), at_s
        )
        assert said.marks is None or point == "serial", "a clock that is wrong makes no value bad"
        for change in said.changes:
            if change.value is None:
                self.saved.pop(change.key, None)
            else:
                self.saved[change.key] = change.value
        self.events.extend(said.events)

    def read(
        self, ahead: float, at_s: float = 0.0, *, tq: TimeQuality = TimeQuality.SYNC
    ) -> list[tuple[str, Any]]:
        """Read the clock of a meter that is so far ahead, its halves 2 s apart; return events."""
        before = len(self.events)
        for place, point in enumerate(self.points):
            at = at_s + 2.0 * place
            shown = self.begin.replace(tzinfo=None) + timedelta(seconds=at + ahead)
            self.say(point, _texts(shown)[point], at, tq=tq)
        return [(event.state, event.value) for event in self.events[before:]]


BOTH = pytest.mark.parametrize("points", [ONE, TWO, TWO[::-1]])


@BOTH
def test_a_clock_that_is_right_enough_says_nothing(points: tuple[str, ...]) -> None:
    run = Run(points)
    assert run.read(0) == []
    assert run.read(LIMIT_S - 1, 60) == []
    assert run.read(-LIMIT_S + 1, 120) == []


@BOTH
@pytest.mark.parametrize("ahead", [301.0, -301.0, 3600.0, 86400.0, -86400.0 * 30, 86400.0 * 4000])
def test_the_drift_is_told_once_in_seconds_and_its_end(
    points: tuple[str, ...], ahead: float
) -> None:
    run = Run(points)
    assert run.read(ahead) == [("raised", ahead)]
    assert run.read(ahead, 60) == []
    assert run.read(2, 120) == [("cleared", 2.0)]
    begun, ended = run.events
    assert begun.eid == ended.eid
    assert (begun.type, begun.severity, begun.duty, begun.threshold) == (
        "clock_drift",
        1,
        "energy",
        LIMIT_S,
    )
    assert begun.point in {"clock", "clock_time"}


def test_the_words_say_how_far_and_which_way() -> None:
    run = Run()
    run.read(-2 * 86400.0 - 3723)
    assert run.events[0].detail == "the meter's clock is 2 d 01:02:03 behind"


@BOTH
def test_a_point_may_have_a_limit_of_its_own(points: tuple[str, ...]) -> None:
    run = Run(points, limit_s=20.0)
    assert run.read(19) == []
    assert run.read(-21, 60) == [("raised", -21.0)]
    assert run.events[0].threshold == 20.0
    assert run.read(11, 120) == []
    assert run.read(10, 180) == [("cleared", 10.0)]


def test_around_the_limit_it_does_not_flicker() -> None:
    run = Run()
    assert run.read(310) == [("raised", 310.0)]
    assert run.read(290, 60) == []
    assert run.read(310, 120) == []
    assert run.read(149, 180) == [("cleared", 149.0)]


@pytest.mark.parametrize(("tq", "told"), [("sync", 1), ("holdover", 1), ("unsync", 0)])
def test_nothing_is_measured_by_a_clock_that_may_be_wrong_itself(tq: str, told: int) -> None:
    assert len(Run().read(7200, tq=TimeQuality(tq))) == told


def test_a_half_that_was_read_without_time_is_not_put_to_one_with_it() -> None:
    run = Run(TWO)
    run.say("clock_date", "1990-01-01", 0, tq=TimeQuality.UNSYNC)
    run.say("clock_time", "12:00:02", 2)
    assert run.events == []


def test_halves_that_are_far_apart_or_over_a_step_of_our_clock_are_not_put_together() -> None:
    run = Run(TWO)
    run.say("clock_date", "1990-01-01", 0)
    run.say("clock_time", "12:20:00", PAIR_WITHIN_S + 1)
    assert run.events == []
    run = Run(TWO)
    run.say("clock_date", "2026-11-27", 0)
    run.say("clock_time", "12:00:02", 2, stepped_s=86400)
    assert run.events == []


@pytest.mark.parametrize("text", ["", "0", "00-00-00T00:00", "2026-02-30T12:00:00", "noon", None])
def test_what_is_no_time_is_no_drift(text: str | None) -> None:
    run = Run()
    run.say("clock", text, 0)
    run = Run(TWO)
    run.say("clock_date", text, 0)
    run.say("clock_time", text, 2)
    assert run.events == []


@settings(max_examples=300, deadline=None)
@given(
    hour=st.integers(0, 86399),
    ahead=st.integers(-40 * 86400, 40 * 86400),
    apart=st.integers(0, int(PAIR_WITHIN_S)),
    order=st.sampled_from([TWO, TWO[::-1]]),
)
def test_two_halves_give_the_drift_of_the_whole_or_none(
    hour: int, ahead: int, apart: int, order: tuple[str, ...]
) -> None:
    """At every hour, over every midnight, whichever was read first."""
    run = Run(TWO, begin=datetime(2026, 11, 27, tzinfo=SHANGHAI) + timedelta(seconds=hour))
    shown_at_date = None
    for place, point in enumerate(order):
        at = float(apart * place)
        shown = run.begin.replace(tzinfo=None) + timedelta(seconds=at + ahead)
        if point == "clock_date":
            shown_at_date = shown
        run.say(point, _texts(shown)[point], at)
    assert shown_at_date is not None
    since = shown_at_date.hour * 3600 + shown_at_date.minute * 60 + shown_at_date.second
    if MIDNIGHT_S <= since <= 86400 - MIDNIGHT_S and abs(ahead) > LIMIT_S:
        assert [event.value for event in run.events] == [float(ahead)]
    else:
        assert run.events == []


SUMMER = datetime(2026, 7, 1, 12, tzinfo=BERLIN)
AUTUMN = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
"""02:30 in Berlin, which comes again an hour later."""


@pytest.mark.parametrize(
    ("at", "shown", "drift"),
    [
        (SUMMER, "2026-07-01T12:00:00", 0),
        (SUMMER, "2026-07-01T11:00:00", 0),
        (SUMMER, "2026-07-01T10:00:00", -3600),
        (SUMMER, "2026-07-01T13:00:00", 3600),
        (AUTUMN, "2026-10-25T02:30:00", 0),
        (AUTUMN + timedelta(hours=1), "2026-10-25T02:30:00", 0),
        (AUTUMN + timedelta(hours=1), "2026-10-25T03:30:00", 3600),
    ],
)
def test_summer_time_and_standard_time_are_both_right(
    at: datetime, shown: str, drift: float
) -> None:
    assert ahead_s(datetime.fromisoformat(shown), _ms(at), BERLIN) == drift


def test_an_event_stands_over_a_restart_and_ends_when_nothing_reads_the_clock() -> None:
    run = Run(TWO)
    run.read(7200)
    assert run.saved == {"em-01/clock_time": "e1"}
    run.restart()
    assert run.rules.standing() == {"em-01/clock_time/clock_drift": "e1"}
    assert run.read(7200, 60) == []
    run.rules.replace({METER: a_device(METER, [a_point("u_a")])}, {METER})
    (orphan,) = run.rules.orphans()
    assert (orphan.event.eid, orphan.event.state) == ("e1", "cleared")
    assert (orphan.change.key, orphan.change.value) == ("em-01/clock_time", None)
    assert run.rules.orphans() == ()


def test_a_meter_that_is_set_is_not_measured_by_what_it_said_before() -> None:
    run = Run(TWO)
    run.read(86400)
    run.say("clock_date", "2026-11-27", 60)
    assert [event.state for event in run.events] == ["raised"], "a date alone proves nothing"
    run.say("clock_time", "12:01:02", 62)
    assert [event.state for event in run.events] == ["raised", "cleared"]


def test_another_meter_is_measured_by_its_own_halves() -> None:
    run = Run(TWO)
    run.say("clock_date", "1990-01-01", 0)
    for at in (1, 2, 3):
        run.say("serial", "1" if at == 1 else "2", at)
    assert run.events[-1].type == "identity_changed"
    run.events.clear()
    run.say("clock_time", "12:00:04", 4)
    assert run.events == []
