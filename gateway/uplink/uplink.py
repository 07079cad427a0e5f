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
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from types import TracebackType
from typing import Self

from gateway.model.clock import Clock
from gateway.model.publication import Arrival, ConnectSpec, Fate, Outcome, Publication
from gateway.model.record import Lane
from gateway.settings.site import Sink
from gateway.uplink.attempt import Target
from gateway.uplink.backoff import Backoff
from gateway.uplink.errors import ConnectRefused, UplinkDown
from gateway.uplink.fates import (
    BUSY_CODES,
    PACKET_TOO_LARGE,
    RECEIVE_MAXIMUM_EXCEEDED,
    SESSION_TAKEN_OVER,
    fate_of,
    packet_size,
)
from gateway.uplink.owner import AnySession, InFlight, MakeSession
from gateway.uplink.properties import properties_of
from gateway.uplink.session import Session
from gateway.uplink.state import Pace, Protocol, UplinkCounters, UplinkState
from gateway.uplink.versions import Versions
from gateway.uplink.window import Window

_log = logging.getLogger("linli.uplink")

MAX_ARRIVALS = 1000
"""Messages from the platform that may wait; further ones are dropped and counted."""
LOST_REASON = "connection lost before the acknowledgement"
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

        `make_session` is what a simulation replaces: all that touches a socket is in a session.
        """
        self._sink = sink
        self._connect = connect
        self._clock = clock
        self._pace = pace
        self._make_session = make_session
        self._backoff = Backoff(pace.backoff_min, pace.backoff_max, rng)
        self._busy = Backoff(pace.backoff_min, pace.backoff_max, rng)
        self._versions = Versions(is_v5=sink.mqtt != "3.1.1")
        self._session: AnySession | None = None
        self._greeted: AnySession | None = None
        self._window = Window(sink.window)
        self._slots = sink.window
        self._max_packet: int | None = None
        self._learned_max_packet: int | None = None
        self._paused = False
        self._unpause: asyncio.TimerHandle | None = None
        self._room = {lane: asyncio.Event() for lane in Lane}
        self._wake = asyncio.Event()
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()
        self._is_stopping = False
        self._outcomes: list[Outcome] = []
        self._has_outcomes = asyncio.Event()
        self._arrivals: deque[Arrival] = deque()
        self._has_arrivals = asyncio.Event()
        self.counters = UplinkCounters()
        self.state = UplinkState(is_connected=False, why="not started", since_ms=clock.now_ms())

    async def __aenter__(self) -> Self:
        """Return itself; `run` connects."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
            await self._room[publication.lane].wait()

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
        if self._max_packet is not None and size > self._max_packet:
            self.counters.too_large += 1
            self._conclude(
                publication, Fate.TOO_LARGE, f"{size} bytes, broker takes {self._max_packet}"
            )
            return True
        if self._paused or not self._window.has_room(publication.lane, size):
            self._room[publication.lane].clear()
            return False
        session.send(publication, size)
        self._window.take(size)
        self.counters.published += 1
        self.counters.bytes_out += size
        return True

    async def outcomes(self) -> Sequence[Outcome]:
        """Wait for outcomes and return all there are."""
        await self._has_outcomes.wait()
        self._has_outcomes.clear()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    async def arrivals(self) -> Sequence[Arrival]:
        """Wait for messages of the platform and return all there are."""
        await self._has_arrivals.wait()
        self._has_arrivals.clear()
        arrivals = list(self._arrivals)
        self._arrivals.clear()
        return arrivals

    @property
    def in_flight(self) -> int:
        """Messages that wait for their acknowledgement."""
        return self._window.count

    # --- the task

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a session until `stop` is set; then wait a little for acknowledgements."""
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(
                self._watch(stop), name=f"sink:{self._sink.name}:uplink-stop"
            )
            try:
                while not self._is_stopping:
                    await self._wait(await self._connect_and_serve())
            finally:
                watcher.cancel()
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
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _connect_and_serve(self) -> float:
        """Have one session; return the seconds to wait before the next."""
        now_ms = self._clock.now_ms()
        target = Target(self._sink, self._connect(), self._versions.is_v5, now_ms)
        session = self._make_session(target, self, self._pace)
        try:
            greeting = await session.open()
        except UplinkDown as error:
            session.close()
            return self._after_refusal(error)
        except asyncio.CancelledError:
            session.close()
            raise
        self._slots = min(self._sink.window, greeting.receive_maximum)
        if not self._is_stopping:
            self._wake.clear()  # set by an earlier attempt that was refused
        self._begin_session(session, greeting.max_packet)
        began = self._clock.monotonic()
        await session.watch(self._wake)
        if self._is_stopping:
            await self._leave(session)
            return 0.0
        if self._clock.monotonic() - began >= self._pace.stable:
            self._backoff.reset()
        return self._after_loss(session)

    def _begin_session(self, session: AnySession, max_packet: int | None) -> None:
        self._session = session
        self._window = Window(self._slots)
        limits = [size for size in (max_packet, self._learned_max_packet) if size is not None]
        self._max_packet = min(limits, default=None)
        self.counters.connects += 1
        self._set_state("connected", is_connected=True)
        self._down.clear()
        self._up.set()

    async def _leave(self, session: AnySession) -> None:
        """Give the broker a moment to acknowledge what is in flight, then say goodbye."""
        self._wake.clear()
        try:
            async with asyncio.timeout(self._pace.goodbye):
                while session.in_flight and session.lost is None:
                    self._room[Lane.EVENT].clear()
                    await self._room[Lane.EVENT].wait()
        except TimeoutError:
            pass
        session.say_goodbye()
        self._end_session(session, "stopped")

    def _end_session(self, session: AnySession, why: str) -> None:
        """Hand back what is in flight, and let publishers know."""
        session.close()
        self._session = None
        for flight in session.in_flight.values():
            self.counters.returned += 1
            self._conclude(flight.publication, Fate.BUSY, LOST_REASON)
        session.in_flight.clear()
        self._window = Window(self._slots)
        self._resume()
        self._up.clear()
        self._down.set()
        self._set_state(why, is_connected=False)

    # --- after a failure

    def _after_refusal(self, error: UplinkDown) -> float:
        self.counters.failures += 1
        if self._sink.mqtt == "auto" and self._versions.failed(error):
            self._set_state(f"{error}; trying MQTT 3.1.1", is_connected=False)
            return 0.0
        self._set_state(str(error), is_connected=False)
        is_long = error.is_final or (isinstance(error, ConnectRefused) and error.code in BUSY_CODES)
        return self._backoff.next(at_least=self._pace.backoff_max / 3 if is_long else 0.0)

    def _after_loss(self, session: AnySession) -> float:
        lost = session.lost
        code = None if lost is None else lost.code
        why = "connection lost" if lost is None else lost.why
        self.counters.failures += 1
        if code == PACKET_TOO_LARGE and session.in_flight:
            # This broker did not announce its limit; the largest one must be above it.
            largest = max(flight.size for flight in session.in_flight.values())
            self._learned_max_packet = largest - 1
        if code == RECEIVE_MAXIMUM_EXCEEDED:
            self._slots = max(1, self._slots // 2)
        self._end_session(session, why)
        if self._sink.mqtt == "auto":
            self._versions.session_ended()
        is_long = code == SESSION_TAKEN_OVER or code in BUSY_CODES
        return self._backoff.next(at_least=self._pace.backoff_max / 3 if is_long else 0.0)

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
            self._slots,
            self._max_packet,
        )
        if is_connected:
            _log.info("up sink=%s mqtt=%s window=%d", self._sink.name, version, self._slots)
        elif not self._is_stopping:
            _log.warning("down sink=%s error=%s", self._sink.name, why)

    # --- what the session tells

    def acknowledged(self, flight: InFlight, code: int, name: str) -> None:
        """Note what became of a message."""
        self._window.give_back(flight.size)
        fate = fate_of(code)
        reason = name and f"{name} (0x{code:02X})"
        if fate is Fate.DELIVERED:
            self.counters.delivered += 1
            self._busy.reset()
        elif fate is Fate.BUSY:
            self.counters.busy += 1
            self._pause()
        else:
            self._count(fate)
        self._conclude(flight.publication, fate, reason)

    def arrived(self, arrival: Arrival) -> None:
        """Keep a message of the platform until `arrivals` takes it."""
        if len(self._arrivals) >= MAX_ARRIVALS:
            self.counters.arrivals_dropped += 1
            return
        self.counters.arrivals += 1
        self._arrivals.append(arrival)
        self._has_arrivals.set()

    def burst_ended(self) -> None:
        """Let publishers that wait for a slot look again."""
        if not self._paused:
            for event in self._room.values():
                event.set()

    def session_lost(self) -> None:
        """Let `run` take note."""
        self._wake.set()

    def _count(self, fate: Fate) -> None:
        if fate is Fate.NOBODY_LISTENS:
            self.counters.delivered += 1
        elif fate is Fate.TOO_LARGE:
            self.counters.too_large += 1
        else:
            self.counters.refused += 1

    def _conclude(self, publication: Publication, fate: Fate, reason: str) -> None:
        self._outcomes.append(Outcome(publication, fate, reason))
        self._has_outcomes.set()

    def _pause(self) -> None:
        """Send nothing for a while: the broker has enough."""
        if self._unpause is not None:
            return
        self._paused = True
        self._unpause = asyncio.get_running_loop().call_later(self._busy.next(), self._resume)

    def _resume(self) -> None:
        if self._unpause is not None:
            self._unpause.cancel()
            self._unpause = None
        self._paused = False
        for event in self._room.values():
            event.set()
