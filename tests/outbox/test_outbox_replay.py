"""What is asked for again comes again, and what is no longer kept is told."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from outbox_support import (
    NORTH,
    ManualClock,
    an_outbox,
    deliver_all,
    event,
    gaps,
    noise,
    take_all,
    values,
)

from gateway.model.record import Lane
from gateway.outbox.outbox import Outbox


async def told(outbox: Outbox) -> list[tuple[Lane, int | None, int | None]]:
    """Deliver what was asked for, and return what is said not to be kept."""
    feed = outbox.feed(NORTH)
    await deliver_all(feed)
    await outbox.flush()
    found = [gap for gap in gaps(await deliver_all(feed)) if gap.cause == "not_kept"]
    return [(gap.lane, gap.from_seq, gap.to_seq) for gap in found]


async def test_a_range_comes_again_with_the_identity_it_had(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        for number in range(6):
            await outbox.append([values(number), event(f"e{number}")])
        feed = outbox.feed(NORTH)
        first = {each.seq: each for each in await deliver_all(feed)}
        for lane in Lane:
            assert outbox.replay(NORTH, lane, 3, 8, ep=outbox.ep)
        assert outbox.replay(NORTH, Lane.TELEMETRY, 3, 3, ep=outbox.ep)  # which is an event
        again = await deliver_all(feed)
        assert sorted(each.seq for each in again) == list(range(3, 9))
        assert all(first[each.seq] == each for each in again)
        await outbox.flush()
        assert await deliver_all(feed) == []


async def test_what_the_ring_no_longer_has_is_told_by_range(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock(), recent_readings=1) as outbox:
        for number in range(10):
            await outbox.append([values(number)])
        await deliver_all(outbox.feed(NORTH))
    with sqlite3.connect(tmp_path / "outbox.db") as connection:
        connection.execute("DELETE FROM telemetry WHERE first_seq IN (1, 2, 5, 9, 10)")
    connection.close()
    async with an_outbox(tmp_path, ManualClock(), recent_readings=1) as outbox:
        outbox.replay(NORTH, Lane.TELEMETRY, 1, 10)
        again = await take_all(outbox.feed(NORTH))
        assert [each.seq for each in again] == [3, 4, 6, 7, 8]
        lane = Lane.TELEMETRY
        assert await told(outbox) == [(lane, 1, 2), (lane, 5, 5), (lane, 9, 10)]


async def test_the_end_of_a_range_is_judged_by_the_record_behind_it(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock(), recent_readings=1) as outbox:
        for number in range(10):
            await outbox.append([values(number)])
        await deliver_all(outbox.feed(NORTH))
    with sqlite3.connect(tmp_path / "outbox.db") as connection:
        connection.execute("DELETE FROM telemetry WHERE first_seq IN (4, 5)")
    connection.close()
    async with an_outbox(tmp_path, ManualClock(), recent_readings=1) as outbox:
        outbox.replay(NORTH, Lane.TELEMETRY, 2, 4)
        assert await told(outbox) == [(Lane.TELEMETRY, 4, 4)]
        # Seqs of the other lane, and those that were never given, are not missing.
        outbox.replay(NORTH, Lane.EVENT, 2, 4)
        outbox.replay(NORTH, Lane.TELEMETRY, 8, 900)
        assert await told(outbox) == []


async def test_another_store_is_not_taken_for_this_one(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        for number in range(3):
            await outbox.append([values(number)])
        await deliver_all(outbox.feed(NORTH))
        outbox.replay(NORTH, Lane.TELEMETRY, 1, 2, ep=12345)
        assert await deliver_all(outbox.feed(NORTH)) == []
        await outbox.flush()
        (gap,) = gaps(await deliver_all(outbox.feed(NORTH)))
        assert (gap.ep, gap.from_seq, gap.to_seq, gap.cause) == (12345, 1, 2, "not_kept")


async def test_too_many_requests_are_refused(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        answers = [outbox.replay(NORTH, Lane.EVENT, 1, 1) for _ in range(1000)]
        assert answers.count(True) == 256


async def test_refused_records_are_put_out_again_until_they_are_taken(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        feed = outbox.feed(NORTH)
        await outbox.append([values(*noise(1)), event("e"), values(2)])
        first = {each.seq: each for each in await take_all(feed)}
        feed.refused(Lane.TELEMETRY, [2, 3], "not authorized")
        feed.refused(Lane.EVENT, [1], "not authorized")
        await outbox.flush()
        assert await outbox.retry_refused(NORTH) == 3
        assert await outbox.retry_refused(NORTH) == 0
        again = await take_all(feed)
        assert {each.seq: each for each in again} == first
        feed.requeue()  # the connection was lost: they wait again
        again = await take_all(feed)
        assert {each.seq: each for each in again} == first
        feed.done(Lane.TELEMETRY, [2])
        feed.done(Lane.EVENT, [1])
        feed.refused(Lane.TELEMETRY, [3], "still not")
        await outbox.flush()
        for lane in Lane:
            assert (feed.progress(lane).pending, feed.progress(lane).above) == (0, [])
    async with an_outbox(tmp_path, clock) as outbox:
        (left,) = [json.loads(line) for line in await outbox.refused_lines(NORTH)]
        assert (left["seq"], left["reason"]) == (3, "still not")


async def test_hours_left_are_known_from_the_first_commit_and_over_a_restart(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        assert (await outbox.stats()).hours_left is None
        for number in range(600):
            await outbox.append([values(*noise(number))])
            left = (await outbox.stats()).hours_left if number % 100 == 0 else 1.0
            assert left is not None
            clock.pass_s(1)
        before = (await outbox.stats()).hours_left
        assert before is not None
        # One row of this size a second: what is written is what is told, within a tenth.
        stats = await outbox.stats()
        rate = stats.used_bytes / 600
        assert abs(before - (stats.quota_bytes - stats.used_bytes) / rate / 3600) < before / 10
    async with an_outbox(tmp_path, clock) as outbox:
        after = (await outbox.stats()).hours_left
        assert after is not None
        assert abs(after - before) < before / 10
