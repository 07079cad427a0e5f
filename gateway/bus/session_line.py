"""A line whose devices speak by themselves, or whose dialogue never rests: runs Sessions on links.

A line on one pipe has one session at a time; a listening port has one for each call. Each session
is a bulkhead of its own: what a driver does wrong ends that connection, and no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from drivers.contract import (
    Address,
    Moment,
    Session,
    SessionDevice,
    SessionDriver,
    SessionOutput,
    SessionSample,
)
from gateway.bus.around import Around
from gateway.bus.asks import Request
from gateway.bus.promises import Promises
from gateway.bus.session_around import Door, Secrets
from gateway.bus.session_book import SessionBook
from gateway.bus.stats import LineStats
from gateway.links.contract import Link, LinkDown
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Reason
from gateway.model.sample import DeviceState, LineState, Raw, Samples
from gateway.settings.site import Device, Line

log = logging.getLogger(__name__)

LOOK_UP_S = 0.5
"""How long it listens before it looks whether it is to stop."""
FIRST_REOPEN_S = 0.25
LAST_REOPEN_S = 4.0
KEEP_S = 5.0
"""How long a device waits for our confirmation while what it told is being committed; then the
connection is given up without it, and the device tells it again."""
MOST_CALLS = 256
"""Calls of one port; beyond, the one that has been mute for longest makes room for the next."""


@dataclass(slots=True, eq=False)
class _Talk:
    """One connection with its session."""

    link: Link
    session: Session
    promises: Promises
    """What was told on it and is not committed yet."""
    generation: int
    """Of the devices that its session was started with."""
    is_mute: bool = True
    """Whether no device of the site spoke on it yet."""
    is_over: bool = False


class SessionLine:
    """A line with sessions. Made inside the running loop; `run` is its only entrance."""

    def __init__(  # noqa: PLR0917 - a line is made in one place
        self,
        line: Line,
        devices: Sequence[Device],
        pipe: Link | Door,
        around: Around,
        speech: tuple[SessionDriver, Secrets],
    ) -> None:
        """Take the devices, the pipe, and how their protocol is spoken."""
        self.line = line
        self._pipe = pipe
        self._around = around
        self._driver, self._secrets = speech
        self._loop = asyncio.get_running_loop()
        self._book = SessionBook(line.name, self._loop.time())
        self._by_unit: dict[Hashable, Device] = {}
        self._points: dict[DeviceId, dict[Address, list[PointId]]] = {}
        self._columns: dict[tuple[PointId, ...], tuple[PointId, ...]] = {}
        self._online: dict[DeviceId, _Talk] = {}
        self._told_gone: set[DeviceId] = set()
        self._heard_at: dict[DeviceId, float] = {}
        self._is_up: bool | None = None
        self._generation = 0
        self._talks: dict[_Talk, None] = {}
        self.heartbeat = self._loop.time()
        """Loop time at which it last went round, for the watchdog."""
        self._use(devices)

    async def submit(self, request: Request) -> NoReturn:
        """Refuse: what speaks by itself cannot be asked.

        Raises:
            LookupError: always.
        """
        raise LookupError(f"{request.device} speaks by itself: it cannot be asked")

    def update(self, devices: Sequence[Device]) -> None:
        """Serve these devices from now on; sessions begin anew, their connections stay."""
        gone = {device.id for device in self._by_unit.values()} - {one.id for one in devices}
        for device in gone:
            self._online.pop(device, None)
            self._told_gone.discard(device)
        self._use(devices)
        self._generation += 1

    def stats(self) -> LineStats:
        """Return what the line did so far."""
        is_online = {device.id: device.id in self._online for device in self._by_unit.values()}
        return self._book.stats(
            self._loop.time(), self._by_unit.values(), is_online, is_up=bool(self._is_up)
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve the line until `stop` is set."""
        wait_s = FIRST_REOPEN_S
        while not stop.is_set():
            self.heartbeat = self._loop.time()
            try:
                await self._serve(stop)
                wait_s = FIRST_REOPEN_S
            except LinkDown as down:
                self._down(down)
                await _until(stop, wait_s)
                wait_s = min(2 * wait_s, LAST_REOPEN_S)

    async def _serve(self, stop: asyncio.Event) -> None:
        """Use the pipe until it goes or the line stops."""
        pipe = self._pipe
        if isinstance(pipe, Door):
            await self._take_calls(pipe, stop)
            return
        try:
            await pipe.open()
            self._say_line(is_up=True, why="open")
            await self._talk(pipe, stop)
        finally:
            await pipe.close()

    async def _take_calls(self, door: Door, stop: asyncio.Event) -> None:
        door.open()
        self._say_line(is_up=True, why="open")
        try:
            async with asyncio.TaskGroup() as calls:
                while not stop.is_set():
                    self.heartbeat = self._loop.time()
                    self._look_for_silence()
                    link = await door.call(LOOK_UP_S)
                    if link is not None:
                        self._make_room()
                        name = f"line:{self.line.name}:{link.describe()}"
                        calls.create_task(self._take_call(link, stop), name=name)
        finally:
            door.close()

    def _make_room(self) -> None:
        """End one call on which nobody of the site spoke, where there are too many."""
        if len(self._talks) >= MOST_CALLS:
            mute = next((talk for talk in self._talks if talk.is_mute and not talk.is_over), None)
            if mute is not None:
                mute.is_over = True

    async def _take_call(self, link: Link, stop: asyncio.Event) -> None:
        try:
            await link.open()
            await self._talk(link, stop)
        except LinkDown as down:
            log.debug("call ended: %s", down.why, extra={"line": self.line.name})
        finally:
            await link.close()

    async def _talk(self, link: Link, stop: asyncio.Event) -> None:
        """Hold the dialogue until the link goes, the line stops, or the session has enough."""
        talk = _Talk(link, self._start(), Promises(), self._generation)
        self._talks[talk] = None
        try:
            while not stop.is_set():
                self.heartbeat = self._loop.time()
                if talk.generation != self._generation:
                    talk.session, talk.generation = self._start(), self._generation
                await self._turn(talk)
        except LinkDown:
            self._over(talk, Reason.PORT_GONE)
            raise
        except Exception:  # the session's bulkhead: a driver's fault costs this connection
            log.exception("driver failed", extra={"line": self.line.name})
            self._over(talk, Reason.CONFIG)
            raise LinkDown("driver failed") from None
        finally:
            del self._talks[talk]

    async def _turn(self, talk: _Talk) -> None:
        """Let time pass or take bytes.

        Raises:
            LinkDown: the link is gone, or the session or we have enough.
        """
        if talk.is_over:
            raise LinkDown("nobody of the site spoke, and others call")
        now = self._loop.time()
        wake_at = talk.session.wake_at
        if wake_at is not None and wake_at <= now:
            await self._take(talk, talk.session.wake(self._moment()))
            return
        until = now + LOOK_UP_S if wake_at is None else min(wake_at, now + LOOK_UP_S)
        received = await talk.link.receive(until)
        if received:
            await self._take(talk, talk.session.received(received, self._moment()))

    async def _take(self, talk: _Talk, output: SessionOutput) -> None:
        """Hand on what the session learnt; send what it wants once all of that is committed.

        A panel forgets an alarm that we confirm: a gateway that died between the confirmation and
        the commit would lose it.
        """
        self._book.took(output)
        for name in output.unknown:
            if self._book.is_new_stranger(name):
                log.warning("unknown device %s", name, extra={"line": self.line.name})
        for unit in output.alive:
            self._heard(talk, self._by_unit.get(unit))
        for device, samples in self._by_device(output.samples).items():
            self._hand_on(talk, device, samples)
        silent = (self._by_unit.get(unit) for unit in output.silent)
        self._lost((device for device in silent if device is not None), Reason.TIMEOUT)
        if output.send:
            if not await talk.promises.kept(KEEP_S):
                raise LinkDown(f"not committed within {KEEP_S:g} s, so not confirmed")
            talk.link.send(output.send)
        if output.is_over:
            raise LinkDown("the session ended the connection")

    def _by_device(self, samples: Iterable[SessionSample]) -> dict[DeviceId, list[SessionSample]]:
        """Return the samples of devices and points that the site has; others are counted."""
        found: dict[DeviceId, list[SessionSample]] = {}
        for sample in samples:
            device = self._by_unit.get(sample.unit)
            if device is None or sample.address not in self._points[device.id]:
                self._book.unknown += 1
            else:
                found.setdefault(device.id, []).append(sample)
        return found

    def _hand_on(self, talk: _Talk, device: DeviceId, samples: Sequence[SessionSample]) -> None:
        self._heard(talk, self._device(device))
        clock = self._around.clock
        now_ms = clock.now_ms()
        names = self._points[device]
        row = [(name, self._raw(sample)) for sample in samples for name in names[sample.address]]
        points = tuple(name for name, _ in row)
        # The same tuple object for the same points: the receiver compiles by identity.
        points = self._columns.setdefault(points, points)
        self._around.output.put_samples(
            Samples(
                device,
                points,
                tuple(raw for _, raw in row),
                None,
                now_ms,
                now_ms,
                clock.quality(),
                kept=talk.promises.give(),
            )
        )

    def _raw(self, sample: SessionSample) -> Raw | None:
        if sample.raw is None or not sample.is_secret:
            return sample.raw
        return self._secrets.hide(str(sample.raw))

    # --- who is there --------------------------------------------------------------------------

    def _use(self, devices: Sequence[Device]) -> None:
        self._by_unit = {device.unit: device for device in devices}
        self._points = {device.id: _by_address(device) for device in devices}

    def _start(self) -> Session:
        devices = [
            SessionDevice(
                device.unit,
                tuple(point.address for point in device.points),
                device.quirks.driver,
                self._secrets.key_of(device),
            )
            for device in self._by_unit.values()
        ]
        return self._driver.start(devices, self._moment())

    def _moment(self) -> Moment:
        now_ms = self._around.clock.now_ms()
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self._around.zone)
        offset = local.utcoffset()
        return Moment(
            self._loop.time(), now_ms, 0 if offset is None else int(offset.total_seconds())
        )

    def _device(self, device: DeviceId) -> Device | None:
        return next((one for one in self._by_unit.values() if one.id == device), None)

    def _heard(self, talk: _Talk, device: Device | None) -> None:
        """Note that a device speaks on this connection."""
        if device is None:
            return
        talk.is_mute = False
        self._told_gone.discard(device.id)
        self._heard_at[device.id] = self._loop.time()
        if device.id not in self._online:
            clock = self._around.clock
            self._around.output.put_device_state(
                DeviceState(
                    device.id,
                    is_online=True,
                    why="speaks",
                    at_ms=clock.now_ms(),
                    tq=clock.quality(),
                )
            )
        self._online[device.id] = talk

    def _over(self, talk: _Talk, why: Reason) -> None:
        """Give up the devices that were last heard on a connection that has ended.

        Those that open one for each message are given up by the silence that they may keep.
        """
        mine = [one for one in self._by_unit.values() if self._online.get(one.id) is talk]
        self._lost((one for one in mine if self._silent_after_s(one) is None), why)

    def _silent_after_s(self, device: Device) -> float | None:
        return self._driver.silent_after_s(device.quirks.driver)

    def _look_for_silence(self) -> None:
        """Give up devices that have been silent for too long, whatever their connections do."""
        now = self._loop.time()
        for device in self._by_unit.values():
            after_s = self._silent_after_s(device)
            heard_at = self._heard_at.get(device.id)
            if after_s is not None and heard_at is not None and now - heard_at > after_s:
                self._lost([device], Reason.TIMEOUT)

    def _lost(self, devices: Iterable[Device], why: Reason) -> None:
        """Tell that devices are gone, with all their points."""
        clock, output = self._around.clock, self._around.output
        now_ms, tq = clock.now_ms(), clock.quality()
        for device in devices:
            self._online.pop(device.id, None)
            if device.id in self._told_gone:
                continue
            self._told_gone.add(device.id)
            output.put_device_state(
                DeviceState(device.id, is_online=False, why=why, at_ms=now_ms, tq=tq)
            )
            points = tuple(point.id for point in device.points if point.is_readable)
            output.put_samples(Samples(device.id, points, (), why, now_ms, now_ms, tq))

    def _down(self, down: LinkDown) -> None:
        """Tell once that the line is gone, with all that hangs on it."""
        if self._is_up is False:
            return
        self._say_line(is_up=False, why=down.why)
        self._lost(self._by_unit.values(), Reason.PORT_GONE)

    def _say_line(self, *, is_up: bool, why: str) -> None:
        if self._is_up is is_up:
            return
        self._is_up = is_up
        clock = self._around.clock
        self._around.output.put_line_state(
            LineState(self.line.name, is_up, why, clock.now_ms(), clock.quality())
        )
        level = logging.INFO if is_up else logging.WARNING
        state = "up" if is_up else "down"
        log.log(level, "line %s: %s", state, why, extra={"line": self.line.name})


def _by_address(device: Device) -> dict[Address, list[PointId]]:
    points: dict[Address, list[PointId]] = {}
    for point in device.points:
        if point.is_readable:
            points.setdefault(point.address, []).append(point.id)
    return points


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
