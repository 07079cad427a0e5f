"""How a line with one request in flight serves what is due: polls, probes, and what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.contract import DeviceRefused, DriverError, Exchange, FrameError, Job, Raw
from gateway.bus.core import LineCore, Probe, fault_of
from gateway.bus.exchange import Babble, Blocked, Limits, Wire
from gateway.bus.refusals import after_refusal
from gateway.bus.unit import Read, Unit
from gateway.model.quality import Reason


class Polls:
    """Serves one thing after the other over a wire."""

    def __init__(self, core: LineCore, wire: Wire) -> None:
        """Take the line's state and its wire."""
        self._core = core
        self._wire = wire
        self.begun_at = 0.0
        """Loop time of the first byte of the last job's first request."""
        self.taken_at = 0.0

    async def serve(self, read: Read) -> None:
        """Do a poll that is due, or say why not, and give its entry back to the schedule."""
        core = self._core
        unit = read.unit
        now = core.time()
        entry = read.entry
        if entry is None:
            return
        if unit.not_before > now:
            core.schedule.again(entry, unit.not_before)
            return
        is_done = True
        if unit.health.is_dead:
            core.no_values(read, unit.fault)
        else:
            is_done = await self._poll(read)
        if is_done:
            core.schedule.done(entry, core.time(), core.clock.now_ms())

    async def probe(self, probe: Probe) -> None:
        """Look whether a dead unit lives again."""
        core = self._core
        unit = probe.unit
        job = unit.probe
        if job is None:
            unit.health.probe_failed(core.time())
            return
        started = core.time()
        try:
            await self.run(unit, job, probe.limits)
        except DeviceRefused:
            has_answered = True
        except (DriverError, Blocked, Babble):
            has_answered = False
        else:
            has_answered = True
        core.probed(unit, has_answered=has_answered, cost_s=core.time() - started)

    async def run(self, unit: Unit, job: Job, limits: Limits | None = None) -> Sequence[Raw | None]:
        """Return the values of one run of a job; `begun_at` and `taken_at` tell when.

        Raises:
            DriverError, Blocked, Babble, LinkDown: as the exchange that failed.
        """
        core = self._core
        wire = self._wire
        if limits is None:
            limits = core.limits(unit)
        steps = job.steps()
        exchange = next(steps)
        self.begun_at = 0.0
        while True:
            reply = await self._exchange(unit, exchange, limits)
            if not self.begun_at:
                self.begun_at = wire.begun_at
            try:
                exchange = steps.send(reply)
            except StopIteration as finished:
                self.taken_at = wire.taken_at
                if unit.devices[0].quirks.pause_s:
                    unit.not_before = wire.taken_at + unit.pause_s
                return finished.value

    async def _exchange(self, unit: Unit, exchange: Exchange, limits: Limits) -> Any:  # noqa: ANN401 - erased
        """Make one exchange and count it."""
        wire = self._wire
        counters = self._core.counters
        started = self._core.time()
        try:
            reply = await wire.transact(exchange, limits)
        except DeviceRefused as refusal:
            unit.counters_requests += 1
            unit.counters_replies += 1
            self.taken_at = wire.taken_at
            counters.answered(started, wire.taken_at)
            counters.tell(fault_of(refusal))
            raise
        except DriverError as error:
            unit.counters_requests += 1
            unit.counters_errors += 1
            counters.failed(started, wire.taken_at, fault_of(error))
            raise
        unit.counters_requests += 1
        unit.counters_replies += 1
        counters.answered(started, wire.taken_at)
        if exchange.reply_chars:
            unit.response.measured(wire.response_s)
        return reply

    async def _poll(self, read: Read) -> bool:
        """Do a poll with its retries; return whether it is settled for this time."""
        core = self._core
        unit = read.unit
        tries_left = 1 + (unit.retries if unit.health.is_well else 0)
        started = core.time()
        while True:
            tries_left -= 1
            try:
                values = await self.run(unit, read.plan.job)
            except Blocked:
                await self._poll_around(read)
                return True
            except DeviceRefused as refusal:
                return after_refusal(core, read, refusal)
            except DriverError as error:
                unit.response.timed_out()
                if tries_left > 0 or self._deserves_another(unit, error):
                    continue
                self._failed(read, fault_of(error), started)
                return True
            core.answered(unit)
            read.answered()
            core.values(read, values, self.begun_at, self.taken_at)
            return True

    def _deserves_another(self, unit: Unit, error: DriverError) -> bool:
        """Whether a never-seen unit gets a second try: bytes came, so somebody may be there."""
        if unit.health.was_seen or unit.health.failures or not isinstance(error, FrameError):
            return False
        unit.health.failures = 1
        return True

    def _failed(self, read: Read, fault: str, started: float) -> None:
        core = self._core
        unit = read.unit
        if not unit.health.was_seen:
            now = core.time()
            core.budget.spend(now, now - started)
        core.no_values(read, fault)
        core.silent(unit, fault)

    async def _poll_around(self, read: Read) -> None:
        """Do a poll whose shape still waits for another request's late reply.

        In smaller pieces, whose replies look different; not at all while the unit is not well.
        """
        core = self._core
        pieces = read.split() if read.unit.health.failures == 0 else ()
        if not pieces:
            core.no_values(read, Reason.TIMEOUT)
            return
        for piece in pieces:
            try:
                values = await self.run(read.unit, piece.plan.job)
            except Blocked:
                core.no_values(piece, Reason.TIMEOUT)
            except DriverError as error:
                core.no_values(piece, fault_of(error))
            else:
                core.values(piece, values, self.begun_at, self.taken_at)
