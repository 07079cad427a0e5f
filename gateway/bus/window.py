"""Several requests in flight on one connection, for protocols whose replies name their request.

One task does it all: it fills the window, sends what is new in one go, and feeds what comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drivers.contract import (
    DeviceRefused,
    DriverError,
    Exchange,
    Job,
    JobDriver,
    Raw,
    Steps,
    Window,
)
from gateway.bus.core import LineCore, fault_of
from gateway.bus.exchange import Limits
from gateway.bus.refusals import after_refusal
from gateway.bus.schedule import Entry
from gateway.bus.unit import Read, Unit
from gateway.links.contract import Link
from gateway.model.quality import Reason

LOOK_UP_S = 0.05
"""How long the window listens at most before it looks whether somebody asks something."""


class RenewableWindow:
    """The window of the present connection: what was pending dies with its connection."""

    def __init__(self, driver: JobDriver) -> None:
        """Make the first one."""
        self._driver = driver
        self._window = self._made()

    def renew(self) -> None:
        """Forget everything: the connection is a new one."""
        self._window = self._made()

    @property
    def now(self) -> Window:
        """The window to use."""
        return self._window

    def _made(self) -> Window:
        window = self._driver.window()
        if window is None:
            raise TypeError("this protocol has no window")
        return window


class WindowWire:
    """One request at a time through a window, for asks and probes."""

    def __init__(self, link: Link, window: RenewableWindow) -> None:
        """Take the link and its window; nothing else may be in flight."""
        self._link = link
        self._window = window
        self._time = asyncio.get_running_loop().time
        self.begun_at = self.sent_at = self.taken_at = 0.0
        self.response_s = 0.0

    async def transact(self, exchange: Exchange, limits: Limits) -> Any:  # noqa: ANN401 - erased
        """Return the reply; see exchange.Wire."""
        window = self._window.now
        self.sent_at = self.begun_at = self._time()
        self._link.send(window.admit(exchange))
        until = self.sent_at + limits.timeout_s
        while True:
            received = await self._link.receive(until)
            now = self.taken_at = self._time()
            for done, reply in window.feed(received) if received else ():
                if done is exchange:
                    self.response_s = now - self.sent_at
                    if isinstance(reply, DeviceRefused):
                        raise reply
                    return reply
            if now >= until:
                window.abandon(exchange)
                raise exchange.verdict()


@dataclass(slots=True, eq=False)
class Flight:
    """A read on its way, or a probe where `entry` is None."""

    unit: Unit
    entry: Entry[Read] | None
    steps: Steps
    exchange: Exchange
    limits: Limits
    begun_at: float
    sent_at: float
    retries: int = 0

    @property
    def deadline(self) -> float:
        """When it is given up."""
        return self.sent_at + self.limits.timeout_s


class ManyInFlight:
    """The loop body of a line with a window."""

    def __init__(self, core: LineCore, link: Link, window: RenewableWindow) -> None:
        """Begin with nothing in flight."""
        self._core = core
        self._link = link
        self._window = window
        self._limit = core.line.in_flight
        self._to_send: list[bytes] = []
        self._probed: Unit | None = None
        self._current: Unit | None = None
        self._current_entry: Entry[Read] | None = None
        self.flights: dict[int, Flight] = {}
        """By identity of their exchange."""

    async def turn(self, *, may_start: bool) -> bool:
        """Send what is due, take what comes; return False when there was nothing to do."""
        core = self._core
        now = core.time()
        has_served = self._fill(now) if may_start else False
        if self._to_send:
            self._link.send(b"".join(self._to_send))
            self._to_send.clear()
        if not self.flights:
            if has_served:
                await asyncio.sleep(0)
            return has_served
        until = min([flight.deadline for flight in self.flights.values()])
        received = await self._link.receive(min(until, now + LOOK_UP_S))
        now = core.time()
        if received:
            self._take(received, now)
        if now >= until:
            for flight in [f for f in self.flights.values() if f.deadline <= now]:
                self._lost(flight, now)
        return True

    def take_current(self) -> Unit | None:
        """Return the unit whose driver just failed; its poll is told as failed."""
        unit, self._current = self._current, None
        entry, self._current_entry = self._current_entry, None
        if entry is not None:
            core = self._core
            core.no_values(entry.what, Reason.CONFIG)
            core.schedule.done(entry, core.time(), core.clock.now_ms())
        return unit

    def give_up(self, fault: str) -> None:
        """Settle everything in flight: the connection is gone."""
        for flight in self.flights.values():
            self._settle_bad(flight, fault)
        self.flights.clear()
        self._to_send.clear()
        self._probed = None

    def _take(self, received: bytes, now: float) -> None:
        """Settle the exchanges whose replies came."""
        for exchange, reply in self._window.now.feed(received):
            flight = self.flights.pop(id(exchange), None)
            if flight is not None:
                self._current = flight.unit
                self._current_entry = flight.entry
                self._landed(flight, reply, now)
        self._current = self._current_entry = None

    def _fill(self, now: float) -> bool:
        """Start what is due while there is room; return whether anything was served."""
        core = self._core
        schedule = core.schedule
        wall_ms = core.clock.now_ms()
        has_served = self._fill_probe(now)
        while len(self.flights) < self._limit:
            entry = schedule.pop(now, wall_ms)
            if entry is None:
                break
            has_served = True
            unit = entry.what.unit
            if unit.health.is_dead:
                core.no_values(entry.what, unit.fault)
                schedule.done(entry, now, wall_ms)
            elif unit.not_before > now:
                schedule.again(entry, unit.not_before)
            else:
                job = entry.what.plan.job
                retries = unit.retries if unit.health.is_well else 0
                self._start(unit, entry, job, core.limits(unit), retries)
        return has_served

    def _fill_probe(self, now: float) -> bool:
        """Start a probe that is due, one at a time: it takes a place, but nobody's time."""
        core = self._core
        if not core.dead or self._probed is not None or len(self.flights) >= self._limit:
            return False
        probe = core.due_probe_aside(now)
        if probe is None or probe.unit.probe is None:
            return False
        self._probed = probe.unit
        self._start(probe.unit, None, probe.unit.probe, probe.limits, 0)
        return True

    def _start(  # noqa: PLR0917 - what a flight is made of
        self, unit: Unit, entry: Entry[Read] | None, job: Job, limits: Limits, retries: int
    ) -> None:
        self._current = unit
        self._current_entry = entry
        steps = job.steps()
        now = self._core.time()
        self._ask(Flight(unit, entry, steps, next(steps), limits, now, now, retries), now)
        self._current = self._current_entry = None

    def _ask(self, flight: Flight, now: float) -> None:
        """Put the flight's exchange into the window."""
        flight.sent_at = now
        self._to_send.append(self._window.now.admit(flight.exchange))
        self.flights[id(flight.exchange)] = flight

    def _landed(self, flight: Flight, reply: Any, now: float) -> None:  # noqa: ANN401 - erased
        """Take a reply: the next exchange of the job, its values, or a refusal."""
        core = self._core
        unit = flight.unit
        unit.counters_requests += 1
        unit.counters_replies += 1
        unit.response.measured(now - flight.sent_at)
        core.counters.answered(flight.sent_at, now)
        if isinstance(reply, DeviceRefused):
            flight.steps.close()
            core.counters.tell(fault_of(reply))
            self._refused(flight, reply, now)
            return
        try:
            flight.exchange = flight.steps.send(reply)
        except StopIteration as finished:
            self._finished(flight, finished.value, now)
        else:
            self._ask(flight, now)

    def _finished(self, flight: Flight, values: Sequence[Raw | None], now: float) -> None:
        core = self._core
        unit = flight.unit
        if unit.pause_s:
            unit.not_before = now + unit.pause_s
        if flight.entry is None:
            self._probe_ended(unit, has_answered=True)
            return
        read = flight.entry.what
        core.answered(unit)
        read.answered()
        core.values(read, values, flight.begun_at, now)
        core.schedule.done(flight.entry, now, core.clock.now_ms())

    def _refused(self, flight: Flight, refusal: DeviceRefused, now: float) -> None:
        core = self._core
        if flight.entry is None:
            self._probe_ended(flight.unit, has_answered=True)
        elif after_refusal(core, flight.entry.what, refusal):
            core.schedule.done(flight.entry, now, core.clock.now_ms())

    def _lost(self, flight: Flight, now: float) -> None:
        """Give up an exchange whose deadline passed: again, or a failed poll."""
        core = self._core
        unit = flight.unit
        del self.flights[id(flight.exchange)]
        self._window.now.abandon(flight.exchange)
        error: DriverError = flight.exchange.verdict()
        unit.counters_requests += 1
        unit.counters_errors += 1
        core.counters.failed(flight.sent_at, now, fault_of(error))
        unit.response.timed_out()
        entry = flight.entry
        if entry is not None and flight.retries > 0:
            flight.steps.close()
            self._start(unit, entry, entry.what.plan.job, core.limits(unit), flight.retries - 1)
            return
        self._settle_bad(flight, fault_of(error))
        if entry is not None:
            core.silent(unit, fault_of(error))

    def _settle_bad(self, flight: Flight, fault: str) -> None:
        """Tell that a flight brought nothing, and give its place in the schedule back."""
        core = self._core
        flight.steps.close()
        if flight.entry is None:
            self._probe_ended(flight.unit, has_answered=False)
            return
        core.no_values(flight.entry.what, fault)
        core.schedule.done(flight.entry, core.time(), core.clock.now_ms())

    def _probe_ended(self, unit: Unit, *, has_answered: bool) -> None:
        self._probed = None
        if unit.health.is_dead:
            self._core.probed(unit, has_answered=has_answered, cost_s=0.0)
