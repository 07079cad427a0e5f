"""What the card has to take for each reading, counted in bytes and not in time; and what fits.

`wchar` of /proc/self/io counts every byte that the process hands to the file system: the log, the
database when the log is moved into it, the marks. What the file system adds is in row D7.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from outbox_support import NORTH, ManualClock, an_outbox, deliver_all, event, values

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.reading import PointColumn
from gateway.model.record import Lane, PropBody, Record
from gateway.outbox.feed import Room
from gateway.outbox.quota import PAGE_BYTES
from gateway.outbox.rows import Page
from gateway.outbox.source import FeedSource
from gateway.outbox.views import PAGE_OVERHEAD
from gateway.settings.site import Store

COMMITS = 400
DEVICES = 200
PER_READING_BYTES = 500
PER_COMMIT_BYTES = 10_000
MONTH_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Load:
    """Records in each second, of so many values each."""

    records: float
    values: int


def handed_to_files() -> int:
    with Path("/proc/self/io").open(encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("wchar"))


def records_of(load: Load, chance: Random, number: int, at_ms: int) -> list[Record]:
    """Return what one second brings: other devices in turn, values as a mains has them."""
    points = tuple(PointId(f"u_{place}") for place in range(load.values))
    column = PointColumn(points, ("V",) * load.values)
    first, end = int(number * load.records), int((number + 1) * load.records)
    return [
        Record(
            DeviceId(f"em-{each % DEVICES:03}"),
            at_ms,
            TimeQuality.SYNC,
            PropBody(
                column, tuple(round(chance.gauss(230, 3), 1) for _ in range(load.values)), None
            ),
        )
        for each in range(first, end)
    ]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a load cost in bytes."""

    readings: int
    commits: int
    written: int
    used: int
    records: int


async def cost_of(folder: Path, load: Load, commits: int = COMMITS) -> Cost:
    clock, chance = ManualClock(), Random(1)  # noqa: S311 - repeatable
    readings = number = 0
    quota_bytes = Store().quota_bytes
    async with an_outbox(folder, clock, quota_bytes=quota_bytes, recent_readings=10) as outbox:
        before, empty = handed_to_files(), (await outbox.stats()).used_bytes
        done = 0
        while done < commits:
            records = records_of(load, chance, number, clock.at_ms)
            number += 1
            if records:
                await outbox.append(records)
                readings += len(records) * load.values
                done += 1
            clock.pass_s(1)
        stats = await outbox.stats()
        written = handed_to_files() - before
        used = stats.used_bytes - empty
        return Cost(readings, stats.commits, written, used, stats.records)


@pytest.mark.parametrize("load", [Load(20, 1), Load(3.4, 6), Load(5, 20), Load(50, 20)], ids=str)
async def test_from_20_readings_a_second_half_a_kilobyte_each(tmp_path: Path, load: Load) -> None:
    cost = await cost_of(tmp_path, load, COMMITS)
    assert load.records * load.values >= 20
    assert cost.written / cost.readings <= PER_READING_BYTES


@pytest.mark.parametrize("load", [Load(1, 1), Load(1, 6), Load(0.1, 6)], ids=str)
async def test_below_that_ten_kilobytes_a_commit(tmp_path: Path, load: Load) -> None:
    cost = await cost_of(tmp_path, load, COMMITS // 2)
    assert cost.written / cost.commits <= PER_COMMIT_BYTES


async def test_thirty_days_of_200_devices_fit(tmp_path: Path) -> None:
    """200 devices, six values of each once a minute: 8.6 million records."""
    load = Load(DEVICES / 60, 6)
    cost = await cost_of(tmp_path, load, 900)
    month_bytes = cost.used / cost.records * load.records * MONTH_S
    assert month_bytes <= Store().quota_bytes * 0.9


async def test_pages_cost_what_the_estimate_of_hours_says(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        chance = Random(2)  # noqa: S311 - repeatable
        empty = (await outbox.stats()).used_bytes
        for number in range(COMMITS):
            records = records_of(Load(3.4, 6), chance, number, clock.at_ms)
            await outbox.append(records)
            clock.pass_s(1)
        stats = await outbox.stats()
        assert stats.hours_left is not None
        # What is used so far, over the time that it took, is what the estimate went by.
        rate = (stats.used_bytes - empty) / COMMITS
        real = (stats.quota_bytes - stats.used_bytes) / rate / 3600
        assert abs(stats.hours_left - real) <= real * (PAGE_OVERHEAD - 1)


async def test_a_backlog_delays_no_live_value_and_is_read_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, recent_readings=100) as outbox:
        for number in range(3000):
            await outbox.append([values(number, step) for step in range(3)])
        clock.pass_s(60)
        feed = outbox.feed(NORTH)
        looks: list[int] = []
        waited = 0
        read = FeedSource.read

        async def counting(source: FeedSource, lane: Lane, start: int, below: int) -> Page | None:
            page = await read(source, lane, start, below)
            looks.append(0 if page is None else sum(batch.readings for batch in page.batches))
            return page

        monkeypatch.setattr(FeedSource, "read", counting)
        room = Room(events=10, live=10, backfill=50)
        for number in range(40):
            await outbox.append([values(9000 + number), event(f"e{number}")])
            before = len(looks)
            first = await feed.take(room)
            second = await feed.take(room)
            assert first is not None
            assert second is not None
            assert (first.lane, second.lane) == (Lane.EVENT, Lane.TELEMETRY)
            assert (first.is_backfill, second.is_backfill) == (False, False)
            assert len(looks) == before, "nothing was read for what is new"
            third = await feed.take(room)
            assert third is not None
            assert third.is_backfill
            assert 0 < len(third.items) <= 50
            assert len(looks) <= before + 1
            waited += len(third.items)
        assert max(looks) <= 4000 + PAGE_BYTES
        rest = await deliver_all(feed)
        assert len(rest) == 3000 * 3 - waited
