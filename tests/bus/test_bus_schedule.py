"""What is due when: absolute times, classes, wall-clock marks, missed times."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.bus.schedule import Entry, Schedule, next_mark_ms
from gateway.settings.site import (
    At,
    Every,
    PollRule,
    Priority,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
WALL = 1_790_000_000_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def local(wall_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(zone).isoformat()


def schedule_of(
    *entries: tuple[str, PollRule, Priority], now: float = 0.0
) -> tuple[Schedule[str], list[Entry[str]]]:
    schedule = Schedule[str](SHANGHAI)
    made = [Entry(*entry) for entry in entries]
    for index, entry in enumerate(made):
        schedule.add(entry, now, index / len(made))
    return schedule, made


def take(schedule: Schedule[str], now: float) -> str | None:
    entry = schedule.pop(now, WALL + round(now * 1000))
    return None if entry is None else entry.what


def test_everything_is_due_at_start_and_then_at_its_phase() -> None:
    schedule, entries = schedule_of(
        ("a", Every(10), Priority.NORMAL), ("b", Every(10), Priority.NORMAL)
    )
    assert [take(schedule, 0.0), take(schedule, 0.0)] == ["a", "b"]
    for entry in entries:
        schedule.done(entry, 0.5, WALL)
    assert schedule.next_at(0.5) == 5.0
    assert take(schedule, 4.9) is None
    assert take(schedule, 5.0) == "b"


def test_periods_do_not_drift_however_late_a_poll_ends() -> None:
    schedule, (entry,) = schedule_of(("a", Every(1), Priority.NORMAL))
    now = 0.0
    for _ in range(1000):
        popped = schedule.pop(now, WALL)
        assert popped is entry
        schedule.done(entry, now + 0.3, WALL)
        now = schedule.next_at(now + 0.3) or 0.0
    assert now == pytest.approx(1000.0)
    assert schedule.missed == 0


def test_missed_times_are_counted_and_not_made_up_for() -> None:
    schedule, (entry,) = schedule_of(("a", Every(1), Priority.NORMAL))
    schedule.pop(0.0, WALL)
    schedule.done(entry, 3.4, WALL)
    assert schedule.missed == 3
    assert schedule.next_at(3.4) == 4.0
    assert take(schedule, 4.0) == "a"
    assert take(schedule, 4.0) is None


def test_alarms_go_before_normal_reads_and_those_before_energy() -> None:
    schedule, _ = schedule_of(
        ("energy", Every(900), Priority.ENERGY),
        ("normal", Every(60), Priority.NORMAL),
        ("alarm", Every(2), Priority.ALARM),
    )
    assert [take(schedule, 0.0) for _ in range(3)] == ["alarm", "normal", "energy"]


def test_an_energy_read_is_not_starved_by_alarms_that_take_all_the_time() -> None:
    schedule, entries = schedule_of(
        *[(f"alarm{n}", Every(0.1), Priority.ALARM) for n in range(5)],
        ("energy", Every(900), Priority.ENERGY),
    )
    del entries
    now, served = 0.0, list[str]()
    while "energy" not in served:
        entry = schedule.pop(now, WALL)
        assert entry is not None
        served.append(entry.what)
        now += 0.1
        schedule.done(entry, now, WALL)
    assert 15.0 <= now < 16.5


def test_a_period_shorter_than_the_cycle_becomes_a_round_robin() -> None:
    schedule, _ = schedule_of(*[(f"u{n}", Every(0.5), Priority.NORMAL) for n in range(20)])
    now, counts = 0.0, dict[str, int]()
    for _ in range(20 * 50):
        entry = schedule.pop(now, WALL)
        assert entry is not None
        counts[entry.what] = counts.get(entry.what, 0) + 1
        now += 0.1
        schedule.done(entry, now, WALL)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_was_dropped_never_comes() -> None:
    schedule, (first, second) = schedule_of(
        ("a", Every(1), Priority.NORMAL), ("b", Every(1), Priority.NORMAL)
    )
    schedule.drop(first)
    assert take(schedule, 0.0) == "b"
    schedule.done(second, 0.1, WALL)
    schedule.drop(second)
    assert schedule.next_at(0.1) is None


def test_a_busy_device_is_asked_again_without_losing_its_place() -> None:
    schedule, (entry,) = schedule_of(("a", Every(10), Priority.NORMAL))
    schedule.pop(0.0, WALL)
    schedule.again(entry, 0.2)
    assert take(schedule, 0.1) is None
    assert take(schedule, 0.2) == "a"
    schedule.done(entry, 0.3, WALL)
    assert schedule.missed == 0
    assert schedule.next_at(0.3) == 10.0


MARKS = [
    (900, "2026-11-23T10:07:00+08:00", SHANGHAI, "2026-11-23T10:15:00+08:00"),
    (900, "2026-11-23T10:15:00+08:00", SHANGHAI, "2026-11-23T10:30:00+08:00"),
    (86400, "2026-11-23T10:07:00+08:00", SHANGHAI, "2026-11-24T00:00:00+08:00"),
    (21600, "2026-11-23T23:59:59+08:00", SHANGHAI, "2026-11-24T00:00:00+08:00"),
    # Spring: 02:00 does not exist, the clock jumps to 03:00.
    (900, "2026-03-29T01:50:00+01:00", BERLIN, "2026-03-29T03:00:00+02:00"),
    (21600, "2026-03-29T00:30:00+01:00", BERLIN, "2026-03-29T06:00:00+02:00"),
    # Autumn: 02:00 to 03:00 comes twice.
    (900, "2026-10-25T02:50:00+02:00", BERLIN, "2026-10-25T02:00:00+01:00"),
    (900, "2026-10-25T02:50:00+01:00", BERLIN, "2026-10-25T03:00:00+01:00"),
    (21600, "2026-10-25T00:30:00+02:00", BERLIN, "2026-10-25T06:00:00+01:00"),
    (86400, "2026-10-25T12:00:00+01:00", BERLIN, "2026-10-26T00:00:00+01:00"),
]


@pytest.mark.parametrize(("step", "now", "zone", "mark"), MARKS)
def test_marks_are_where_the_clock_on_the_wall_shows_them(
    step: float, now: str, zone: ZoneInfo, mark: str
) -> None:
    assert local(next_mark_ms(step, ms(now), zone), zone) == mark


def test_a_mark_waits_for_the_wall_clock_also_when_it_is_set() -> None:
    schedule = Schedule[str](SHANGHAI)
    entry = Entry("a", At(900), Priority.ENERGY)
    schedule.add(entry, 0.0, 0.5)
    wall = ms("2026-11-23T10:07:00+08:00")
    assert schedule.pop(0.0, wall) is entry
    schedule.done(entry, 0.0, wall)
    assert schedule.pop(30.0, wall + 30_000) is None
    # NTP sets the clock forward by seven minutes: the mark is near now.
    assert schedule.pop(60.0, ms("2026-11-23T10:15:00.5+08:00")) is entry
    schedule.done(entry, 60.1, ms("2026-11-23T10:15:00.6+08:00"))
    assert schedule.missed == 0
    # And back by an hour: the next mark is one of the new time.
    assert schedule.pop(90.2, ms("2026-11-23T09:20:00+08:00")) is None
    now, wall = 90.2, ms("2026-11-23T09:20:00+08:00")
    while (popped := schedule.pop(now, wall)) is None:
        now, wall = now + 1, wall + 1000
    assert popped is entry
    assert wall == ms("2026-11-23T09:30:00+08:00")
