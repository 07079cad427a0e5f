"""Disks that are full or refuse, and the quota that keeps us from filling them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from outbox_support import (
    NORTH,
    SOUTH,
    ManualClock,
    an_outbox,
    deliver_all,
    event,
    event_types,
    gaps,
    noise,
    values,
)

from gateway.model.record import Committed, EventBody, Lane, PropBody, StateChange
from gateway.outbox.outbox import RETRY_S
from gateway.outbox.quota import PAGE_BYTES, plan_quota
from gateway.outbox.store import FOLD_ROWS

SMALL_BYTES = 256 * 1024
WIDE = [0.1 * index for index in range(200)]


async def test_the_quota_drops_delivered_rows_before_any_other(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock(), quota_bytes=SMALL_BYTES) as outbox:
        feed = outbox.feed(NORTH)
        for number in range(600):
            await outbox.append([values(*noise(number))])
            assert gaps(await deliver_all(feed)) == []
        stats = await outbox.stats()
        assert stats.lost == 0
        assert stats.used_bytes <= stats.quota_bytes
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= SMALL_BYTES


async def test_the_quota_drops_the_oldest_telemetry_and_tells(tmp_path: Path) -> None:
    clock = ManualClock()
    quota = {"quota_bytes": SMALL_BYTES, "recent_readings": 100}
    async with an_outbox(tmp_path, clock, (NORTH, SOUTH), **quota) as outbox:
        await outbox.append([event("first")])
        given: set[int] = set()
        for number in range(600):
            given.add((await outbox.append([values(*noise(number))])).batches[0].first_seq)
            if number < 100:
                await deliver_all(outbox.feed(SOUTH))
    async with an_outbox(tmp_path, clock, (NORTH, SOUTH), **quota) as outbox:
        for sink, had in ((NORTH, 0), (SOUTH, 100)):
            feed = outbox.feed(sink)
            depth = sum(e.depth for e in (await outbox.stats()).depths if e.sink == sink)
            delivered = await deliver_all(feed)
            assert len(delivered) == depth
            told = gaps(delivered)
            assert {each.cause for each in told} == {"quota", "thinned"}
            assert all(each.lane is Lane.TELEMETRY for each in told)
            received = [each for each in delivered if isinstance(each.record.body, PropBody)]
            assert had + len(received) + sum(each.count for each in told) == 600
            missing = given - {each.seq for each in received}
            spans = [range(each.from_seq or 0, (each.to_seq or 0) + 1) for each in told]
            assert all(any(seq in span for span in spans) for seq in missing) or had
            progress = feed.progress(Lane.TELEMETRY)
            assert (progress.above, progress.pending) == ([], 0)
            assert ("leak" in event_types(delivered)) is (sink is NORTH)


async def test_states_outlive_the_rows_that_carried_them(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path / "live", clock, quota_bytes=SMALL_BYTES) as outbox:
        await outbox.append([values(1)], [StateChange("room", "early", 1)])
        number = 0
        while (await outbox.stats()).lost == 0:
            number += 1
            await outbox.append([values(*noise(number * 9 + step)) for step in range(9)])
        assert number < FOLD_ROWS
        await outbox.append([values(2)], [StateChange("room", "late", 2)])
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
    async with an_outbox(tmp_path / "killed", clock, quota_bytes=SMALL_BYTES) as outbox:
        assert outbox.states("room") == {"early": 1, "late": 2}


async def test_events_are_never_dropped_from_the_disk(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, quota_bytes=SMALL_BYTES) as outbox:
        sent = 0
        refused = False
        while not refused:
            body = EventBody(f"e{sent}", "leak", 3, "raised", detail=str(noise(sent)))
            record = replace(event("x"), body=body)
            refused = not (await outbox.append([record])).is_durable
            sent += 1
        feed = outbox.feed(NORTH)
        delivered = await deliver_all(feed)
        assert [
            each.record.body.eid
            for each in delivered
            if isinstance(each.record.body, EventBody) and each.record.body.type == "leak"
        ] == [f"e{number}" for number in range(sent)]
        # The last one is in memory only, under a number of its own, until there is room again.
        assert [each.ep == outbox.ep for each in delivered][-2:] == [False, False]
        clock.pass_s(RETRY_S + 1)
        appended = await outbox.append([event("after")])
        assert appended.is_durable
        assert "store_refused" in event_types(await deliver_all(feed))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return ballast


async def test_while_the_disk_is_full_live_goes_on_under_another_number(tiny_disk: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tiny_disk, clock) as outbox:
        feed = outbox.feed(NORTH)
        await outbox.append([values(0)])
        ballast = fill(tiny_disk)
        number = 0
        while (await outbox.append([values(*noise(number))])).is_durable:
            number += 1
        await outbox.append([values("a")], [StateChange("room", "key", 1)])
        await outbox.append([values("b"), event("e")])
        during = await deliver_all(feed)
        spare = [each for each in during if each.ep != outbox.ep]
        assert len({each.ep for each in spare}) == 1
        assert event_types(spare) == []  # they are safe in the reserve
        assert event_types(during) == ["store_refused", "leak"]
        telemetry = [each for each in spare if each.record.lane is Lane.TELEMETRY]
        assert [each.pv for each in telemetry] == [None, *(each.seq for each in telemetry[:-1])]
        kept = await outbox.append([values("kept")])
        ballast.unlink()
        clock.pass_s(RETRY_S + 1)
        appended = await outbox.append([values("c")])
        assert appended.is_durable
        own = [each.seq for each in during if each.ep == outbox.ep and is_telemetry(each)]
        later = await deliver_all(feed)
        by_seq = {each.seq: each for each in later}
        # The chain of the store goes on where it stopped.
        assert by_seq[appended.batches[0].first_seq].pv == own[-1]
        assert [body_state(each) for each in later if not is_telemetry(each)] == ["cleared"]
        assert kept.batches[0].first_seq in by_seq
    async with an_outbox(tiny_disk, clock) as outbox:
        assert outbox.states("room") == {"key": 1}
        assert await deliver_all(outbox.feed(NORTH)) == []


async def test_what_memory_held_is_on_disk_afterwards(tiny_disk: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tiny_disk, clock, (NORTH, SOUTH)) as outbox:
        ballast = fill(tiny_disk)
        number = 0
        while (await outbox.append([values(*noise(number))])).is_durable:
            number += 1
        await outbox.append([values("a"), event("e")])
        seen = {each.seq: each for each in await deliver_all(outbox.feed(NORTH))}
        ballast.unlink()
        clock.pass_s(RETRY_S + 1)
        await outbox.append([values("b")])
    async with an_outbox(tiny_disk, clock, (NORTH, SOUTH)) as outbox:
        late = {each.seq: each for each in await deliver_all(outbox.feed(SOUTH))}
        assert set(late) >= set(seen)
        assert all(late[seq] == seen[seq] for seq in seen)


async def test_memory_is_bounded_while_the_disk_refuses(tiny_disk: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tiny_disk, clock) as outbox:
        ballast = fill(tiny_disk)
        for number in range(200):
            await outbox.append([values(*(WIDE * 2), number) for _ in range(1)])
            await outbox.append([event(f"e{number}")])
        stats = await outbox.stats()
        assert stats.refusing is not None
        assert stats.lost > 0
        ballast.unlink()
        clock.pass_s(RETRY_S + 1)
        await outbox.append([event("last")])
        delivered = await deliver_all(outbox.feed(NORTH))
        told = gaps(delivered)
        assert [each.cause for each in told] == ["memory"]
        assert sum(each.count for each in told) == stats.lost
        telemetry = [each for each in delivered if is_telemetry(each)]
        assert len(telemetry) + stats.lost == 200
        assert sum(kind == "leak" for kind in event_types(delivered)) == 201


async def test_a_start_on_a_full_disk_works_and_finds_the_store_later(tiny_disk: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tiny_disk, clock) as outbox:
        ep = outbox.ep
        await outbox.append([values(1)], [StateChange("room", "old", 1)])
        await outbox.append([values(2), event("waits")])
        await outbox.append([values(3)])
    ballast = fill(tiny_disk)
    async with an_outbox(tiny_disk, clock) as outbox:
        assert outbox.ep == 0
        await outbox.append([values(4)], [StateChange("room", "new", 2)])
        feed = outbox.feed(NORTH)
        first = await deliver_all(feed)
        assert ep not in {each.ep for each in first}
        assert "store_refused" in event_types(first)
        ballast.unlink()
        clock.pass_s(RETRY_S + 1)
        await outbox.append([values(5)])
        assert outbox.ep == ep
        assert outbox.states("room") == {"old": 1, "new": 2}
        rest = await deliver_all(feed)
        assert first_values(rest) == [5, 1, 2, 3]
        assert "leak" in event_types(rest)
        for lane in Lane:
            progress = feed.progress(lane)
            assert (progress.above, progress.pending) == ([], 0)
    async with an_outbox(tiny_disk, clock) as outbox:
        assert outbox.ep == ep
        assert await deliver_all(outbox.feed(NORTH)) == []


def test_the_quota_stays_below_the_disk() -> None:
    assert plan_quota(256 << 20, 1 << 40).most_pages * PAGE_BYTES == (255 << 20) - PAGE_BYTES
    small = plan_quota(256 << 20, 10 << 20)
    assert small.most_pages * PAGE_BYTES + small.wal_bytes <= 6 << 20
    assert plan_quota(1, 1).max_pages * PAGE_BYTES == 32 * PAGE_BYTES


def is_telemetry(each: Committed) -> bool:
    return each.record.lane is Lane.TELEMETRY


def first_values(records: list[Committed]) -> list[object]:
    bodies = [each.record.body for each in records]
    return [body.values[0] for body in bodies if isinstance(body, PropBody)]


def body_state(each: Committed) -> str:
    body = each.record.body
    return body.state if isinstance(body, EventBody) else type(body).__name__
