"""What a sink is handed, in which order, and what its answers do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from outbox_support import (
    NORTH,
    PLENTY,
    SOUTH,
    ManualClock,
    an_outbox,
    deliver_all,
    event,
    seqs,
    take_all,
    values,
)

from gateway.model.ids import SinkName
from gateway.model.record import Lane
from gateway.outbox.feed import Room


async def test_events_overtake_telemetry(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        await outbox.append([values(1)])
        await outbox.append([event("a")])
        batch = await outbox.feed(NORTH).take(PLENTY)
        assert batch is not None
        assert batch.lane is Lane.EVENT


async def test_within_one_append_events_come_first(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        appended = await outbox.append([values(1), event("a"), values(2)])
        assert [batch.lane for batch in appended.batches] == [Lane.EVENT, Lane.TELEMETRY]
        assert [batch.first_seq for batch in appended.batches] == [1, 2]


async def test_live_goes_before_what_waited(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        await outbox.append([values(1), values(2)])
        clock.pass_s(31)
        await outbox.append([values(3)])
        feed = outbox.feed(NORTH)
        first, second = await feed.take(PLENTY), await feed.take(PLENTY)
        assert first is not None
        assert second is not None
        assert (seqs(first.items), first.is_backfill) == ([3], False)
        assert (seqs(second.items), second.is_backfill) == ([1, 2], True)
        assert [each.pv for each in (*first.items, *second.items)] == [2, None, 1]


async def test_what_was_overtaken_does_not_pass_for_current(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        feed = outbox.feed(NORTH)
        await outbox.append([values(1)])
        first = await feed.take(PLENTY)
        await outbox.append([values(2)])
        second = await feed.take(PLENTY)
        assert first is not None
        assert second is not None
        feed.again(Lane.TELEMETRY, seqs(first.items))  # the broker was busy
        late = await feed.take(PLENTY)
        assert late is not None
        assert (seqs(late.items), late.is_backfill) == ([1], True)


async def test_a_new_connection_begins_in_order(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        feed = outbox.feed(NORTH)
        await outbox.append([values(1), values(2), event("e1")])
        await take_all(feed)
        feed.requeue()
        await outbox.append([values(3), event("e2")])
        taken = await take_all(feed)
        assert seqs(each for each in taken if each.record.lane is Lane.EVENT) == [1, 4]
        assert seqs(each for each in taken if each.record.lane is Lane.TELEMETRY) == [2, 3, 5]


async def test_a_new_alarm_overtakes_many_old_ones(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        feed = outbox.feed(NORTH)
        await outbox.append([event(f"e{number}") for number in range(1, 301)])
        await take_all(feed)
        feed.requeue()
        await outbox.append([event("new")])
        batch = await feed.take(PLENTY)
        assert batch is not None
        assert seqs(batch.items) == [301]


async def test_backfill_takes_no_room_from_live(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        await outbox.append([values(n) for n in range(50)])
        clock.pass_s(31)
        feed = outbox.feed(NORTH)
        batch = await feed.take(Room(events=5, live=5, backfill=3))
        assert batch is not None
        assert seqs(batch.items) == [1, 2, 3]
        assert await feed.take(Room(events=5, live=5, backfill=0)) is None
        await outbox.append([values(99)])
        batch = await feed.take(Room(events=5, live=5, backfill=0))
        assert batch is not None
        assert seqs(batch.items) == [51]


async def test_what_was_requeued_soon_is_still_live(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        await outbox.append([values(1), values(2)])
        feed = outbox.feed(NORTH)
        before = await take_all(feed)
        feed.requeue()
        batch = await feed.take(PLENTY)
        assert batch is not None
        assert (list(batch.items), batch.is_backfill) == (before, False)
        feed.requeue()
        clock.pass_s(31)
        batch = await feed.take(PLENTY)
        assert batch is not None
        assert (list(batch.items), batch.is_backfill) == (before, True)


async def test_a_slow_sink_holds_no_other_and_reads_from_disk(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, (NORTH, SOUTH), recent_readings=10) as outbox:
        got: list[int] = []
        for number in range(300):
            await outbox.append([values(number)])
            got += seqs(await deliver_all(outbox.feed(NORTH)))
        assert got == list(range(1, 301))
        slow = outbox.feed(SOUTH)
        late = await deliver_all(slow)
        # What is in memory counts as live and comes first; the rest comes from the disk.
        assert sorted(seqs(late)) == list(range(1, 301))
        assert seqs(late)[0] == 291
        assert seqs(late)[10:] == list(range(1, 291))
        assert [each.record for each in sorted(late, key=lambda each: each.seq)] == [
            values(number) for number in range(300)
        ]
        assert slow.progress(Lane.TELEMETRY).above == []


async def test_pv_skips_what_is_not_due(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock(), (NORTH, SOUTH)) as outbox:
        await outbox.append([values(1), values(2, sink=SOUTH), values(3), event("e")])
        await outbox.append([values(4, sink=SOUTH), values(5)])
        north = await take_all(outbox.feed(NORTH), Lane.TELEMETRY)
        south = await take_all(outbox.feed(SOUTH), Lane.TELEMETRY)
        assert [(each.seq, each.pv) for each in north] == [(2, None), (4, 2), (6, 4)]
        assert [(each.seq, each.pv) for each in south] == [
            (2, None), (3, 2), (4, 3), (5, 4), (6, 5),
        ]  # fmt: skip


async def test_a_refused_record_stops_nothing_and_stays_visible(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        await outbox.append([values(230.1), values(2), values(3)])
        feed = outbox.feed(NORTH)
        await take_all(feed)
        feed.refused(Lane.TELEMETRY, [1], "0x87 not authorised")
        feed.too_large(Lane.TELEMETRY, [2])
        feed.done(Lane.TELEMETRY, [3])
        assert feed.progress(Lane.TELEMETRY).upto == 3
        assert (await outbox.stats()).refused == {NORTH: 2}
        before = await outbox.refused_lines()
    async with an_outbox(tmp_path, clock) as outbox:
        lines = await outbox.refused_lines()
        assert lines == before
        shown = [json.loads(line) for line in lines]
        assert [(each["seq"], each["reason"]) for each in shown] == [
            (1, "0x87 not authorised"), (2, "too_large"),
        ]  # fmt: skip
        assert shown[0]["pts"] == {"p0": {"v": 230.1}}
        assert await take_all(outbox.feed(NORTH)) == []


async def test_a_busy_platform_gets_it_again(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        await outbox.append([values(1), values(2), values(3)])
        feed = outbox.feed(NORTH)
        await take_all(feed)
        feed.again(Lane.TELEMETRY, [2])
        assert seqs(await take_all(feed)) == [2]
        assert feed.in_flight(Lane.TELEMETRY) == 3


async def test_a_range_acknowledges_only_what_was_sent(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        await outbox.append([values(n) for n in range(6)])
        feed = outbox.feed(NORTH)
        await feed.take(Room(events=1, live=4))
        feed.done_range(Lane.TELEMETRY, 1, 6, outbox.ep + 1)
        assert feed.progress(Lane.TELEMETRY).upto == 0, "those of another store"
        feed.done_range(Lane.TELEMETRY, 1, 6, outbox.ep)
        assert feed.progress(Lane.TELEMETRY).upto == 4
        assert seqs(await take_all(feed)) == [5, 6]


async def test_delivered_records_can_be_asked_for_again(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock(), recent_readings=2) as outbox:
        for number in range(10):
            await outbox.append([values(number)])
        feed = outbox.feed(NORTH)
        first = {each.seq: each for each in await deliver_all(feed)}
        outbox.replay(NORTH, Lane.TELEMETRY, 3, 5)
        batch = await feed.take(PLENTY)
        assert batch is not None
        assert batch.is_backfill
        assert [first[each.seq] for each in batch.items] == list(batch.items)
        assert seqs(batch.items) == [3, 4, 5]
        feed.requeue()
        assert seqs(await deliver_all(feed)) == [3, 4, 5]
        assert await take_all(feed) == []


async def test_next_waits_for_records_and_for_room(tmp_path: Path) -> None:
    room = Room(0, 0, 0)
    async with an_outbox(tmp_path, ManualClock()) as outbox, asyncio.TaskGroup() as tasks:
        feed = outbox.feed(NORTH)
        waiting = tasks.create_task(feed.next(lambda: room))
        await outbox.append([values(1)])
        assert not waiting.done()
        room = Room(1, 1, 1)
        feed.done(Lane.TELEMETRY, [])
        batch = await waiting
        assert batch is not None
        assert seqs(batch.items) == [1]


async def test_a_cancelled_next_hands_out_nothing(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        feed = outbox.feed(NORTH)
        try:
            async with asyncio.timeout(0):
                await feed.next(lambda: PLENTY)
        except TimeoutError:
            pass
        await outbox.append([values(1)])
        assert seqs(await take_all(feed)) == [1]


async def test_closing_ends_a_waiting_next(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        async with an_outbox(tmp_path, ManualClock()) as outbox:
            waiting = tasks.create_task(outbox.feed(NORTH).next(lambda: PLENTY))
            await asyncio.sleep(0)
        assert await waiting is None


async def test_sinks_come_and_go_with_a_reload(tmp_path: Path) -> None:
    west = SinkName("west")
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, (NORTH, SOUTH)) as outbox:
        await outbox.append([values(1)])
        outbox.use_sinks([NORTH, west])
        await outbox.append([values(2)])
        assert seqs(await deliver_all(outbox.feed(NORTH))) == [1, 2]
        new = await deliver_all(outbox.feed(west))
        assert [(each.seq, each.pv) for each in new] == [(2, None)]
    async with an_outbox(tmp_path, clock, (NORTH, west, SOUTH)) as outbox:
        await outbox.append([values(3)])
        for sink in (NORTH, west, SOUTH):
            assert seqs(await deliver_all(outbox.feed(sink))) == [3]
