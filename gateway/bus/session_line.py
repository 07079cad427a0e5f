"""A line whose devices speak by themselves: runs a driver's Session on a link."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Sequence

from drivers.contract import Session, SessionOutput, SessionSample
from gateway.bus.around import Around
from gateway.links.contract import Link, LinkDown
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Reason
from gateway.model.sample import DeviceState, LineState, Samples
from gateway.settings.site import Device, Line, Point

log = logging.getLogger(__name__)

LOOK_UP_S = 0.5
"""How long it listens before it looks whether it is to stop."""
FIRST_REOPEN_S = 0.25
LAST_REOPEN_S = 4.0


class SessionLine:
    """A line with a session. Made inside the running loop; `run` is its only task."""

    def __init__(
        self, line: Line, link: Link, around: Around, *, start: Callable[[], Session]
    ) -> None:
        """Take what makes a session: every connection gets a new one."""
        self.line = line
        self._link = link
        self._around = around
        self._start = start
        self._time = asyncio.get_running_loop().time
        self._by_unit: dict[Hashable, Device] = {}
        self._points: dict[DeviceId, dict[str, PointId]] = {}
        self._columns: dict[tuple[PointId, ...], tuple[PointId, ...]] = {}
        self._online: set[DeviceId] = set()
        self._is_up: bool | None = None
        self.unknown = 0
        """Samples of devices or points that the site does not have."""
        self.faults = 0
        """Frames that the session could not read."""

    def serve(self, devices: Sequence[Device], address_of: Callable[[Point], str]) -> None:
        """Take these devices from now on; `address_of` gives a point's name in the session."""
        self._by_unit = {device.unit: device for device in devices}
        self._points = {
            device.id: {address_of(point): point.id for point in device.points}
            for device in devices
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Serve the line until `stop` is set."""
        wait_s = FIRST_REOPEN_S
        try:
            while not stop.is_set():
                try:
                    await self._link.open()
                    self._say_line(is_up=True, why="open")
                    wait_s = FIRST_REOPEN_S
                    await self._talk(stop)
                except LinkDown as down:
                    self._down(down)
                    await _until(stop, wait_s)
                    wait_s = min(2 * wait_s, LAST_REOPEN_S)
        finally:
            await self._link.close()

    async def _talk(self, stop: asyncio.Event) -> None:
        """Run one session until the link goes or the line stops."""
        session = self._start()
        while not stop.is_set():
            now = self._time()
            wake_at = session.wake_at
            if wake_at is not None and wake_at <= now:
                self._take(session.wake(now), now)
                continue
            until = now + LOOK_UP_S if wake_at is None else min(wake_at, now + LOOK_UP_S)
            received = await self._link.receive(until)
            if received:
                now = self._time()
                self._take(session.received(received, now), now)

    def _take(self, output: SessionOutput, now: float) -> None:
        """Send and hand on what the session wants."""
        del now
        if output.send:
            self._link.send(output.send)
        if output.fault is not None:
            self.faults += 1
        by_device: dict[DeviceId, list[SessionSample]] = {}
        for sample in output.samples:
            device = self._by_unit.get(sample.unit)
            if device is None or sample.address not in self._points[device.id]:
                self.unknown += 1
                continue
            by_device.setdefault(device.id, []).append(sample)
        for device_id, samples in by_device.items():
            self._hand_on(device_id, samples)

    def _hand_on(self, device: DeviceId, samples: Sequence[SessionSample]) -> None:
        clock = self._around.clock
        now_ms = clock.now_ms()
        if device not in self._online:
            self._online.add(device)
            self._around.output.put_device_state(
                DeviceState(device, is_online=True, why="speaks", at_ms=now_ms, tq=clock.quality())
            )
        names = self._points[device]
        points = tuple(names[sample.address] for sample in samples)
        # The same tuple object for the same points: the receiver compiles by identity.
        points = self._columns.setdefault(points, points)
        row = tuple(sample.raw for sample in samples)
        self._around.output.put_samples(
            Samples(device, points, row, None, now_ms, now_ms, clock.quality())
        )

    def _down(self, down: LinkDown) -> None:
        """Tell once that the line is gone, with all that hangs on it."""
        if self._is_up is False:
            return
        self._say_line(is_up=False, why=down.why)
        clock, output = self._around.clock, self._around.output
        now_ms, tq = clock.now_ms(), clock.quality()
        for device in self._by_unit.values():
            output.put_device_state(
                DeviceState(device.id, is_online=False, why=Reason.PORT_GONE, at_ms=now_ms, tq=tq)
            )
            points = tuple(point.id for point in device.points if point.is_readable)
            output.put_samples(Samples(device.id, points, (), Reason.PORT_GONE, now_ms, now_ms, tq))
        self._online.clear()

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


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
