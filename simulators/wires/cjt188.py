"""Simulated meters of CJ/T 188: answer 901F, months, days, prices, the address; move the valve.

Values are put into bytes by code of this file alone; frames and the question whose number is meant
use the driver's codec, which its vectors prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from drivers.cjt188.address import Cjt188Address, Cjt188Quirks, is_same_meter
from drivers.cjt188.codec import Broken, Frame, encode, end_of, frame_at, starts
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Reply, Simulated, Slaves

READ, READ_ADDRESS, WRITE = 0x01, 0x03, 0x04
ANSWERED, REFUSED = 0x80, 0xC0
ANY_TYPE = 0xAA
READING, ADDRESS, CLOCK, VALVE = 0x901F, 0x810A, 0xA015, 0xA017
MONTHS = range(0xD120, 0xD12C)
OPENS, CLOSES = 0x55, 0x99
UNKNOWN = b"\x00\x02"
"""Status of a refusal: what a meter really says there, no source tells."""
STRANGE_SER = 0x03
"""Serial number of a meter that does not mirror it."""
PREAMBLES = 2
CHINA = timedelta(hours=8)
LAST_DAY = 31


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a reply as bytes: number, its decimals, and the code of its unit if it has one."""

    names: tuple[str, ...]
    size: int
    decimals: int = 0
    unit: int | None = None


def _volume(*names: str) -> Part:
    return Part(names, 4, 2, 0x2C)


def _energy(*names: str) -> Part:
    return Part(names, 4, 2, 0x05)


WATER = (_volume("volume"), _volume("volume_day"), Part(("clock",), 7), Part(("status",), 2))
ELECTRICITY = (_energy("energy"), _energy("energy_day"), Part(("clock",), 7), Part(("status",), 2))
HEAT = (
    _energy("energy_day", "energy_cold"),
    _energy("energy"),
    Part(("power",), 4, 2, 0x17),
    Part(("flow",), 4, 4, 0x35),
    _volume("volume"),
    Part(("t_supply",), 3, 2),
    Part(("t_return",), 3, 2),
    Part(("hours",), 3),
    Part(("clock",), 7),
    Part(("status",), 2),
)
PRICES = tuple(
    Part((name,), 3, 2 if name.startswith("price") else 0)
    for name in ("price_1", "step_1", "price_2", "step_2", "price_3")
)
PURCHASE = (
    Part(("purchase_count",), 1),
    Part(("purchase",), 4, 2),
    Part(("purchase_total",), 4, 2),
    Part(("money_left",), 4, 2),
    Part(("status",), 2),
)
DAY = (Part(("day",), 1),)


@dataclass(slots=True)
class Meter:
    """One meter on the wire; several devices of the site may be parts of it."""

    number: str
    quirks: Cjt188Quirks
    simulated: list[Simulated] = field(default_factory=list[Simulated])
    clock_ahead_s: float = 0.0

    @property
    def ids(self) -> tuple[str, ...]:
        """The devices that speak when it does."""
        return tuple(str(one.device.id) for one in self.simulated)

    def points(self, di: int, *names: str) -> Iterator[tuple[Simulated, Point]]:
        """Yield the points of these fields."""
        for one in self.simulated:
            for point in one.device.points:
                address = _address(point)
                if address.identifier == di and (not names or str(address.field) in names):
                    yield one, point

    def identifier(self, wire: bytes) -> int | None:
        """Return the data identifier if it is in an order that the meter understands."""
        orders = {"high_first": ("big",), "low_first": ("little",)}
        known = {READING, ADDRESS, CLOCK, VALVE} | {
            _address(p).identifier for one in self.simulated for p in one.device.points
        }
        for order in orders.get(str(self.quirks.di_order), ("big", "little")):
            di = int.from_bytes(wire, "big" if order == "big" else "little")
            if di in known:
                return di
        return None

    def parts(self, di: int) -> Sequence[Part]:
        """Return the fields of its reply to an identifier; none where it has no such thing."""
        if di == READING:
            family = self.quirks.meter_type >> 4
            return {2: HEAT, 4: ELECTRICITY}.get(family, WATER)
        if di in MONTHS:
            names = {str(_address(p).field) for _, p in self.points(di)}
            return (_energy("energy") if "energy" in names else _volume("volume"),)
        return {0x8102: PRICES, 0x8103: DAY, 0x8104: DAY, 0x8105: PURCHASE}.get(di, ())

    def octets(self, di: int, part: Part, now_ms: int) -> bytes:
        """Return the bytes of a field, and note what they carry."""
        if part.names == ("clock",):
            return self._clock(di, now_ms)
        if part.names == ("status",):
            return self.status(di, now_ms)
        number = self._number(di, part, now_ms)
        if part.unit is None:
            return number
        code = bytes((part.unit,))
        return code + number if self.quirks.unit_first else number + code

    def status(self, di: int, now_ms: int) -> bytes:
        """Return the status word as its points say; single bits win over the whole."""
        word = 0
        points = list(self.points(di, "status"))
        for one, point in points:
            if _mask(point) is None:
                word = int(one.twin.values(now_ms)[str(point.id)]) & 0xFFFF
        for one, point in points:
            mask = _mask(point)
            if mask is not None:
                raw = _raw_int(point, one.twin.values(now_ms)[str(point.id)])
                word = word & ~mask | raw * (mask & -mask) & mask
        for one, point in points:
            mask = _mask(point)
            raw = word if mask is None else (word & mask) // (mask & -mask)
            one.twin.serve(str(point.id), _value_of_int(point, raw), now_ms)
        return word.to_bytes(2, "big")

    def _number(self, di: int, part: Part, now_ms: int) -> bytes:
        decimals = self.quirks.flow_decimals if part.names == ("flow",) else part.decimals
        found = list(self.points(di, *part.names))
        if not found:
            return b"\xff" * part.size
        one, point = found[0]
        exact = Decimal(str(one.twin.values(now_ms)[str(point.id)]))
        raw = (exact - point.offset) / point.scale
        digits = int(raw.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
        if part.names == ("day",):
            digits = digits % LAST_DAY + 1
        digits = min(max(digits, 0), 255 if part.size == 1 else 10 ** (2 * part.size) - 1)
        for served, its in found:
            exact = Decimal(digits).scaleb(-decimals) * its.scale + its.offset
            value = int(exact) if its.type is ValueType.INT else float(exact)
            served.twin.serve(str(its.id), value, now_ms)
        if part.names == ("purchase_count",):
            return bytes((digits,))
        return bytes.fromhex(f"{digits:0{2 * part.size}d}")[::-1]

    def _clock(self, di: int, now_ms: int) -> bytes:
        at = datetime.fromtimestamp(now_ms // 1000 + round(self.clock_ahead_s), UTC) + CHINA
        at = at.replace(tzinfo=None)
        for one, point in self.points(di, "clock"):
            one.twin.serve(str(point.id), at.isoformat(), now_ms)
        octets = bytes.fromhex(f"{at:%Y%m%d%H%M%S}")
        return octets if str(self.quirks.clock_order) == "high_first" else octets[::-1]

    def set_clock(self, octets: bytes, now_ms: int) -> bool:
        """Set the clock from seven bytes; False when they are no time."""
        digits = (octets if str(self.quirks.clock_order) == "high_first" else octets[::-1]).hex()
        try:
            at = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return False
        self.clock_ahead_s = (at - CHINA).timestamp() - now_ms // 1000
        return True

    def move_valve(self, code: int, now_ms: int) -> bool:
        """Move the valve; False when there is none, or the code says nothing."""
        found = list(self.points(VALVE))
        if not found or code not in {OPENS, CLOSES}:
            return False
        for one, point in found:
            name: Value = point.enum.get(code, code == CLOSES)
            one.twin.write(str(point.id), name, now_ms)
        return True


class Meters:
    """All meters behind one port."""

    def __init__(self, devices: Sequence[Simulated]) -> None:
        """Put devices with the same number together: they are one meter."""
        self._meters: dict[str, Meter] = {}
        for one in devices:
            number, quirks = str(one.device.unit), one.device.quirks.driver
            known = quirks if isinstance(quirks, Cjt188Quirks) else Cjt188Quirks()
            self._meters.setdefault(number, Meter(number, known)).simulated.append(one)
        self._answers: Mapping[int, Callable[[Meter, int, bytes, int], bytes | None]] = {
            READ: _read,
            READ_ADDRESS: _read_address,
            WRITE: _write,
        }

    def take(self, buffer: bytearray) -> bytes | None:
        """Take the next sound frame out of a stream; noise before it is dropped."""
        octets = bytes(buffer)
        waiting: int | None = None
        for start in starts(octets):
            found = frame_at(octets, start)
            if isinstance(found, Frame):
                end = end_of(octets, start)
                del buffer[:end]
                return octets[start:end]
            if found is None and waiting is None:
                waiting = start
        del buffer[: len(octets) if waiting is None else waiting]
        return None

    def answer(self, frame: bytes, now_ms: int) -> Reply | None:
        """Return the reply of the meter that is asked; silence where two would answer at once."""
        asked = _request(frame)
        meter = None if asked is None else self._asked(asked)
        if asked is None or meter is None:
            return None
        di = meter.identifier(asked.content[:2])
        content = None
        answer = self._answers.get(asked.control)
        if di is not None and answer is not None:
            content = answer(meter, di, asked.content[3:], now_ms)
        ser = _ser(meter, asked)
        if content is None:
            octets = _framed(meter, asked.control | REFUSED, bytes((ser,)) + UNKNOWN)
        else:
            said = asked.content[:2] + bytes((ser,)) + content
            octets = _framed(meter, asked.control | ANSWERED, said)
        return Reply(meter.ids, octets)

    def refusal(self, frame: bytes) -> bytes | None:
        """Return the error reply to a request."""
        asked = _request(frame)
        meter = None if asked is None else self._asked(asked)
        if asked is None or meter is None:
            return None
        return _framed(meter, asked.control | REFUSED, bytes((_ser(meter, asked),)) + UNKNOWN)

    def _asked(self, asked: Frame) -> Meter | None:
        found = [
            meter
            for number, meter in self._meters.items()
            if is_same_meter(asked.address, number)
            and asked.type in {meter.quirks.meter_type, ANY_TYPE}
        ]
        return found[0] if len(found) == 1 else None


class Cjt188Simulator:
    """See `simulators.contract.Simulator`."""

    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Slaves | None:  # noqa: ARG002
        """Return the meters of one port."""
        return Meters(devices)

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:  # noqa: ARG002
        """Return None: meters wait until they are asked."""
        return None


SIMULATOR = Cjt188Simulator()


def _read(meter: Meter, di: int, payload: bytes, now_ms: int) -> bytes | None:
    parts = meter.parts(di)
    if payload or not parts:
        return None
    return b"".join(meter.octets(di, part, now_ms) for part in parts)


def _read_address(meter: Meter, di: int, payload: bytes, now_ms: int) -> bytes | None:
    if payload or di != ADDRESS:
        return None
    for one, point in meter.points(ADDRESS):
        one.twin.serve(str(point.id), meter.number, now_ms)
    return b""


def _write(meter: Meter, di: int, payload: bytes, now_ms: int) -> bytes | None:
    if di == CLOCK:
        is_done = meter.set_clock(payload, now_ms)
    else:
        is_done = di == VALVE and len(payload) == 1 and meter.move_valve(payload[0], now_ms)
    return bytes(2) if is_done else None


def _request(octets: bytes) -> Frame | None:
    """Return the first sound request in what came between two silences."""
    found: list[Frame | Broken | None] = [frame_at(octets, start) for start in starts(octets)]
    requests = (f for f in found if isinstance(f, Frame) and not f.is_reply and len(f.content) > 2)  # noqa: PLR2004 - DI and SER
    return next(requests, None)


def _framed(meter: Meter, control: int, content: bytes) -> bytes:
    return encode(Frame(meter.quirks.meter_type, meter.number, control, content), PREAMBLES)


def _ser(meter: Meter, asked: Frame) -> int:
    return STRANGE_SER if str(meter.quirks.ser) == "any" else asked.content[2]


def _address(point: Point) -> Cjt188Address:
    if not isinstance(point.address, Cjt188Address):
        raise TypeError(f"{point.id} has no address of CJ/T 188")
    return point.address


def _mask(point: Point) -> int | None:
    address = _address(point)
    return 1 << address.bit if address.bit is not None else address.mask


def _raw_int(point: Point, value: Value) -> int:
    if point.type is ValueType.BOOL:
        return int(bool(value) != point.is_inverted)
    if point.type is ValueType.ENUM:
        return next((raw for raw, name in point.enum.items() if name == value), 0)
    return int(value)


def _value_of_int(point: Point, raw: int) -> Value | None:
    if point.type is ValueType.BOOL:
        return bool(raw) != point.is_inverted
    if point.type is ValueType.ENUM:
        return point.enum.get(raw)
    return raw
