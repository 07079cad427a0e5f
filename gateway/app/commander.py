"""Carry a command out: audit first, then act, read back, and send the receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Protocol

from gateway.commands.admit import Admission, Moment, Repeated
from gateway.commands.memory import Memory, Remembered
from gateway.model.clock import Clock
from gateway.model.command import BadCommand, Command, CommandRefused, Op
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId, SinkName
from gateway.model.quality import GOOD, Quality
from gateway.model.reading import PointColumn, Reading, Value
from gateway.model.record import LogBody, PropBody, Record, ReplyBody, StateChange
from gateway.model.sample import Raw
from gateway.normalise.write import to_raw
from gateway.rules.report import point_of
from gateway.settings.site import Device, Point, Site

ACT_WITHIN_S = 30.0
"""The longest a line may take to carry one command out."""
FLOAT32_STEP = 2.0**-23
"""A register of single precision shows 0.1 as a neighbour that differs by this part at most."""
AT_ONCE = 8
"""Commands under way at the same time; one device never has two."""


class LineFailed(Exception):
    """The device did not do it, or did not answer; `reason` is a `qr` word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Lines(Protocol):
    """The way to a device over its live line."""

    async def read(
        self, device: DeviceId, points: tuple[PointId, ...], *, within_s: float
    ) -> Sequence[Reading]:
        """Read now, before everything else. Raises LineFailed."""
        ...

    async def write(self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float) -> None:
        """Write now, before everything else. Raises LineFailed."""
        ...


class Keeps(Protocol):
    """The pipeline, as far as receipts and audit need it."""

    async def commit(self, records: Sequence[Record], changes: Sequence[StateChange] = ()) -> None:
        """Return when the records are safe."""
        ...


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of acting."""

    status: str
    code: str | None = None
    message: str | None = None
    point: PointId | None = None
    value: Value | None = None
    readback: PropBody | None = None


class Commander:
    """Takes commands from all sinks. One for the gateway."""

    def __init__(
        self, site: Site, lines: Lines, keeps: Keeps, *, clock: Clock, memory: Memory
    ) -> None:
        """Take the site, the way to the devices, the store, and the ids of past commands."""
        self._site = site
        self._lines = lines
        self._keeps = keeps
        self._clock = clock
        self._memory = memory
        self._admission = Admission(site.commands, memory)
        self._queue: asyncio.Queue[Command | BadCommand] = asyncio.Queue(100)
        self._locks: dict[DeviceId, asyncio.Lock] = {}
        self.dropped = 0
        """Commands that came while a hundred waited already."""

    def replace(self, site: Site) -> None:
        """Take a reloaded site, its allow-list with it."""
        self._site = site
        self._admission.settings = site.commands

    def put(self, command: Command | BadCommand) -> None:
        """Take a command from a sink; beyond a hundred waiting ones it is dropped and counted."""
        try:
            self._queue.put_nowait(command)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self, stop: asyncio.Event) -> None:
        """Carry commands out until `stop`; those under way are finished."""
        slots = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(stop.wait(), name="commands:stop")
            while not stop.is_set():
                coming = tasks.create_task(self._queue.get(), name="commands:next")
                await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    break
                await slots.acquire()
                task = tasks.create_task(self._one(coming.result()), name="commands:one")
                task.add_done_callback(lambda _: slots.release())

    async def _one(self, command: Command | BadCommand) -> None:
        if isinstance(command, BadCommand):
            await self._reject(command)
            return
        # A platform may name devices that are not there without end: they share one lock.
        known = command.device if command.device in self._site.devices else GATEWAY_ITSELF
        async with self._locks.setdefault(known, asyncio.Lock()):
            await self._carry_out(command)

    async def _reject(self, bad: BadCommand) -> None:
        records = [self._audit(bad.device, bad.sink, bad.rid or "-", "rejected", bad.code)]
        if bad.rid is not None:
            reply = ReplyBody(bad.rid, "rejected", bad.code, bad.message)
            records.append(self._record(bad.device, reply, bad.sink))
        await self._keeps.commit(records)

    async def _carry_out(self, command: Command) -> None:
        moment = Moment(self._clock.now_ms(), self._clock.quality(), self._clock.monotonic())
        try:
            self._admission.admit(command, moment)
            target = self._target(command)
        except Repeated as repeated:
            known = repeated.receipt
            await self._keeps.commit([self._reply(command, _again(known))])
            return
        except CommandRefused as refused:
            status = "expired" if refused.code == "expired" else "rejected"
            await self._finish(command, _Done(status, refused.code, str(refused)))
            return
        await self._accept(command)
        try:
            done = await self._act(command, target)
        except LineFailed as failed:
            done = _Done("failed", failed.reason, str(failed))
        await self._finish(command, done)

    def _target(self, command: Command) -> tuple[Device, tuple[Point, Raw, Value] | None]:
        device = self._site.devices.get(command.device)
        if device is None:
            raise CommandRefused("no_device", f"there is no device {command.device}")
        for id_ in command.points:
            if point_of(device, id_) is None:
                raise CommandRefused("no_point", f"{device.id} has no point {id_}")
        if command.op is Op.READ:
            return device, None
        if len(command.values) != 1:
            raise CommandRefused("one_point", "`set` takes exactly one point")
        id_, value = command.values[0]
        point = point_of(device, id_)
        if point is None:
            raise CommandRefused("no_point", f"{device.id} has no point {id_}")
        return device, (point, to_raw(point, value), value)

    async def _accept(self, command: Command) -> None:
        """Make it known, durably, before anything moves: a cut leaves `interrupted`."""
        entry = Remembered(
            "failed",
            "interrupted",
            "the gateway stopped while it was carried out; read the point to see what happened",
            self._clock.now_ms(),
        )
        audit = self._audit(command.device, command.sink, command.rid, "accepted", _what(command))
        await self._keeps.commit([audit], self._memory.remember(command.sink, command.rid, entry))

    async def _act(
        self, command: Command, target: tuple[Device, tuple[Point, Raw, Value] | None]
    ) -> _Done:
        device, write = target
        within_s = self._time_left_s(command)
        if within_s <= 0:  # the store may have taken long to keep the audit record
            return _Done("expired", "expired", "it expired before it could act; nothing was done")
        if write is None:
            points = command.points or tuple(p.id for p in device.points if p.is_published)
            readings = await self._lines.read(device.id, points, within_s=within_s)
            return _Done("done", readback=_body(readings))
        point, raw, value = write
        await self._lines.write(device.id, point.id, raw, within_s=within_s)
        return await self._read_back(device, point, value)

    def _time_left_s(self, command: Command) -> float:
        """Return how long the line may take: what waits longer for it than `exp` is not done."""
        if command.expires_ms is None:
            return ACT_WITHIN_S
        return min(ACT_WITHIN_S, (command.expires_ms - self._clock.now_ms()) / 1000)

    async def _read_back(self, device: Device, point: Point, value: Value) -> _Done:
        rule = point.write
        target = point.id if rule is None or rule.readback is None else rule.readback
        shown = point_of(device, target)
        if shown is None or not shown.is_readable:
            return _Done(
                "done", "no_readback", "written; the point cannot be read", point.id, value
            )
        try:
            readings = await self._lines.read(device.id, (target,), within_s=ACT_WITHIN_S)
        except LineFailed as failed:
            text = f"written, but reading it back failed: {failed}"
            return _Done("failed", "readback", text, point.id, value)
        body = _body(readings)
        if target == point.id and not _holds(readings, value):
            text = "written, but the device shows another value"
            return _Done("failed", "readback", text, point.id, value, body)
        return _Done("done", None, None, point.id, value, body)

    async def _finish(self, command: Command, done: _Done) -> None:
        entry = Remembered(done.status, done.code, done.message, self._clock.now_ms())
        audit = self._audit(
            command.device, command.sink, command.rid, done.status, done.code or _what(command)
        )
        await self._keeps.commit(
            [audit, self._reply(command, done)],
            self._memory.remember(command.sink, command.rid, entry),
        )

    def _reply(self, command: Command, done: _Done) -> Record:
        body = ReplyBody(
            command.rid, done.status, done.code, done.message, done.point, done.value, done.readback
        )
        return self._record(command.device, body, command.sink)

    def _audit(self, device: DeviceId, sink: SinkName, rid: str, *outcome: str) -> Record:
        status, detail = outcome
        fields = (("rid", rid), ("sink", str(sink)), ("status", status), ("detail", detail))
        return self._record(device, LogBody("command", fields), None)

    def _record(self, device: DeviceId, body: ReplyBody | LogBody, sink: SinkName | None) -> Record:
        return Record(device, self._clock.now_ms(), self._clock.quality(), body, sink)


def _again(known: Remembered) -> _Done:
    return _Done(known.status, known.code, known.message)


def _what(command: Command) -> str:
    if command.op is Op.READ:
        return "read"
    return ", ".join(f"{point}={value}" for point, value in command.values)


def _holds(readings: Sequence[Reading], value: Value) -> bool:
    return any(
        reading.mark.quality is Quality.GOOD and _is_same(reading.value, value)
        for reading in readings
    )


def _is_same(shown: Value | None, wanted: Value) -> bool:
    if isinstance(shown, float) and isinstance(wanted, int | float):
        return isclose(shown, wanted, rel_tol=FLOAT32_STEP)
    return shown == wanted


def _body(readings: Sequence[Reading]) -> PropBody:
    column = PointColumn(
        tuple(reading.point for reading in readings), tuple(reading.unit for reading in readings)
    )
    marks = tuple(reading.mark for reading in readings)
    is_plain = all(mark == GOOD for mark in marks)
    return PropBody(
        column, tuple(reading.value for reading in readings), None if is_plain else marks
    )
