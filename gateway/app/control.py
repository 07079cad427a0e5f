"""What the command line may ask of the running daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.app.clock.timekeeping import Timekeeper
from gateway.app.commands.asking import LineFailed
from gateway.app.field.lines import FieldLines
from gateway.app.field.pipeline import Pipeline
from gateway.app.history.historians import Historians
from gateway.app.outward.postbox import Postbox
from gateway.app.sinks.platforms import Platforms
from gateway.model.clock import Clock
from gateway.model.command import CommandRefused
from gateway.model.ids import DeviceId, LineName, PointId, SinkName
from gateway.model.quality import Quality
from gateway.model.reading import Reading, Readings
from gateway.model.record import Lane, Record
from gateway.normalise.write import to_raw
from gateway.ops.control import Arguments, Ask, ControlError, Watch
from gateway.outbox.outbox import Outbox
from gateway.outbox.schema import DiskRefused, StoreDamaged
from gateway.outbox.views import as_it_is
from gateway.privacy.retention import Personal
from gateway.rules.report import point_of, singles
from gateway.settings.problems import Problem
from gateway.settings.site import Device, Site

MONITOR_BACKLOG = 1000
"""Readings that wait for a slow client; then the oldest are dropped."""
ASK_WITHIN_S = 20.0
_OUTBOX = ("status", "show", "refused", "retry", "replay")
FRAMES_EVERY_S = 0.5


@dataclass(slots=True)
class House:
    """The rooms as the control desk sees them; `site` changes with a reload."""

    site: Site
    lines: FieldLines
    pipeline: Pipeline
    platforms: Platforms
    outbox: Outbox
    clock: Clock
    time: Timekeeper
    historians: Historians
    refused: Sequence[Problem] = ()
    """Errors of the site file while the last good site runs in its place."""
    post: Postbox = field(default_factory=Postbox)
    """Knows which configuration runs, and what platforms say of the time."""


class ControlDesk:
    """Answers `linli status`, `read`, `write`, `monitor`, `reload` and `outbox`."""

    def __init__(self, house: House, reload: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Take the rooms, and what reloads the site."""
        self._house = house
        self._reload = reload

    def asks(self) -> dict[str, Ask]:
        """Return what has one answer."""
        return {
            "status": self.status,
            "reload": self._ask_reload,
            "read": self.read,
            "write": self.write,
            "outbox": self.outbox,
            "lines": self.lines,
            "history": self.history,
        }

    def watches(self) -> dict[str, Watch]:
        """Return what answers as long as the client listens."""
        return {"monitor": self.monitor, "frames": self.frames}

    async def status(self, _: Arguments) -> dict[str, Any]:
        """Return the state of everything."""
        house = self._house
        states = house.pipeline.device_states()
        offline = {id_: state for id_, state in states.items() if not state.is_online}
        stats = await house.outbox.stats()
        counters = house.pipeline.counters
        history = house.historians.history
        return {
            "gateway": house.site.gateway.id,
            "site": house.site.gateway.site,
            "digest": house.site.digest,
            "configuration": None if (found := house.post.configuration) is None else asdict(found),
            "fallback": [problem.text() for problem in house.refused],
            "clock": house.clock.quality(),
            "now": house.clock.now_ms(),
            "time_lost": house.time.is_lost(),
            "clock_steps": house.time.steps,
            "platform_times": {sink: asdict(told) for sink, told in house.post.times.items()},
            "devices": len(house.site.devices),
            "derived": len(house.site.derived),
            "online": sum(state.is_online for state in states.values()),
            "offline": {id_: state.why for id_, state in offline.items()},
            "taken": counters.readings,
            "committed": counters.records,
            "faults": counters.faults,
            "replaced": house.pipeline.inbox.replaced,
            "events": len(house.pipeline.standing_events()),
            "lines": [asdict(line) | {"units": None} for line in house.lines.stats()],
            "outbox": asdict(stats),
            "sinks": house.platforms.status(),
            "historians": house.historians.status(),
            "history": None if history is None else await history.status(),
        }

    async def lines(self, _: Arguments) -> list[dict[str, Any]]:
        """Return the lines with every unit on them."""
        return [asdict(line) for line in self._house.lines.stats()]

    async def history(self, arguments: Arguments) -> dict[str, Any]:
        """Return what the local history has of one point, as it is or summed up by steps."""
        from gateway.app.history.desk import history_of  # noqa: PLC0415 - few sites keep one

        device = self._device(arguments)
        return await history_of(self._house.historians.history, device, arguments)

    async def read(self, arguments: Arguments) -> dict[str, Any]:
        """Read a device now over its live line; the result has the shape of `pts`."""
        device = self._device(arguments)
        wanted: list[object] = arguments.get("points") or []
        points = tuple(PointId(str(point)) for point in wanted)
        for point in points:
            if point_of(device, point) is None:
                raise ControlError(f"{device.id} has no point {point}")
        try:
            readings = await self._house.lines.read(device.id, points, within_s=ASK_WITHIN_S)
        except LineFailed as failed:
            raise ControlError(str(failed)) from failed
        return {"dev": device.id, "pts": [reading_json(reading) for reading in readings]}

    async def write(self, arguments: Arguments) -> dict[str, Any]:
        """Write one point and read it back; the operator at the box needs no allow-list."""
        device = self._device(arguments)
        point = point_of(device, PointId(str(arguments.get("point"))))
        if point is None:
            raise ControlError(f"{device.id} has no point {arguments.get('point')}")
        value = arguments.get("value")
        if not isinstance(value, bool | int | float | str):
            raise ControlError("`value` must be a number, a text, true or false")
        try:
            raw = to_raw(point, value)
            await self._house.lines.write(device.id, point.id, raw, within_s=ASK_WITHIN_S)
        except (CommandRefused, LineFailed) as refused:
            raise ControlError(str(refused)) from refused
        if not point.is_readable:
            return {"dev": device.id, "pts": []}
        return await self.read({"device": device.id, "points": [point.id]})

    async def monitor(self, arguments: Arguments) -> AsyncGenerator[Any, None]:
        """Yield live readings as they come, of one device or all."""
        wanted = arguments.get("device")
        queue: asyncio.Queue[Readings] = asyncio.Queue(MONITOR_BACKLOG)

        def listen(readings: Readings) -> None:
            if wanted is not None and readings.device != wanted:
                return
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(readings)

        if wanted is not None:
            for reading in self._house.pipeline.reporter.latest_of(self._device(arguments).id):
                yield {"dev": wanted, "ts": reading.ts_ms, "pts": [reading_json(reading)]}
        listeners = self._house.pipeline.listeners
        listeners.add(listen)
        try:
            while True:
                readings = await queue.get()
                yield {
                    "dev": readings.device,
                    "ts": readings.ts_ms,
                    "pts": [reading_json(reading) for reading in singles(readings)],
                }
        finally:
            listeners.discard(listen)

    async def frames(self, arguments: Arguments) -> AsyncGenerator[Any, None]:
        """Yield the frames of a serial line, those of the last minutes first."""
        tap = self._house.lines.tap(LineName(str(arguments.get("line"))))
        if tap is None:
            raise ControlError("no such serial line; network lines are captured with tcpdump")
        after = 0
        while True:
            for frame in tap.frames(after):
                after = frame.number
                yield {"at": frame.at_s, "dir": frame.direction, "hex": frame.octets.hex(" ")}
            await asyncio.sleep(FRAMES_EVERY_S)

    async def outbox(self, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
        """Return what the outbox holds: its state, stored records, refused ones."""
        try:
            return await self._look_into(self._house.outbox, arguments)
        except (DiskRefused, StoreDamaged) as exc:
            raise ControlError(f"the store cannot be read now: {exc}") from exc

    async def _look_into(self, outbox: Outbox, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
        match arguments.get("what", "status"):
            case "status":
                return asdict(await outbox.stats())
            case "refused":
                return await outbox.refused_lines(
                    self._sink(arguments) if arguments.get("sink") else None,
                    self._shown(arguments),
                )
            case "retry":
                return {"retried": await outbox.retry_refused(self._sink(arguments))}
            case "replay":
                return self._replay(outbox, arguments)
            case "show":
                lane = Lane(arguments.get("lane", Lane.EVENT))
                first, most = int(arguments.get("from", 0)), int(arguments.get("most", 100))
                return await outbox.export(lane, first, most, self._shown(arguments))
            case other:
                raise ControlError(f"outbox: no {other!r}; there are: {', '.join(_OUTBOX)}")

    def _shown(self, arguments: Arguments) -> Callable[[Record], Record]:
        """Return what people see of a record: values of P2 and above only when asked for."""
        if arguments.get("personal") is True:
            return as_it_is
        return Personal(self._house.site.all_devices).shown

    def _replay(self, outbox: Outbox, arguments: Arguments) -> dict[str, Any]:
        sink = self._sink(arguments)
        first, last = int(arguments.get("from", 0)), int(arguments.get("to", 0))
        if not 0 < first <= last:
            raise ControlError("a range goes from a seq of at least 1 to one that is not smaller")
        lanes = [Lane(arguments["lane"])] if arguments.get("lane") else list(Lane)
        if not all(outbox.replay(sink, lane, first, last) for lane in lanes):
            raise ControlError("too many requests wait already")
        return {"sink": sink, "lanes": lanes, "from": first, "to": last}

    def _sink(self, arguments: Arguments) -> SinkName:
        """Return the sink that is named; the only one of the site needs no name."""
        site = self._house.site
        sinks = {**site.sinks, **site.historians}
        name = arguments.get("sink")
        if name is None and len(sinks) == 1:
            return next(iter(sinks))
        if name not in sinks:
            raise ControlError(f"sink {name!r}: the site has {', '.join(sorted(sinks))}")
        return SinkName(str(name))

    async def _ask_reload(self, _: Arguments) -> dict[str, Any]:
        return await self._reload()

    def _device(self, arguments: Arguments) -> Device:
        name = DeviceId(str(arguments.get("device")))
        device = self._house.site.devices.get(name)
        if device is None:
            raise ControlError(f"there is no device {name!r} in the running site")
        return device


def reading_json(reading: Reading) -> dict[str, Any]:
    """Return a reading in the shape of `pts`."""
    shown: dict[str, Any] = {"p": reading.point, "v": reading.value}
    if reading.unit is not None:
        shown["u"] = reading.unit
    if reading.mark.quality is not Quality.GOOD:
        shown["q"] = int(reading.mark.quality)
    if reading.mark.reason is not None:
        shown["qr"] = reading.mark.reason
    return shown
