"""What survives a restart, and what an open outbox leaves behind."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from pathlib import Path

import pytest
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

from gateway.model.record import Lane, StateChange
from gateway.outbox.outbox import Outbox
from gateway.outbox.schema import StoreInUse
from gateway.outbox.store import FOLD_ROWS
from gateway.settings.site import Store


async def test_the_number_of_the_store_survives_a_restart(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        ep = outbox.ep
        await outbox.append([values(1)])
    assert 0 < ep < 2**53
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        assert (outbox.ep, outbox.previous_ep, outbox.last_seq) == (ep, None, 1)
        appended = await outbox.append([values(2)])
        assert appended.batches[0].first_seq == 2


async def test_what_was_acknowledged_is_not_sent_after_a_restart(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        await outbox.append([values(n) for n in range(6)])
        feed = outbox.feed(NORTH)
        taken = await take_all(feed)
        feed.done(Lane.TELEMETRY, [1, 2, 5])
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        batch = await outbox.feed(NORTH).take(PLENTY)
        assert batch is not None
        assert batch.is_backfill
        assert list(batch.items) == [taken[2], taken[3], taken[5]]


async def test_the_state_of_rooms_comes_back(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        await outbox.append([event("a")], [StateChange("alarms", "a", {"eid": "a", "n": 1.5})])
        await outbox.append([], [StateChange("rid", "r1", [1, "done"])])
        await outbox.append([values(1)], [StateChange("alarms", "b", True)])
        await outbox.append([event("a")], [StateChange("alarms", "a", None)])
        assert outbox.states("alarms") == {"b": True}
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        assert outbox.states("alarms") == {"b": True}
        assert outbox.states("rid") == {"r1": [1, "done"]}
        assert outbox.states("other") == {}


async def test_state_in_rows_is_found_without_a_clean_end(tmp_path: Path) -> None:
    copies = [tmp_path / "a", tmp_path / "b"]
    async with an_outbox(tmp_path / "0", ManualClock()) as outbox:
        for copy, rounds in zip(copies, (3, FOLD_ROWS + 3), strict=True):
            for number in range(rounds):
                await outbox.append([values(number)], [StateChange("room", "n", number)])
            copy.mkdir()
            for file in (tmp_path / "0").iterdir():
                (copy / file.name).write_bytes(file.read_bytes())
    for copy, rounds in zip(copies, (3, FOLD_ROWS + 3), strict=True):
        async with an_outbox(copy, ManualClock()) as outbox:
            assert outbox.states("room") == {"n": rounds - 1}


async def test_a_value_that_cannot_be_stored_commits_nothing(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        with pytest.raises(ValueError, match="JSON"):
            await outbox.append([values(1), values(math.nan)])
        assert outbox.last_seq == 0
        appended = await outbox.append([values(1)])
        assert appended.batches[0].first_seq == 1


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()):
        with pytest.raises(StoreInUse):
            await an_outbox(tmp_path, ManualClock()).__aenter__()


async def test_acknowledgements_without_new_records_are_saved(tmp_path: Path) -> None:
    async with an_outbox(tmp_path / "a", ManualClock()) as outbox:
        await outbox.append([values(1)])
        await deliver_all(outbox.feed(NORTH))
        await outbox.flush()
        (tmp_path / "b").mkdir()
        for file in (tmp_path / "a").iterdir():
            (tmp_path / "b" / file.name).write_bytes(file.read_bytes())
    async with an_outbox(tmp_path / "b", ManualClock()) as outbox:
        assert await take_all(outbox.feed(NORTH)) == []


async def test_progress_is_saved_after_a_second_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbox.outbox.FLUSH_S", 0.0)
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        await outbox.append([values(1)])
        await deliver_all(outbox.feed(NORTH))
        async with asyncio.timeout(30):
            while (await outbox.stats()).commits < 2:
                await asyncio.sleep(0)


async def test_the_thread_ends_with_the_outbox(tmp_path: Path) -> None:
    async with Outbox.open(tmp_path, Store(), ManualClock(), (NORTH,)) as outbox:
        await outbox.append([values(1)])
        assert seqs(await deliver_all(outbox.feed(NORTH))) == [1]
        assert "outbox" in {thread.name.split("_")[0] for thread in threading.enumerate()}
    assert "outbox" not in {thread.name.split("_")[0] for thread in threading.enumerate()}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_append_is_whole_or_not_there(tmp_path: Path) -> None:
    async with Outbox.open(tmp_path, Store(), ManualClock(), (NORTH,)) as outbox:
        try:
            async with asyncio.timeout(0):
                await outbox.append([values(1), values(2)])
        except TimeoutError:
            pass
        await outbox.append([values(3)])
        delivered = await deliver_all(outbox.feed(NORTH))
        assert seqs(delivered) == list(range(1, outbox.last_seq + 1))


async def test_an_error_of_the_user_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        async with an_outbox(tmp_path, ManualClock()):
            raise KeyError


async def test_figures_tell_depth_age_and_use(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, (NORTH, SOUTH)) as outbox:
        await outbox.append([values(1), values(2), event("e")])
        clock.pass_s(90)
        await outbox.append([values(3)])
        await deliver_all(outbox.feed(NORTH))
        stats = await outbox.stats()
        depths = {(each.sink, each.lane): each for each in stats.depths}
        assert [depths[NORTH, lane].depth for lane in Lane] == [0, 0]
        assert [depths[SOUTH, lane].depth for lane in Lane] == [1, 3]
        assert depths[NORTH, Lane.EVENT].oldest_age_s is None
        assert depths[SOUTH, Lane.TELEMETRY].oldest_age_s == 90.0
        assert (stats.commits, stats.records, stats.last_seq) == (2, 4, 4)
        assert 0 < stats.used_bytes < stats.quota_bytes
        assert stats.hours_left is not None
        assert stats.hours_left > 0


async def test_records_are_exported_as_lines_of_json(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock(), recent_readings=1) as outbox:
        for number in range(5):
            await outbox.append([values(number, "x"), event(f"e{number}")])
        lines = [json.loads(line) for line in await outbox.export(Lane.TELEMETRY, 4)]
        assert [line["seq"] for line in lines] == [4, 6, 8, 10]
        assert lines[0]["pts"] == {"p0": {"v": 1}, "p1": {"v": "x"}}
        events = [json.loads(line) for line in await outbox.export(Lane.EVENT)]
        assert [line["body"]["eid"] for line in events] == ["e0", "e1", "e2", "e3", "e4"]


async def test_an_ordinary_commit_dirties_one_page(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        wal = tmp_path / "outbox.db-wal"
        for number in range(5):
            before = wal.stat().st_size
            await outbox.append([values(number)], [StateChange("room", "n", number)])
            await deliver_all(outbox.feed(NORTH))
            assert wal.stat().st_size - before == 4096 + 24
