"""The local history over its outbox, in virtual time."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.app.history.desk import MOST_PIECES, PIECE_MS, history_of
from gateway.app.history.historians import cursors
from gateway.app.history.local import DAY_MS, HistoryTask
from gateway.app.outward.standing import Standing
from gateway.historian.store import (
    DAMAGED,
    FILE,
    Found,
    HistoryDamaged,
    HistoryStore,
    PointName,
)
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.record import Lane, Record
from gateway.ops.control import ControlError
from gateway.settings.site import Site
from gateway.settings.site_historians import HISTORY, LocalHistory
from tests.historian.historian_support import OPEN, World, a_device, a_site, a_world, values
from tests.outbox.outbox_support import InlineExecutor
from tests.support.points import a_point
from tests.support.virtual_time import EPOCH_MS, STARTS_AT_S, in_virtual_time

NOW_MS = EPOCH_MS + int(STARTS_AT_S * 1000)
U_A = PointName(DeviceId("em-01"), PointId("u_a"))
SITE = a_site([a_device("em-01")], history=LocalHistory())
COUNT = 100


@asynccontextmanager
async def keeping(world: World, folder: Path) -> AsyncGenerator[HistoryTask]:
    assert world.site.history is not None
    feed = world.outbox.feed(HISTORY)
    task = HistoryTask(
        world.site.history, folder, feed, world.doors.kept, executor=InlineExecutor()
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(task.run(world.around, Standing(HISTORY, {}), stop))
        yield task
        stop.set()


def readings(first: int, count: int) -> list[Record]:
    return [values(u_a=float(number))(NOW_MS + number) for number in range(first, first + count)]


def pending(world: World) -> int:
    return sum(world.outbox.feed(HISTORY).progress(lane).pending for lane in Lane)


async def kept(task: HistoryTask, name: PointName = U_A) -> list[object]:
    return [one.value for one in (await task.read(name, 0, 1 << 60)).samples]


@in_virtual_time
async def test_values_are_there_at_once_and_on_disk_after_a_while(tmp_path: Path) -> None:
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(1)
        assert await kept(task) == [float(number) for number in range(COUNT)]
        assert (await task.status())["committed"] == 0
        await asyncio.sleep(35)
        assert (await task.status())["committed"] == COUNT
        assert pending(world) == 0
        assert await kept(task) == [float(number) for number in range(COUNT)]


@in_virtual_time
async def test_what_a_power_cut_takes_from_memory_is_fed_again(tmp_path: Path) -> None:
    async with a_world(tmp_path, SITE) as world:
        feed = world.outbox.feed(HISTORY)
        task = HistoryTask(
            LocalHistory(), tmp_path, feed, world.doors.kept, executor=InlineExecutor()
        )
        running = asyncio.get_running_loop().create_task(
            task.run(world.around, Standing(HISTORY, {}), asyncio.Event())
        )
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(40)
        await world.outbox.append(readings(COUNT, COUNT))
        await asyncio.sleep(5)
        running.cancel()  # nothing of it is written any more
        await asyncio.wait([running])
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        assert pending(world) == COUNT
        await asyncio.sleep(40)
        assert await kept(task) == [float(number) for number in range(2 * COUNT)]
        assert pending(world) == 0


@in_virtual_time
async def test_a_stop_commits_what_is_left(tmp_path: Path) -> None:
    async with a_world(tmp_path, SITE) as world:
        async with keeping(world, tmp_path):
            await world.outbox.append(readings(0, COUNT))
            await asyncio.sleep(0.1)
        assert pending(world) == 0


@in_virtual_time
async def test_a_reload_hands_on_what_the_one_before_could_not_write(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.mkdir()
    async with a_world(tmp_path, SITE) as world:
        async with keeping(world, tmp_path):
            await world.outbox.append(readings(0, COUNT))
            await asyncio.sleep(40)
        file.rmdir()
        async with keeping(world, tmp_path) as task:
            await asyncio.sleep(40)
            assert await kept(task) == [float(number) for number in range(COUNT)]
            assert pending(world) == 0


@in_virtual_time
async def test_personal_values_are_never_kept(tmp_path: Path) -> None:
    points = [a_point("u_a", **OPEN), a_point("plate", level="L1", personal="P2")]
    site = a_site([a_device("em-01", points=points)], history=LocalHistory())
    async with a_world(tmp_path, site) as world, keeping(world, tmp_path) as task:
        await world.outbox.append([values(plate="canary-1")(NOW_MS)])
        await world.outbox.append([values(u_a=1.0, plate="canary-1")(NOW_MS + 1)])
        await asyncio.sleep(40)
        assert await kept(task) == [1.0]
        assert await kept(task, PointName(DeviceId("em-01"), PointId("plate"))) == []
        device = site.devices[DeviceId("em-01")]
        with pytest.raises(ControlError, match="P2"):
            await history_of(task, device, {"point": "plate", "from": 0, "to": 1})


@in_virtual_time
async def test_a_point_that_became_personal_is_deleted(tmp_path: Path) -> None:
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path):
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(40)
    secret = a_point("u_a", level="L1", personal="P3")
    other = a_point("i_a", **OPEN)
    site = a_site([a_device("em-01", points=[secret, other])], history=LocalHistory())
    async with a_world(tmp_path, site) as world, keeping(world, tmp_path) as task:
        await world.outbox.append([values(i_a=1.0)(NOW_MS)])
        await asyncio.sleep(40)
        assert await kept(task) == []


@in_virtual_time
async def test_a_point_may_be_kept_for_fewer_days_than_the_rest(tmp_path: Path) -> None:
    points = [a_point("u_a", **OPEN, retain_days=1), a_point("i_a", **OPEN)]
    site = a_site([a_device("em-01", points=points)], history=LocalHistory())
    async with a_world(tmp_path, site) as world, keeping(world, tmp_path) as task:
        await world.outbox.append([values(u_a=1.0, i_a=2.0)(NOW_MS - 2 * DAY_MS)])
        await world.outbox.append([values(u_a=3.0, i_a=4.0)(NOW_MS)])
        await asyncio.sleep(40)
        assert await kept(task) == [3.0]
        assert await kept(task, replace(U_A, point=PointId("i_a"))) == [2.0, 4.0]
        world.clock.step(DAY_MS + 60_000)
        await asyncio.sleep(3700)
        await world.outbox.append([values(i_a=5.0)(NOW_MS + DAY_MS)])
        await asyncio.sleep(40)
        assert await kept(task) == []


@in_virtual_time
async def test_a_clock_that_runs_years_ahead_and_is_not_believed_deletes_nothing(
    tmp_path: Path,
) -> None:
    async with (
        a_world(tmp_path, SITE, TimeQuality.UNSYNC) as world,
        keeping(world, tmp_path) as task,
    ):
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(40)
        world.clock.step(1000 * DAY_MS)
        await world.outbox.append(readings(COUNT, 1))
        await asyncio.sleep(40)
        assert len(await kept(task)) == COUNT + 1


@in_virtual_time
async def test_a_damaged_file_is_set_aside_and_what_waits_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all " * 500)
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(40)
        assert await kept(task) == [float(number) for number in range(COUNT)]


@in_virtual_time
async def test_a_disk_that_refuses_is_told_and_tried_again(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.mkdir()  # what stands there can be opened by nobody
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(100)
        assert (await task.status())["why"]
        told = await world.outbox.export(Lane.EVENT)
        assert any("history_not_written" in one and "raised" in one for one in told)
        assert pending(world) == COUNT
        file.rmdir()
        await asyncio.sleep(100)
        assert (await task.status())["why"] == ""
        assert len(await kept(task)) == COUNT
        told = await world.outbox.export(Lane.EVENT)
        assert any("history_not_written" in one and "cleared" in one for one in told)


@in_virtual_time
async def test_what_is_too_old_goes_although_nothing_new_comes(tmp_path: Path) -> None:
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        await world.outbox.append([values(u_a=1.0)(NOW_MS)])
        await asyncio.sleep(40)
        world.clock.step(8 * DAY_MS)
        assert await kept(task) == [1.0]
        await asyncio.sleep(3700)
        await asyncio.sleep(10)
        assert await kept(task) == []


@in_virtual_time
async def test_a_full_disk_does_not_eat_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest hours make room within our own bound, and never on a disk that others filled."""
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        await world.outbox.append([values(u_a=1.0)(NOW_MS)])
        await asyncio.sleep(40)

        def refuse(*_: object) -> None:
            raise full

        def no_room(_: Path) -> SimpleNamespace:
            return SimpleNamespace(free=0)

        with monkeypatch.context() as disk:
            disk.setattr(HistoryStore, "add", refuse)
            disk.setattr(shutil, "disk_usage", no_room)
            await world.outbox.append([values(u_a=2.0)(NOW_MS + 1)])
            await asyncio.sleep(600)
            assert "full" in (await task.status())["why"]
            assert await kept(task) == [1.0, 2.0], "the second from memory"
        await asyncio.sleep(100)
        assert pending(world) == 0
        assert await kept(task) == [1.0, 2.0]


@in_virtual_time
async def test_damage_that_only_the_clean_up_meets_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        await world.outbox.append([values(u_a=1.0)(NOW_MS)])
        await asyncio.sleep(40)
        with monkeypatch.context() as damage:

            def damaged(*_: object) -> None:
                raise HistoryDamaged("a row is damaged")

            damage.setattr(HistoryStore, "forget", damaged)
            await asyncio.sleep(3700)
        assert (tmp_path / DAMAGED).exists()
        assert (await task.status())["why"] == ""
        assert await kept(task) == []


@in_virtual_time
async def test_a_week_is_read_in_pieces_and_steps_are_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = SITE.devices[DeviceId("em-01")]
    first_ms = NOW_MS - 7 * DAY_MS
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        every_ms = 600_000
        await world.outbox.append(
            [values(u_a=float(n))(first_ms + n * every_ms) for n in range(7 * 144)]
        )
        await asyncio.sleep(1)
        asked = {"point": "u_a", "from": 0, "to": 1 << 50}
        spans: list[int] = []
        whole = task.read

        async def noted(name: PointName, from_ms: int, to_ms: int) -> Found:
            spans.append(to_ms - from_ms)
            return await whole(name, from_ms, to_ms)

        monkeypatch.setattr(task, "read", noted)
        got = await history_of(task, device, asked)
        assert [one["v"] for one in got["values"]] == [float(n) for n in range(7 * 144)]
        assert max(spans) <= PIECE_MS
        assert len(spans) <= 30, "nothing is read before 2026 and after"
        for step_ms in (7 * 60_000, 3_600_000, 5 * 3_600_000, DAY_MS):
            shown = (await history_of(task, device, {**asked, "step": step_ms}))["steps"]
            starts = [one["from_ms"] for one in shown]
            assert starts == sorted(set(starts)), "no step in two pieces"
            assert sum(one["count"] for one in shown) == 7 * 144
        monkeypatch.setattr("gateway.app.history.desk.MOST_VALUES", 10)
        spans.clear()
        with pytest.raises(ControlError, match="too many"):
            await history_of(task, device, asked)
        assert len(spans) == 1, "what is too much is not read to its end"


@in_virtual_time
async def test_values_of_a_clock_that_was_years_ahead_cost_no_thousand_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = SITE.devices[DeviceId("em-01")]
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        ahead_ms = NOW_MS + 30_000 * DAY_MS
        await world.outbox.append([values(u_a=1.0)(NOW_MS), values(u_a=2.0)(ahead_ms)])
        await asyncio.sleep(1)
        reads: list[int] = []
        whole = task.read

        async def noted(name: PointName, from_ms: int, to_ms: int) -> Found:
            reads.append(to_ms - from_ms)
            return await whole(name, from_ms, to_ms)

        monkeypatch.setattr(task, "read", noted)
        asked = {"point": "u_a", "from": 0, "to": 1 << 50}
        assert len((await history_of(task, device, asked))["values"]) == 2
        assert len((await history_of(task, device, {**asked, "step": 60_000}))["steps"]) == 2
        assert len(reads) <= 2 * (MOST_PIECES + 1)


@in_virtual_time
async def test_an_empty_history_answers_and_a_question_without_times_is_refused(
    tmp_path: Path,
) -> None:
    device = SITE.devices[DeviceId("em-01")]
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        asked = {"point": "u_a", "from": 0, "to": NOW_MS}
        assert (await history_of(task, device, asked))["values"] == []
        with pytest.raises(ControlError, match="`from` and `to`"):
            await history_of(task, device, {"point": "u_a"})


@in_virtual_time
async def test_the_desk_answers_as_it_is_or_by_steps(tmp_path: Path) -> None:
    device = SITE.devices[DeviceId("em-01")]
    async with a_world(tmp_path, SITE) as world, keeping(world, tmp_path) as task:
        await world.outbox.append([values(u_a=1.0)(60_000), values(u_a=3.0)(60_500)])
        await asyncio.sleep(0.1)
        asked = {"point": "u_a", "from": 0, "to": 100_000}
        assert await history_of(task, device, asked) == {
            "dev": "em-01",
            "p": "u_a",
            "u": "V",
            "values": [{"ts": 60_000, "v": 1.0}, {"ts": 60_500, "v": 3.0}],
        }
        (step,) = (await history_of(task, device, {**asked, "step": 60_000}))["steps"]
        assert (step["from_ms"], step["low"], step["high"], step["mean"]) == (60_000, 1.0, 3.0, 2.0)
        with pytest.raises(ControlError, match="a day"):
            await history_of(task, device, {**asked, "step": 0})
        with pytest.raises(ControlError, match="no point"):
            await history_of(task, device, {**asked, "point": "x"})
        with pytest.raises(ControlError, match=r"history: \{\}"):
            await history_of(None, device, asked)


def test_a_site_without_history_has_no_cursor_for_it() -> None:
    without: Site = a_site([a_device("em-01")])
    assert cursors(without) == ()
    assert cursors(SITE) == (HISTORY,)
