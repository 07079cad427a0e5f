"""The file of the local history: what comes back, how large it gets, what damage does."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.historian.chunk import (
    Column,
    Sample,
    Step,
    from_json,
    packed,
    steps,
    to_json,
    unpacked,
)
from gateway.historian.store import (
    DAMAGED,
    FILE,
    HOUR_MS,
    SORT_AFTER,
    WAL_BYTES,
    HistoryDamaged,
    HistoryStore,
    PointName,
)
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, SIMULATED, bad

QUOTA = 8 << 20
RNG = Random(1)  # noqa: S311 - the same noise in every run
NOW_MS = 1_790_000_000_000
U_A = PointName(DeviceId("em-01"), PointId("u_a"))
I_A = PointName(DeviceId("em-01"), PointId("i_a"))
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
MARKS = st.sampled_from([GOOD, SIMULATED, bad("timeout")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HistoryStore]:
    store = HistoryStore(tmp_path, QUOTA)
    store.open()
    yield store
    store.close()


def column(first_ms: int, *values: float, every_ms: int = 1000) -> Column:
    times = range(first_ms, first_ms + len(values) * every_ms, every_ms)
    return {ts: Sample(ts, value) for ts, value in zip(times, values, strict=True)}


def read(store: HistoryStore, name: PointName = U_A) -> list[Sample]:
    return list(store.read(name, 0, 1 << 60).samples)


# --- columns


@given(st.dictionaries(st.integers(0, 1 << 45), st.tuples(VALUES, MARKS), min_size=1, max_size=30))
def test_a_column_comes_back_as_it_was(content: dict[int, tuple[object, object]]) -> None:
    made: Column = {ts: Sample(ts, *rest) for ts, rest in content.items()}  # pyright: ignore[reportArgumentType]
    back = from_json(unpacked(packed(to_json(made))))
    assert back == made
    assert all(type(back[ts].value) is type(made[ts].value) for ts in made)


def test_steps_begin_at_round_times_and_count_only_good_numbers() -> None:
    samples = [
        Sample(999, 1.0),
        Sample(1000, 2),
        Sample(1500, 4.0),
        Sample(1600, None, bad("timeout")),
        Sample(1999, True),
        Sample(3000, "open"),
    ]
    assert steps(samples, 1000) == [
        Step(0, 1, 1.0, 1.0, 1.0, 1.0, 0),
        Step(1000, 3, 1.0, 4.0, pytest.approx(7 / 3), True, 1),  # pyright: ignore[reportArgumentType]
        Step(3000, 0, None, None, None, "open", 0),
    ]


# --- writing and asking


def test_what_was_added_comes_back_in_order_with_its_unit(store: HistoryStore) -> None:
    store.add({U_A: column(NOW_MS, 1.0, 2.0), I_A: column(NOW_MS, 7.0)}, {U_A: "V"}, 0)
    store.add({U_A: column(NOW_MS - 5000, 0.5)}, {U_A: "V"}, 0)
    found = store.read(U_A, 0, 1 << 60)
    assert found.unit == "V"
    assert [one.value for one in found.samples] == [0.5, 1.0, 2.0]
    assert [one.value for one in read(store, I_A)] == [7.0]
    assert [one.value for one in store.read(U_A, NOW_MS, NOW_MS + 1000).samples] == [1.0]
    assert not store.read(PointName(DeviceId("x"), PointId("y")), 0, 1 << 60).samples


def test_what_comes_twice_is_there_once_before_and_after_sorting(store: HistoryStore) -> None:
    for _ in range(SORT_AFTER + 3):
        store.add({U_A: column(NOW_MS, 1.0, 2.0, 3.0)}, {}, 0)
    assert [one.value for one in read(store)] == [1.0, 2.0, 3.0]


def test_values_of_many_hours_are_sorted_and_found_again(store: HistoryStore) -> None:
    for number in range(3 * SORT_AFTER):
        at = NOW_MS + number * 10 * 60_000
        store.add({U_A: column(at, float(number)), I_A: column(at, -float(number))}, {}, 0)
    store.add({U_A: column(NOW_MS + 1, 0.5)}, {}, 0)  # late, for an hour that is sorted
    numbers = [float(number) for number in range(3 * SORT_AFTER)]
    assert [one.value for one in read(store)] == [0.0, 0.5, *numbers[1:]]
    assert [one.value for one in read(store, I_A)] == [-number for number in numbers]


def test_everything_is_there_after_a_restart(store: HistoryStore, tmp_path: Path) -> None:
    for number in range(SORT_AFTER + 5):
        store.add({U_A: column(NOW_MS + number, float(number))}, {U_A: "V"}, 0)
    store.close()
    again = HistoryStore(tmp_path, QUOTA)
    again.open()
    assert len(read(again)) == SORT_AFTER + 5
    again.add({U_A: column(NOW_MS + 1000, 9.0)}, {U_A: "V"}, 0)
    assert len(read(again)) == SORT_AFTER + 6
    again.close()


def test_what_is_older_than_the_days_goes(store: HistoryStore) -> None:
    store.add({U_A: column(NOW_MS, 1.0)}, {}, 0)
    store.add({U_A: column(NOW_MS + 3 * HOUR_MS, 2.0)}, {}, NOW_MS + HOUR_MS)
    store.add({U_A: column(NOW_MS - HOUR_MS, 0.0)}, {}, NOW_MS + HOUR_MS)
    assert [one.value for one in read(store)] == [2.0]


def test_a_purge_takes_the_named_points_and_leaves_no_byte_of_them(
    store: HistoryStore, tmp_path: Path
) -> None:
    canary = "canary-83b1"
    store.add({U_A: {NOW_MS: Sample(NOW_MS, canary)}, I_A: column(NOW_MS, 7.0)}, {}, 0)
    store.add({U_A: column(NOW_MS + 5000, 2.0)}, {}, 0)
    assert store.purge(NOW_MS + 5000, [U_A]) == 1
    assert [one.value for one in read(store)] == [2.0]
    assert [one.value for one in read(store, I_A)] == [7.0]
    packed_canary = packed({"1": to_json({NOW_MS: Sample(NOW_MS, canary)})})[10:30]
    for file in tmp_path.iterdir():
        assert packed_canary not in file.read_bytes()
    assert store.purge(1 << 50) == 2


def test_the_file_stays_within_its_bound_and_the_oldest_hours_go(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path, 4 << 20)
    store.open()
    names = [PointName(DeviceId("em-01"), PointId(f"p{n}")) for n in range(40)]
    for number in range(2 * SORT_AFTER):
        at = NOW_MS + number * 30 * 60_000
        noise = {name: RNG.randbytes(1200).hex() for name in names}  # hardly compresses
        store.add({name: {at: Sample(at, noise[name])} for name in names}, {}, 0)
    kept = read(store, names[0])
    assert kept
    assert kept[-1].ts_ms == NOW_MS + (2 * SORT_AFTER - 1) * 30 * 60_000
    assert kept[0].ts_ms > NOW_MS
    store.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= (4 << 20) + WAL_BYTES


def test_a_reading_costs_few_bytes(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path, 64 << 20)
    store.open()
    names = [
        PointName(DeviceId(f"em-{d:02}"), PointId(f"p{n}")) for d in range(10) for n in range(10)
    ]
    count = 0
    for commit in range(2 * SORT_AFTER):  # an hour of 50 points every 10 s
        at = NOW_MS + commit * 30_000
        fresh = {
            name: column(
                at, *(round(230 + math.sin(commit + k), 1) for k in range(3)), every_ms=10_000
            )
            for name in names
        }
        count += 3 * len(names)
        store.add(fresh, {}, 0)
    used = store.used_bytes()
    store.close()
    assert used / count < 8


# --- damage


def test_a_file_that_is_no_history_makes_room_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, and long enough to be looked at" * 100)
    store = HistoryStore(tmp_path, QUOTA)
    with pytest.raises(HistoryDamaged):
        store.open()
    store.set_aside()
    store.add({U_A: column(NOW_MS, 1.0)}, {}, 0)
    assert len(read(store)) == 1
    assert (tmp_path / DAMAGED).exists()
    store.close()


def test_a_layout_of_another_version_is_not_touched(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(HistoryDamaged, match="99"):
        HistoryStore(tmp_path, QUOTA).open()


def test_a_row_that_is_damaged_is_told_as_damage(store: HistoryStore, tmp_path: Path) -> None:
    store.add({U_A: column(NOW_MS, 1.0)}, {}, 0)
    store.close()
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("UPDATE fresh SET payload = x'00ff00ff'")
    other.commit()
    other.close()
    store.open()
    with pytest.raises(HistoryDamaged):
        read(store)


def test_what_no_json_holds_is_kept_without_its_value(store: HistoryStore) -> None:
    strange = dict(enumerate((math.nan, math.inf, -math.inf, "half \ud800 pair"), NOW_MS))
    store.add({U_A: {ts: Sample(ts, value) for ts, value in strange.items()}}, {}, 0)
    assert [one.value for one in read(store)] == [None, None, None, "half ? pair"]


def test_the_span_is_known_before_and_after_sorting(store: HistoryStore) -> None:
    assert not store.span()
    for number in range(SORT_AFTER + 1):
        at_ms = NOW_MS + number * 60_000
        store.add({U_A: column(at_ms, 1.0)}, {}, 0)
        span = store.span()
        assert 0 <= NOW_MS - span.start < HOUR_MS
        assert 0 < span.stop - at_ms <= HOUR_MS


def test_whole_hours_are_forgotten_without_a_new_value(store: HistoryStore) -> None:
    store.add({U_A: column(NOW_MS, 1.0, 2.0, every_ms=3 * HOUR_MS)}, {}, 0)
    store.purge(0)  # sorts
    store.forget(NOW_MS + HOUR_MS)
    assert [one.value for one in read(store)] == [2.0]


def test_a_commit_that_fails_changes_nothing(store: HistoryStore) -> None:
    store.add({U_A: column(NOW_MS, 1.0)}, {}, 0)
    broken: Column = {NOW_MS + 1: Sample(NOW_MS + 1, cast("Any", b"no JSON"))}
    with pytest.raises(TypeError, match="JSON"):
        store.add({U_A: column(NOW_MS + 2, 3.0), I_A: broken}, {}, 0)
    assert [one.value for one in read(store)] == [1.0]
    store.add({U_A: column(NOW_MS + 2, 3.0), I_A: column(NOW_MS, 7.0)}, {}, 0)
    assert [one.value for one in read(store, I_A)] == [7.0]
