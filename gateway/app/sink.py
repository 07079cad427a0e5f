"""Steps 9 to 11 of the life of a reading: one task group for each platform."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.app.inbox import Inbox
from gateway.dialects.contract import Birth, Dialect, Dropped, Encoded, Now, Ranges, SeqRange
from gateway.model.clock import Clock
from gateway.model.command import BadCommand, Command
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival, Fate, Outcome, Publication
from gateway.model.record import Committed, Lane, LogBody, Record, StateChange
from gateway.outbox.feed import FeedBatch, Room, SinkFeed
from gateway.settings.site import Sink
from gateway.uplink.errors import UplinkDown
from gateway.uplink.uplink import Uplink

_log = logging.getLogger("linli.sink")

ROOM = "births"
"""Room name under which the devices that were born on each platform are kept."""
BACKFILL_SHARE = 0.3
"""Part of the window that old telemetry may fill, so that live values never wait for it."""
BACKFILL_RECORDS = 400
"""Records of one piece of backfill; the dialect packs them into few messages."""
LAST_WORDS_S = 2.0
"""How long a stop waits for what can still be delivered; the rest is safe on disk."""


class Times(Protocol):
    """The timekeeper, as far as a sink needs it."""

    def is_lost(self) -> bool:
        """Whether the box has no time of day now."""
        ...

    def redated(self, committed: Committed) -> Committed:
        """Return the record with its real time, where its own is none."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What a sink is given by the house."""

    inbox: Inbox
    take_command: Callable[[Command | BadCommand], None]
    clock: Clock
    keep: Callable[[Sequence[Record], Sequence[StateChange]], Awaitable[None]]
    """Commits records and state (the audit of what a platform sent, and who was born on it)."""
    time: Times
    """Knows whether there is a time of day, and dates what was made without one."""

    def now(self) -> Now:
        """Return the moment, for the dialect."""
        return Now(self.clock.now_ms(), self.clock.quality())


@dataclass(frozen=True, slots=True)
class Census:
    """The devices that a platform may know, and those it knew once."""

    births: tuple[Birth, ...]
    gone: frozenset[DeviceId]


class SinkTask:
    """Delivers to one platform, and takes its commands."""

    def __init__(
        self, dialect: Dialect, feed: SinkFeed, uplink: Uplink, *, sink: Sink, census: Census
    ) -> None:
        """Take the platform's language, its records, its connection, and who it may know."""
        self.sink = sink
        self.dialect = dialect
        self.feed = feed
        self.uplink = uplink
        self.census = census
        self.nobody_listens = 0
        """Messages that the broker took though nobody subscribes to them."""
        self.refused_births = 0
        self._moved_at: float | None = None
        self._backfill: set[int] = set()
        self._most_backfill = BACKFILL_RECORDS

    async def run(self, around: Around, stop: asyncio.Event) -> None:
        """Deliver until `stop`; then what can still go goes, and the platform is told."""
        gone = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.uplink.run(gone), name=f"sink:{self.sink.name}:uplink")
            workers = [
                tasks.create_task(work, name=f"sink:{self.sink.name}:{name}")
                for name, work in (
                    ("send", self._send(around)),
                    ("settle", self._settle()),
                    ("listen", self._listen(around)),
                )
            ]
            await stop.wait()
            await self._last_words(around)
            for worker in workers:
                worker.cancel()
            gone.set()

    def heartbeat(self, now: float) -> float:
        """Return when it last sent or settled a record; `now` while there is nothing to send."""
        could_send = (
            self.uplink.state.is_connected
            and self.uplink.in_flight == 0
            and any(self.feed.progress(lane).pending > self.feed.in_flight(lane) for lane in Lane)
        )
        if not could_send or self._moved_at is None:
            self._moved_at = now
        return self._moved_at

    # --- down to the broker ------------------------------------------------------------------

    async def _send(self, around: Around) -> None:
        while True:
            await self.uplink.connected()
            self.feed.requeue()
            # What was encoded and never sent has no outcome that would take it out again.
            self._backfill.clear()
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(
                    self._serve(around), name=f"sink:{self.sink.name}:connection"
                )
                await self.uplink.lost()
                serving.cancel()

    async def _serve(self, around: Around) -> None:
        """Send births, then a snapshot of all values, then what is due, until the link is lost."""
        try:
            census = self.census
            gone = sorted(census.gone)
            for publication in self.dialect.connected(census.births, gone, around.now()):
                await self.uplink.publish(publication)
            await self._remember(around)
            around.inbox.put_snapshot(self.sink.name)
            while (batch := await self.feed.next(lambda: self._room(around))) is not None:
                for publication in self._encode(batch, around):
                    await self.uplink.publish(publication)
        except UplinkDown:
            return  # `lost` says so too, and what was handed out is handed out again

    async def use(self, census: Census, around: Around) -> None:
        """Tell the platform of devices that came, changed or went with a reload."""
        self.census = census
        if not self.uplink.state.is_connected:
            return
        try:
            for publication in self.dialect.reloaded(census.births, around.now()):
                await self.uplink.publish(publication)
            await self._remember(around)
        except UplinkDown:
            return  # the next connection begins with all births

    async def _remember(self, around: Around) -> None:
        """Keep who was born on this platform, so that the retained topics can be cleared later."""
        known = sorted(birth.device for birth in self.census.births)
        self.census = Census(self.census.births, frozenset())
        await around.keep((), (StateChange(ROOM, self.sink.name, known),))

    def _room(self, around: Around) -> Room:
        window = self.uplink.state.window or self.sink.window
        free = max(0, window - self.uplink.in_flight)
        if around.time.is_lost():  # alarms must arrive; values wait until they can be dated
            return Room(max(free, 1), 0, 0)
        is_full = len(self._backfill) >= max(1, int(window * BACKFILL_SHARE))
        return Room(max(free, 1), free, 0 if is_full or not free else self._most_backfill)

    def _encode(self, batch: FeedBatch, around: Around) -> Sequence[Publication]:
        now = around.now()
        publications: list[Publication] = []
        withheld: list[int] = []
        items = [around.time.redated(item) for item in batch.items]
        for encoded in self._encode_or_bisect(items, now, is_backfill=batch.is_backfill):
            publications.extend(encoded.publications)
            withheld.extend(encoded.withheld)
        if withheld:
            self.feed.done(batch.lane, withheld)
        if batch.is_backfill:
            self._backfill.update(id(publication) for publication in publications)
        return publications

    def _encode_or_bisect(
        self, items: Sequence[Committed], now: Now, *, is_backfill: bool
    ) -> list[Encoded]:
        try:
            return [self.dialect.encode(items, now, is_backfill=is_backfill)]
        except Exception as exc:  # noqa: BLE001 - the bulkhead of encode: a poison record is set aside
            if len(items) == 1:
                self._set_aside(items[0], exc)
                return []
        half = len(items) // 2
        return [
            encoded
            for part in (items[:half], items[half:])
            for encoded in self._encode_or_bisect(part, now, is_backfill=is_backfill)
        ]

    def _set_aside(self, item: Committed, exc: Exception) -> None:
        _log.error("record seq=%d cannot be encoded", item.seq, exc_info=exc)
        self.feed.refused(item.record.lane, [item.seq], f"encode: {type(exc).__name__}: {exc}")

    # --- up from the broker ------------------------------------------------------------------

    async def _settle(self) -> None:
        while True:
            for outcome in await self.uplink.outcomes():
                self._take(outcome)

    def _take(self, outcome: Outcome) -> None:
        self._moved_at = None
        publication = outcome.publication
        self._backfill.discard(id(publication))
        lane, covers = publication.lane, publication.covers
        match outcome.fate:
            case Fate.DELIVERED | Fate.NOBODY_LISTENS:
                self.nobody_listens += outcome.fate is Fate.NOBODY_LISTENS
                if self.sink.ack == "puback":
                    self.feed.done(lane, covers)
                else:
                    self.feed.notify()  # the window has room; `done` comes with the platform's word
            case Fate.REFUSED if not covers:
                self.refused_births += 1
                _log.error(
                    "refused sink=%s topic=%s %s", self.sink.name, publication.topic, outcome.reason
                )
            case Fate.REFUSED:
                self.feed.refused(lane, covers, outcome.reason)
            case Fate.TOO_LARGE if len(covers) > 1:
                self._most_backfill = max(1, len(covers) // 2)
                self.feed.again(lane, covers)
            case Fate.TOO_LARGE:
                self.feed.too_large(lane, covers)
            case Fate.BUSY:
                self.feed.again(lane, covers)

    async def _listen(self, around: Around) -> None:
        while True:
            for arrival in await self.uplink.arrivals():
                await self._hear(arrival, around)

    async def _hear(self, arrival: Arrival, around: Around) -> None:
        received = self.dialect.received(arrival, around.now())
        for command in received.commands:
            around.take_command(command)
        for lane in Lane:
            for part in _parts(received.acknowledged):
                self.feed.done_range(lane, part.first, part.last)
            for wanted in received.wanted:
                for part in wanted.ranges:
                    self.feed.replay(lane, part.first, part.last, wanted.ep)
        if received.dropped:
            await around.keep([self._audit(one, around.now()) for one in received.dropped], ())

    def _audit(self, dropped: Dropped, now: Now) -> Record:
        fields = (
            ("sink", str(self.sink.name)),
            ("topic", dropped.topic),
            ("reason", dropped.reason),
        )
        return Record(GATEWAY_ITSELF, now.ms, now.tq, LogBody("dropped", fields))

    # --- the end -----------------------------------------------------------------------------

    async def _last_words(self, around: Around) -> None:
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                # The feed tells that there is work, not that there is none: so it is asked.
                while self.uplink.state.is_connected and self._has_work():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                for publication in self.dialect.goodbye(around.now()):
                    await self.uplink.publish(publication)
        except (TimeoutError, UplinkDown):
            return  # what was not delivered waits on disk

    def _has_work(self) -> bool:
        return self.uplink.in_flight > 0 or any(
            self.feed.in_flight(lane) or self.feed.progress(lane).pending for lane in Lane
        )


def _parts(ranges: Sequence[Ranges]) -> list[SeqRange]:
    return [part for one in ranges for part in one.ranges]
