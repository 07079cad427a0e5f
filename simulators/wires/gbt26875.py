"""Fire transmitters: they tell every state when they connect, and each change within a second.

Values are written here with code of its own; frames are the driver's codec, which its vectors
prove. What is not confirmed within ten seconds is sent again, three times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType

from drivers.gbt26875.address import Gbt26875Address, Gbt26875Quirks
from drivers.gbt26875.codec import STANDARD, Command, Frame, Framing, Stream, encode
from drivers.gbt26875.units import Place, parse_place
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Simulated, Slaves

CENTRE = bytes(5) + b"\xc8"
TICK_MS = 1000
TEST_SIGNAL_MS = 30_000
CONFIRM_MS = 10_000
REPEATS = 3
CHINA = timedelta(hours=8)
SMOKE = 40
FIRE_SYSTEM = 1
TEXT_BYTES = 31
TYPES: Mapping[str, int] = MappingProxyType(
    {
        "system": 1,
        "component": 2,
        "analogue": 3,
        "operation": 4,
        "device": 21,
        "device_operation": 24,
        "device_time": 28,
    }
)
_OF_PLACE = "normal alarm fault blocked supervised on feedback delayed mains_fault"
_DONE = "reset muted manual_alarm alarm_cancelled self_test {} test"
NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "component": _OF_PLACE.split(),
        "system": [*_OF_PLACE.split(), "backup_fault", "bus_fault", "manual", "changed", "reset"],
        "device": [
            *_OF_PLACE.split()[:3],
            "mains_fault",
            "backup_fault",
            "link_fault",
            "line_fault",
        ],
        "operation": _DONE.format("confirmed").split(),
        "device_operation": _DONE.format("guard_answered").split(),
    }
)
BAD = frozenset(
    {
        *("alarm", "fault", "blocked", "supervised", "mains_fault"),
        *("backup_fault", "bus_fault", "link_fault", "line_fault"),
    }
)
STEPS: Mapping[str, Decimal] = MappingProxyType(
    {
        "count": Decimal(1),
        "height": Decimal("0.01"),
        "temperature": Decimal("0.1"),
        "pressure_mpa": Decimal("0.1"),
        "pressure_kpa": Decimal("0.1"),
        "gas": Decimal("0.1"),
        "time": Decimal(1),
        "voltage": Decimal("0.1"),
        "current": Decimal("0.1"),
        "flow": Decimal("0.1"),
        "air_flow": Decimal("0.1"),
        "air_speed": Decimal(1),
    }
)
"""What one count of an analogue value is, in the order of the types from 1."""


@dataclass(frozen=True, slots=True)
class Said:
    """One object: its bytes without the time, and what each field of it is."""

    octets: bytes
    facts: Mapping[str, Value]


@dataclass(slots=True)
class Topic:
    """One object that a device tells of, and what it told last."""

    simulated: Simulated
    place: Place
    points: list[Point]
    last: bytes | None = None

    @property
    def address(self) -> Gbt26875Address:
        """The address that all its points share, but for the field."""
        return _address(self.points[0])

    def say(self, now_ms: int) -> Said:
        """Return what is so at this moment."""
        values = self.simulated.twin.values(now_ms)
        pairs = [(p, values[str(p.id)]) for p in self.points if str(p.id) in values]
        what = str(self.address.object)
        if what == "device_time":
            return Said(b"", {})
        return self._amount(pairs) if what == "analogue" else self._state(what, pairs)

    def _amount(self, pairs: Sequence[tuple[Point, Value]]) -> Said:
        kind = self.address.kind or "count"
        number = int(kind) if kind.isdecimal() else [*STEPS].index(kind) + 1
        step = list(STEPS.values())[number - 1]
        word = 0
        for point, value in pairs:
            if _field(point) == "value":
                exact = (Decimal(str(value)) - point.offset) / point.scale / step
                word = max(-0x8000, min(0x7FFF, int(exact.to_integral_value(ROUND_HALF_EVEN))))
        octets = bytes((number,)) + word.to_bytes(2, "little", signed=True)
        return Said(self._where() + octets, {"value": float(word * step)})

    def _state(self, what: str, pairs: Sequence[tuple[Point, Value]]) -> Said:
        word, text = word_of(what, pairs), text_of(pairs)
        octets = word.to_bytes(2 if what in {"component", "system"} else 1, "little")
        if what == "component":
            octets += text.encode("gb18030").ljust(TEXT_BYTES, b"\0")
        if what.endswith("operation"):
            octets += b"\0"
        where = b"" if what.startswith("device") else self._where()
        return Said(where + octets, self._facts(what, word, text))

    def _facts(self, what: str, word: int, text: str) -> dict[str, Value]:
        """Return what every field of a state is."""
        true = [name for bit, name in enumerate(NAMES[what]) if word >> bit & 1]
        system, where = self.system, self._where()
        place = f"{system[0]}.{system[1]}"
        place += f"/{where[6:2:-1].hex()}" if what == "component" else ""
        parts = [what, "" if what.startswith("device") else place, "+".join(true) or str(word)]
        facts: dict[str, Value] = {name: name in true for name in NAMES[what]}
        return {
            **facts,
            "state": word,
            "abnormal": not BAD.isdisjoint(true),
            "text": text,
            "operator": 0,
            "event": " ".join(part for part in (*parts, text) if part),
        }

    @property
    def system(self) -> tuple[int, int]:
        """Type and address of the system."""
        address, place = self.address, self.place
        of_type = (address.system_type, place.system_type, FIRE_SYSTEM)
        of_address = (address.system_address, place.system_address, 1)
        return tuple(next(n for n in ns if n is not None) for ns in (of_type, of_address))  # type: ignore[return-value]

    def _where(self) -> bytes:
        """Return the bytes of system and component that stand before a state."""
        address = self.address
        if str(address.object) in {"system", "operation"}:
            return bytes(self.system)
        component = address.component_octets or self.place.component or bytes(4)
        of_type = SMOKE if address.component_type is None else address.component_type
        return bytes((*self.system, of_type)) + component[::-1]


def word_of(what: str, pairs: Sequence[tuple[Point, Value]]) -> int:
    """Return the state word that says what the points are; `abnormal` alone is an alarm."""
    by_field = {_field(point): (point, value) for point, value in pairs}
    flags = {n: v for n, (p, v) in by_field.items() if p.type is ValueType.BOOL}
    if not flags and "state" in by_field:
        return int(by_field["state"][1]) & (0xFFFF if what in {"component", "system"} else 0xFF)
    names = NAMES[what]
    true = {n for n, v in flags.items() if bool(v) != by_field[n][0].is_inverted}
    if "abnormal" in true and true.isdisjoint(BAD):
        true.add("alarm")
    if "normal" in names and true.isdisjoint(BAD):
        true.add("normal")
    return sum(1 << bit for bit, name in enumerate(names) if name in true)


def text_of(pairs: Sequence[tuple[Point, Value]]) -> str:
    """Return the text of a component, as much as fits."""
    text = next((str(v) for p, v in pairs if _field(p) == "text"), "")
    return text.encode("gb18030")[:TEXT_BYTES].decode("gb18030", "ignore")


def china(now_ms: int) -> datetime:
    """Return the local time of a transmitter, in whole seconds and without a zone."""
    return (datetime.fromtimestamp(now_ms // 1000, UTC) + CHINA).replace(tzinfo=None)


def clock_bytes(now_ms: int) -> bytes:
    """Return second, minute, hour, day, month and year of now, binary."""
    at = china(now_ms)
    return bytes((at.second, at.minute, at.hour, at.day, at.month, at.year % 100))


def _address(point: Point) -> Gbt26875Address:
    if not isinstance(point.address, Gbt26875Address):
        raise TypeError(f"{point.id} has no address of GB/T 26875.3")
    return point.address


def served(point: Point, fact: Value) -> Value:
    """Return the value of a point whose field is this."""
    if isinstance(fact, str):
        return fact
    if point.type is ValueType.BOOL:
        return bool(fact) != point.is_inverted
    exact = Decimal(str(fact)) * point.scale + point.offset
    return int(exact) if point.type is ValueType.INT else float(exact)


def _field(point: Point) -> str:
    return str(_address(point).field)


@dataclass(slots=True)
class Waiting:
    """A frame that nobody confirmed yet."""

    octets: bytes
    due_ms: int
    left: int = REPEATS


@dataclass(slots=True)
class Transmitter:
    """One source address: its topics, serial numbers and what waits for confirmation."""

    source: bytes
    framing: Framing
    topics: list[Topic] = field(default_factory=list[Topic])
    of_any: list[Topic] = field(default_factory=list[Topic])
    """Points that are of whichever component spoke last."""
    serial: int = 0
    waiting: dict[int, Waiting] = field(default_factory=dict[int, Waiting])
    spoke_ms: int = 0

    def tell(self, now_ms: int) -> Iterator[bytes]:
        """Yield frames: what changed, and a test signal after a pause."""
        for topic in self.topics:
            said = topic.say(now_ms)
            if said.octets == topic.last:
                continue
            topic.last = said.octets
            self._note(topic, {**said.facts, "time": china(now_ms).isoformat()}, now_ms)
            head = bytes((TYPES[str(topic.address.object)], 1))
            yield self._send(head + said.octets + clock_bytes(now_ms), now_ms)
        if now_ms - self.spoke_ms >= TEST_SIGNAL_MS:
            yield self._send(b"", now_ms)

    def _note(self, topic: Topic, facts: Mapping[str, Value], now_ms: int) -> None:
        """Note what the points of a topic are by what it says."""
        is_component = str(topic.address.object) == "component"
        for one in (topic, *(self.of_any if is_component else ())):
            for point in one.points:
                if (fact := facts.get(_field(point))) is not None:
                    one.simulated.twin.serve(str(point.id), served(point, fact), now_ms)

    def repeat(self, now_ms: int) -> Iterator[bytes]:
        """Yield again what was not confirmed in time."""
        for serial, waiting in list(self.waiting.items()):
            if waiting.due_ms > now_ms:
                continue
            if not waiting.left:
                del self.waiting[serial]
                continue
            waiting.left, waiting.due_ms = waiting.left - 1, now_ms + CONFIRM_MS
            yield waiting.octets

    def _send(self, application: bytes, now_ms: int) -> bytes:
        self.serial = (self.serial + 1) & 0xFFFF
        clock = clock_bytes(now_ms)
        frame = Frame(self.serial, int(Command.SEND), self.source, CENTRE, clock, application)
        octets = encode(frame, self.framing)
        self.waiting[self.serial] = Waiting(octets, now_ms + CONFIRM_MS)
        self.spoke_ms = now_ms
        return octets


class Transmitters:
    """All transmitters that speak on one connection."""

    def __init__(self, devices: Sequence[Simulated]) -> None:
        """Group the points of the devices by the objects that carry them."""
        self._by_source: dict[bytes, Transmitter] = {}
        for simulated in devices:
            self._add(simulated)
        framings = dict.fromkeys(t.framing for t in self._by_source.values())
        self._stream = Stream(tuple(framings) or (STANDARD,))
        self._wake_at_ms: int | None = None

    @property
    def wake_at_ms(self) -> int | None:
        """A second after the last look; None before the connection stands."""
        return self._wake_at_ms

    def opened(self, now_ms: int) -> bytes:
        """Return all states."""
        for transmitter in self._by_source.values():
            transmitter.waiting.clear()
            for topic in transmitter.topics:
                topic.last = None
        return self.wake(now_ms)

    def received(self, data: bytes, now_ms: int) -> bytes:
        """Take confirmations; confirm what the centre commands."""
        answers: list[bytes] = []
        for frame in self._stream.feed(data):
            if not isinstance(frame, Frame):
                continue
            transmitter = self._by_source.get(frame.target)
            if transmitter is None:
                continue
            if frame.command == Command.CONFIRM:
                transmitter.waiting.pop(frame.serial, None)
            elif frame.command == Command.CONTROL:
                clock, command = clock_bytes(now_ms), int(Command.CONFIRM)
                answer = Frame(frame.serial, command, frame.target, frame.source, clock)
                answers.append(encode(answer, transmitter.framing))
        return b"".join(answers)

    def wake(self, now_ms: int) -> bytes:
        """Return what is repeated, what changed, and test signals."""
        self._wake_at_ms = now_ms + TICK_MS
        return b"".join(
            octets
            for transmitter in self._by_source.values()
            for octets in (*transmitter.repeat(now_ms), *transmitter.tell(now_ms))
        )

    def _add(self, simulated: Simulated) -> None:
        place = parse_place(simulated.device.unit)
        quirks = simulated.device.quirks.driver
        framing = quirks.framing if isinstance(quirks, Gbt26875Quirks) else STANDARD
        transmitter = self._by_source.setdefault(place.source, Transmitter(place.source, framing))
        topics: dict[object, Topic] = {}
        for point in simulated.device.points:
            a = _address(point)
            place_of = (a.system_type, a.system_address, a.component_type, a.component)
            key = (a.object, a.kind, place_of)
            topics.setdefault(key, Topic(simulated, place, [])).points.append(point)
        for topic in topics.values():
            a = topic.address
            is_any = place.component is None and a.component is None
            is_of_any = is_any and str(a.object) in {"component", "analogue"}
            (transmitter.of_any if is_of_any else transmitter.topics).append(topic)


class Gbt26875Simulator:
    """See `simulators.contract.Simulator`."""

    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Slaves | None:  # noqa: ARG002
        """Return None: transmitters speak by themselves."""
        return None

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:  # noqa: ARG002
        """Return the transmitters of one connection."""
        return Transmitters(devices)


SIMULATOR = Gbt26875Simulator()
