"""The lines of the site at work: started, stopped, changed, and asked from outside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.app.commands.asking import LineFailed
from gateway.app.field.pipeline import Pipeline
from gateway.app.site.reload import SiteDiff
from gateway.bus.asks import ReadNow, WriteNow
from gateway.bus.cost import session_driver_of
from gateway.bus.line import Around, BusLine
from gateway.bus.session_around import Door, Secrets
from gateway.bus.session_line import SessionLine
from gateway.bus.stats import LineStats
from gateway.links.callers import CallersDoor
from gateway.links.contract import Link, LinkDown
from gateway.links.make import MakeLink, make_link
from gateway.links.tap import Tap
from gateway.links.tcp_listener import ListenerHub
from gateway.model.clock import Clock
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.link import CallersPort, TcpListener
from gateway.model.reading import Reading
from gateway.model.sample import Raw
from gateway.rules.report import point_of, singles
from gateway.settings.site import Device, Line, Site

_log = logging.getLogger("linli")


@dataclass(frozen=True, slots=True)
class _Running:
    """One line with its task."""

    line: Line
    bus: BusLine | SessionLine
    tap: Tap | None
    stop: asyncio.Event
    task: asyncio.Task[None]


class FieldLines:
    """All lines. Their tasks live in the group that `start` is given."""

    def __init__(
        self,
        pipeline: Pipeline,
        listeners: ListenerHub,
        clock: Clock,
        secrets: Secrets,
        *,
        make_link: MakeLink = make_link,
    ) -> None:
        """Take where samples go, the hub for devices that dial in, and how secrets are kept."""
        self._make_link = make_link
        self._secrets = secrets
        self._pipeline = pipeline
        self._listeners = listeners
        self._clock = clock
        self._running: dict[LineName, _Running] = {}
        self._site: Site | None = None

    def start(self, site: Site, tasks: asyncio.TaskGroup) -> None:
        """Start every line of the site."""
        self._site = site
        for line in site.lines.values():
            self._start(site, line, tasks)

    async def apply(self, site: Site, diff: SiteDiff, tasks: asyncio.TaskGroup) -> None:
        """Change to a reloaded site: lines that stay are only told of their devices."""
        self._site = site  # first: what is asked while lines close is asked of the new site
        await self._stop(diff.lines_gone)
        for name in diff.lines_touched:
            self._running[name].bus.update(_devices_on(site, name))
        for name in sorted(diff.lines_new):
            self._start(site, site.lines[name], tasks)

    def stop(self) -> None:
        """Let every line finish its exchange and end."""
        for running in self._running.values():
            running.stop.set()

    def give_up(self) -> None:
        """End the lines that were told to stop and still wait for a device."""
        for name, running in self._running.items():
            if running.stop.is_set() and not running.task.done():
                _log.warning("line left in the middle of an exchange: %s", name)
                running.task.cancel()

    def stats(self) -> list[LineStats]:
        """Return what every line did so far."""
        return [running.bus.stats() for running in self._running.values()]

    def heartbeat(self) -> float:
        """Return the loop time at which the line that is furthest behind last went round."""
        beats = (running.bus.heartbeat for running in self._running.values())
        return min(beats, default=self._clock.monotonic())

    def tap(self, name: LineName) -> Tap | None:
        """Return the flight recorder of a line; None where there is none."""
        running = self._running.get(name)
        return None if running is None else running.tap

    async def read(
        self, device: DeviceId, points: tuple[PointId, ...], *, within_s: float
    ) -> Sequence[Reading]:
        """Read now, before everything else; what came is published like any reading.

        Raises:
            LineFailed: the device did not answer in time, or its line is down.
        """
        found, bus = self._find(device)
        normaliser = self._pipeline.normaliser
        try:
            parts = await bus.submit(ReadNow(found.id, points, within_s))
        except (TimeoutError, LookupError, LinkDown) as exc:
            raise LineFailed("timeout", f"{device} did not answer: {exc}") from exc
        readings: list[Reading] = []
        for samples in parts:
            if self._pipeline.normaliser is normaliser:  # else a reload came between
                self._pipeline.inbox.put_samples(samples)
            normal = normaliser.to_readings(samples)
            if normal is not None:
                readings.extend(singles(normal))
        return readings

    async def write(self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float) -> None:
        """Write now, before everything else.

        Raises:
            LineFailed: the device refused it, or did not confirm it in time.
        """
        found, bus = self._find(device)
        target = point_of(found, point)
        if target is None:
            raise LineFailed("config", f"{device} has no point {point}")
        try:
            written = await bus.submit(WriteNow(found.id, target.address, raw, within_s))
        except (TimeoutError, LookupError, LinkDown) as exc:
            raise LineFailed("timeout", f"{device} did not confirm: {exc}") from exc
        if written.fault is not None:
            raise LineFailed(written.fault, written.text)

    def _find(self, device: DeviceId) -> tuple[Device, BusLine | SessionLine]:
        found = None if self._site is None else self._site.devices.get(device)
        if found is None:
            raise LineFailed("config", f"there is no device {device}")
        running = self._running.get(found.line)
        if running is None:
            raise LineFailed("port_gone", f"line {found.line} is being reloaded: ask again")
        return found, running.bus

    def _start(self, site: Site, line: Line, tasks: asyncio.TaskGroup) -> None:
        stop = asyncio.Event()
        bus, tap = self._make(site, line)
        task = tasks.create_task(bus.run(stop), name=f"line:{line.name}")
        self._running[line.name] = _Running(line, bus, tap, stop, task)

    def _make(self, site: Site, line: Line) -> tuple[BusLine | SessionLine, Tap | None]:
        around = Around(self._clock, self._pipeline.inbox, ZoneInfo(site.gateway.timezone))
        devices = _devices_on(site, line.name)
        driver = session_driver_of(line.protocol)
        if driver is not None:
            # No recorder here: what these lines carry is often secret.
            pipe = self._session_pipe(line)
            return SessionLine(line, devices, pipe, around, (driver, self._secrets)), None
        link = self._make_link(line.link, self._listeners)
        # A network line carries thousands of frames a second; there the recorder would cost more
        # than the line, and a capture of the network shows the same.
        tap = Tap(link, self._clock) if link.char_s else None
        return BusLine(line, devices, tap or link, around), tap

    def _session_pipe(self, line: Line) -> Link | Door:
        if isinstance(line.link, CallersPort):
            return CallersDoor(line.link)
        return self._make_link(line.link, self._listeners)

    async def _stop(self, names: Iterable[LineName]) -> None:
        gone = [self._running.pop(name) for name in names]
        for running in gone:
            running.stop.set()
        if gone:
            await asyncio.wait([running.task for running in gone])
        for running in gone:
            if isinstance(running.line.link, TcpListener):
                self._listeners.forget(running.line.link)


def _devices_on(site: Site, line: LineName) -> list[Device]:
    return [device for device in site.devices.values() if device.line == line]
