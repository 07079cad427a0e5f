"""Energy of an hour, and what is said when it is not known: nothing is invented."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.clock import TimeQuality
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, bad
from gateway.model.reading import Value
from gateway.privacy.bins import Bin, Bins, Fix, difference
from gateway.settings.site_derived import Take

HOUR_MS = 3_600_000
START = 1_800_000_000_000 // HOUR_MS * HOUR_MS


def next_mark(step_s: float, after_ms: int) -> int:
    """Return the next multiple of the step, in UTC."""
    step_ms = round(step_s * 1000)
    return (after_ms // step_ms + 1) * step_ms


def bins(take: Take = Take.DELTA, *, poll_s: float = 60.0) -> Bins:
    return Bins(take, 3600.0, poll_s, next_mark)


def fix(minute: float, value: float | None, mark: Mark = GOOD) -> Fix:
    return Fix(START + round(minute * 60_000), TimeQuality.SYNC, value, mark)


def run(what: Bins, *fixes: Fix) -> list[tuple[Value | None, Mark]]:
    return [(one.value, one.mark) for each in fixes for one in what.add(each)]


def test_an_hour_is_what_the_counter_grew_from_mark_to_mark() -> None:
    hour = bins()
    found = [one for m in range(181) for one in hour.add(fix(m, round(100 + 0.1 * m, 1)))]
    assert [(one.mark_ms - START) // HOUR_MS for one in found] == [1, 2, 3]
    assert [one.value for one in found] == [6.0, 6.0, 6.0]
    assert {one.mark for one in found} == {GOOD}


def test_the_hour_in_which_we_began_is_not_told() -> None:
    hour = bins()
    assert run(hour, fix(30, 10.0), fix(60, 11.0)) == []
    assert run(hour, fix(120, 13.0)) == [(2.0, GOOD)]


def test_a_missing_reading_at_a_mark_leaves_both_hours_without_a_value() -> None:
    hour = bins()
    run(hour, fix(0, 10.0))
    assert run(hour, fix(55, None, bad("timeout")), fix(70, 12.0)) == [(None, bad("timeout"))]
    assert run(hour, fix(120, 13.0)) == [(None, bad("timeout"))]
    assert run(hour, fix(180, 14.5)) == [(1.5, GOOD)]


def test_silence_is_told_and_is_not_zero() -> None:
    hour = bins()
    run(hour, fix(0, 10.0))
    assert hour.tick(START + HOUR_MS, TimeQuality.SYNC) == []
    late = hour.tick(START + HOUR_MS + 120_000, TimeQuality.SYNC)
    assert late == [Bin(START + HOUR_MS, TimeQuality.SYNC, None, bad("timeout"))]


def test_after_a_long_absence_the_marks_in_between_are_not_told_one_by_one() -> None:
    hour = bins()
    run(hour, fix(0, 10.0))
    unknown = (None, bad("timeout"))
    assert run(hour, fix(60 * 72, 500.0)) == [unknown, unknown]
    assert run(hour, fix(60 * 73, 501.0)) == [(1.0, GOOD)]


def test_a_counter_that_begins_anew_gives_no_value_and_counts_on() -> None:
    hour = bins()
    run(hour, fix(0, 900.0))
    hour.rebased()
    assert run(hour, fix(60, 3.0)) == [(None, bad("counter"))]
    assert run(hour, fix(120, 5.0)) == [(2.0, GOOD)]


def test_a_counter_that_went_down_is_never_taken_off() -> None:
    hour = bins()
    run(hour, fix(0, 900.0))
    assert run(hour, fix(60, 3.0)) == [(None, bad("counter"))]


def test_a_suspect_value_in_between_does_not_count() -> None:
    hour = bins()
    run(hour, fix(0, 10.0), fix(30, None, bad("counter")))
    assert run(hour, fix(60, 12.0)) == [(2.0, GOOD)]


def test_while_the_time_is_not_known_there_are_no_marks() -> None:
    hour = bins()
    run(hour, fix(0, 10.0), fix(60, 11.0))
    lost = hour.add(Fix(5, TimeQuality.UNSYNC, 12.0, GOOD))
    assert [one.mark for one in lost] == [bad("clock")]
    assert hour.add(Fix(6, TimeQuality.UNSYNC, 12.0, GOOD)) == []
    assert hour.tick(START + 9 * HOUR_MS, TimeQuality.UNSYNC) == []
    assert run(hour, fix(180, 15.0), fix(240, 16.0)) == [(1.0, GOOD)]


def test_a_clock_that_was_set_back_begins_anew() -> None:
    hour = bins()
    run(hour, fix(600, 10.0), fix(660, 11.0))
    assert run(hour, fix(0, 12.0)) == []
    assert run(hour, fix(60, 13.0)) == [(1.0, GOOD)]


def test_simulated_values_stay_simulated() -> None:
    hour = bins()
    assert run(hour, fix(0, 1.0, SIMULATED), fix(60, 2.0, SIMULATED)) == [(1.0, SIMULATED)]


def test_a_restart_goes_on_with_the_hour() -> None:
    before, after = bins(), bins()
    run(before, fix(0, 10.0), fix(20, 10.4))
    saved = before.saved()
    assert saved is not None
    after.restore(saved)
    assert run(after, fix(40, 10.9), fix(60, 11.5)) == [(1.5, GOOD)]


def test_a_mean_needs_nine_tenths_of_its_readings() -> None:
    mean = bins(Take.MEAN)
    run(mean, *(fix(m, 20.0) for m in range(61)))
    assert run(mean, *(fix(60 + m, 20.0) for m in range(1, 55)), fix(120, 24.0)) == [(20.0, GOOD)]
    few = run(mean, *(fix(120 + m, 24.0) for m in range(1, 50)), fix(180, 0.0))
    assert few == [(None, bad("timeout"))]


def test_a_mean_with_a_hole_says_that_it_has_one() -> None:
    mean = bins(Take.MEAN)
    run(mean, *(fix(m, 20.0) for m in range(61)))
    found = run(mean, fix(61, None, bad("crc")), *(fix(m, 20.0) for m in range(62, 121)))
    assert found == [(20.0, Mark(Quality.STALE, "crc"))]


@settings(max_examples=30, deadline=None)
@given(st.integers(), st.sets(st.integers(0, 239), max_size=60))
def test_hours_never_sum_to_more_than_the_counter_grew(seed: int, missing: set[int]) -> None:
    chance = Random(seed)  # noqa: S311 - repeatable
    hour, total, told = bins(), 100.0, 0.0
    for minute in range(240):
        total = round(total + chance.randrange(500) / 100, 2)
        value = None if minute in missing else total
        for one in hour.add(fix(minute, value, GOOD if value is not None else bad("crc"))):
            assert (one.value is None) == (one.mark.quality is Quality.BAD)
            told += one.value if isinstance(one.value, float) else 0.0
    assert told <= difference(total, 100.0) + 1e-6
