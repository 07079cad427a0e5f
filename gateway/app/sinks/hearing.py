"""What a platform says: commands, acknowledgements, wishes. The way up from the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from gateway.app.outward.around import Around
from gateway.app.outward.postbox import ToldTime
from gateway.app.sinks.answers import Answers
from gateway.app.sinks.doubts import Doubts
from gateway.dialects.contract import Dialect, Dropped, Received
from gateway.model.publication import Arrival, Publication
from gateway.model.record import Committed, Lane
from gateway.outbox.feed import SinkFeed
from gateway.uplink.uplink import Uplink

TURN_S = 0.004
"""A sink listens for so long at a time; then lines and everybody else have their turn."""
SHARE = 0.2
"""Of the time, while more waits than a turn holds: what a flood may have."""
MOST_REST_S = 1.0
"""An answer that waited long for room in the window of the broker is no flood."""


Say: TypeAlias = Callable[[Sequence[Publication]], Awaitable[None]]
"""Sends what is no record."""


class Turns:
    """Says when to let others work."""

    def __init__(self) -> None:
        """Have not begun."""
        self._began: float | None = None

    def rest_s(self, now: float) -> float | None:
        """Return how long to rest before the next message, None to go on.

        `now` is monotonic seconds, after a message was dealt with.
        """
        if self._began is None:
            self._began = now
        spent = now - self._began
        if spent < TURN_S:
            return None
        self._began = None
        return min(spent * (1 / SHARE - 1), MOST_REST_S)

    def caught_up(self) -> None:
        """Note that nothing waits: what comes next begins a turn of its own."""
        self._began = None


class Hearing:
    """Of one sink."""

    def __init__(self, dialect: Dialect, feed: SinkFeed, uplink: Uplink, doubts: Doubts) -> None:
        """Take the language, the records that the platform speaks of, and the connection."""
        self._dialect = dialect
        self._feed = feed
        self._uplink = uplink
        self._doubts = doubts
        self._answers = Answers()
        self._turns = Turns()
        self._unheard = 0

    async def listen(self, around: Around, say: Say) -> None:
        """Take what comes for ever; a flood gets a share of the time and no more."""
        while True:
            for arrival in await self._uplink.arrivals():
                if arrival.topic == self._uplink.spec.echo:
                    for proven in self._doubts.canary.heard(arrival.payload):
                        self._feed.done(proven.lane, proven.covers)
                else:
                    await self._obey(self.hear(arrival, around), say)
                rest_s = self._turns.rest_s(around.clock.monotonic())
                if rest_s is not None:
                    await asyncio.sleep(rest_s)
            self._turns.caught_up()
            self._count_unheard(around)

    async def _obey(self, received: Received, say: Say) -> None:
        self._uplink.subscribe(received.subscriptions)
        await say(received.publications)
        if received.leaves is not None:
            self._uplink.leave(received.leaves)

    def hear(self, arrival: Arrival, around: Around) -> Received:
        """Do what a message means, and return what it means; what is not obeyed is audited."""
        received = self._dialect.received(arrival, around.now())
        self._take_commands(arrival, received, around)
        self._take_ranges(received)
        for refused in received.refused:
            self._feed.refused(refused.lane, refused.seqs, refused.reason)
        self._take_letters(received, around)
        for dropped in received.dropped:
            around.commands.dropped("dropped", self._feed.sink, dropped)
        for remark in received.remarks:
            around.commands.dropped("remark", self._feed.sink, remark)
        return received

    def _take_ranges(self, received: Received) -> None:
        """Settle what the platform confirms, and put out again what it asks for."""
        for lane in Lane:
            for confirmed in received.acknowledged:
                for part in confirmed.ranges:
                    self._feed.done_range(lane, part.first, part.last, confirmed.ep)
            for wanted in received.wanted:
                for part in wanted.ranges:
                    self._feed.replay(lane, part.first, part.last, wanted.ep)

    def beside(
        self, records: Sequence[Committed], publications: Sequence[Publication]
    ) -> Sequence[Publication]:
        """Return the messages of these records, and copies of receipts for who asked for them."""
        return tuple(self._answers.beside(records, publications))

    def _count_unheard(self, around: Around) -> None:
        """Tell of messages for which there was no room."""
        unheard = self._uplink.counters.arrivals_dropped
        if unheard > self._unheard:
            around.commands.unheard(self._feed.sink, unheard - self._unheard)
        self._unheard = unheard

    def _take_letters(self, received: Received, around: Around) -> None:
        sink = self._feed.sink
        for letter in received.letters:
            if not around.post.put(letter):
                dropped = Dropped(letter.topic, "too many letters wait already")
                around.commands.dropped("dropped", sink, dropped)
        if received.platform_ms is not None:
            now_ms = around.clock.now_ms()
            around.post.times[sink] = ToldTime(received.platform_ms - now_ms, now_ms)

    def _take_commands(self, arrival: Arrival, received: Received, around: Around) -> None:
        if not received.commands:
            return
        fault = self._answers.expect(arrival, received.commands)
        if fault is not None:
            around.commands.dropped("remark", self._feed.sink, Dropped(arrival.topic, fault))
        for command in received.commands:
            around.commands.put(command)
