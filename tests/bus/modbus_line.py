"""A line of simulated Modbus meters in virtual time, with a ledger of what they served."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

from drivers import registry
from drivers.contract import Address
from drivers.modbus.crc import with_crc
from gateway.bus.around import Around
from gateway.bus.line import BusLine
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.sample import DeviceState, LineState, Samples
from gateway.settings.driver_keys import address_model
from gateway.settings.site import (
    Device,
    DeviceQuirks,
    Echo,
    Every,
    Line,
    MemoryPort,
    Point,
    PollRule,
    Priority,
    SerialPort,
    ValueType,
)
from gateway.settings.where import Where
from tests.support.links import Answer, WireLink
from tests.support.virtual_time import ManualClock

HERE = Where("test.yaml", 1, 1)
ZONE = ZoneInfo("Asia/Shanghai")
SERIAL_9600_8E1 = SerialPort("/dev/none", 9600, parity="E")
SPEC = registry.load("modbus")


def modbus_address(**keys: object) -> Address:
    """Return the address of these keys, as settings make it."""
    return address_model(SPEC).model_validate(keys).plain


def point(
    register: int,
    rule: PollRule | None = None,
    priority: Priority = Priority.NORMAL,
    **address: object,
) -> Point:
    """Return a point of one u16 register."""
    return Point(
        id=PointId(f"r{register}"),
        address=modbus_address(register=register, **address),
        type=ValueType.INT,
        unit=None,
        poll=rule or Every(1.0),
        group="all",
        priority=priority,
        where=HERE,
        scale=Decimal(1),
    )


def device(unit: int, points: Iterable[Point], **changes: object) -> Device:
    """Return a device that answers under a unit."""
    settings: dict[str, object] = {
        "id": DeviceId(f"em-{unit:02}"),
        "profile": "test/meter",
        "kind": "meter.electricity",
        "line": LineName("meters"),
        "protocol": "modbus-rtu",
        "unit": unit,
        "address_text": str(unit),
        "points": tuple(points),
        "quirks": DeviceQuirks(SPEC.quirks_type()),
        "where": HERE,
    }
    settings.update(changes)
    return Device(**settings)  # type: ignore[arg-type]


def serial_line(**changes: object) -> Line:
    """Return a line at 9600 8E1."""
    settings: dict[str, object] = {
        "name": LineName("meters"),
        "link": SERIAL_9600_8E1,
        "protocol": "modbus-rtu",
        "where": HERE,
        "echo": Echo.AUTO,
    }
    settings.update(changes)
    return Line(**settings)  # type: ignore[arg-type]


def network_line(**changes: object) -> Line:
    """Return a line that is a TCP connection."""
    return serial_line(link=MemoryPort("tcp"), protocol="modbus-tcp", **changes)


@dataclass(frozen=True, slots=True)
class Served:
    """One register value that a meter put on the wire."""

    value: int
    asked_at: float
    ended_at: float


@dataclass
class Meter:
    """A slave with registers that change at every read; `fault` may spoil its answers."""

    unit: int
    turnaround_s: float = 0.005
    is_alive: bool = True
    holes: frozenset[int] = frozenset()
    written: dict[int, int] = field(default_factory=dict[int, int])
    served: dict[int, list[Served]] = field(default_factory=dict[int, list[Served]])
    polls: list[float] = field(default_factory=list[float])
    spoil: Callable[[Answer, bytes], Iterable[Answer]] | None = None
    """Returns what is sent in place of an answer."""
    count: int = 0

    def __call__(self, request: bytes, at: float) -> Iterable[Answer]:
        if not self.is_alive or request[0] != self.unit:
            return ()
        self.polls.append(at)
        answer = self.answer(request, at)
        return (answer,) if self.spoil is None else self.spoil(answer, request)

    def answer(self, request: bytes, at: float) -> Answer:
        """Return the right answer, and note it in the ledger when it is sent."""
        function, first, count = request[1], *struct.unpack(">HH", request[2:6])
        if function in (5, 6):
            self.written[first] = count
            return Answer(self.turnaround_s, request)
        if any(register in self.holes for register in range(first, first + count)):
            return Answer(self.turnaround_s, with_crc(bytes((self.unit, function | 0x80, 2))))
        values: list[int] = []
        for register in range(first, first + count):
            self.count += 1
            values.append((self.count * 127 + register + self.unit * 7919) & 0xFFFF)
        body = bytes((self.unit, function, 2 * count)) + struct.pack(f">{count}H", *values)

        def on_sent(_begins: float, ends: float) -> None:
            for offset, value in enumerate(values):
                self.served.setdefault(first + offset, []).append(Served(value, at, ends))

        return Answer(self.turnaround_s, with_crc(body), on_sent)


class Spoiler:
    """Spoils a share of a meter's answers in all the ways of the trade."""

    KINDS = ("silent", "late", "very_late", "noise", "bit", "cut", "unit", "count", "refuse")

    def __init__(self, rate: float, seed: int) -> None:
        self.rate = rate
        self.dice = random.Random(seed)  # noqa: S311 - no secret

    def __call__(self, answer: Answer, request: bytes) -> Iterable[Answer]:
        if self.dice.random() >= self.rate:
            return (answer,)
        del request
        return getattr(self, self.dice.choice(self.KINDS))(answer)

    def silent(self, answer: Answer) -> Iterable[Answer]:
        del answer
        return ()

    def late(self, answer: Answer) -> Iterable[Answer]:
        return (Answer(self.dice.uniform(0.05, 1.5), answer.frame, answer.on_sent),)

    def very_late(self, answer: Answer) -> Iterable[Answer]:
        return (Answer(self.dice.uniform(1.5, 5.0), answer.frame, answer.on_sent),)

    def noise(self, answer: Answer) -> Iterable[Answer]:
        noise = bytes(self.dice.randrange(256) for _ in range(self.dice.randrange(1, 9)))
        return (Answer(answer.delay_s, noise + answer.frame, answer.on_sent),)

    def bit(self, answer: Answer) -> Iterable[Answer]:
        frame = bytearray(answer.frame)
        frame[self.dice.randrange(len(frame))] ^= 1 << self.dice.randrange(8)
        return (Answer(answer.delay_s, bytes(frame)),)

    def cut(self, answer: Answer) -> Iterable[Answer]:
        frame = answer.frame
        return (Answer(answer.delay_s, frame[: self.dice.randrange(1, len(frame))]),)

    def unit(self, answer: Answer) -> Iterable[Answer]:
        frame = answer.frame
        return (Answer(answer.delay_s, with_crc(bytes((frame[0] + 1,)) + frame[1:-2])),)

    def count(self, answer: Answer) -> Iterable[Answer]:
        frame = answer.frame
        shorter = frame[2] - 2
        body = frame[:2] + bytes((shorter,)) + frame[3 : 3 + shorter]
        return (Answer(answer.delay_s, with_crc(body)),)

    def refuse(self, answer: Answer) -> Iterable[Answer]:
        frame = answer.frame
        return (Answer(answer.delay_s, with_crc(bytes((frame[0], frame[1] | 0x80, 4)))),)


@dataclass
class Output:
    """Keeps what a line says."""

    samples: list[Samples] = field(default_factory=list[Samples])
    at: list[float] = field(default_factory=list[float])
    states: list[DeviceState] = field(default_factory=list[DeviceState])
    lines: list[LineState] = field(default_factory=list[LineState])
    keeps: bool = True
    commits: bool = True
    """Whether what is told is committed at once."""
    readings: int = 0

    def put_samples(self, samples: Samples) -> None:
        self.readings += len(samples.raw)
        if self.commits and samples.kept is not None:
            samples.kept()
        if self.keeps:
            self.samples.append(samples)
            self.at.append(asyncio.get_running_loop().time())

    def put_device_state(self, state: DeviceState) -> None:
        self.states.append(state)

    def put_line_state(self, state: LineState) -> None:
        self.lines.append(state)

    def good(self, name: str) -> list[Samples]:
        """Return the good samples of a device."""
        return [s for s in self.samples if s.device == name and s.fault is None]


@dataclass
class Bench:
    """A line with its devices, ready to run."""

    line: Line
    devices: list[Device]
    link: WireLink
    output: Output = field(default_factory=Output)
    clock: ManualClock = field(default_factory=ManualClock)

    async def run(
        self, seconds: float, meanwhile: Callable[[BusLine], object] | None = None
    ) -> BusLine:
        """Run the line for so many seconds; `meanwhile` may return a coroutine to await."""
        bus = BusLine(self.line, self.devices, self.link, Around(self.clock, self.output, ZONE))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bus.run(stop), name="line")
            started = asyncio.get_running_loop().time()
            result = meanwhile(bus) if meanwhile is not None else None
            if asyncio.iscoroutine(result):
                await result
            await asyncio.sleep(max(0.0, started + seconds - asyncio.get_running_loop().time()))
            stop.set()
        return bus


def wire(*meters: Meter, char_s: float = SERIAL_9600_8E1.char_s, chunk: int = 8) -> WireLink:
    """Return a line in memory with these meters."""
    return WireLink(char_s, *meters, chunk=chunk)
