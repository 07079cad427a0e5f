"""The timekeeper: a start in 1970, steps, and a clock that nobody vouches for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app.clock.redate import Span, redated
from gateway.app.clock.timekeeping import Timekeeper, read_floor
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark, Quality, bad
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import Committed, EventBody, PropBody, Record, StateChange
from gateway.ops.timeline import Step

COLUMN = PointColumn((PointId("u_a"), PointId("i_a")), ("V", "A"))
FLOOR_MS = 1_790_000_000_000
EP = 7


@dataclass
class _Clock:
    """Two clocks in the hand of a test."""

    wall_ms: int = FLOOR_MS
    at_s: float = 100.0
    tq: TimeQuality = TimeQuality.SYNC
    lost: bool = False

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic(self) -> float:
        return self.at_s

    def quality(self) -> TimeQuality:
        return self.tq

    def is_provisional(self) -> bool:
        return self.lost

    def pass_s(self, seconds: float) -> None:
        self.at_s += seconds
        self.wall_ms += round(seconds * 1000)


@dataclass
class _Store:
    """Seqs and states, and what was committed."""

    ep: int = EP
    last_seq: int = 10
    kept: dict[str, Any] = field(default_factory=dict[str, Any])
    records: list[Record] = field(default_factory=list[Record])

    def states(self, room: str) -> Mapping[str, Any]:
        assert room == "clock"
        return self.kept

    async def keep(self, records: Sequence[Record], changes: Sequence[StateChange]) -> None:
        self.records += records
        self.kept |= {change.key: change.value for change in changes}

    def events(self) -> list[tuple[str, str, object]]:
        bodies = [record.body for record in self.records]
        return [(b.type, b.state, b.value) for b in bodies if isinstance(b, EventBody)]


def _keeper(clock: _Clock, store: _Store, folder: Path) -> Timekeeper:
    return Timekeeper(clock, store, store.keep, new_eid=lambda: "e1", floor=folder / "clock-floor")


def _record(seq: int, ts_ms: int, tq: TimeQuality = TimeQuality.UNSYNC, **body: Any) -> Committed:
    values = PropBody(COLUMN, (230.1, None), body.get("marks"))
    return Committed(Record(DeviceId("em-1"), ts_ms, tq, values), EP, seq, None)


async def test_what_was_made_without_a_time_of_day_is_dated_once_there_is_one(
    tmp_path: Path,
) -> None:
    clock, store = _Clock(tq=TimeQuality.UNSYNC, lost=True), _Store()
    keeper = _keeper(clock, store, tmp_path)
    early = _record(11, clock.wall_ms + 500)
    clock.pass_s(5)
    await keeper.look()
    assert keeper.is_lost()
    assert keeper.redated(early) == early, "nobody knows yet"
    store.last_seq = 20
    clock.pass_s(1)
    clock.wall_ms += 86_400_000
    clock.lost, clock.tq = False, TimeQuality.SYNC
    assert keeper.is_lost(), "not traced back yet: it must not leave undated"
    await keeper.look()
    assert not keeper.is_lost()
    dated = keeper.redated(early).record
    assert (dated.ts_ms, dated.tq) == (FLOOR_MS + 500 + 86_400_000, TimeQuality.HOLDOVER)
    late = _record(20, clock.wall_ms)
    assert keeper.redated(late) == late, "made with the right clock, in the same second"
    assert store.events() == [("clock_step", "raised", 86_400.0)]
    again = _keeper(clock, _Store(last_seq=30, kept=store.kept), tmp_path)
    assert again.redated(early).record == dated, "after a restart as well"


async def test_a_run_that_never_knew_the_time_leaves_values_that_are_not_good(
    tmp_path: Path,
) -> None:
    clock, store = _Clock(tq=TimeQuality.UNSYNC, lost=True), _Store()
    first = _keeper(clock, store, tmp_path)
    await first.begin()
    store.last_seq = 12
    second = _keeper(_Clock(), store, tmp_path)
    body = second.redated(_record(12, FLOOR_MS + 1)).record.body
    assert isinstance(body, PropBody)
    assert body.values == (230.1, None), "marked, never altered"
    assert body.marks == (Mark(Quality.STALE, "clock"),) * 2
    marks = (Mark(Quality.GOOD), bad("crc"))
    body = second.redated(_record(12, FLOOR_MS + 1, marks=marks)).record.body
    assert isinstance(body, PropBody)
    assert body.marks == (Mark(Quality.STALE, "clock"), bad("crc"))
    assert second.redated(_record(13, FLOOR_MS + 1)) == _record(13, FLOOR_MS + 1)


@pytest.mark.parametrize("moved_ms", [86_400_000, -86_400_000, 3_600_000, -3_600_000, 2500])
async def test_a_step_of_the_wall_clock_is_an_event(tmp_path: Path, moved_ms: int) -> None:
    clock, store = _Clock(), _Store()
    keeper = _keeper(clock, store, tmp_path)
    for _ in range(5):
        clock.pass_s(1)
        await keeper.look()
    assert not store.records
    clock.pass_s(1)
    clock.wall_ms += moved_ms
    await keeper.look()
    clock.pass_s(1)
    await keeper.look()
    assert store.events() == [("clock_step", "raised", moved_ms / 1000)]


async def test_a_slow_drift_is_no_step(tmp_path: Path) -> None:
    clock, store = _Clock(), _Store()
    keeper = _keeper(clock, store, tmp_path)
    for _ in range(600):
        clock.pass_s(1)
        clock.wall_ms += 100
        await keeper.look()
    assert not store.records


async def test_lost_synchronisation_is_told_after_a_while_and_when_it_ends(
    tmp_path: Path,
) -> None:
    clock, store = _Clock(tq=TimeQuality.UNSYNC), _Store()
    keeper = _keeper(clock, store, tmp_path)
    for _ in range(62):
        clock.pass_s(1)
        await keeper.look()
    assert store.events() == [("clock_unsync", "raised", None)]
    clock.tq = TimeQuality.SYNC
    restarted = _keeper(clock, store, tmp_path)
    await restarted.look()
    assert store.events()[1:] == [("clock_unsync", "cleared", None)]
    assert store.kept["unsync"] is None


async def test_only_a_time_that_somebody_vouches_for_becomes_the_floor(tmp_path: Path) -> None:
    clock = _Clock(tq=TimeQuality.UNSYNC)
    await _keeper(clock, _Store(), tmp_path).look()
    assert read_floor(tmp_path) == 0
    clock.tq = TimeQuality.SYNC
    await _keeper(clock, _Store(), tmp_path).look()
    assert read_floor(tmp_path) == FLOOR_MS


def test_records_of_other_stores_and_of_a_good_clock_stay_as_they_are() -> None:
    spans = [Span(EP, 11, 20, FLOOR_MS + 1000, 5000)]
    assert redated(_record(11, FLOOR_MS), spans).record.ts_ms == FLOOR_MS + 5000
    for untouched in (
        _record(10, FLOOR_MS),
        _record(21, FLOOR_MS),
        _record(11, FLOOR_MS + 1001, TimeQuality.SYNC),
        _record(11, FLOOR_MS, TimeQuality.HOLDOVER),
    ):
        assert redated(untouched, spans) == untouched


def test_the_newest_run_that_a_record_can_be_of_decides() -> None:
    spans = [Span(EP, 11, 100_020, FLOOR_MS + 1000, 5000), Span(EP, 30, 60, FLOOR_MS + 1000, 9000)]
    assert redated(_record(29, FLOOR_MS), spans).record.ts_ms == FLOOR_MS + 5000
    assert redated(_record(30, FLOOR_MS), spans).record.ts_ms == FLOOR_MS + 9000
    assert redated(_record(61, FLOOR_MS), spans) == _record(61, FLOOR_MS)


def test_a_reading_between_both_clocks_is_not_taken_for_a_good_one() -> None:
    """Its time was taken a moment before the clock was set, its quality a moment after."""
    spans = [Span(EP, 11, 20, FLOOR_MS + 1000, 5000)]
    found = redated(_record(20, FLOOR_MS + 1000, TimeQuality.SYNC), spans).record
    assert (found.ts_ms, found.tq) == (FLOOR_MS + 6000, TimeQuality.HOLDOVER)


def test_a_clock_that_was_set_by_hand_dates_but_vouches_for_nothing() -> None:
    spans = [Span(EP, 11, 20, FLOOR_MS + 1000, 5000, is_vouched_for=False)]
    found = redated(_record(11, FLOOR_MS), spans).record
    assert (found.ts_ms, found.tq) == (FLOOR_MS + 5000, TimeQuality.UNSYNC)


async def test_readings_of_this_run_are_dated_too_for_a_snapshot(tmp_path: Path) -> None:
    clock, store = _Clock(tq=TimeQuality.UNSYNC, lost=True), _Store()
    keeper = _keeper(clock, store, tmp_path)
    column = PointColumn((PointId("u_a"),), ("V",))
    early = Readings(
        DeviceId("em-1"), column, (230.1,), None, clock.wall_ms + 500, TimeQuality.UNSYNC
    )
    assert keeper.redated_readings(early) == early
    clock.pass_s(6)
    clock.wall_ms += 86_400_000
    clock.lost, clock.tq = False, TimeQuality.SYNC
    await keeper.look()
    found = keeper.redated_readings(early)
    assert (found.ts_ms, found.tq) == (early.ts_ms + 86_400_000, TimeQuality.HOLDOVER)
    late = replace(early, ts_ms=clock.wall_ms, tq=TimeQuality.SYNC)
    assert keeper.redated_readings(late) == late
    assert read_floor(tmp_path) == clock.wall_ms, "kept at once: the next run may begin in 1970"


async def test_a_clock_that_keeps_its_own_book_of_steps_is_asked_for_it(tmp_path: Path) -> None:
    class Own(_Clock):
        def take_steps(self) -> list[Step]:
            return [Step(FLOOR_MS, FLOOR_MS + 86_400_000)]

    clock, store = Own(), _Store()
    keeper = _keeper(clock, store, tmp_path)
    clock.pass_s(1)
    await keeper.look()
    assert store.events() == [("clock_step", "raised", 86_400.0)], "though time did not move"
    assert keeper.steps == 1
