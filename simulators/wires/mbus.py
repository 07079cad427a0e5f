"""Simulated M-Bus meters: one telegram with a record for each point, with value code of its own.

Frames are the driver's codec, which its vectors prove; DIF, VIF and values are written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import Any

from drivers.mbus.codec import ACK, Frame, encode, find_ack, find_frames
from drivers.mbus.unit import MbusUnit
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Reply, Simulated

LONGEST_REQUEST = 64
CHINA = timedelta(hours=8)
SLAVE, NETWORK = 0x08, 0xFD
SND_NKE, REQ_UD2 = 0x40, 0x5B
FCB = 0x20
SELECT, RESET, VARIABLE, REFUSED = 0x52, 0x50, 0x72, 0x70
TOO_BUSY = b"\x08"
ROOM = 240
"""Bytes of records that a telegram carries; what is more comes in the next one."""
MAKER, VERSION, MEDIA = 0x2C2D, 8, MappingProxyType({"meter.water": 7, "meter.heat": 4})
HEADER = frozenset({"status", "id", "access_no", "medium"})


@dataclass(frozen=True, slots=True)
class Code:
    """How a quantity is written: its VIF, and what one count is in the unit of the profile."""

    vif: bytes
    step: Decimal


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "energy": Code(b"\x05", Decimal("0.1")),
        "volume": Code(b"\x13", Decimal("0.001")),
        "mass": Code(b"\x1b", Decimal(1)),
        "on_time": Code(b"\x20", Decimal(1)),
        "operating_time": Code(b"\x24", Decimal(1)),
        "power": Code(b"\x2a", Decimal("0.1")),
        "volume_flow": Code(b"\x3b", Decimal("0.001")),
        "flow_temperature": Code(b"\x59", Decimal("0.01")),
        "return_temperature": Code(b"\x5d", Decimal("0.01")),
        "temperature_difference": Code(b"\x61", Decimal("0.01")),
        "external_temperature": Code(b"\x65", Decimal("0.01")),
        "pressure": Code(b"\x68", Decimal("0.001")),
        "voltage": Code(b"\xfd\x48", Decimal("0.1")),
        "current": Code(b"\xfd\x59", Decimal("0.001")),
        "relative_humidity": Code(b"\xfb\x1a", Decimal("0.1")),
        "heat_cost_units": Code(b"\x6e", Decimal(1)),
        "error_flags": Code(b"\xfd\x17", Decimal(1)),
        "digital_input": Code(b"\xfd\x1b", Decimal(1)),
    }
)
FUNCTIONS = MappingProxyType({"instant": 0x00, "maximum": 0x10, "minimum": 0x20, "error": 0x30})
MANUFACTURER = b"\x7f"


@dataclass(frozen=True, slots=True)
class Written:
    """A record as it goes out, and the value that it means; None for no value."""

    octets: bytes
    value: Value | None


class Meter:
    """One meter: its address, its frame count, and the telegrams that it has left to send."""

    def __init__(self, one: Simulated) -> None:
        self.id = str(one.device.id)
        self.unit: Any = one.device.unit
        self.is_selected = False
        self._kind = one.device.kind
        self._points = one.device.points
        self._twin = one.twin
        self._access_no = 0
        self._last_bit: bool | None = None
        self._last = b""
        self._left: list[list[Written]] = []

    @property
    def name(self) -> MbusUnit:
        """The full secondary address; a meter with a primary one has a number made from it."""
        number = self.unit.number if self.unit.primary is None else f"{self.unit.primary:08}"
        medium = self.unit.medium if self.unit.medium != 0xFF else MEDIA.get(self._kind, 0)  # noqa: PLR2004 - any
        version = self.unit.version if self.unit.version != 0xFF else VERSION  # noqa: PLR2004 - any
        maker = self.unit.manufacturer
        maker = MAKER if maker == 0xFFFF else maker  # noqa: PLR2004 - any
        return MbusUnit(None, number.replace("F", "0"), maker, version, medium)

    def reset(self) -> None:
        """Forget the frame count bit and begin with the first telegram."""
        self._last_bit = None
        self._left = []

    def telegram(self, c: int, now_ms: int) -> bytes:
        """Return the next telegram, or the last one again when the frame count bit is the same."""
        bit = bool(c & FCB)
        if bit == self._last_bit and self._last:
            return self._last
        self._last_bit = bit
        if not self._left:
            self._left = self._parts(now_ms)
        part = self._left.pop(0)
        self._access_no = (self._access_no + 1) & 0xFF
        end = b"\x1f" if self._left else b""
        body = self._head(now_ms) + b"".join(w.octets for w in part) + end
        address = 0 if self.unit.primary is None else self.unit.primary
        self._last = encode(Frame(SLAVE, address, VARIABLE, body))
        return self._last

    def _head(self, now_ms: int) -> bytes:
        values = self._twin.values(now_ms)
        status = 0
        for point in self._points:
            address: Any = point.address
            if address.quantity == "status" and address.bit is not None:
                is_set = bool(values.get(str(point.id), False)) != point.is_inverted
                status |= int(is_set) << address.bit
        self._serve_header(status, now_ms)
        return self.name.selection + bytes((self._access_no, status, 0, 0))

    def _serve_header(self, status: int, now_ms: int) -> None:
        said: Mapping[str, Value] = {
            "status": status,
            "id": self.name.number,
            "access_no": self._access_no,
        }
        for point in self._points:
            address: Any = point.address
            value = said.get(address.quantity or "")
            if value is None:
                continue
            if address.bit is not None:
                value = bool(int(value) >> address.bit & 1) != point.is_inverted
            self._twin.serve(str(point.id), value, now_ms)

    def _parts(self, now_ms: int) -> list[list[Written]]:
        """Return the records of now, as many in each telegram as it has room for."""
        values = self._twin.values(now_ms)
        parts: list[list[Written]] = [[]]
        size = 0
        for point in self._points:
            written = _write(point, values.get(str(point.id)), now_ms)
            if written is None:
                continue
            self._twin.serve(str(point.id), written.value, now_ms)
            if size + len(written.octets) > ROOM:
                parts.append([])
                size = 0
            parts[-1].append(written)
            size += len(written.octets)
        return parts


def _write(point: Point, value: Value | None, now_ms: int) -> Written | None:
    """Return the record of a point; None where this simulator does not know its quantity."""
    address: Any = point.address
    if address.quantity in HEADER:
        return None
    if address.dif_vif is not None:
        return _write_exact(bytes.fromhex(address.dif_vif), value)
    if address.quantity in {"datetime", "date"}:
        return _write_time(address, now_ms)
    code = CODES.get(address.quantity)
    if code is not None and not isinstance(value, str):
        return _write_count(point, code, value)
    return _write_number(address, value) if address.quantity == "fabrication_no" else None


def _write_count(point: Point, code: Code, value: Value | None) -> Written:
    address: Any = point.address
    exact = (Decimal(str(float(value or 0))) - point.offset) / point.scale
    if address.unit == "J":
        exact /= 3_600_000
    count = int((exact / code.step).to_integral_value(ROUND_HALF_EVEN))
    vif = code.vif
    if address.qualifier == "manufacturer":
        vif = vif[:-1] + bytes((vif[-1] | 0x80,)) + MANUFACTURER
    if 0 <= count < 10**8:
        octets = _place(0x0C, address) + vif + bytes.fromhex(f"{count:08}")[::-1]
    else:
        count = max(-(1 << 47) + 1, min((1 << 47) - 1, count))
        octets = _place(0x06, address) + vif + count.to_bytes(6, "little", signed=True)
    raw = count * code.step * (3_600_000 if address.unit == "J" else 1)
    served = raw * point.scale + point.offset
    return Written(octets, int(served) if point.type is ValueType.INT else float(served))


def _write_exact(header: bytes, value: Value | None) -> Written:
    """Write under header bytes that a profile gives; a count of one step is one."""
    kind = header[0] & 0x0F
    if kind == 0x0D:  # noqa: PLR2004 - variable length
        text = str(value or "")[:32].encode("latin-1", "replace")
        return Written(header + bytes((len(text),)) + text[::-1], text.decode("latin-1"))
    size = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6)[kind]
    count = 0 if isinstance(value, str) or value is None else int(value)
    if kind >= 0x09:  # noqa: PLR2004 - BCD
        count = max(0, min(10 ** (2 * size) - 1, count))
        return Written(header + bytes.fromhex(f"{count:0{2 * size}}")[::-1], count)
    limit = (1 << (8 * size - 1)) - 1
    count = max(-limit, min(limit, count))
    return Written(header + count.to_bytes(size, "little", signed=True), count)


def _write_number(address: Any, value: Value | None) -> Written:  # noqa: ANN401 - the driver's own
    digits = "".join(letter for letter in str(value or "") if letter.isdecimal())[-8:].zfill(8)
    return Written(_place(0x0C, address) + b"\x78" + bytes.fromhex(digits)[::-1], digits)


def _write_time(address: Any, now_ms: int) -> Written:  # noqa: ANN401 - the driver's own
    """Write local time to the minute (type F), or the date (type G); a set day is January 1."""
    at = (datetime.fromtimestamp(now_ms // 1000, UTC) + CHINA).replace(second=0, tzinfo=None)
    year = at.year % 100
    if address.quantity == "date":
        day = at.replace(month=1, day=1) if address.storage else at
        octets = bytes((day.day | (year & 7) << 5, day.month | year >> 3 << 4))
        return Written(_place(0x02, address) + b"\x6c" + octets, day.date().isoformat())
    octets = bytes((at.minute, at.hour, at.day | (year & 7) << 5, at.month | year >> 3 << 4))
    return Written(_place(0x04, address) + b"\x6d" + octets, at.isoformat())


def _place(kind: int, address: Any) -> bytes:  # noqa: ANN401 - the driver's own
    """Return DIF and as many DIFEs as storage, tariff and subunit need."""
    storage, tariff, subunit = address.storage, address.tariff, address.subunit
    octets = [kind | FUNCTIONS[address.function] | (storage & 1) << 6]
    storage >>= 1
    while storage or tariff or subunit:
        octets[-1] |= 0x80
        octets.append(storage & 0x0F | (tariff & 3) << 4 | (subunit & 1) << 6)
        storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
    return bytes(octets)


class Meters:
    """The meters of one line."""

    def __init__(self, devices: Sequence[Simulated]) -> None:
        self._meters = [Meter(one) for one in devices]

    def take(self, buffer: bytearray) -> bytes | None:
        """Take the next whole request."""
        found = next(find_frames(bytes(buffer)), None)
        if found is None:
            del buffer[:-LONGEST_REQUEST]
            return None
        del buffer[: found.end]
        return encode(found.frame)

    def answer(self, frame: bytes, now_ms: int) -> Reply | None:
        """Return what the meters say that are asked."""
        found = next(find_frames(frame), None)
        if found is None or find_ack(frame) == 0:
            return None
        asked = found.frame
        return self._answer(asked, now_ms) if asked.ci is None else self._command(asked)

    def _answer(self, asked: Frame, now_ms: int) -> Reply | None:
        """Answer a short frame: initialisation, or a request for data."""
        meters = self._asked(asked)
        if not meters or asked.c is None:
            return None
        ids = tuple(meter.id for meter in meters)
        if asked.c == SND_NKE:
            for meter in meters:
                meter.reset()
                meter.is_selected = False
            return Reply(ids, bytes((ACK,)))
        if asked.c & ~FCB != REQ_UD2:
            return None
        return Reply(ids, _overlaid([meter.telegram(asked.c, now_ms) for meter in meters]))

    def refusal(self, frame: bytes) -> bytes | None:
        """Return the application error "too busy" of the meter that is asked for data."""
        found = next(find_frames(frame), None)
        if found is None or found.frame.c is None or found.frame.c & ~FCB != REQ_UD2:
            return None
        return encode(Frame(SLAVE, found.frame.a, REFUSED, TOO_BUSY))

    def _asked(self, asked: Frame) -> list[Meter]:
        if asked.a == NETWORK:
            return [meter for meter in self._meters if meter.is_selected]
        return [meter for meter in self._meters if meter.unit.primary == asked.a]

    def _command(self, asked: Frame) -> Reply | None:
        """Select, or reset the application."""
        if asked.a == NETWORK and asked.ci == SELECT:
            return self._select(asked.body)
        meters = self._asked(asked)
        if asked.ci != RESET or not meters:
            return None
        for meter in meters:
            meter.reset()
        return Reply(tuple(meter.id for meter in meters), bytes((ACK,)))

    def _select(self, selection: bytes) -> Reply | None:
        if len(selection) != 8:  # noqa: PLR2004 - the length of a secondary address
            return None
        number = selection[3::-1].hex().upper()
        maker = int.from_bytes(selection[4:6], "little")
        mask = MbusUnit(None, number, maker, selection[6], selection[7])
        for meter in self._meters:
            meter.is_selected = mask.covers(meter.name)
            if meter.is_selected:
                meter.reset()
        ids = tuple(meter.id for meter in self._meters if meter.is_selected)
        return Reply(ids, bytes((ACK,))) if ids else None


def _overlaid(frames: Sequence[bytes]) -> bytes:
    """Return what is heard when several speak at once, each a character later than the one before.

    A bit is 0 where one of them pulls it so.
    """
    heard = bytearray(b"\xff" * (max(map(len, frames)) + len(frames) - 1))
    for delay, frame in enumerate(frames):
        for place, octet in enumerate(frame, delay):
            heard[place] &= octet
    return bytes(heard)


class _Simulator:
    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Meters:  # noqa: ARG002
        """Return the meters of one line."""
        return Meters(devices)

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:  # noqa: ARG002
        """Return None: meters are asked."""
        return None


SIMULATOR = _Simulator()
