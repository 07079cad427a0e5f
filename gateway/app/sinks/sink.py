"""Steps 9 to 11 of the life of a reading: one task group for each platform."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.app.outward.around import Around, Census
from gateway.app.outward.doors import Passage
from gateway.app.outward.standing import SETTLED_S, Standing
from gateway.app.sinks.awaited import Awaited
from gateway.app.sinks.backfill import Backfill
from gateway.app.sinks.doubts import Doubts
from gateway.app.sinks.encoder import Encoder
from gateway.app.sinks.hearing import Hearing
from gateway.app.sinks.streams import DENIED, LOOKED_AT, RETRY_S, SOON_S, Stream
from gateway.dialects.contract import Dialect, DialectSpec
from gateway.model.publication import Fate, Outcome, Publication
from gateway.model.record import Lane, StateChange
from gateway.outbox.feed import FeedBatch, Room, SinkFeed
from gateway.settings.site_sinks import Sink
from gateway.uplink.errors import UplinkDown
from gateway.uplink.uplink import Uplink

_log = logging.getLogger("linli.sink")

ROOM = "births"
"""Room name under which the devices that were born on each platform are kept."""
LAST_WORDS_S = 2.0
"""How long a stop waits for what can still be delivered; the rest is safe on disk."""
LOOK_EVERY_S = 2.0
"""At what stands against this sink; everything else is told by events."""
TICK_S = 1.0
"""How often a dialect may say what is due by time."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """What is remembered of a message until its outcome comes."""

    streams: tuple[Stream, ...]
    backfill_bytes: int
    """0 for what is no backfill."""


class SinkTask:
    """Delivers to one platform, and takes its commands."""

    def __init__(  # noqa: PLR0913 - a platform's language, records, connection, and what is known
        self,
        dialect: Dialect,
        feed: SinkFeed,
        uplink: Uplink,
        *,
        sink: Sink,
        spec: DialectSpec,
        census: Census,
        passage: Passage,
        standing: Standing,
    ) -> None:
        """Take the language, records, connection, who it may know, its door, and what stood."""
        self.sink = sink
        self.dialect = dialect
        self.feed = feed
        self.uplink = uplink
        self.census = census
        self.doubts = Doubts(dialect, feed, uplink)
        self._encoder = Encoder(spec, dialect, passage, feed, self.doubts)
        self._hearing = Hearing(dialect, feed, uplink, self.doubts)
        self._standing = standing
        self._moved_at: float | None = None
        self._is_ready = False
        self._connected_at = 0.0
        self._retry = asyncio.Event()
        self._flights: dict[int, _Flight] = {}
        self._backfill = Backfill()
        self._awaited = Awaited()
        self._pending: deque[Publication] = deque()
        """Births and current values that are encoded and have not left."""
        self._old: deque[Publication] = deque()
        """The same of backfill, which has a share of the window only."""

    async def run(self, around: Around, stop: asyncio.Event) -> None:
        """Deliver until `stop`; then what can still go goes, and the platform is told."""
        gone = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.uplink.run(gone), name=f"sink:{self.sink.name}:uplink")
            workers = [
                tasks.create_task(work, name=f"sink:{self.sink.name}:{name}")
                for name, work in (
                    ("send", self._send(around)),
                    ("settle", self._settle(around)),
                    ("listen", self._hearing.listen(around, self._say)),
                    ("room", self._notice_room()),
                    ("retry", self._keep_retrying()),
                    ("look", self._keep_looking(around)),
                    ("tick", self._keep_ticking(around)),
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
            and not self.doubts.holds_back
            and self._is_ready
            and any(self.feed.progress(lane).pending > self.feed.in_flight(lane) for lane in Lane)
        )
        if not could_send or self._moved_at is None:
            self._moved_at = now
        return self._moved_at

    # --- down to the broker ------------------------------------------------------------------

    async def _send(self, around: Around) -> None:
        while True:
            await self.uplink.connected()
            self._begin(around)
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(
                    self._serve(around), name=f"sink:{self.sink.name}:connection"
                )
                await self.uplink.lost()
                serving.cancel()

    def _begin(self, around: Around) -> None:
        """What was on its way, or encoded and never sent, is handed out again."""
        is_silent = self.uplink.state.protocol == "3.1.1" or self.uplink.spec.needs_echo
        self._connected_at = around.clock.monotonic()
        self.doubts.canary.connected(
            is_needed=is_silent and self.sink.ack == "puback",
            is_possible=self.uplink.spec.echo is not None,
        )
        self.feed.requeue()
        for part in (self._flights, self._backfill, self._awaited, self._pending, self._old):
            part.clear()
        self._retry.set()

    async def _serve(self, around: Around) -> None:
        """Send births, then a snapshot of all values, then what is due, until the link is lost.

        Events overtake everything that waits for room. All else is handed out only when what was
        handed out before has left.
        """
        gone = sorted(self.census.gone)
        self._pending.extend(self.dialect.connected(self.census.births, gone, around.now()))
        is_greeted = False
        try:
            is_open = True
            while is_open:
                self.feed.look_up()
                self._push()
                self._is_ready = self.dialect.is_ready(around.now())
                if self._is_ready and not is_greeted and not self._pending:
                    is_greeted = True
                    await self._remember(around)
                    around.inbox.put_snapshot(self.sink.name)
                if self._is_ready and (
                    await self._send_events(around) or await self._hand_out(around)
                ):
                    continue
                is_open = await self.feed.news()
        except UplinkDown:
            return  # `lost` says so too, and what was handed out is handed out again

    def _push(self) -> None:
        """Let go what has room: births and current values, then old ones within their share."""
        while self._pending and self.uplink.try_publish(self._pending[0]):
            self._pending.popleft()
        while self._old and self._may_backfill() and self.uplink.try_publish(self._old[0]):
            self._backfill.sent(self._flights[id(self._old.popleft())].backfill_bytes)

    async def _send_events(self, around: Around) -> bool:
        room = Room(self._room(around).events, 0, 0)
        batch = await self.feed.take(self._within(room, around))
        if batch is None:
            return False
        for publication in self._hearing.beside(batch.items, self._encode(batch, around)):
            await self.uplink.publish(publication)
        return True

    async def _hand_out(self, around: Around) -> bool:
        free = self._room(around)
        room = Room(0, 0 if self._pending else free.live, 0 if self._old else free.backfill)
        batch = await self.feed.take(self._within(room, around))
        if batch is None:
            return False
        (self._old if batch.is_backfill else self._pending).extend(self._encode(batch, around))
        self._push()
        return True

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
        piece = self._backfill.piece(self.uplink.bytes_limit)
        return Room(max(free, 1), free, piece if free and self._may_backfill() else 0)

    def _within(self, room: Room, around: Around) -> Room:
        """Return nothing, or one record now and then, while sending makes no sense."""
        if not self.doubts.holds_back:
            return room
        if not self.doubts.may_probe(around.clock.monotonic()):
            return Room(0, 0, 0)
        return Room(min(room.events, 1), min(room.live, 1), min(room.backfill, 1))

    def _may_backfill(self) -> bool:
        share = self.sink.backfill_share
        window = self.uplink.state.window or self.sink.window
        return self._backfill.has_room(int(window * share), int(self.uplink.bytes_limit * share))

    def _encode(self, batch: FeedBatch, around: Around) -> Sequence[Publication]:
        publications: list[Publication] = []
        for message in self._encoder.encode(batch, around):
            publication = message.publication
            size = len(publication.payload) if batch.is_backfill else 0
            self._flights[id(publication)] = _Flight(message.streams, size)
            publications.append(publication)
        if batch.is_backfill:
            self._backfill.learn(len(batch.items), publications)
        return publications

    # --- up from the broker ------------------------------------------------------------------

    async def _settle(self, around: Around) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for outcome in await self.uplink.outcomes():
                self._take(outcome, loop.time())
            if self.doubts.canary.is_worth_one:
                self.doubts.ask_canary(around)

    def _take(self, outcome: Outcome, now: float) -> None:
        self._moved_at = None
        publication = outcome.publication
        flight = self._flights.pop(id(publication), None)
        if flight is not None and flight.backfill_bytes:
            self._backfill.settled(flight.backfill_bytes)
        lane, covers = publication.lane, publication.covers
        match outcome.fate:
            case Fate.DELIVERED | Fate.NOBODY_LISTENS:
                self._take_delivered(outcome, flight, now)
            case Fate.REFUSED if not covers:
                self.doubts.refused_births += 1
                topic = publication.topic
                _log.error("refused sink=%s topic=%s %s", self.sink.name, topic, outcome.reason)
            case Fate.REFUSED:
                self._take_refused(flight, outcome)
            case Fate.TOO_LARGE if len(covers) > 1:
                self._take_apart(flight, outcome)
            case Fate.TOO_LARGE:
                self.doubts.dead_letters += 1
                self.feed.too_large(lane, covers)
            case Fate.BUSY:
                self.feed.again(lane, covers)

    def _take_delivered(self, outcome: Outcome, flight: _Flight | None, now: float) -> None:
        publication, to_nobody = outcome.publication, outcome.fate is Fate.NOBODY_LISTENS
        lane, covers, doubts = publication.lane, publication.covers, self.doubts
        if not (publication.qos or covers):
            return  # a copy that nobody confirms says nothing about the link
        if publication.topic != self.uplink.spec.echo:
            doubts.nobody_listens += to_nobody
            doubts.unheard.delivered(now, to_nobody=to_nobody)
        is_asking = self.sink.hold_unheard
        if is_asking and doubts.is_to_be_held(publication, now, to_nobody=to_nobody):
            self.feed.again(lane, covers)
            return
        for stream in () if flight is None else flight.streams:
            if self.doubts.streams.taken(stream):
                self.doubts.streams.open(stream)
                self._retry.set()
        if self.sink.ack == "app" and not publication.broker_is_enough:
            self._awaited.delivered(publication, now)
            self.feed.notify()  # the window has room; `done` comes with a word of the platform
        elif not self.doubts.canary.acknowledged(lane, covers):
            self.feed.notify()
        else:
            self.feed.done(lane, covers)

    def _take_refused(self, flight: _Flight | None, outcome: Outcome) -> None:
        publication, reason = outcome.publication, outcome.reason
        if DENIED not in reason:
            self.doubts.dead_letters += len(publication.covers)
        for stream in () if flight is None or DENIED not in reason else flight.streams:
            self.doubts.streams.refused(stream, reason)
        self.feed.refused(publication.lane, publication.covers, reason)

    def _take_apart(self, flight: _Flight | None, outcome: Outcome) -> None:
        """Send again in smaller messages what was too large in one."""
        lane, covers = outcome.publication.lane, outcome.publication.covers
        if flight is not None and flight.backfill_bytes:
            self._backfill.most = max(1, len(covers) // 2)
        else:
            self._encoder.part(lane, covers)
        self.feed.again(lane, covers)

    async def _say(self, publications: Sequence[Publication]) -> None:
        """Send what the dialect has to say beside records: answers, logins, questions."""
        try:
            for publication in publications:
                await self.uplink.publish(publication)
        except UplinkDown:
            return  # the next connection begins anew
        self.feed.notify()

    async def _notice_room(self) -> None:
        while True:
            await self.uplink.room_again()
            self.feed.notify()

    # --- what stands against it --------------------------------------------------------------

    async def _keep_retrying(self) -> None:
        """Put out again what the broker did not allow, in case it does now."""
        wait_s = RETRY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._retry.wait()
            self._retry.clear()
            wait_s = RETRY_S
            if self.uplink.state.is_connected:
                again = self.doubts.streams.again(await self.feed.kept_refused(DENIED, LOOKED_AT))
                self._encoder.probes = again.probes
                self.feed.retry(again.chosen)
                wait_s = RETRY_S if again.is_all else SOON_S

    async def _keep_ticking(self, around: Around) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self.uplink.state.is_connected:
                await self._say(self.dialect.tick(around.now()))

    async def _keep_looking(self, around: Around) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = around.clock.monotonic()
            if self.uplink.state.is_connected:
                self.doubts.ask_canary(around)
                self.doubts.unheard.look(now)
                for late in self._awaited.late(now):
                    self.feed.again(late.lane, late.covers)
                self.feed.notify()  # a held sink tries a record now and then
            may_clear = self.uplink.state.is_connected and now - self._connected_at >= SETTLED_S
            told = self._standing.compare(
                self.doubts.conditions(), around.now(), may_clear=may_clear
            )
            if told is not None:
                await around.keep(told.records, told.changes)

    # --- the end -----------------------------------------------------------------------------

    async def _last_words(self, around: Around) -> None:
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                # The feed tells that there is work, not that there is none: so it is asked.
                while self.uplink.state.is_connected and self._has_work():
                    self.doubts.ask_canary(around, is_last=True)
                    await asyncio.sleep(0.02)
                for publication in self.dialect.goodbye(around.now()):
                    await self.uplink.publish(publication)
        except (TimeoutError, UplinkDown):
            return  # what was not delivered waits on disk

    def _has_work(self) -> bool:
        return self.uplink.in_flight > 0 or any(
            self.feed.in_flight(lane) or self.feed.progress(lane).pending for lane in Lane
        )
