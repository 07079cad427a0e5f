"""All time-series databases and the local history: started, stopped, changed with the site."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from gateway.app.history.historian import HistorianTask
from gateway.app.history.local import HistoryTask
from gateway.app.outward.around import Around
from gateway.app.outward.doors import Doors, Passage
from gateway.app.outward.standing import ROOM as EVENTS_ROOM
from gateway.app.outward.standing import Standing, known_of
from gateway.historian.schema import Schema
from gateway.historian.writer import Writer
from gateway.model.ids import SinkName
from gateway.outbox.outbox import Outbox
from gateway.settings.secrets import read_secret
from gateway.settings.site import Site
from gateway.settings.site_historians import HISTORY, Historian


@dataclass(frozen=True, slots=True)
class _Running:
    """One database or the history, with its task."""

    worker: HistorianTask | HistoryTask
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
        worker = None if running is None else running.worker
        return worker if isinstance(worker, HistoryTask) else None

    def start(self, site: Site, tasks: asyncio.TaskGroup) -> None:
        """Start what the site has and does not run yet."""
        for name, historian in site.historians.items():
            if name not in self._running:
                self._start(name, self._historian(site, historian), tasks)
        if site.history is not None and HISTORY not in self._running:
            feed, kept = self._outbox.feed(HISTORY), self._doors.kept
            self._start(HISTORY, HistoryTask(site.history, self._state, feed, kept), tasks)

    async def leave(self, site: Site) -> None:
        """Stop what a reloaded site has no longer, or otherwise; before the outbox forgets it."""
        gone = [name for name, one in self._running.items() if not _is_same(one.worker, site)]
        stopped = [self._running.pop(name) for name in gone]
        for running in stopped:
            running.stop.set()
        if stopped:
            await asyncio.wait([running.task for running in stopped])
        for running in self._running.values():
            if isinstance(running.worker, HistorianTask):
                running.worker.schema.use(site.all_devices.values())

    def stop(self) -> None:
        """Let all of them write what they can, and end."""
        for running in self._running.values():
            running.stop.set()

    def status(self) -> list[dict[str, Any]]:
        """Return how every database is reached."""
        workers = [running.worker for running in self._running.values()]
        return [worker.status() for worker in workers if isinstance(worker, HistorianTask)]

    def _historian(self, site: Site, historian: Historian) -> HistorianTask:
        return HistorianTask(
            historian,
            self._outbox.feed(historian.name),
            schema=Schema(site.gateway, site.all_devices.values()),
            passage=Passage(self._doors.of(historian.name)),
            standing=self._standing(historian.name),
        )

    def _start(
        self, name: SinkName, worker: HistorianTask | HistoryTask, tasks: asyncio.TaskGroup
    ) -> None:
        around, stop = self._around, asyncio.Event()
        if isinstance(worker, HistoryTask):
            running = worker.run(around, self._standing(name), stop)
        else:
            writer = Writer(worker.historian, read_secret, around.clock.now_ms)
            running = worker.run(around, writer, self._rng, stop)
        task = tasks.create_task(running, name=f"historian:{name}")
        self._running[name] = _Running(worker, stop, task)

    def _standing(self, name: SinkName) -> Standing:
        return Standing(name, known_of(name, self._outbox.states(EVENTS_ROOM)))


def cursors(site: Site) -> tuple[SinkName, ...]:
    """Return all that have a place of their own in the outbox: sinks, databases, the history."""
    history = () if site.history is None else (HISTORY,)
    return (*site.sinks, *site.historians, *history)


def _is_same(worker: HistorianTask | HistoryTask, site: Site) -> bool:
    if isinstance(worker, HistoryTask):
        return worker.settings == site.history
    return site.historians.get(worker.historian.name) == worker.historian
