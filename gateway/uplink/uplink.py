"""The uplink of one sink: keeps a session, hands messages to it, and collects what became of them.

How a sink task uses it, while `run` is another task:

    await uplink.connected()                 # binds to this connection
    for publication in births: await uplink.publish(publication)
    ... await uplink.publish(...), until it raises UplinkDown: then again from the top
    outcomes = await uplink.outcomes()       # in a task of its own: many at once

Messages in flight when a connection goes come back as outcomes with `Fate.BUSY`: again later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Self

from gateway.model.clock import Clock
from gateway.model.publication import (
    Arrival,
    ConnectSpec,
    Fate,
    Outcome,
    Publication,
    Subscription,
)
from gateway.settings.site_sinks import Sink
from gateway.uplink.attempt import Target
from gateway.uplink.backoff import Backoff
from gateway.uplink.brokers import Brokers
from gateway.uplink.errors import ConnectRefused, UplinkDown
from gateway.uplink.fates import BUSY_CODES, fate_of, packet_size
from gateway.uplink.gate import Gate
from gateway.uplink.lives import Lives
from gateway.uplink.mailbox import Mailbox
from gateway.uplink.owner import AnySession, Greeting, InFlight, Lost, MakeSession
from gateway.uplink.preference import is_preferred_back
from gateway.uplink.properties import properties_of
from gateway.uplink.session import Session
from gateway.uplink.state import Pace, Protocol, UplinkCounters, UplinkState
from gateway.uplink.versions import Versions

_log = logging.getLogger("linli.uplink")

LOST_REASON = "connection lost before the acknowledgement"
TO_PREFERRED = "to another broker"
DEFAULT_PACE = Pace()


class Uplink:
    """MQTT to one platform. Starts without a broker and outlives it."""

    def __init__(  # noqa: PLR0913 - the last two have defaults for all but tests
        self,
        sink: Sink,
        connect: Callable[[], ConnectSpec],
        clock: Clock,
        rng: Random,
        *,
        pace: Pace = DEFAULT_PACE,
        make_session: MakeSession = Session,
    ) -> None:
        """Take the sink and what says how to connect, asked at every attempt.

        `connect` may raise UplinkDown: there is no connecting now, and why.
        `make_session` is what a simulation replaces: all that touches a socket is in a session.
        """
        self._sink = sink
        self._connect = connect
        self._clock = clock
        self._pace = pace
        self._make_session = make_session
        self._rng = rng
        self._brokers = Brokers(sink)
        self._backoff = Backoff(pace.backoff_min, pace.backoff_max, rng)
        self._patience = Backoff(pace.patient / 3, pace.patient * 2 / 3, rng)
        self._gate = Gate(sink.window, Backoff(pace.backoff_min, pace.backoff_max, rng))
        self._versions = Versions(is_v5=sink.mqtt != "3.1.1")
        self._session: AnySession | None = None
        self._greeted: AnySession | None = None
        self._wake = asyncio.Event()
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()
        self._is_stopping = False
        self._leaving = ""
        self._lives = Lives()
        self._began = 0.0
        self._mailbox = Mailbox()
        self.spec = ConnectSpec("")
        """How this connection was asked for, or the last attempt."""
        self.counters = UplinkCounters()
        self.state = UplinkState(is_connected=False, why="not started", since_ms=clock.now_ms())

    async def __aenter__(self) -> Self:
        """Return itself; `run` connects."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Let go of the connection, if there still is one."""
        if self._session is not None:
            self._end_session(self._session, "stopped")

    # --- what a sink task calls

    async def connected(self) -> UplinkState:
        """Wait for a connection and bind `publish` to it."""
        await self._up.wait()
        self._greeted = self._session
        return self.state

    async def lost(self) -> str:
        """Wait until the connection that `connected` returned is gone; return why."""
        while self._session is not None and self._session is self._greeted:
            await self._down.wait()
        return self.state.why

    async def publish(self, publication: Publication) -> None:
        """Send a message as soon as the window has a slot for its lane.

        Raises:
            UplinkDown: the connection that `connected` returned is gone; nothing was sent.
        """
        while not self.try_publish(publication):
            await self._gate.wait(publication.lane)

    def try_publish(self, publication: Publication) -> bool:
        """Send a message if the window has a slot for its lane; return whether it was taken.

        Raises:
            UplinkDown: the connection that `connected` returned is gone; nothing was sent.
        """
        session = self._session
        if session is None or session is not self._greeted:
            raise UplinkDown(self.state.why)
        properties = properties_of(publication)
        size = packet_size(publication, 0 if properties is None else len(properties.pack()))
        if (most := self._gate.max_packet) is not None and size > most:
            self.counters.too_large += 1
            self._conclude(publication, Fate.TOO_LARGE, f"{size} bytes, broker takes {most}")
            return True
        if not self._gate.enter(publication.lane, size, needs_slot=publication.qos > 0):
            return False
        session.send(publication, size)
        self._gate.take(size)
        self.counters.published += 1
        self.counters.bytes_out += size
        return True

    def subscribe(self, filters: Sequence[Subscription]) -> None:
        """Ask for more topics, on this connection: the next begins with those of its spec."""
        if filters and self._session is not None:
            self._session.subscribe(filters)

    async def outcomes(self) -> Sequence[Outcome]:
        """Wait for outcomes and return all there are."""
        return await self._mailbox.outcomes()

    async def arrivals(self) -> Sequence[Arrival]:
        """Wait for messages of the platform and return all there are."""
        return await self._mailbox.arrivals()

    def leave(self, why: str) -> None:
        """Send nothing more, end this connection in order, and go to the next broker."""
        self._gate.shut()
        self._leaving = why
        self._wake.set()

    async def room_again(self) -> None:
        """Wait until there may be room in the window that was not there before."""
        await self._gate.room_again()

    @property
    def brokers(self) -> tuple[str, ...]:
        """The brokers of the list, in order of preference."""
        return self._brokers.names

    @property
    def bytes_limit(self) -> int:
        """Bytes of telemetry that may be on their way: what the link carries in a moment."""
        return self._gate.bytes_limit

    @property
    def is_taken_over(self) -> bool:
        """Whether another client uses our id, until a connection has held."""
        if self._session is not None and self._has_held():
            self._lives.held()
        return self._lives.is_taken_over

    @property
    def refused_filters(self) -> tuple[str, ...]:
        """Filters that the broker of this connection refused: nothing comes by them."""
        return () if self._session is None else self._session.refused_filters

    @property
    def in_flight(self) -> int:
        """Messages that wait for their acknowledgement."""
        return self._gate.count

    # --- the task

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a session until `stop` is set; then wait a little for acknowledgements."""
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(
                self._watch(stop), name=f"sink:{self._sink.name}:uplink-stop"
            )
            returner = tasks.create_task(
                self._look_for_preferred(), name=f"sink:{self._sink.name}:uplink-prefer"
            )
            try:
                while not self._is_stopping:
                    await self._wait(await self._connect_and_serve())
            finally:
                watcher.cancel()
                returner.cancel()
                if self._session is not None:
                    self._end_session(self._session, "stopped")

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._is_stopping = True
        self._wake.set()

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0 or self._is_stopping:
            return
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _connect_and_serve(self) -> float:
        """Have one session; return the seconds to wait before the next."""
        now_ms = self._clock.now_ms()
        is_clock_wrong = self._clock.is_provisional()
        sink = self._brokers.target()
        try:
            spec = self._connect()
        except UplinkDown as error:
            return self._after_refusal(error)
        self.spec = spec
        target = Target(sink, spec, self._versions.is_v5, now_ms, is_clock_wrong)
        session = self._make_session(target, self, self._brokers.pace(self._pace))
        try:
            greeting = await session.open()
        except UplinkDown as error:
            session.close()
            return self._after_refusal(error)
        except asyncio.CancelledError:
            session.close()
            raise
        if not self._is_stopping:
            self._wake.clear()  # set by an earlier attempt that was refused
        self._begin_session(session, greeting)
        await session.watch(self._wake)
        if session.lost is None and (self._is_stopping or self._leaving):
            await self._leave(session, "stopped" if self._is_stopping else self._leaving)
            return 0.0 if self._leaving == TO_PREFERRED else self._backoff.next()
        if self._has_held():
            self._backoff.reset()
        return self._after_loss(session)

    def _has_held(self) -> bool:
        return self._clock.monotonic() - self._began >= self._pace.stable

    async def _look_for_preferred(self) -> None:
        """Leave a broker that is not the preferred one when that one answers again."""
        while len(self._brokers) > 1:
            await self._up.wait()
            within_s = self._pace.prefer * self._rng.uniform(1.0, 1.5)
            if await is_preferred_back(self._brokers, self._down, within_s):
                self._leaving = TO_PREFERRED
                self._wake.set()
                await self._down.wait()

    def _begin_session(self, session: AnySession, greeting: Greeting) -> None:
        self._session, self._leaving = session, ""
        self._began = self._clock.monotonic()
        self._brokers.connected()
        self._gate.open(greeting)
        self.counters.connects += 1
        self._set_state("connected", is_connected=True)
        self._down.clear()
        self._up.set()

    async def _leave(self, session: AnySession, why: str) -> None:
        """Give the broker a moment to acknowledge what is in flight, then say goodbye."""
        self._wake.clear()
        self._gate.shut()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.goodbye):
                while session.in_flight and session.lost is None:
                    await self._gate.next_answer()
        session.say_goodbye()
        self._end_session(session, why)
        (self._brokers.prefer if why == TO_PREFERRED else self._brokers.lost)()

    def _end_session(self, session: AnySession, why: str) -> None:
        """Hand back what is in flight, and let publishers know."""
        session.close()
        self._session = None
        for flight in session.in_flight.values():
            self.counters.returned += 1
            self._conclude(flight.publication, Fate.BUSY, LOST_REASON)
        session.in_flight.clear()
        self._gate.close()
        self._up.clear()
        self._down.set()
        self._set_state(why, is_connected=False)

    # --- after a failure

    def _after_refusal(self, error: UplinkDown) -> float:
        self.counters.failures += 1
        if self._sink.mqtt == "auto" and self._versions.failed(error):
            self._set_state(f"{error}; trying MQTT 3.1.1", is_connected=False)
            return 0.0
        self._lives.refused()
        self._set_state(str(error), is_connected=False)
        if self._brokers.failed():
            return 0.0
        is_long = error.is_final or (isinstance(error, ConnectRefused) and error.code in BUSY_CODES)
        return (self._patience if is_long else self._backoff).next()

    def _after_loss(self, session: AnySession) -> float:
        lost = session.lost
        code = None if lost is None else lost.code
        why = "connection lost" if lost is None else lost.why
        self.counters.failures += 1
        self._gate.learn(code, [flight.size for flight in session.in_flight.values()])
        fight = self._lives.ended(lost or Lost(why), has_held=self._has_held())
        if fight is not None:
            self._end_session(session, fight)
            # The other one comes back too: two that fight for a session shall not do it often.
            return self._pace.patient + self._backoff.next()
        self._end_session(session, why)
        if self._sink.mqtt == "auto":
            self._versions.session_ended()
        self._brokers.lost()
        if code in BUSY_CODES and len(self._brokers) == 1:
            return self._patience.next()
        return 0.0 if self._has_held() and len(self._brokers) > 1 else self._backoff.next()

    def _set_state(self, why: str, *, is_connected: bool) -> None:
        old = self.state
        if old.is_connected == is_connected and old.why == why:
            return
        version: Protocol = "5" if self._versions.is_v5 else "3.1.1"
        is_change = old.is_connected != is_connected
        self.state = UplinkState(
            is_connected,
            why,
            self._clock.now_ms() if is_change else old.since_ms,
            version if is_connected else old.protocol,
            self._gate.slots,
            self._gate.max_packet,
            str(self._brokers.current),
        )
        if is_connected:
            _log.info("up sink=%s mqtt=%s window=%d", self._sink.name, version, self._gate.slots)
        elif not self._is_stopping:
            _log.warning("down sink=%s error=%s", self._sink.name, why)

    # --- what the session tells

    def acknowledged(self, flight: InFlight, code: int, name: str) -> None:
        """Note what became of a message."""
        self._gate.answered(flight)
        fate = fate_of(code)
        reason = name and f"{name} (0x{code:02X})"
        self.counters.answered(fate)
        if fate is Fate.DELIVERED:
            self._gate.is_calm()
        elif fate is Fate.BUSY:
            self._gate.pause()
        self._conclude(flight.publication, fate, reason)

    def arrived(self, arrival: Arrival) -> None:
        """Keep a message of the platform until `arrivals` takes it."""
        self.counters.arrived(is_kept=self._mailbox.put_arrival(arrival))

    def sieved(self, count: int) -> None:
        """Count messages of a flood that were dropped unread."""
        self.counters.arrivals_dropped += count

    def burst_ended(self) -> None:
        """Let publishers that wait for a slot look again."""
        self._gate.tell()

    def session_lost(self) -> None:
        """Let `run` take note."""
        self._wake.set()

    def _conclude(self, publication: Publication, fate: Fate, reason: str) -> None:
        self._mailbox.put_outcome(Outcome(publication, fate, reason))
