"""The schedule while the wall clock is set: periods do not care, wall-clock marks follow it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from gateway.bus.schedule import Entry, Schedule
from gateway.settings.site import (
    At,
    Every,
    PollRule,
    Priority,
)

SHANGHAI, BERLIN, SYDNEY = (
    ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "Australia/Sydney")
)
DAY_S, HOUR_S = 86_400.0, 3600.0
STEPS_S = [DAY_S, -DAY_S, HOUR_S, -HOUR_S, 1.0, -1.0]
"""The last two are what a leap second looks like."""


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def served(
    rule: PollRule, start_ms: int, zone: ZoneInfo, for_s: float, *, steps: dict[float, float]
) -> list[tuple[float, int]]:
    """Return when one entry was served, on both clocks; `steps` sets the wall clock."""
    schedule = Schedule[str](zone)
    entry = Entry("a", rule, Priority.NORMAL)
    schedule.add(entry, 0.0, 0.5)
    now, found, waiting = 0.0, list[tuple[float, int]](), sorted(steps.items())
    offset_s = 0.0
    while now < for_s:
        while waiting and waiting[0][0] <= now:
            offset_s += waiting.pop(0)[1]
        wall_ms = start_ms + round((now + offset_s) * 1000)
        while (popped := schedule.pop(now, wall_ms)) is not None:
            found.append((now, wall_ms))
            schedule.done(popped, now, wall_ms)
        at = schedule.next_at(now)
        assert at is not None
        nearest = min(at, waiting[0][0] if waiting else at)
        now = max(nearest, now + 0.001)
    return found


@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_period_keeps_its_rhythm_however_the_wall_clock_is_set(step_s: float) -> None:
    found = served(Every(10), ms("2026-11-23T10:07:00+08:00"), SHANGHAI, 600, steps={100.5: step_s})
    spans = [b - a for (a, _), (b, _) in pairwise(found[1:])]
    assert len(spans) > 50
    assert all(abs(span - 10) <= 0.5 for span in spans), "interval error above 5 %"


@pytest.mark.parametrize("step_s", STEPS_S)
def test_marks_of_the_wall_clock_come_once_each_and_soon_after_a_step(step_s: float) -> None:
    start = ms("2026-11-23T10:07:00+08:00")
    found = served(At(900), start, SHANGHAI, 2 * HOUR_S, steps={1000.0: step_s})
    marks = found[1:]  # the first read is at the start
    for now, wall_ms in marks:
        if 1000 <= now <= 1031:
            continue  # the mark that the clock jumped over is made up for, once
        past_s = wall_ms / 1000 % 900
        assert min(past_s, 900 - past_s) <= 31, "on a mark, or at the next look after the step"
    after = [now for now, _ in marks if now > 1000]
    spans = [b - a for a, b in pairwise(after)]
    assert after[0] <= 1000 + 900 + 31, "no stall"
    assert len(marks) <= 2 * HOUR_S / 900 + 2, "no burst"
    assert all(span >= 800 for span in spans[1:]), "no burst"


@pytest.mark.parametrize(
    ("zone", "start", "marks"),
    [
        (BERLIN, "2026-03-28T23:30:00+01:00", 24 * 4 - 4),
        (BERLIN, "2026-10-24T23:30:00+02:00", 24 * 4 + 4),
        (SYDNEY, "2026-10-03T23:30:00+10:00", 24 * 4 - 4),
        (SHANGHAI, "2026-03-28T23:30:00+08:00", 24 * 4),
    ],
)
def test_a_day_on_which_the_clocks_change_has_all_its_quarters(
    zone: ZoneInfo, start: str, marks: int
) -> None:
    first = datetime.fromisoformat(start).astimezone(zone)
    day = (first + timedelta(hours=1)).date()
    found = served(At(900), ms(start), zone, 26 * HOUR_S, steps={})
    of_day = [
        wall_ms
        for _, wall_ms in found
        if datetime.fromtimestamp((wall_ms + 500) / 1000, zone).date() == day
    ]
    assert len(of_day) == marks
    assert all((b - a) == 900_000 for a, b in pairwise(of_day))


def test_a_changed_zone_moves_midnight_and_nothing_else() -> None:
    """A reload that changes the zone makes new schedules; each keeps the marks of its own zone."""
    start = ms("2026-11-23T20:00:00+08:00")
    for zone, midnight in ((SHANGHAI, "2026-11-24T00:00:00+08:00"), (BERLIN, None)):
        found = served(At(DAY_S), start, zone, 12 * HOUR_S, steps={})
        expected = ms(midnight or "2026-11-24T00:00:00+01:00")
        assert [wall for _, wall in found[1:]] == [expected]
    every = [served(Every(60), start, zone, 600, steps={}) for zone in (SHANGHAI, BERLIN)]
    assert every[0] == every[1]
