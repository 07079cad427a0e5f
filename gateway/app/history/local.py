"""The local history at work: one more cursor of the outbox, committed together now and then."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gateway.app.history.waiting import has_news
from gateway.app.outward.around import Around
from gateway.app.outward.kept import KeptPoints
from gateway.app.outward.standing import Standing
from gateway.historian.chunk import Column, Sample
from gateway.historian.point_name import PointName
from gateway.historian.store import Found, HistoryDamaged, HistoryStore
from gateway.model.quality import GOOD
from gateway.model.record import Committed, Lane, PropBody
from gateway.outbox.feed import Room, SinkFeed
from gateway.outbox.purge import time_of_day
from gateway.settings.site_historians import LocalHistory

_log = logging.getLogger("linli.history")
_T = TypeVar("_T")

RECORDS_AT_ONCE = 500
MOST_VALUES = 50_000
"""In memory at once: then it is committed sooner; while the disk refuses the outbox keeps it."""
RETRY_S = 30.0
LAST_WORDS_S = 1.5
LOOK_EVERY_S = 2.0
RETAIN_EVERY_S = 3600.0
IDLE_S = 600.0
"""Commits look after what is too old; after this time the clock does, should none come."""
DAY_MS = 86_400_000


class HistoryTask:
    """Keeps the last days. What is not committed yet is asked for from memory."""

    def __init__(
        self,
        settings: LocalHistory,
        folder: Path,
        feed: SinkFeed,
        kept: KeptPoints,
        *,
        executor: Executor | None = None,
    ) -> None:
        """Take the bounds, the state folder, the records, and what may be kept.

        `executor` must run one job at a time, in order; None for a thread of its own.
        """
        self.settings = settings
        self._feed = feed
        self._kept = kept
        self._store = HistoryStore(folder, settings.quota_bytes)
        self._thread = executor or ThreadPoolExecutor(1, "history")
        self._fresh: dict[PointName, Column] = {}
        self._units: dict[PointName, str | None] = {}
        self._seqs: list[tuple[Lane, int]] = []
        self._values = 0
        self._committed = 0
        self._why = ""
        self._retained_at: float | None = None
        self._stopping = asyncio.Event()
        self._writing = asyncio.Lock()

    async def run(self, around: Around, standing: Standing, stop: asyncio.Event) -> None:
        """Keep what comes until `stop`; then commit what is left."""
        self._feed.requeue()  # what the one before us had in its hands when a reload ended it
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep(around), name="history:keep")
                looking = tasks.create_task(self._look(around, standing), name="history:look")
                await stop.wait()
                self._stopping.set()
                self._feed.notify()
                await asyncio.wait([keeping], timeout=LAST_WORDS_S)
                keeping.cancel()
                looking.cancel()
        finally:
            self._thread.submit(self._store.close)
            self._thread.shutdown(wait=False)

    async def read(self, name: PointName, from_ms: int, to_ms: int) -> Found:
        """Return what is kept of a point, in order of time.

        Raises:
            HistoryDamaged, sqlite3.Error: the file cannot be read now.
        """
        found = await self._in_thread(lambda: self._store.read(name, from_ms, to_ms))
        waiting = self._fresh.get(name, {})
        column = {one.ts_ms: one for one in found.samples}
        column |= {ts_ms: one for ts_ms, one in waiting.items() if from_ms <= ts_ms < to_ms}
        unit = self._units.get(name, found.unit)
        return Found(unit, [column[ts_ms] for ts_ms in sorted(column)])

    async def span(self) -> range:
        """Return the time of which anything is kept, about; an empty one: nothing is.

        Raises:
            HistoryDamaged, sqlite3.Error: the file cannot be read now.
        """
        stored = await self._in_thread(self._store.span)
        waiting = [range(min(one), max(one) + 1) for one in self._fresh.values() if one]
        known = [one for one in (stored, *waiting) if one]
        return range(
            min((one.start for one in known), default=0),
            max((one.stop for one in known), default=0),
        )

    async def purge(self, before_ms: int, points: Sequence[PointName] | None = None) -> int:
        """Delete what is older than `before_ms`, of these points or of all; return how many.

        Raises:
            HistoryDamaged, sqlite3.Error: the file cannot be written now.
        """
        async with self._writing:
            for name in list(self._fresh) if points is None else points:
                column = self._fresh.get(name, {})
                for ts_ms in [ts_ms for ts_ms in column if ts_ms < before_ms]:
                    del column[ts_ms]
            return await self._in_thread(lambda: self._store.purge(before_ms, points))

    async def status(self) -> dict[str, Any]:
        """Return how it is, for people."""
        try:
            used = await self._in_thread(self._store.used_bytes)
        except (HistoryDamaged, sqlite3.Error):
            used = None
        return {
            "days": self.settings.days,
            "used_bytes": used,
            "quota_bytes": self.settings.quota_bytes,
            "committed": self._committed,
            "waiting": self._values,
            "why": self._why,
        }

    # --- keeping -------------------------------------------------------------------------------

    async def _keep(self, around: Around) -> None:
        while True:
            await self._gather(around)
            is_safe = not self._seqs or await self._commit(around)
            if self._stopping.is_set():
                return
            if not is_safe:
                await asyncio.sleep(RETRY_S)

    async def _gather(self, around: Around) -> None:
        """Take what comes until it is time to commit."""
        loop = asyncio.get_running_loop()
        due_at = loop.time() if self._seqs else None  # what the disk did not take is overdue
        while self._values < MOST_VALUES and (due_at is None or loop.time() < due_at):
            self._feed.look_up()
            if await self._take(around):
                due_at = due_at or loop.time() + self.settings.commit_every_s
            elif self._stopping.is_set() or not await has_news(self._feed, due_at, self._stopping):
                return

    async def _take(self, around: Around) -> bool:
        if around.time.is_lost():
            return False
        room = Room(RECORDS_AT_ONCE, RECORDS_AT_ONCE, RECORDS_AT_ONCE)
        batch = await self._feed.take(room)
        if batch is None:
            return False
        for item in batch.items:
            self._add(around.time.redated(item))
        return True

    def _add(self, committed: Committed) -> None:
        record, body = committed.record, committed.record.body
        self._seqs.append((record.lane, committed.seq))
        if not isinstance(body, PropBody):
            return
        kept = self._kept.of(record.device)
        for place, point in enumerate(body.column.points):
            if point not in kept:
                continue
            mark = GOOD if body.marks is None else body.marks[place]
            offset_ms = 0 if body.offsets_ms is None else body.offsets_ms[place]
            sample = Sample(record.ts_ms + offset_ms, body.values[place], mark)
            name = PointName(record.device, point)
            self._fresh.setdefault(name, {})[sample.ts_ms] = sample
            self._units[name] = body.column.units[place]
            self._values += 1

    async def _commit(self, around: Around) -> bool:
        """Commit what waits; False when the disk does not take it now, and all is kept."""
        now_ms = time_of_day(around.clock)
        # A clock that is not to be believed may be years ahead: then nothing is too old.
        keep_from_ms = 0 if now_ms is None else now_ms - self.settings.days * DAY_MS
        try:
            async with self._writing:
                await self._in_thread(lambda: self._write(keep_from_ms))
                self._settle()
        except (HistoryDamaged, sqlite3.Error, OSError) as error:
            self._note(error)
            return False
        self._why = ""
        await self._keep_in_bounds(around)
        return True

    def _note(self, error: Exception) -> None:
        if not self._why:
            _log.error("the history cannot be written: %s", error)
        self._why = f"{type(error).__name__}: {error}"

    def _settle(self) -> None:
        self._committed += self._values
        seqs, self._seqs, self._fresh, self._values = self._seqs, [], {}, 0
        for lane in Lane:
            self._feed.done(lane, [seq for of, seq in seqs if of is lane])

    def _write(self, keep_from_ms: int) -> None:
        """Commit in the thread; a damaged file makes room for a new one."""
        try:
            self._store.add(self._fresh, self._units, keep_from_ms)
        except HistoryDamaged as damage:
            self._set_aside(damage)
            self._store.add(self._fresh, self._units, keep_from_ms)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL or self._store.is_disk_full():
                raise
            self._store.relieve()
            self._store.add(self._fresh, self._units, keep_from_ms)

    def _set_aside(self, damage: HistoryDamaged) -> None:
        aside = self._store.set_aside()
        _log.error("the history is damaged: %s; set aside: %s", damage, aside)

    async def _keep_in_bounds(self, around: Around) -> None:
        """Delete what may lie there no longer, also while nothing new comes."""
        try:
            await self._retain(around)
        except HistoryDamaged as found:
            damage = found
            async with self._writing:
                await self._in_thread(lambda: self._set_aside(damage))
        except (sqlite3.Error, OSError) as error:
            self._note(error)

    async def _retain(self, around: Around) -> None:
        """Delete what may lie there for fewer days than the rest, or no longer; once an hour."""
        now, days = around.clock.monotonic(), self.settings.days
        now_ms = time_of_day(around.clock)
        if now_ms is None:
            return
        if self._retained_at is not None and now - self._retained_at < RETAIN_EVERY_S:
            return
        self._retained_at = now
        await self._in_thread(lambda: self._store.forget(now_ms - days * DAY_MS))
        by_days: dict[int, list[PointName]] = {}
        for name in await self._in_thread(self._store.names):
            longest = self._kept.longest_days(name, days)
            if longest < days:
                by_days.setdefault(longest, []).append(name)
        for longest, names in by_days.items():
            await self.purge(now_ms - longest * DAY_MS, names)

    async def _look(self, around: Around, standing: Standing) -> None:
        begun = around.clock.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._feed.notify()  # a time of day that came back is told by nobody else
            if around.clock.monotonic() - begun >= IDLE_S:
                await self._keep_in_bounds(around)
            wrong = {"history_not_written": self._why} if self._why else {}
            told = standing.compare(wrong, around.now(), may_clear=True)
            if told is not None:
                await around.keep(told.records, told.changes)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
