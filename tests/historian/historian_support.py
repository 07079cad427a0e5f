"""Short ways to devices, records, outboxes, and a database that is played by a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from gateway.app.history.historian import HistorianTask
from gateway.app.history.historians import cursors
from gateway.app.outward.around import Around
from gateway.app.outward.doors import Doors, Passage
from gateway.app.outward.standing import Standing
from gateway.historian.answer import Fate, Verdict
from gateway.historian.schema import Line, Schema
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, GatewayId, PointId, SinkName, SiteId
from gateway.model.reading import PointColumn, Value
from gateway.model.record import Committed, PropBody, Record, StateChange
from gateway.outbox.outbox import Outbox
from gateway.outbox.seams import Seams
from gateway.settings.site import Device, Gateway, Point, Site, Store
from gateway.settings.site_commands import Commands
from gateway.settings.site_historians import Historian, LocalHistory
from gateway.settings.where import Where
from tests.outbox.outbox_support import InlineExecutor
from tests.support.points import a_device as device_of
from tests.support.points import a_point
from tests.support.virtual_time import ManualClock

NOWHERE = Where("", 1, 1)
DB = SinkName("db")
GW = Gateway(GatewayId("gw-1"), SiteId("lake"))
OPEN: dict[str, Any] = {"level": "L1", "personal": "P0"}
WRITTEN = Verdict(Fate.WRITTEN)
LONG_S = 10_000.0
"""Of virtual time."""


def a_device(
    id_: str, *, kind: str = "meter.electricity", points: Sequence[Point] | None = None
) -> Device:
    """Return a device with the open point u_a, or these."""
    return replace(device_of(id_, points or [a_point("u_a", **OPEN)]), kind=kind)


def a_site(
    devices: Iterable[Device],
    historians: Iterable[Historian] = (),
    history: LocalHistory | None = None,
) -> Site:
    """Return a site without lines and sinks."""
    return Site(
        GW,
        {},
        {device.id: device for device in devices},
        {},
        Commands(),
        Store(),
        (),
        "",
        historians={one.name: one for one in historians},
        history=history,
    )


def values(**points: Value | None) -> Callable[[int], Record]:
    """Return what makes a record of em-01 with these values at a moment."""
    names = tuple(PointId(name) for name in points)
    column = PointColumn(names, ("V",) * len(names))
    body = PropBody(column, tuple(points.values()), None)
    return lambda ts_ms: Record(DeviceId("em-01"), ts_ms, TimeQuality.SYNC, body)


class Time:
    """A timekeeper that believes every record, or has no time of day."""

    def __init__(self) -> None:
        self.has_none = False

    def is_lost(self) -> bool:
        return self.has_none

    def redated(self, committed: Committed) -> Committed:
        return committed


@dataclass
class World:
    """An outbox on disk, and what stands around a sink."""

    site: Site
    outbox: Outbox
    doors: Doors
    around: Around
    clock: ManualClock
    time: Time = field(default_factory=Time)


@asynccontextmanager
async def a_world(
    folder: Path, site: Site, quality: TimeQuality = TimeQuality.SYNC
) -> AsyncGenerator[World]:
    """Open the outbox of a folder with the cursors of this site."""
    clock, doors, time = ManualClock(quality=quality), Doors(site), Time()
    seams = Seams(executor=InlineExecutor(), is_due=doors.is_due)
    async with Outbox.open(folder / "outbox", Store(), clock, cursors(site), seams=seams) as outbox:

        async def keep(records: Sequence[Record], changes: Sequence[StateChange]) -> None:
            await outbox.append(records, changes)

        given = {"clock": clock, "keep": keep, "time": time}
        others = {one.name: None for one in fields(Around)}
        around = Around(**{**others, **given})  # pyright: ignore[reportArgumentType] - what no historian asks for
        yield World(site, outbox, doors, around, clock, time)


class ScriptedDatabase:
    """Plays a database: `answers` judges lines, and what it takes is kept by series and time."""

    def __init__(self) -> None:
        self.answers: Callable[[Sequence[Line]], Verdict] = lambda _: WRITTEN
        self.asked_at: list[float] = []
        self.sizes: list[int] = []
        self.rows: dict[str, str] = {}
        self.news = asyncio.Event()
        self.is_closed = False

    async def write(self, lines: Sequence[Line]) -> Verdict:
        """Take lines as `Writer` does."""
        await asyncio.sleep(0.01)
        self.asked_at.append(asyncio.get_running_loop().time())
        self.sizes.append(len(lines))
        verdict = self.answers(lines)
        if verdict.fate is Fate.WRITTEN:
            self.take(lines)
        self.news.set()
        return verdict

    def take(self, lines: Sequence[Line]) -> None:
        """Keep rows as a database does: the same series and time overwrites."""
        for one in lines:
            series, said, ts = one.octets.decode().rsplit(" ", 2)
            self.rows[f"{series} {ts}"] = said

    def close(self) -> None:
        self.is_closed = True

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Return when something holds; looked at after every write."""
        async with asyncio.timeout(LONG_S):
            while not is_true():
                self.news.clear()
                await self.news.wait()


def a_historian(**changes: Any) -> Historian:
    """Return a database on this machine, changed as told."""
    return replace(Historian(DB, "http://127.0.0.1:8086", NOWHERE, database="lake"), **changes)


@asynccontextmanager
async def writing(world: World, database: ScriptedDatabase) -> AsyncGenerator[HistorianTask]:
    """Run the one historian of the site against the database; stopped with the block."""
    (historian,) = world.site.historians.values()
    task = HistorianTask(
        historian,
        world.outbox.feed(historian.name),
        schema=Schema(world.site.gateway, world.site.devices.values()),
        passage=Passage(world.doors.of(historian.name)),
        standing=Standing(historian.name, {}),
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        rng = Random(1)  # noqa: S311 - jitter, the same in every run
        tasks.create_task(task.run(world.around, database, rng, stop))
        yield task
        stop.set()
