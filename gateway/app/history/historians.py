"""All time-series databases and the local history: started, stopped, changed with the site.

What works for them is imported when a site wants it: others do not carry it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from gateway.app.outward.around import Around
from gateway.app.outward.doors import Doors, Passage
from gateway.app.outward.standing import ROOM as EVENTS_ROOM
from gateway.app.outward.standing import Standing, known_of
from gateway.model.ids import SinkName
from gateway.outbox.outbox import Outbox
from gateway.settings.secrets import read_secret
from gateway.settings.site import Site
from gateway.settings.site_historians import HISTORY, Historian, LocalHistory

if TYPE_CHECKING:
    from gateway.app.history.historian import HistorianTask
    from gateway.app.history.local import HistoryTask


@dataclass(frozen=True, slots=True)
class _Worker:
    """One database or the history, before it runs."""

    settings: Historian | LocalHistory
    run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
    database: HistorianTask | None = None
    history: HistoryTask | None = None


@dataclass(frozen=True, slots=True)
class _Running:
    """The same with its task."""

    worker: _Worker
    stop: asyncio.Event
    task: asyncio.Task[None]


class Historians:
    """Their tasks live in the group that `start` is given."""

    def __init__(  # noqa: PLR0917 - the rooms it stands between
        self, outbox: Outbox, around: Around, doors: Doors, state: Path, rng: Random | None = None
    ) -> None:
        """Take the store, what every sink is given, the doors, and the state folder."""
        self._outbox = outbox
        self._around = around
        self._doors = doors
        self._state = state
        self._rng = rng or SystemRandom()
        self._running: dict[SinkName, _Running] = {}

    @property
    def history(self) -> HistoryTask | None:
        """The local history, None when the site keeps none."""
        running = self._running.get(HISTORY)
        return None if running is None else running.worker.history

    def start(self, site: Site, tasks: asyncio.TaskGroup) -> None:
        """Start what the site has and does not run yet."""
        for name, historian in site.historians.items():
            if name not in self._running:
                self._start(name, self._database(site, historian), tasks)
        if site.history is not None and HISTORY not in self._running:
            self._start(HISTORY, self._history(site.history), tasks)

    async def leave(self, site: Site) -> None:
        """Stop what a reloaded site has no longer, or otherwise; before the outbox forgets it."""
        wanted = {**site.historians, HISTORY: site.history}
        gone = [n for n, one in self._running.items() if one.worker.settings != wanted.get(n)]
        stopped = [self._running.pop(name) for name in gone]
        for running in stopped:
            running.stop.set()
        if stopped:
            await asyncio.wait([running.task for running in stopped])
        for database in self._databases():
            database.schema.use(site.all_devices.values())

    def stop(self) -> None:
        """Let all of them write what they can, and end."""
        for running in self._running.values():
            running.stop.set()

    def status(self) -> list[dict[str, Any]]:
        """Return how every database is reached."""
        return [database.status() for database in self._databases()]

    def _databases(self) -> list[HistorianTask]:
        found = (running.worker.database for running in self._running.values())
        return [database for database in found if database is not None]

    def _database(self, site: Site, historian: Historian) -> _Worker:
        from gateway.app.history.historian import HistorianTask  # noqa: PLC0415 - as said above
        from gateway.historian.schema import Schema  # noqa: PLC0415
        from gateway.historian.writer import Writer  # noqa: PLC0415

        around = self._around
        task = HistorianTask(
            historian,
            self._outbox.feed(historian.name),
            schema=Schema(site.gateway, site.all_devices.values()),
            passage=Passage(self._doors.of(historian.name)),
            standing=self._standing(historian.name),
        )
        writer = Writer(historian, read_secret, around.clock.now_ms)
        return _Worker(
            historian, lambda stop: task.run(around, writer, self._rng, stop), database=task
        )

    def _history(self, settings: LocalHistory) -> _Worker:
        from gateway.app.history.local import HistoryTask  # noqa: PLC0415 - as said above

        task = HistoryTask(settings, self._state, self._outbox.feed(HISTORY), self._doors.kept)
        standing = self._standing(HISTORY)
        return _Worker(settings, lambda stop: task.run(self._around, standing, stop), history=task)

    def _start(self, name: SinkName, worker: _Worker, tasks: asyncio.TaskGroup) -> None:
        stop = asyncio.Event()
        task = tasks.create_task(worker.run(stop), name=f"historian:{name}")
        self._running[name] = _Running(worker, stop, task)

    def _standing(self, name: SinkName) -> Standing:
        return Standing(name, known_of(name, self._outbox.states(EVENTS_ROOM)))


def cursors(site: Site) -> tuple[SinkName, ...]:
    """Return all that have a place of their own in the outbox: sinks, databases, the history."""
    history = () if site.history is None else (HISTORY,)
    return (*site.sinks, *site.historians, *history)
