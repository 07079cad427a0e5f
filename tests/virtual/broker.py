"""A simulated MQTT broker behind the uplink's session, with a platform that subscribes to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from random import Random
from typing import Any

from gateway.model.publication import Arrival, Publication, Subscription
from gateway.uplink.attempt import Target
from gateway.uplink.errors import ConnectRefused, UplinkDown
from gateway.uplink.owner import Greeting, InFlight, Lost, SessionOwner
from gateway.uplink.state import Pace

LATENCY_S = 0.03
HALF_OPEN = 1.4
"""Keepalives without a byte after which the real session gives a link up."""


@dataclass
class Message:
    """What a subscriber got."""

    topic: str
    payload: bytes
    is_retained: bool = False


@dataclass
class Broker:
    """One broker and its subscriber. What is set here is what goes wrong now."""

    name: str
    rng: Random
    trace: Any = field(default_factory=sha256)
    is_down: bool = False
    is_silent: bool = False
    """Bytes vanish in both directions: half-open, and connects time out."""
    refuses: int | None = None
    """CONNACK reason code."""
    answers: int = 0
    """PUBACK reason code."""
    answer_share: float = 1.0
    slow_s: float = 0.0
    lost_acks: float = 0.0
    loses_session: float = 0.0
    """Chance per message that the connection breaks."""
    receive_maximum: int = 65_535
    max_packet: int | None = None
    forward_s: float = 0.0
    """How long a message waits in the broker; one that is killed forgets what waits."""
    filters: list[str] = field(default_factory=list[str])
    """What sessions asked for after they were open."""
    received: list[Message] = field(default_factory=list[Message])
    refused: list[Message] = field(default_factory=list[Message])
    sessions: list[SimSession] = field(default_factory=list["SimSession"])
    on_publish: Callable[[], None] | None = None
    """Called once, when the next message comes: where a power cut may strike."""
    violations: int = 0
    """Messages beyond the Receive Maximum or the maximum packet size."""
    forgotten: int = 0
    has_said_no: bool = False
    """Whether it took some messages of a window and not others: then order is lost by its doing."""
    _waiting: deque[tuple[float, Message]] = field(default_factory=deque[tuple[float, Message]])

    def take(self, publication: Publication) -> int | None:
        """Take a message; return the reason code of its PUBACK, None when that gets lost."""
        strike, self.on_publish = self.on_publish, None
        if strike is not None:
            strike()
        message = Message(publication.topic, publication.payload)
        code = self.answers if self.rng.random() < self.answer_share else 0
        if code >= 0x80:
            self.has_said_no = True
            if code == 0x87:
                self.refused.append(message)
        elif self.forward_s:
            loop = asyncio.get_running_loop()
            self._waiting.append((loop.time() + self.forward_s, message))
            loop.call_later(self.forward_s, self._forward)
        else:
            self._deliver(message)
        return None if self.rng.random() < self.lost_acks else code

    def _deliver(self, message: Message) -> None:
        self.trace.update(message.topic.encode())
        self.trace.update(message.payload)
        self.received.append(message)

    def _forward(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0][0] <= now:
            self._deliver(self._waiting.popleft()[1])

    def kill(self) -> None:
        """Go down at once: what was acknowledged and not forwarded is forgotten."""
        self.forgotten += len(self._waiting)
        self._waiting.clear()
        self.go_down()

    def go_down(self) -> None:
        """Break all connections and take no new ones."""
        self.is_down = True
        self.drop_sessions("connection reset")

    def drop_sessions(self, why: str) -> None:
        """Break all connections."""
        for session in list(self.sessions):
            session.lose(why)

    def say(self, topic: str, payload: bytes) -> None:
        """Send a message to the gateway, when it is connected."""
        for session in self.sessions:
            session.hear(topic, payload)


class SimSession:
    """One connection, as `gateway.uplink.session.Session` behaves over a socket."""

    def __init__(self, broker: Broker, target: Target, owner: SessionOwner, pace: Pace) -> None:
        self._broker, self._target, self._owner, self._pace = broker, target, owner, pace
        self._loop = asyncio.get_running_loop()
        self._ids = count(1)
        self._outbox: list[int] = []
        self._is_leaving = False
        self._overdue: asyncio.TimerHandle | None = None
        self._silent_since: float | None = None
        self._said = Greeting()
        self.in_flight: dict[int, InFlight] = {}
        self.lost: Lost | None = None

    async def open(self) -> Greeting:
        broker = self._broker
        await asyncio.sleep(LATENCY_S)
        if broker.is_silent:
            await asyncio.sleep(self._pace.connect)
            raise UplinkDown("no connection in time")
        if broker.is_down:
            raise UplinkDown("connection refused")
        if broker.refuses is not None:
            raise ConnectRefused(f"refused 0x{broker.refuses:02X}", broker.refuses)
        broker.sessions.append(self)
        keepalive_s = self._target.sink.keepalive_s
        self._said = Greeting(broker.receive_maximum, broker.max_packet, keepalive_s)
        return self._said

    @property
    def refused_filters(self) -> tuple[str, ...]:
        return ()

    def subscribe(self, filters: Sequence[Subscription]) -> None:
        self._broker.filters += [each.topic for each in filters]

    def send(self, publication: Publication, size: int) -> None:
        if self.lost is not None:
            raise UplinkDown("the connection has just gone")
        broker = self._broker
        said = self._said
        broker.violations += len(self.in_flight) >= said.receive_maximum
        broker.violations += said.max_packet is not None and size > said.max_packet
        mid = next(self._ids)
        self.in_flight[mid] = InFlight(publication, size, self._loop.time())
        if not self._outbox:
            self._loop.call_later(LATENCY_S, self._reach)
        self._outbox.append(mid)
        if self._overdue is None:
            self._overdue = self._loop.call_later(self._pace.acknowledge, self._look)

    def _reach(self) -> None:
        """Let what was sent in one turn come to the broker."""
        sent, self._outbox = self._outbox, []
        broker = self._broker
        answers: list[tuple[int, int]] = []
        for mid in sent:
            flight = self.in_flight.get(mid)
            if flight is None or self.lost is not None:
                return
            if broker.is_silent or self._silent_since is not None:
                # A stream never delivers later bytes without the earlier ones.
                self._note_silence()
                return
            if broker.loses_session and broker.rng.random() < broker.loses_session:
                self.lose("connection reset")
                return
            code = broker.take(flight.publication)
            if code is not None:
                answers.append((mid, code))
        delay_s = LATENCY_S + (broker.rng.uniform(0, broker.slow_s) if broker.slow_s else 0.0)
        self._loop.call_later(delay_s, self._answer, answers)

    def _answer(self, answers: list[tuple[int, int]]) -> None:
        if self.lost is not None:
            return
        if self._broker.is_silent or self._silent_since is not None:
            self._note_silence()
            return
        for mid, code in answers:
            flight = self.in_flight.pop(mid, None)
            if flight is not None:
                self._owner.acknowledged(flight, code, "" if code == 0 else f"code {code}")
        self._owner.burst_ended()

    def _note_silence(self) -> None:
        """A link without a byte is found by its keepalive."""
        if self._silent_since is None:
            self._silent_since = self._loop.time()
            self._loop.call_later(HALF_OPEN * self._target.sink.keepalive_s, self.lose, "half-open")

    def _look(self) -> None:
        """Leave a broker that leaves a message unacknowledged too long."""
        self._overdue = None
        if not self.in_flight or self.lost is not None:
            return
        oldest = next(iter(self.in_flight.values()))
        due = oldest.sent_at + self._pace.acknowledge
        if due <= self._loop.time():
            self.lose("a message stayed unacknowledged")
        else:
            self._overdue = self._loop.call_at(due, self._look)

    def hear(self, topic: str, payload: bytes) -> None:
        """Take a message of the platform."""
        if self.lost is None:
            self._owner.arrived(Arrival(self._target.sink.name, topic, payload, False))

    async def watch(self, wake: asyncio.Event) -> None:
        if self._broker.is_silent:
            self._note_silence()
        if self.lost is None:
            await wake.wait()

    def say_goodbye(self) -> None:
        self._is_leaving = True

    def lose(self, why: str) -> None:
        """Lose the connection."""
        if self.lost is None:
            self.lost = Lost(why)
            self._owner.session_lost()

    def close(self) -> None:
        if self.lost is None:
            self.lost = Lost("closed")
        if self in self._broker.sessions:
            self._broker.sessions.remove(self)
        if self._overdue is not None:
            self._overdue.cancel()
