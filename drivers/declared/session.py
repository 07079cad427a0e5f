"""Devices that speak by themselves in declared frames; some of them when a line is sent to all."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.contract import Moment, SessionDevice, SessionOutput, SessionSample
from drivers.declared.address import (
    DeclaredAddress,
    DeclaredQuirks,
    declared_address,
    declared_quirks,
)
from drivers.declared.declaration import AnyTemplate, Declaration, Ends
from drivers.declared.points import Message, is_of, raw_of, unit_of
from drivers.declared.search import KEPT, Found, frames


@dataclass(slots=True)
class _Listener:
    """A device of the site: its points, and when it was heard."""

    unit: Hashable
    points: tuple[DeclaredAddress, ...]
    quirks: DeclaredQuirks
    heard_s: float
    is_silent: bool = False

    @property
    def silent_at(self) -> float | None:
        """When it counts as silent, if nothing more is heard."""
        if self.is_silent or not self.quirks.silent_after_s:
            return None
        return self.heard_s + self.quirks.silent_after_s


@dataclass(slots=True)
class _Asking:
    """A request that is sent regularly."""

    request: bytes
    every_s: float
    due_s: float


@dataclass(slots=True)
class _Gathered:
    samples: list[SessionSample] = field(default_factory=list[SessionSample])
    alive: dict[Hashable, None] = field(default_factory=dict[Hashable, None])
    unknown: dict[str, None] = field(default_factory=dict[str, None])


class _Stream:
    """Frames of one framing out of the bytes of a connection."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self._templates: Mapping[str, AnyTemplate] = declaration.replies
        self._buffer = bytearray()
        self._seen = 0

    def feed(self, received: bytes) -> list[Found]:
        """Return the frames that are whole now; none has bytes of another."""
        is_whole = self.declaration.form is Ends.DATAGRAM
        self._buffer += received
        taken: list[Found] = []
        at = 0
        for one in frames(bytes(self._buffer), self._seen, self._templates):
            if one.start < at or (is_whole and one.end - one.start != len(received)):
                continue
            taken.append(one)
            at = one.end
        del self._buffer[: len(self._buffer) if is_whole else at]
        del self._buffer[:-KEPT]
        self._seen = len(self._buffer)
        return taken


class DeclaredSession:
    """One connection, line or datagram peer, with any number of devices."""

    def __init__(self, devices: Sequence[SessionDevice], now: Moment) -> None:
        """Take the devices of the line; supervision of each begins now."""
        self._listeners = [_listener(device, now) for device in devices]
        points = [point for one in self._listeners for point in one.points]
        framings = dict.fromkeys(point.declaration for point in points)
        self._streams = [_Stream(one) for one in framings if one.replies]
        self._asking = _asking(self._listeners, now)
        periods = [one.every_s for one in self._asking]
        self._apart_s = min(periods, default=0.0) / max(1, len(periods))
        """Between two requests, however late both are: who was asked first must have answered."""
        self._free_s = now.at_s

    @property
    def wake_at(self) -> float | None:
        """When the next request is due, or the next device counts as silent."""
        moments = [max(one.due_s, self._free_s) for one in self._asking]
        moments += [at for one in self._listeners if (at := one.silent_at) is not None]
        return min(moments, default=None)

    def received(self, data: bytes, now: Moment) -> SessionOutput:
        """Take bytes of a stream, or one datagram."""
        gathered = _Gathered()
        for stream in self._streams:
            for one in stream.feed(data):
                message = Message(stream.declaration, one.name, one.octets, one.fields)
                self._take(message, gathered, now)
        return SessionOutput(
            samples=tuple(gathered.samples),
            alive=tuple(gathered.alive),
            unknown=tuple(gathered.unknown),
        )

    def wake(self, now: Moment) -> SessionOutput:
        """Send the request that is due, one at a time; say who is silent."""
        is_free = self._free_s <= now.at_s
        due = [one for one in self._asking if is_free and one.due_s <= now.at_s]
        due.sort(key=lambda one: one.due_s)
        for one in due[:1]:
            one.due_s = now.at_s + one.every_s
            self._free_s = now.at_s + self._apart_s
        silent = [one for one in self._listeners if (one.silent_at or now.at_s + 1) <= now.at_s]
        for one in silent:
            one.is_silent = True
        return SessionOutput(
            send=due[0].request if due else b"", silent=tuple(one.unit for one in silent)
        )

    def _take(self, message: Message, gathered: _Gathered, now: Moment) -> None:
        unit = unit_of(message)
        mine = [one for one in self._listeners if unit in {None, one.unit}]
        for one in mine:
            points = [point for point in one.points if is_of(point, message)]
            uses = any(point.declaration == message.declaration for point in one.points)
            if not uses:
                continue
            one.heard_s, one.is_silent = now.at_s, False
            gathered.alive[one.unit] = None
            gathered.samples += [
                SessionSample(one.unit, point, raw_of(point, message), point.is_secret)
                for point in points
            ]
        if not mine:
            gathered.unknown[f"{message.declaration.name} {unit}"] = None


def _listener(device: SessionDevice, now: Moment) -> _Listener:
    points = tuple(declared_address(point) for point in device.points)
    return _Listener(device.unit, points, declared_quirks(device.quirks), now.at_s)


def _asking(listeners: Sequence[_Listener], now: Moment) -> list[_Asking]:
    """Return the requests, each once and spread over their period."""
    asking: dict[bytes, float] = {}
    for one in listeners:
        declaration = one.points[0].declaration if one.points else None
        if one.quirks.ask is None or declaration is None:
            continue
        template = declaration.requests.get(one.quirks.ask)
        if template is None:
            continue
        try:
            request = template.write(declaration.address_fields(one.unit))
        except ValueError:  # an address that does not fit: nobody would answer it
            continue
        asking.setdefault(request, one.quirks.ask_every_s)
    count = max(1, len(asking))
    return [
        _Asking(request, every_s, now.at_s + every_s * index / count)
        for index, (request, every_s) in enumerate(asking.items())
    ]
