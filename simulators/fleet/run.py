"""Runs a fleet: each gateway's records over MQTT 5, QoS 1, by one process.

A connection of its own for each gateway, as in the field, or several on one where the machine has
few ports. What is not acknowledged when a connection breaks is sent again on the next.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from gateway.model.clock import Clock
from simulators.fleet.gateway import Make, SimGateway
from simulators.mqtt5.broker import Broker
from simulators.mqtt5.connection import Connection, Gone, NotAccepted, connected
from simulators.mqtt5.packets import Hello, Malformed, Prop, Publish

WINDOW = 20
"""Unacknowledged messages of one connection at most, as the gateway has by default."""
KEEPALIVE_S = 60
UNHEARD = 0x10
FAILURE = 0x80
LOOK_S = 0.25
"""A connection looks so often whether it is told to end."""
_FIRST_S, _SLOWEST_S = 0.2, 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fleet does."""

    gateways: int
    connections: int
    make: Make
    records: int | None
    """Of each gateway; None for as many as there is time."""
    rate: float
    """Records a second of each gateway; 0 for as fast as the broker takes them."""
    linger_s: float
    """How long after the last request to resend the fleet still answers."""
    seed: int


@dataclass(slots=True)
class Course:
    """How it went, over all connections."""

    messages: int = 0
    """Acknowledged publications."""
    unheard: int = 0
    refused: int = 0
    connects: int = 0
    asked_at: float = 0.0
    is_told_to_end: asyncio.Event = field(default_factory=asyncio.Event)


class Fleet:
    """All gateways of a plan."""

    def __init__(self, plan: Plan, broker: Broker, clock: Clock) -> None:
        chance = Random(plan.seed)  # noqa: S311 - repeatable, no secret
        names = [f"gw-{number:05d}" for number in range(plan.gateways)]
        self.gateways = [SimGateway(name, plan.make, Random(chance.random())) for name in names]  # noqa: S311 - as above
        self.course = Course()
        self._plan = plan
        self._broker = broker
        self._clock = clock

    async def run(self, duration_s: float | None) -> None:
        """Publish until the plan is done or the time over, then answer until nobody asks more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.course.is_told_to_end.set)
        self.course.asked_at = self._clock.monotonic()
        until = None if duration_s is None else self._clock.monotonic() + duration_s
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._plan.connections):
                mine = self.gateways[number :: self._plan.connections]
                line = _Line(mine, self._plan, self._broker, clock=self._clock, course=self.course)
                tasks.create_task(line.run(until), name=f"fleet:{number}")


class _Line:
    """One connection and the gateways behind it."""

    def __init__(
        self,
        gateways: Sequence[SimGateway],
        plan: Plan,
        broker: Broker,
        *,
        clock: Clock,
        course: Course,
    ) -> None:
        self._gateways = gateways
        self._by_topic = {one.listens_to: one for one in gateways}
        self._plan = plan
        self._broker = broker
        self._clock = clock
        self._course = course
        self._waiting: deque[Publish] = deque()
        self._flying: dict[asyncio.Future[bytes], Publish] = {}
        self._turn = 0
        self._made = 0
        self._has_ended = False
        self._next_at = 0.0

    async def run(self, until: float | None) -> None:
        """Connect, again and again if need be, until all is said."""
        wait_s = _FIRST_S
        while True:
            try:
                async with connected(self._broker, self._hello()) as link:
                    wait_s = _FIRST_S
                    self._course.connects += 1
                    if await self._talk(link, until):
                        return
            except* (OSError, TimeoutError, Gone, NotAccepted, Malformed):
                pass
            self._waiting.extendleft(reversed(self._flying.values()))
            self._flying.clear()
            if await self._is_told(wait_s):
                return
            wait_s = min(2 * wait_s, _SLOWEST_S)

    async def _is_told(self, wait_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._course.is_told_to_end.wait()
        return self._course.is_told_to_end.is_set()

    def _hello(self) -> Hello:
        first = self._gateways[0]
        now_ms = self._clock.now_ms()
        wills = [one.will(now_ms) for one in self._gateways]
        return Hello(
            f"fleet-{self._plan.make.site}-{first.name}",
            KEEPALIVE_S,
            will=wills[0] if len(wills) == 1 else None,
        )

    async def _talk(self, link: Connection, until: float | None) -> bool:
        """Say and answer; return whether all is said, False when the connection is over."""
        await link.subscribe(*self._by_topic)
        now_ms = self._clock.now_ms()
        self._waiting.extendleft(p for one in self._gateways for p in reversed(one.hello(now_ms)))
        most = min(WINDOW, int(link.greeting.properties.get(Prop.RECEIVE_MAXIMUM, WINDOW)))
        while not link.is_over.is_set():
            self._answer(link)
            self._make_records(until)
            if self._is_made(until) and not self._has_ended:
                self._has_ended = True
                now_ms = self._clock.now_ms()
                self._waiting.extend(p for one in self._gateways for p in one.last_words(now_ms))
            while self._waiting and len(self._flying) < most:
                message = self._waiting.popleft()
                self._flying[link.send(message)] = message
            if self._is_done():
                for one in self._gateways:
                    await link.publish(one.goodbye(self._clock.now_ms()))
                link.disconnect()
                return True
            await self._until_news(link, until)
        return False

    def _make_records(self, until: float | None) -> None:
        """Make the records that are due, while there is room to send them."""
        while len(self._waiting) < WINDOW and not self._is_made(until):
            now = self._clock.monotonic()
            if self._plan.rate and now < self._next_at:
                return
            if self._plan.rate:
                step_s = 1 / (self._plan.rate * len(self._gateways))
                self._next_at = max(self._next_at, now - 1.0) + step_s
            gateway = self._gateways[self._turn]
            self._turn = (self._turn + 1) % len(self._gateways)
            self._made += 1
            self._waiting.extend(gateway.next_record(self._clock.now_ms()))

    def _is_made(self, until: float | None) -> bool:
        if self._course.is_told_to_end.is_set():
            return True
        if until is not None and self._clock.monotonic() >= until:
            return True
        each = self._plan.records
        return each is not None and self._made >= each * len(self._gateways)

    def _is_done(self) -> bool:
        if self._waiting or self._flying or not self._has_ended:
            return False
        if self._course.is_told_to_end.is_set() or self._is_confirmed():
            return True
        return self._clock.monotonic() - self._course.asked_at >= self._plan.linger_s

    def _is_confirmed(self) -> bool:
        """Whether the platform has said on `dn/ack` that it has all of it (`ack: app`)."""
        if self._plan.make.ack != "app":
            return False
        return all(len(one.books.confirmed) >= one.seq for one in self._gateways)

    def _answer(self, link: Connection) -> None:
        while not link.messages.empty():
            message = link.messages.get_nowait()
            gateway = self._by_topic.get(message.topic)
            if gateway is None:
                continue
            asked = gateway.books.asked
            self._waiting.extend(gateway.received(message.payload, self._clock.now_ms()))
            if gateway.books.asked > asked:
                self._course.asked_at = self._clock.monotonic()

    async def _until_news(self, link: Connection, until: float | None) -> None:
        """Wait for an answer, or for the moment when there is something to say."""
        await link.drained()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause_s(until)):
                await link.news.wait()
        link.news.clear()
        for answer in [one for one in self._flying if one.done()]:
            if answer.exception() is None:  # else the connection is over, and it is sent again
                self._note(self._flying.pop(answer), answer.result()[0])

    def _pause_s(self, until: float | None) -> float:
        if self._has_ended or not self._plan.rate:
            return LOOK_S
        now = self._clock.monotonic()
        due = self._next_at if until is None else min(self._next_at, until)
        return min(max(0.0, due - now), LOOK_S)

    def _note(self, message: Publish, code: int) -> None:
        self._course.messages += 1
        self._course.unheard += code == UNHEARD
        self._course.refused += code >= FAILURE and bool(message.topic)
