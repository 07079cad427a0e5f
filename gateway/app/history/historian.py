"""A time-series database as one more sink: from its own cursor in the outbox to its server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from gateway.app.history.waiting import has_news
from gateway.app.outward.around import Around
from gateway.app.outward.doors import Passage
from gateway.app.outward.standing import Standing
from gateway.historian.answer import Fate, Verdict
from gateway.historian.delivery import Delivery, Limits, Settled
from gateway.historian.pace import Pace
from gateway.historian.schema import Line, Schema
from gateway.outbox.feed import FeedBatch, Room, SinkFeed
from gateway.settings.site_historians import Historian

_log = logging.getLogger("linli.historian")

RECORDS_AT_ONCE = 100
"""Taken from the outbox in one go; of each lane."""
AWAY_TOLD_S = 60.0
"""A server that does not answer for so long is told to the platforms."""
LOOK_EVERY_S = 2.0
LAST_WORDS_S = 2.0
"""How long a stop waits for what can still be written; the rest is safe on disk."""


class Writes(Protocol):
    """What brings lines to a server."""

    async def write(self, lines: Sequence[Line]) -> Verdict:
        """Return what became of these lines; always in time."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass(slots=True)
class Health:
    """How the server is reached."""

    is_up: bool = False
    why: str = "nothing was written yet"
    since_ms: int = 0
    fate: Fate | None = None
    """Of the last write that was not taken; None while all is well."""
    failing_since: float | None = None
    """Loop time."""
    lines: int = 0
    refused: int = 0


class HistorianTask:
    """Writes to one database. What it did not take is written again until it does."""

    def __init__(
        self,
        historian: Historian,
        feed: SinkFeed,
        *,
        schema: Schema,
        passage: Passage,
        standing: Standing,
    ) -> None:
        """Take where to write, the records, their form, the outer door, and what stood."""
        self.historian = historian
        self.schema = schema
        self.health = Health()
        self._feed = feed
        self._passage = passage
        self._standing = standing
        self._limits = Limits(historian.batch_lines)
        self._stopping = asyncio.Event()

    async def run(self, around: Around, writer: Writes, rng: Random, stop: asyncio.Event) -> None:
        """Write until `stop`, then for a short while what is left."""
        name = f"historian:{self.historian.name}"
        self.health.since_ms = around.clock.now_ms()
        self._feed.requeue()  # what the one before us had in its hands when a reload ended it
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(
                    self._keep_writing(around, writer, Pace(rng)), name=f"{name}:write"
                )
                looking = tasks.create_task(self._keep_looking(around), name=f"{name}:look")
                await stop.wait()
                self._stopping.set()
                self._feed.notify()
                await asyncio.wait([writing], timeout=LAST_WORDS_S)
                writing.cancel()
                looking.cancel()
        finally:
            writer.close()

    def status(self) -> dict[str, Any]:
        """Return how it is, for people."""
        health = self.health
        return {
            "name": self.historian.name,
            "url": self.historian.url,
            "version": self.historian.version,
            "up": health.is_up,
            "why": health.why,
            "since": health.since_ms,
            "written": health.lines,
            "refused": health.refused,
            "most_bytes": self._limits.octets,
        }

    def conditions(self, now: float) -> Mapping[str, str]:
        """Return what is wrong now: the type of its event, and the detail."""
        health = self.health
        match health.fate:
            case None:
                return {}
            case Fate.DENIED | Fate.DOUBTFUL:
                return {"historian_denied": health.why}
            case _ if now - (health.failing_since or now) >= AWAY_TOLD_S:
                return {"historian_away": health.why}
            case _:
                return {}

    # --- writing -------------------------------------------------------------------------------

    async def _keep_writing(self, around: Around, writer: Writes, pace: Pace) -> None:
        while (lines := await self._gather(around)) or not self._stopping.is_set():
            if lines:
                await self._deliver(Delivery(lines, self._limits), around, writer, pace)

    async def _gather(self, around: Around) -> list[Line]:
        """Return lines for a request: all that come within a short time, none when stopping."""
        loop = asyncio.get_running_loop()
        lines: list[Line] = []
        until: float | None = None
        while len(lines) < self.historian.batch_lines:
            self._feed.look_up()
            batch = await self._take(around)
            if batch is not None:
                lines += self._encode(batch, around)
                if lines and until is None:
                    until = loop.time() + self.historian.batch_wait_s
            elif self._stopping.is_set() or not await has_news(self._feed, until, self._stopping):
                break
        return lines

    async def _take(self, around: Around) -> FeedBatch | None:
        if around.time.is_lost():  # without a time of day there is no place for it in a series
            return None
        return await self._feed.take(Room(RECORDS_AT_ONCE, RECORDS_AT_ONCE, RECORDS_AT_ONCE))

    def _encode(self, batch: FeedBatch, around: Around) -> list[Line]:
        passed = self._passage.through([around.time.redated(item) for item in batch.items])
        lines: list[Line] = []
        finished = list(passed.withheld)
        for item in passed.items:
            made = self.schema.lines(item)
            lines += made
            if not made:
                finished.append(item.seq)
        if finished:
            self._feed.done(batch.lane, finished)
        return lines

    async def _deliver(
        self, delivery: Delivery, around: Around, writer: Writes, pace: Pace
    ) -> None:
        while (lines := delivery.next()) is not None:
            verdict = await writer.write(lines)
            must_wait = delivery.take(verdict)
            self._note(verdict, len(lines), around, is_held=must_wait)
            if must_wait:
                await asyncio.sleep(pace.wait_s(verdict))
                if delivery.is_stuck and (batch := await self._take(around)) is not None:
                    delivery.join(self._encode(batch, around))
            elif verdict.fate is Fate.WRITTEN:
                pace.went_well()
        for settled in delivery.settled():
            self._settle(settled)

    def _settle(self, settled: Settled) -> None:
        lane, seqs = settled.lane, [settled.seq]
        if settled.refused is None:
            self._feed.done(lane, seqs)
            return
        self.health.refused += 1
        _log.error("refused historian=%s seq=%d %s", self.historian.name, *seqs, settled.refused)
        if settled.is_too_large:
            self._feed.too_large(lane, seqs)
        else:
            self._feed.refused(lane, seqs, settled.refused)

    # --- how it is -----------------------------------------------------------------------------

    def _note(self, verdict: Verdict, lines: int, around: Around, *, is_held: bool) -> None:
        health, name = self.health, self.historian.name
        if verdict.fate is Fate.WRITTEN:
            health.lines += lines
            if not health.is_up:
                _log.info("up historian=%s after=%s", name, health.why)
                health.is_up, health.why, health.since_ms = True, "", around.clock.now_ms()
            health.fate = health.failing_since = None
        elif is_held:
            if health.failing_since is None:
                health.failing_since = asyncio.get_running_loop().time()
                health.since_ms = around.clock.now_ms()
                _log.warning("down historian=%s %s", name, verdict.reason)
            health.is_up, health.fate, health.why = False, verdict.fate, verdict.reason

    async def _keep_looking(self, around: Around) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._feed.notify()  # a time of day that came back is told by nobody else
            told = self._standing.compare(
                self.conditions(loop.time()), around.now(), may_clear=self.health.is_up
            )
            if told is not None:
                await around.keep(told.records, told.changes)
