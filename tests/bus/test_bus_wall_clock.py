"""Schedules at the worst moments of a wall clock: set at a mark, a second twice, odd zones.

Each test lets a line go through loop time in small steps; the wall clock is a function of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bus.schedule import RECHECK_S, Entry, Schedule, next_mark_ms
from gateway.settings.site import (
    At,
    Every,
    PollRule,
    Priority,
)

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
HOUR_S, DAY_S = 3600.0, 86400.0
QUARTER_S = 900.0
TAKES_S = 0.3
"""How long one turn lasts."""


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock is set by so much when loop time is so far."""

    at_s: float
    by_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A poll: when it began, by both clocks."""

    now: float
    wall_ms: int


def wall_clock(begin_ms: int, *steps: Step) -> Callable[[float], int]:
    """Return a wall clock over loop time."""

    def wall(now: float) -> int:
        moved = sum(step.by_s for step in steps if now >= step.at_s)
        return begin_ms + math.floor((now + moved) * 1000)

    return wall


def turns(
    rule: PollRule,
    wall: Callable[[float], int],
    lasting_s: float,
    *,
    zone: ZoneInfo = SHANGHAI,
    tick_s: float = 1.0,
) -> list[Turn]:
    """Return all polls of one entry, looked for as the line does: at the time that it says."""
    schedule = Schedule[str](zone)
    entry = Entry("a", rule, Priority.NORMAL)
    schedule.add(entry, 0.0, 0.5)
    found: list[Turn] = []
    now = 0.0
    while now < lasting_s:
        popped = schedule.pop(now, wall(now))
        if popped is not None:
            found.append(Turn(now, wall(now)))
            now += TAKES_S
            schedule.done(popped, now, wall(now))
        following = schedule.next_at(now)
        assert following is not None, "it waits for nothing"
        now = max(now + 0.001, min(following, now + tick_s))
    return found


def local(turn: Turn, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(turn.wall_ms / 1000, UTC).astimezone(zone):%H:%M}"


def gaps(found: Sequence[Turn]) -> list[float]:
    return [after.now - before.now for before, after in pairwise(found)]


STEPS = [DAY_S, -DAY_S, HOUR_S, -HOUR_S, 420.0, -420.0]
BEGIN = ms("2026-11-23T10:07:00+08:00")


# --- every ---------------------------------------------------------------------------------------


@given(
    st.lists(
        st.builds(Step, st.floats(0, 600), st.floats(-2 * DAY_S, 2 * DAY_S)), min_size=1, max_size=5
    )
)
@settings(max_examples=50, deadline=None)
def test_a_period_does_not_know_the_wall_clock(steps: list[Step]) -> None:
    still = turns(Every(10), wall_clock(BEGIN), 600)
    moved = turns(Every(10), wall_clock(BEGIN, *steps), 600)
    assert [turn.now for turn in moved] == [turn.now for turn in still]
    assert len(still) > 55


# --- at: the clock is set ------------------------------------------------------------------------


@pytest.mark.parametrize("by_s", STEPS)
def test_a_step_at_the_mark_itself_serves_it(by_s: float) -> None:
    """The worst moment: the clock is set within the second in which the mark is."""
    step = Step(480.0, by_s)  # 10:15:00
    found = turns(At(QUARTER_S), wall_clock(BEGIN, step), 2 * HOUR_S)
    assert 7 <= len(found) - 1 <= 9
    assert max(gaps(found)) <= 2 * QUARTER_S


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Step, st.floats(10, 4 * HOUR_S), st.sampled_from([*STEPS, 1.0, -1.0, 30.0, -30.0])
        ),
        max_size=6,
    )
)
def test_whatever_is_done_to_the_clock_there_is_no_burst_and_no_stall(steps: list[Step]) -> None:
    found = turns(At(QUARTER_S), wall_clock(BEGIN, *steps), 5 * HOUR_S, tick_s=RECHECK_S)
    # Each step costs at most one turn more, or keeps one waiting for a quarter more.
    assert len(found) <= 5 * 4 + 1 + len(steps)
    assert max(gaps(found), default=0.0) <= (QUARTER_S + RECHECK_S) * (1 + len(steps))


# --- at: a second comes twice --------------------------------------------------------------------


def test_a_leap_second_as_the_kernel_inserts_it_serves_the_mark_once() -> None:
    """23:59:59 UTC comes twice, then 00:00:00; it is 08:00 in Shanghai."""
    begin = ms("2026-12-31T23:50:00+00:00")
    found = turns(At(QUARTER_S), wall_clock(begin, Step(600.0, -1.0)), 1800, tick_s=0.1)
    assert [local(turn, SHANGHAI) for turn in found[1:]] == ["08:00", "08:15"]
    assert found[1].now == pytest.approx(601.0, abs=0.2)
    assert gaps(found[1:]) == [pytest.approx(QUARTER_S, abs=0.3)]


def test_a_second_that_comes_again_behind_the_mark_does_not_serve_it_twice() -> None:
    begin = ms("2026-12-31T23:50:00+00:00")
    found = turns(At(QUARTER_S), wall_clock(begin, Step(600.5, -1.0)), 1800, tick_s=0.1)
    assert [local(turn, SHANGHAI) for turn in found[1:]] == ["08:00", "08:15"]


# --- at: the zone's offset changes ---------------------------------------------------------------

NIGHTS = [
    # The clocks go forward: an hour is missing, and nothing waits for it.
    (BERLIN, "2026-03-29T00:50:00+01:00", QUARTER_S, 5 * HOUR_S, 20, {900.0}),
    (BERLIN, "2026-03-28T23:50:00+01:00", 6 * HOUR_S, 24 * HOUR_S, 5, {5 * HOUR_S, 6 * HOUR_S}),
    (BERLIN, "2026-03-28T23:50:00+01:00", DAY_S, 50 * HOUR_S, 3, {23 * HOUR_S, 24 * HOUR_S}),
    # And back: the hour that comes twice has its marks twice.
    (BERLIN, "2026-10-25T00:50:00+02:00", QUARTER_S, 5 * HOUR_S, 20, {900.0}),
    (BERLIN, "2026-10-24T23:50:00+02:00", 6 * HOUR_S, 24 * HOUR_S, 4, {7 * HOUR_S, 6 * HOUR_S}),
    (BERLIN, "2026-10-24T23:50:00+02:00", DAY_S, 50 * HOUR_S, 3, {25 * HOUR_S, 24 * HOUR_S}),
    # No summer time; half an hour of it; a zone off the hour; a midnight that does not exist.
    (SHANGHAI, "2026-03-28T23:50:00+08:00", DAY_S, 50 * HOUR_S, 3, {24 * HOUR_S}),
    (
        ZoneInfo("Australia/Lord_Howe"), "2026-04-05T00:50:00+11:00", QUARTER_S, 5 * HOUR_S, 20,
        {900.0},
    ),
    (ZoneInfo("Asia/Kathmandu"), "2026-04-05T00:50:00+05:45", QUARTER_S, 5 * HOUR_S, 20, {900.0}),
    (
        ZoneInfo("Africa/Cairo"), "2026-04-23T23:50:00+02:00", DAY_S, 50 * HOUR_S, 3,
        {23 * HOUR_S, 24 * HOUR_S},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "begin", "step_s", "lasting_s", "marks", "between"), NIGHTS)
def test_marks_through_a_change_of_the_zone(
    zone: ZoneInfo, begin: str, step_s: float, lasting_s: float, marks: int, between: set[float]
) -> None:
    found = turns(At(step_s), wall_clock(ms(begin)), lasting_s, zone=zone, tick_s=30)[1:]
    assert len(found) == marks
    assert {round(gap) for gap in gaps(found)} == between


def test_a_zone_change_makes_no_turn_missed() -> None:
    schedule = Schedule[str](BERLIN)
    entry = Entry("a", At(QUARTER_S), Priority.NORMAL)
    schedule.add(entry, 0.0, 0.5)
    wall = wall_clock(ms("2026-10-25T00:50:00+02:00"))
    now = 0.0
    while now < 4 * HOUR_S:
        if (popped := schedule.pop(now, wall(now))) is not None:
            schedule.done(popped, now + TAKES_S, wall(now + TAKES_S))
        now += 1.0
    assert schedule.missed == 0


ZONES = ["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu",
         "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia"]  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    step_s=st.sampled_from([60.0, 300.0, 900.0, 1800.0, 3600.0, 6 * HOUR_S, DAY_S]),
    now_ms=st.integers(ms("2008-01-01T00:00:00Z"), ms("2036-01-01T00:00:00Z")),
)
def test_the_next_mark_is_ahead_near_and_shown_by_the_clock(
    zone: ZoneInfo, step_s: float, now_ms: int
) -> None:
    mark_ms = next_mark_ms(step_s, now_ms, zone)
    assert 0 < mark_ms - now_ms <= (step_s + HOUR_S) * 1000
    shown = datetime.fromtimestamp(mark_ms / 1000, UTC).astimezone(zone)
    since_midnight = shown.hour * 3600 + shown.minute * 60 + shown.second
    earlier = datetime.fromtimestamp(mark_ms / 1000, UTC) - timedelta(seconds=1)
    has_jumped = earlier.astimezone(zone).utcoffset() != shown.utcoffset()
    assert since_midnight % step_s == 0 or has_jumped
