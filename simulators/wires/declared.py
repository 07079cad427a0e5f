"""Devices with declared frames: asked ones, and callers that tell what changed.

Values are written here with code of its own; frames are the driver's templates, which its vectors
prove.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from drivers.declared import LISTENED
from drivers.declared.address import DeclaredAddress
from drivers.declared.declaration import AnyTemplate, Declaration, Ends
from drivers.declared.search import KEPT, Found, frames
from drivers.declared.template import Template
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Reply, Simulated, Slaves

TICK_MS = 1000
MOMENT = "20260101080000"
"""What digits say where physics has none."""
Raw = int | float | str


@dataclass(frozen=True, slots=True)
class Message:
    """A frame that carries points of one device, with what its request gave."""

    one: Simulated
    name: str
    given: tuple[tuple[str, Raw], ...]
    points: tuple[Point, ...]

    def frame(self, now_ms: int) -> tuple[bytes, dict[str, Value | None]]:
        """Return the frame of this moment, and what each point is by it."""
        template = _place(self.points[0]).declaration.replies[self.name]
        values = self.one.twin.values(now_ms)
        fields: dict[str, Raw] = {**_zeros(template), **dict(self.given), **_address(self.one)}
        served: dict[str, Value | None] = {}
        patches: list[tuple[DeclaredAddress, Raw]] = []
        whole = {_place(p).field for p in self.points if not _is_part(p)} - {None}
        for point in sorted(self.points, key=_is_part):
            place, name = _place(point), str(point.id)
            if _is_part(point) and place.field in whole:
                # A part of a value that another point has as a whole is what that one makes it.
                served[name] = _meaning(point, _part(fields[str(place.field)], place))
                continue
            raw, served[name] = _coded(point, values.get(name, 0), _size(template, place))
            if place.field is None:
                patches.append((place, raw))
            elif _is_part(point):
                fields[place.field] = _merged(fields[place.field], place, raw)
            else:
                fields[place.field] = raw
        fields = {name: value for name, value in fields.items() if name in template.names}
        return _patched(template.write(fields), template, patches), served

    def say(self, now_ms: int) -> bytes:
        """Return the frame, and note in the ledger what it carries."""
        octets, served = self.frame(now_ms)
        self.note(served, now_ms)
        return octets

    def note(self, served: Mapping[str, Value | None], now_ms: int) -> None:
        """Note what a frame carried."""
        for point, value in served.items():
            self.one.twin.serve(point, value, now_ms)


class AskedDevices:
    """The devices behind one port."""

    def __init__(self, devices: Sequence[Simulated]) -> None:
        """Take the devices; their points name the frames."""
        self._devices = devices
        points = [point for one in devices for point in one.device.points]
        self._declarations = list(dict.fromkeys(_place(point).declaration for point in points))

    def take(self, buffer: bytearray) -> bytes | None:
        """Take the next whole request, with what stands before it."""
        found = [f for d in self._declarations for f in frames(bytes(buffer), 0, d.requests)]
        if found:
            end = min(one.end for one in found)
            taken = bytes(buffer[:end])
            del buffer[:end]
            return taken
        del buffer[:-KEPT]
        return None

    def answer(self, frame: bytes, now_ms: int) -> Reply | None:
        """Return the reply of the device that is asked."""
        for declaration, asked in self._asked(frame):
            for one in self._devices:
                if _is_asked(one, declaration, asked):
                    octets = _reply(one, declaration, asked, now_ms)
                    if octets is not None:
                        return Reply((str(one.device.id),), octets)
        return None

    def refusal(self, frame: bytes) -> bytes | None:
        """Return the declared refusal of a request."""
        for declaration, asked in self._asked(frame):
            template = declaration.refusals.get(asked.name)
            if template is not None:
                said = {n: v for n, v in asked.fields.items() if v is not None}
                return template.write({**_zeros(template), **said})
        return None

    def _asked(self, frame: bytes) -> Iterator[tuple[Declaration, Found]]:
        for declaration in self._declarations:
            for found in frames(frame, len(frame) - 1, declaration.requests):
                yield declaration, found


@dataclass(slots=True)
class Telling:
    """Devices that tell each frame when it changes, and all of them when a connection opens."""

    devices: Sequence[Simulated]
    wake_at_ms: int | None = None
    last: dict[int, bytes] = field(default_factory=dict[int, bytes])
    asked: AskedDevices = field(init=False)
    messages: list[Message] = field(init=False)

    def __post_init__(self) -> None:
        """Group the points by the frames that carry them."""
        self.asked = AskedDevices(self.devices)
        self.messages = [message for one in self.devices for message in messages(one)]

    def opened(self, now_ms: int) -> bytes:
        """Return all frames."""
        self.last.clear()
        return self.wake(now_ms)

    def received(self, data: bytes, now_ms: int) -> bytes:
        """Answer what was asked."""
        buffer, said = bytearray(data), b""
        while (frame := self.asked.take(buffer)) is not None:
            reply = self.asked.answer(frame, now_ms)
            said += reply.frame if reply else b""
        return said

    def wake(self, now_ms: int) -> bytes:
        """Return the frames that changed; of datagrams, one at a time."""
        self.wake_at_ms = now_ms + TICK_MS
        said = b""
        for number, message in enumerate(self.messages):
            octets, served = message.frame(now_ms)
            if octets == self.last.get(number):
                continue
            if said and _place(message.points[0]).declaration.form is Ends.DATAGRAM:
                self.wake_at_ms = now_ms
                break
            self.last[number] = octets
            message.note(served, now_ms)
            said += octets
        return said


class _Simulator:
    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Slaves | None:
        """Return the devices of one port that are asked."""
        return None if protocol == LISTENED else AskedDevices(devices)

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:
        """Return the devices of one connection that speak by themselves."""
        return Telling(devices) if protocol == LISTENED else None


SIMULATOR = _Simulator()


def messages(one: Simulated) -> list[Message]:
    """Return the frames that carry the points of a device, each with all its points."""
    groups: dict[tuple[str, tuple[tuple[str, Raw], ...]], list[Point]] = {}
    for point in one.device.points:
        place = _place(point)
        if point.is_readable and place.reply_name is not None:
            groups.setdefault((place.reply_name, _given(place)), []).append(point)
    return [Message(one, name, given, tuple(points)) for (name, given), points in groups.items()]


def _is_asked(one: Simulated, declaration: Declaration, asked: Found) -> bool:
    """Whether a request is to this device."""
    if not any(_place(point).declaration == declaration for point in one.device.points):
        return False
    mine = {name: str(value).lstrip("0") for name, value in _address(one).items()}
    theirs = {name: str(asked.fields[name]).lstrip("0") for name in mine if name in asked.fields}
    return all(mine[name] == theirs[name] for name in theirs)


def _reply(one: Simulated, declaration: Declaration, asked: Found, now_ms: int) -> bytes | None:
    for message in messages(one):
        place = _place(message.points[0])
        same = all(asked.fields.get(name) in {None, value} for name, value in message.given)
        if place.declaration == declaration and place.request == asked.name and same:
            return message.say(now_ms)
    return _written(one, declaration, asked, now_ms)


def _written(one: Simulated, declaration: Declaration, asked: Found, now_ms: int) -> bytes | None:
    """Take over what a request writes; return its confirmation."""
    for point in one.device.points:
        place = _place(point)
        if place.declaration != declaration or place.write_request != asked.name:
            continue
        value = place.write_field
        if any(asked.fields.get(n) != v for n, v in _given(place) if n != value):
            continue
        raw = True if value is None else asked.fields[value]
        if raw is not None:
            one.twin.write(str(point.id), _meaning(point, raw), now_ms)
        template = declaration.replies.get(place.confirmation or "")
        said = {n: v for n, v in asked.fields.items() if v is not None}
        return template.write({**_zeros(template), **said}) if template else None
    return None


def _place(point: Point) -> DeclaredAddress:
    if not isinstance(point.address, DeclaredAddress):
        raise TypeError(f"{point.id} has no address in declared frames")
    return point.address


def _given(place: DeclaredAddress) -> tuple[tuple[str, Raw], ...]:
    return tuple((n, v) for n, v in place.constants.items() if isinstance(v, int | float | str))


def _address(one: Simulated) -> dict[str, Raw]:
    """Return the fields of a device's address."""
    points = one.device.points
    names = _place(points[0]).declaration.address if points else ()
    parts = str(one.device.unit).split("/")
    return {n: int(p) if p.isdecimal() else p for n, p in zip(names, parts, strict=False)}


def _zeros(template: AnyTemplate) -> dict[str, Raw]:
    return dict.fromkeys(template.names, 0)


def _size(template: AnyTemplate, place: DeclaredAddress) -> int:
    if place.field is None:
        return place.bytes
    slot = template.slot(place.field) if isinstance(template, Template) else None
    return slot.shape.size if slot else 0


def _form(place: DeclaredAddress) -> str:
    template = place.reply_template
    if place.field is not None and isinstance(template, Template):
        slot = template.slot(place.field)
        return str(slot.shape.form) if slot else "uint"
    return str(place.type or "uint")


def _coded(point: Point, value: Value, size: int) -> tuple[Raw, Value | None]:
    """Return the raw value of a physical one, and the value that it means."""
    place = _place(point)
    form = _form(place)
    match point.type:
        case ValueType.BOOL:
            return int(bool(value) != point.is_inverted), bool(value)
        case ValueType.ENUM:
            raw = next((r for r, n in point.enum.items() if n == value), min(point.enum))
            return raw, point.enum[raw]
        case ValueType.TEXT:
            return _text(value, form, size)
        case ValueType.FLOAT | ValueType.INT:
            return _number(point, value, form, size)


def _text(value: Value, form: str, size: int) -> tuple[Raw, Value | None]:
    if form == "digits":
        text = MOMENT[: 2 * size].ljust(2 * size, "0")
        return text, text
    if form == "ascii":
        text = str(value)[: size or 16]
        return text, text
    number = sum(str(value).encode()) or 1
    return number, str(number)


def _number(point: Point, value: Value, form: str, size: int) -> tuple[Raw, Value | None]:
    """Return the nearest raw number that fits."""
    exact = Decimal(str(float(value if not isinstance(value, str) else 0))) - point.offset
    exact /= point.scale
    if form == "float":
        raw_float = struct.unpack(">f", struct.pack(">f", float(exact)))[0]
        return raw_float, float(Decimal(f"{raw_float:.7g}") * point.scale + point.offset)
    raw = int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
    bits = 8 * (size or 2)
    most = 10 ** (2 * size) - 1 if form == "bcd" else (1 << bits - (form == "int")) - 1
    if size == 0 and point.maximum is not None:
        most = int((Decimal(str(point.maximum)) - point.offset) / point.scale)
    least = -most - 1 if form == "int" else 0
    raw = min(max(raw, least), most)
    meant = raw * point.scale + point.offset
    return raw, int(meant) if point.type is ValueType.INT else float(meant)


def _is_part(point: Point) -> bool:
    """Whether a point is some bits of a value."""
    return _place(point).bit is not None or _place(point).mask is not None


def _part(word: Raw, place: DeclaredAddress) -> int:
    """Return the bits of a point, moved down."""
    mask = 1 << place.bit if place.bit is not None else place.mask or 0
    return (int(word) & mask) // (mask & -mask)


def _merged(word: Raw, place: DeclaredAddress, raw: Raw) -> int:
    """Return a word with the bits of one more point."""
    mask = 1 << place.bit if place.bit is not None else place.mask or 0
    lowest = mask & -mask
    return (int(word) & ~mask) | (int(raw) * lowest & mask)


def _patched(
    frame: bytes, template: AnyTemplate, patches: Sequence[tuple[DeclaredAddress, Raw]]
) -> bytes:
    """Return the frame with values at places, and its check value."""
    if not patches or not isinstance(template, Template):
        return frame
    octets = bytearray(frame)
    for place, raw in patches:
        at = (place.at or 0) % len(frame)
        if place.bit is not None or place.mask is not None:
            raw = _merged(int.from_bytes(octets[at : at + place.bytes], "big"), place, raw)  # noqa: PLW2901 - the same value among its neighbours
        octets[at : at + place.bytes] = _octets(place, raw)
    if template.layout.sum_at is not None:
        at = template.layout.sum_at % len(frame)
        octets[at : at + template.checksum.size] = template.checksum.of(bytes(octets), at)
    return bytes(octets)


def _octets(place: DeclaredAddress, raw: Raw) -> bytes:
    form, size = str(place.type or "uint"), place.bytes
    if form == "ascii":
        return str(raw).encode("ascii", "replace")[:size].ljust(size)
    if form == "float":
        octets = struct.pack(">f" if size == 4 else ">d", float(raw))  # noqa: PLR2004 - IEEE 754
    elif form in {"bcd", "digits"}:
        octets = bytes.fromhex(str(raw).zfill(2 * size)[-2 * size :])
    else:
        octets = int(raw).to_bytes(size, "big", signed=form == "int")
    return octets[::-1] if place.order == "little" else octets


def _meaning(point: Point, raw: object) -> Value:
    """Return what a raw value that was written means."""
    if point.type is ValueType.BOOL:
        return bool(raw) != point.is_inverted
    if point.type is ValueType.ENUM:
        return point.enum.get(int(str(raw)), str(raw))
    if point.type is ValueType.TEXT:
        return str(raw)
    exact = Decimal(str(raw)) * point.scale + point.offset
    return int(exact) if point.type is ValueType.INT else float(exact)
