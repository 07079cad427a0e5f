"""Answers what was asked of a line: reads and writes in the priority slot."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from drivers.contract import DeviceRefused, DriverError, Job
from gateway.bus.asks import Answer, Ask, ReadNow, Request, WriteNow, Written
from gateway.bus.core import LineCore, Moment, fault_of
from gateway.bus.echo import EchoFilter
from gateway.bus.exchange import Babble, Blocked
from gateway.bus.polls import Polls
from gateway.bus.unit import Only, Read, Unit, reads_of
from gateway.links.contract import LinkDown
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Reason
from gateway.model.sample import Samples
from gateway.settings.site import Device

BUSY_WAIT_S = 0.3
WRITE_TRIES = 3
"""Tries of a write while the device says that it is busy; it did nothing then. A write without an
answer is never repeated: the gate may have opened."""
READ_TRIES = 2


class Answers:
    """Serves asks over the polls of a line."""

    def __init__(self, core: LineCore, polls: Polls, echo: EchoFilter | None) -> None:
        """Take the line's state; `echo` where the line may have one."""
        self._core = core
        self._polls = polls
        self._echo = echo

    @staticmethod
    def refuse(core: LineCore, fault: str) -> None:
        """Answer everything that waits with a fault: there is no line to ask on."""
        while core.asks:
            ask = core.asks.popleft()
            unit = _unit_of(core, ask.request.device)
            if ask.answer.done():
                continue
            if unit is None:
                ask.answer.set_exception(_unknown(ask))
            else:
                ask.answer.set_result(_refusal(core, ask, unit, fault))

    async def answer(self, ask: Ask) -> None:
        """Do what was asked, unless nobody waits for it any more."""
        core = self._core
        if ask.answer.done():
            return
        unit = _unit_of(core, ask.request.device)
        if unit is None:
            ask.answer.set_exception(_unknown(ask))
            return
        wait_s = unit.not_before - core.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        try:
            result = await self._do(unit, ask.request)
        except (LinkDown, Babble):
            _settle(ask, _refusal(core, ask, unit, Reason.PORT_GONE))
            raise
        else:
            _settle(ask, result)
        finally:
            # A driver that fails ends in the line's bulkhead; whoever asked is told all the same.
            if not ask.answer.done():
                ask.answer.set_exception(LinkDown("the line failed while it answered"))

    async def _do(self, unit: Unit, request: Request) -> Answer:
        if isinstance(request, WriteNow):
            return await self._write(unit, request)
        return await self._read(unit, request)

    async def _read(self, unit: Unit, request: ReadNow) -> tuple[Samples, ...]:
        core = self._core
        device = _device(unit, request.device)
        wanted = frozenset(request.points or [p.id for p in device.points if p.is_published])
        reads = reads_of(core.line, unit, core.character_s, Only(device, wanted))
        samples: list[Samples] = []
        for read in reads:
            samples.extend(await self._read_job(unit, read))
        have = {point for s in samples for point in s.points}
        missing = tuple(point for point in request.points if point not in have)
        if missing:
            samples.append(_no_samples(core, request.device, missing, Reason.CONFIG))
        return tuple(samples)

    async def _read_job(self, unit: Unit, read: Read, tries: int = READ_TRIES) -> list[Samples]:
        """Return the samples of one job, split where the device refuses a part of it."""
        core = self._core
        fault: str = Reason.TIMEOUT
        for _ in range(tries):
            try:
                values = await self._polls.run(unit, read.plan.job)
            except DeviceRefused as refusal:
                pieces = read.split() if refusal.is_address else ()
                if pieces:
                    return [s for piece in pieces for s in await self._read_job(unit, piece)]
                fault = fault_of(refusal)
                break
            except DriverError as error:
                fault = fault_of(error)
            except Blocked:
                break
            else:
                polls = self._polls
                found = core.samples_of(read, values, polls.begun_at, polls.taken_at)
                return [_asked(each) for each in found]
        return [_no_samples(core, part.device, part.points, fault) for part in read.plan.parts]

    async def _write(self, unit: Unit, request: WriteNow) -> Written:
        core = self._core
        device = _device(unit, request.device)
        try:
            job = unit.driver.plan_write(
                unit.key.unit, request.address, request.raw, device.quirks.driver
            )
        except ValueError as error:
            return _written(core, Reason.CONFIG, str(error))
        await self._learn_echo(unit)
        try:
            await self._insist(unit, job)
        except DriverError as error:
            is_sure = isinstance(error, DeviceRefused)
            return _written(core, fault_of(error), str(error), is_sure=is_sure)
        except Blocked:
            return _written(core, Reason.TIMEOUT, "the line waits for a late reply")
        moment = Moment(core.clock, core.time())
        polls = self._polls
        return Written(None, "", moment.ms(polls.begun_at), moment.ms(polls.taken_at))

    async def _insist(self, unit: Unit, job: Job) -> None:
        """Run a write, again while the device says that it is busy."""
        for _ in range(WRITE_TRIES - 1):
            try:
                await self._polls.run(unit, job)
            except DeviceRefused as refusal:
                if not refusal.is_busy:
                    raise
                await asyncio.sleep(BUSY_WAIT_S)
            else:
                return
        await self._polls.run(unit, job)

    async def _learn_echo(self, unit: Unit) -> None:
        """Read something before the first write on a line whose echo is not known yet.

        The echo of a write cannot be told from its confirmation.
        """
        if self._echo is None or self._echo.is_known or not unit.entries:
            return
        job = unit.driver.probe(unit.key.unit, unit.entries[0].what.plan.job)
        try:
            await self._polls.run(unit, job)
        except (DriverError, Blocked):
            return


def _settle(ask: Ask, result: Answer) -> None:
    """Give the answer to whoever still waits."""
    if not ask.answer.done():
        ask.answer.set_result(result)


def _unit_of(core: LineCore, device: DeviceId) -> Unit | None:
    for unit in core.units.values():
        if any(each.id == device for each in unit.devices):
            return unit
    return None


def _device(unit: Unit, wanted: DeviceId) -> Device:
    return next(device for device in unit.devices if device.id == wanted)


def _unknown(ask: Ask) -> LookupError:
    return LookupError(f"no device {ask.request.device} on this line")


def _refusal(core: LineCore, ask: Ask, unit: Unit, fault: str) -> Answer:
    if isinstance(ask.request, WriteNow):
        return _written(core, fault, "the line is down")
    points = ask.request.points
    if not points:
        device = _device(unit, ask.request.device)
        points = tuple(p.id for p in device.points if p.is_readable and p.is_published)
    return (_no_samples(core, ask.request.device, points, fault),)


def _asked(samples: Samples) -> Samples:
    return replace(samples, asked=True)


def _no_samples(
    core: LineCore, device: DeviceId, points: tuple[PointId, ...], fault: str
) -> Samples:
    now_ms = core.clock.now_ms()
    tq = core.clock.quality()
    return Samples(device, points, (), fault, now_ms, now_ms, tq, asked=True)


def _written(core: LineCore, fault: str, text: str, *, is_sure: bool = True) -> Written:
    now_ms = core.clock.now_ms()
    return Written(fault, text, now_ms, now_ms, is_sure)
