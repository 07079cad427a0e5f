"""A historian over its outbox, in virtual time: what happens when the database is not well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.historian.answer import Fate, Verdict
from gateway.historian.schema import Line
from gateway.model.record import Lane, Record
from tests.historian.historian_support import (
    DB,
    LONG_S,
    OPEN,
    WRITTEN,
    ScriptedDatabase,
    World,
    a_device,
    a_historian,
    a_site,
    a_world,
    values,
    writing,
)
from tests.support.points import a_point
from tests.support.virtual_time import in_virtual_time

SITE = a_site([a_device("em-01")], [a_historian()])
COUNT = 200


def readings(first: int, count: int) -> list[Record]:
    return [values(u_a=float(number))(number) for number in range(first, first + count)]


def pending(world: World) -> int:
    return sum(world.outbox.feed(DB).progress(lane).pending for lane in Lane)


async def settled(world: World) -> None:
    async with asyncio.timeout(LONG_S):
        while pending(world):
            await asyncio.sleep(0.1)


@in_virtual_time
async def test_every_reading_is_written_once_and_in_few_requests(tmp_path: Path) -> None:
    database = ScriptedDatabase()
    async with a_world(tmp_path, SITE) as world, writing(world, database) as task:
        for start in range(0, COUNT, 10):
            await world.outbox.append(readings(start, 10))
        await settled(world)
        assert len(database.rows) == COUNT
        assert len(database.sizes) <= 3
        assert task.status()["written"] == COUNT
    assert database.is_closed


@in_virtual_time
async def test_a_database_that_is_down_costs_nothing_and_is_not_hammered(tmp_path: Path) -> None:
    database = ScriptedDatabase()
    database.answers = lambda _: Verdict(Fate.AWAY, "ConnectionRefusedError")
    async with a_world(tmp_path, SITE) as world, writing(world, database) as task:
        began = asyncio.get_running_loop().time()
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(3600)
        assert len(database.asked_at) < 75, "once a minute at last"
        assert pending(world) == COUNT + 1, "and the event that says so"
        assert task.status()["up"] is False
        assert "ConnectionRefused" in task.status()["why"]
        database.answers = lambda _: WRITTEN
        await settled(world)
        assert asyncio.get_running_loop().time() - began < 3600 + 80
        assert len([row for row in database.rows if row.startswith("meter")]) == COUNT
        assert task.status()["up"] is True


@in_virtual_time
async def test_an_outage_is_told_to_the_platforms_and_taken_back(tmp_path: Path) -> None:
    database = ScriptedDatabase()
    database.answers = lambda _: Verdict(Fate.AWAY, "no route")
    async with a_world(tmp_path, SITE) as world, writing(world, database):
        await world.outbox.append(readings(0, 1))
        await asyncio.sleep(300)
        database.answers = lambda _: WRITTEN
        await asyncio.sleep(300)
        told = [row for row in database.rows if "type=historian_away" in row]
    assert [("raised" in row, "cleared" in row) for row in told] == [(True, False), (False, True)]


@in_virtual_time
async def test_a_killed_gateway_loses_nothing_whatever_had_been_written(tmp_path: Path) -> None:
    database = ScriptedDatabase()

    def half(lines: Sequence[Line]) -> Verdict:
        database.take(lines[: len(lines) // 2])
        return Verdict(Fate.AWAY, "the connection broke")

    async with a_world(tmp_path, SITE) as world, writing(world, database):
        await world.outbox.append(readings(0, COUNT))
        await settled(world)
        database.answers = half
        await world.outbox.append(readings(COUNT, COUNT))
        await database.until(lambda: len(database.asked_at) >= 3)
    assert COUNT < len(database.rows) < 2 * COUNT
    database.answers = lambda _: WRITTEN
    async with a_world(tmp_path, SITE) as world, writing(world, database):
        await settled(world)
    assert len(database.rows) == 2 * COUNT, "written twice in part, and there once"


@in_virtual_time
async def test_a_reload_hands_on_what_the_one_before_had_in_its_hands(tmp_path: Path) -> None:
    database = ScriptedDatabase()
    database.answers = lambda _: Verdict(Fate.DENIED, "HTTP 401")
    async with a_world(tmp_path, SITE) as world:
        async with writing(world, database):
            await world.outbox.append(readings(0, COUNT))
            await database.until(lambda: bool(database.asked_at))
        database.answers = lambda _: WRITTEN
        async with writing(world, database):
            await settled(world)
    assert len([row for row in database.rows if row.startswith("meter")]) == COUNT


@in_virtual_time
async def test_a_refused_token_is_told_at_once_and_nothing_is_dropped(tmp_path: Path) -> None:
    database = ScriptedDatabase()
    database.answers = lambda _: Verdict(Fate.DENIED, "HTTP 401: unauthorized")
    async with a_world(tmp_path, SITE) as world, writing(world, database) as task:
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(600)
        assert len(database.asked_at) <= 11, "once a minute"
        assert task.status()["why"] == "HTTP 401: unauthorized"
        (line,) = [one for one in await exported(world) if "historian_denied" in one]
        assert "HTTP 401: unauthorized" in line
        assert "sink db" in line
        database.answers = lambda _: WRITTEN
        await settled(world)
        assert len([row for row in database.rows if row.startswith("meter")]) == COUNT
        assert task.status()["refused"] == 0


async def exported(world: World) -> list[str]:
    return await world.outbox.export(Lane.EVENT)


@pytest.mark.parametrize("wish_s", [5.0, 90.0])
def test_a_server_that_asks_for_time_gets_it(tmp_path: Path, wish_s: float) -> None:
    @in_virtual_time
    async def body() -> None:
        database = ScriptedDatabase()
        database.answers = lambda _: Verdict(Fate.BUSY, "HTTP 429", wish_s)
        async with a_world(tmp_path, SITE) as world, writing(world, database):
            await world.outbox.append(readings(0, COUNT))
            await database.until(lambda: len(database.asked_at) >= 4)
            database.answers = lambda _: WRITTEN
            await settled(world)
        waits = [b - a for a, b in zip(database.asked_at, database.asked_at[1:4], strict=False)]
        assert all(wish_s <= wait <= wish_s * 1.2 + 0.1 for wait in waits)
        assert len([row for row in database.rows if row.startswith("meter")]) == COUNT

    body()


@in_virtual_time
async def test_a_poison_line_is_refused_and_seen_and_the_rest_is_written(tmp_path: Path) -> None:
    database = ScriptedDatabase()

    def picky(lines: Sequence[Line]) -> Verdict:
        if any(b"value=77.0" in one.octets for one in lines):
            return Verdict(Fate.BAD_LINES, "HTTP 400: field type conflict")
        return WRITTEN

    database.answers = picky
    async with a_world(tmp_path, SITE) as world, writing(world, database) as task:
        await world.outbox.append(readings(0, COUNT))
        await settled(world)
        assert len(database.rows) == COUNT - 1
        (refused,) = [json.loads(one) for one in await world.outbox.refused_lines(DB)]
        assert refused["reason"] == "HTTP 400: field type conflict"
        assert task.status()["refused"] == 1
        database.answers = lambda _: WRITTEN
        assert await world.outbox.retry_refused(DB) == 1
        await database.until(lambda: len(database.rows) == COUNT)


@in_virtual_time
async def test_a_poison_line_in_vague_words_does_not_stop_those_after_it(tmp_path: Path) -> None:
    database = ScriptedDatabase()

    def vague(lines: Sequence[Line]) -> Verdict:
        if any(b"value=0.0" in one.octets for one in lines):
            return Verdict(Fate.DOUBTFUL, "HTTP 400: no")
        return WRITTEN

    database.answers = vague
    async with a_world(tmp_path, SITE) as world, writing(world, database) as task:
        await world.outbox.append(readings(0, 1))
        await asyncio.sleep(30)
        assert not database.rows
        await world.outbox.append(readings(1, COUNT - 1))
        await settled(world)
        assert len([row for row in database.rows if row.startswith("meter")]) == COUNT - 1
        assert task.status()["refused"] == 1
        assert len(database.asked_at) < 20


@in_virtual_time
async def test_without_a_time_of_day_nothing_is_written_under_a_wrong_one(tmp_path: Path) -> None:
    database = ScriptedDatabase()
    async with a_world(tmp_path, SITE) as world, writing(world, database):
        world.time.has_none = True
        await world.outbox.append(readings(0, COUNT))
        await asyncio.sleep(100)
        assert not database.asked_at
        world.time.has_none = False
        await settled(world)
    assert len(database.rows) == COUNT


@in_virtual_time
async def test_what_stands_above_the_level_does_not_reach_the_database(tmp_path: Path) -> None:
    points = [a_point("u_a", **OPEN), a_point("plate", level="L4", personal="P2")]
    site = a_site([a_device("em-01", points=points)], [a_historian(max_level="L2")])
    database = ScriptedDatabase()
    async with a_world(tmp_path, site) as world, writing(world, database):
        await world.outbox.append([values(plate="canary")(1)])
        await world.outbox.append([values(u_a=1.0, plate="canary")(2)])
        await settled(world)
    assert len(database.rows) == 1
    assert "canary" not in str(database.rows)


@in_virtual_time
async def test_a_stop_writes_what_is_left(tmp_path: Path) -> None:
    site = a_site([a_device("em-01")], [a_historian(batch_wait_s=60.0)])
    database = ScriptedDatabase()
    async with a_world(tmp_path, site) as world:
        async with writing(world, database):
            await world.outbox.append(readings(0, COUNT))
            await asyncio.sleep(1)
            assert not database.asked_at
        assert len(database.rows) == COUNT
        assert not pending(world)
