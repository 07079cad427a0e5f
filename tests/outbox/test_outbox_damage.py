"""Damaged files: the start always works, what is left is delivered, what is gone is told."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from outbox_support import (
    NORTH,
    SOUTH,
    ManualClock,
    an_outbox,
    deliver_all,
    event_types,
    gaps,
    noise,
    take_all,
    values,
)

from gateway.model.record import Committed, GapBody, Lane, PropBody, StateChange
from gateway.outbox.schema import databases_aside

ROWS = 40


async def a_killed_store(folder: Path, clock: ManualClock) -> int:
    """Leave the files as a kill would, with a log that is not yet in the database; return ep."""
    async with an_outbox(folder / "live", clock) as outbox:
        for number in range(ROWS):
            clock.pass_s(2)  # so that the mark is renewed on the way
            await outbox.append([values(number)], [StateChange("room", "n", number)])
        shutil.copytree(folder / "live", folder / "killed")
        return outbox.ep


def truncate_log(folder: Path) -> None:
    wal = folder / "outbox.db-wal"
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size // 4)


def flip_log(folder: Path) -> None:
    wal = folder / "outbox.db-wal"
    content = bytearray(wal.read_bytes())
    content[len(content) // 4] ^= 0x10
    wal.write_bytes(content)


def garbage(folder: Path) -> None:
    (folder / "outbox.db").write_bytes(Random(4).randbytes(40_000))  # noqa: S311 - repeatable
    (folder / "outbox.db-wal").unlink()  # it has all pages, and would mend the database


def garbage_in_the_middle(folder: Path) -> None:
    path = folder / "outbox.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096:] = Random(4).randbytes(len(content) - 4096)  # noqa: S311 - repeatable
    path.write_bytes(content)


def empty(folder: Path) -> None:
    (folder / "outbox.db").write_bytes(b"")
    (folder / "outbox.db-wal").unlink()


def gone(folder: Path) -> None:
    for file in folder.glob("outbox.db*"):
        file.unlink()


def foreign_tables(folder: Path) -> None:
    gone(folder)
    with sqlite3.connect(folder / "outbox.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()


DAMAGES = [truncate_log, flip_log, garbage, garbage_in_the_middle, empty, gone, foreign_tables]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_store_starts_anew_and_tells(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    clock = ManualClock()
    old_ep = await a_killed_store(tmp_path, clock)
    folder = tmp_path / "killed"
    damage(folder)
    async with an_outbox(folder, clock) as outbox:
        # A new number: else a seq could be given twice, and the second record thrown away.
        assert outbox.ep != old_ep
        assert outbox.previous_ep == old_ep
        appended = await outbox.append([values(0.5)])
        delivered = await deliver_all(outbox.feed(NORTH))
        assert "store_damaged" in event_types(delivered)
        told = gaps(delivered)
        assert {each.ep for each in told} == {old_ep}
        assert {each.lane for each in told} == set(Lane), "nobody can say which lane"
        old = {each.seq for each in delivered if each.ep == old_ep}
        new = {each.seq for each in delivered if each.ep == outbox.ep}
        assert appended.batches[0].first_seq in new
        assert max(old, default=0) < min(new)
        chain = [each for each in delivered if each.ep == outbox.ep]
        assert {lane_chain(chain, lane) for lane in Lane} == {True}


def lane_chain(delivered: list[Committed], lane: Lane) -> bool:
    of_lane = sorted((each.seq, each.pv) for each in delivered if each.record.lane is lane)
    return [pv for _, pv in of_lane] == [None, *(seq for seq, _ in of_lane[:-1])]


async def test_a_kill_alone_is_no_damage(tmp_path: Path) -> None:
    clock = ManualClock()
    old_ep = await a_killed_store(tmp_path, clock)
    async with an_outbox(tmp_path / "killed", clock) as outbox:
        assert outbox.ep == old_ep
        assert outbox.states("room") == {"n": ROWS - 1}
        assert len(await deliver_all(outbox.feed(NORTH))) == ROWS


async def test_the_newest_damaged_files_are_kept(tmp_path: Path) -> None:
    clock = ManualClock()
    for _ in range(5):
        clock.pass_s(5)
        async with an_outbox(tmp_path, clock) as outbox:
            await outbox.append([values(1)])
        (tmp_path / "outbox.db").write_bytes(b"not a database at all" * 300)
    async with an_outbox(tmp_path, clock):
        kept = databases_aside(tmp_path)
        assert [int(path.suffix.split("-")[1]) for path in kept] == [
            clock.at_ms + 1,  # two in the same moment do not replace each other
            clock.at_ms,
            clock.at_ms - 5000,
        ]
        assert {path.name for path in tmp_path.glob("*corrupt*")} == {path.name for path in kept}


async def test_what_is_set_aside_stays_within_the_quota(tmp_path: Path) -> None:
    clock = ManualClock()
    for _ in range(3):
        clock.pass_s(5)
        async with an_outbox(tmp_path, clock, quota_bytes=256 * 1024) as outbox:
            await outbox.append([values(1)])
        (tmp_path / "outbox.db").write_bytes(b"not a database at all" * 10_000)
    async with an_outbox(tmp_path, clock, quota_bytes=256 * 1024):
        assert len(databases_aside(tmp_path)) == 1


async def test_a_row_with_a_wrong_checksum_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, (NORTH, SOUTH)) as outbox:
        ep = outbox.ep
        for number in range(6):
            await outbox.append([values(number), values(-number)])
        await deliver_all(outbox.feed(SOUTH))
    with sqlite3.connect(tmp_path / "outbox.db") as connection:
        connection.execute("UPDATE telemetry SET payload = zeroblob(9) WHERE first_seq IN (5, 11)")
    connection.close()
    async with an_outbox(tmp_path, clock, (NORTH, SOUTH)) as outbox:
        assert outbox.ep == ep
        feed = outbox.feed(NORTH)
        delivered = await deliver_all(feed)
        assert sorted(each.seq for each in delivered) == [1, 2, 3, 4, 7, 8, 9, 10]
        await outbox.append([values(9)])
        delivered = await deliver_all(feed)
        told = [(each.from_seq, each.to_seq, each.count, each.cause) for each in gaps(delivered)]
        assert told == [(5, 6, 2, "damaged"), (11, 12, 2, "damaged")]
        progress = feed.progress(Lane.TELEMETRY)
        assert (progress.pending, progress.above) == (0, [])
        assert progress.upto >= progress.link
        assert gaps(await take_all(outbox.feed(SOUTH))) == []


async def test_no_flipped_bit_gives_a_false_value(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path / "0", clock) as outbox:
        for number in range(ROWS):
            await outbox.append([values(number)] * 3)
    chance = Random(7)  # noqa: S311 - repeatable
    for attempt in range(25):
        folder = tmp_path / f"flip{attempt}"
        shutil.copytree(tmp_path / "0", folder)
        path = folder / "outbox.db"
        content = bytearray(path.read_bytes())
        for _ in range(8):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        async with an_outbox(folder, clock) as outbox:
            await outbox.append([values("new")])
            await outbox.append([values("newer")])
            feed = outbox.feed(NORTH)
            delivered = await deliver_all(feed)
            await outbox.append([values("newest")])
            delivered += await deliver_all(feed)
            for each in delivered:
                body = each.record.body
                if isinstance(body, PropBody) and not isinstance(body.values[0], str):
                    assert body.values == ((each.seq - 1) // 3,)
            whole = [each for each in delivered if not isinstance(each.record.body, GapBody)]
            complete = {each.seq for each in whole} >= set(range(1, 3 * ROWS + 1))
            assert complete or gaps(delivered)


async def test_damage_found_while_running_is_set_aside_and_told(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        ep = outbox.ep
        for number in range(100):  # more than the database keeps in memory
            records = [values(*noise(number * 50 + step)) for step in range(50)]
            await outbox.append(records, [StateChange("room", "n", number)])
    async with an_outbox(tmp_path, clock) as outbox:
        with (tmp_path / "outbox.db").open("r+b") as file:
            file.seek(4096)
            file.write(b"not a database " * 100_000)
        feed = outbox.feed(NORTH)
        assert len(await take_all(feed)) < 5000
        feed.requeue()
        appended = await outbox.append([values(1)])
        assert appended.is_durable
        assert outbox.ep == appended.batches[0].ep != ep
        assert outbox.states("room") == {"n": 99}
        delivered = await deliver_all(feed)
        assert "store_damaged" in event_types(delivered)
        assert {(each.ep, each.to_seq) for each in gaps(delivered)} == {(ep, 5000)}
        assert appended.batches[0].first_seq in {each.seq for each in delivered}
        progress = feed.progress(Lane.TELEMETRY)
        assert (progress.above, progress.pending) == ([], 0)
    async with an_outbox(tmp_path, clock) as outbox:
        assert outbox.states("room") == {"n": 99}
