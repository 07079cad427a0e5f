"""What a slave says with one frame: who it is, how it is, and its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from drivers.mbus.codec import Frame
from drivers.mbus.fixed import medium_code, read_counters
from drivers.mbus.record import Record, Records
from drivers.mbus.unit import MbusUnit
from drivers.mbus.variable import read_records

RESET, DATA_SEND, SELECT = 0x50, 0x51, 0x52
ERROR, ALARM = 0x70, 0x71
VARIABLE, FIXED, NO_HEADER, SHORT_HEADER = 0x72, 0x73, 0x78, 0x7A
MODE_2 = 0x04
"""Bit of CI that sends multi-byte values highest byte first."""
_LONG_HEADER_BYTES, _SHORT_HEADER_BYTES = 12, 4
_FIXED_HEADER_BYTES = 8
_ENCRYPTIONS = frozenset({2, 3, 4, 5, 7, 13})
"""Modes of the configuration field in which the records are ciphertext; old meters put anything
into the field, so other numbers are taken as no mode."""

ERRORS = MappingProxyType(
    {
        0: "unspecified error",
        1: "CI is not implemented",
        2: "buffer too long",
        3: "too many records",
        4: "premature end of record",
        5: "more than 10 DIFEs",
        6: "more than 10 VIFEs",
        7: "reserved",
        8: "application too busy for a readout",
        9: "too many readouts",
    }
)
"""Codes of the application error (CI 70)."""
BUSY = 8

MEDIA = MappingProxyType(
    {
        0x00: "Other",
        0x01: "Oil",
        0x02: "Electricity",
        0x03: "Gas",
        0x04: "Heat: Outlet",
        0x05: "Steam",
        0x06: "Warm water (30-90°C)",
        0x07: "Water",
        0x08: "Heat Cost Allocator",
        0x09: "Compressed Air",
        0x0A: "Cooling load meter: Outlet",
        0x0B: "Cooling load meter: Inlet",
        0x0C: "Heat: Inlet",
        0x0D: "Heat / Cooling load meter",
        0x0E: "Bus/System",
        0x0F: "Unknown Medium",
        0x14: "Calorific value",
        0x15: "Hot water (>90°C)",
        0x16: "Cold water",
        0x17: "Dual water",
        0x18: "Pressure",
        0x19: "A/D Converter",
        0x1A: "Smoke detector",
        0x1B: "Room sensor",
        0x1C: "Gas detector",
        0x20: "Breaker: Electricity",
        0x21: "Valve: Gas or water",
        0x25: "Customer unit: Display device",
        0x28: "Waste water",
        0x29: "Garbage",
    }
)
FIXED_MEDIA = (
    *("Other", "Oil", "Electricity", "Gas", "Heat", "Steam", "Hot Water", "Water"),
    *("H.C.A.", "Reserved", "Gas Mode 2", "Heat Mode 2", "Hot Water Mode 2", "Water Mode 2"),
    *("H.C.A. Mode 2", "Reserved"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """Who speaks and how it is; None for what the telegram does not say.

    Bits of `status` in variable structure: 0 and 1 state of the application, 2 low power, 3
    permanent error, 4 temporary error, 5 to 7 the maker's own.
    """

    unit: MbusUnit | None = None
    medium: str | None = None
    access_no: int | None = None
    status: int | None = None
    signature: int | None = None


@dataclass(frozen=True, slots=True)
class Telegram:
    """One frame of a slave. `refusal` is the code of an application error, `alarm` a state."""

    header: Header = field(default_factory=Header)
    records: tuple[Record, ...] = ()
    more_follow: bool = False
    broken: str | None = None
    refusal: int | None = None
    alarm: int | None = None
    content: bytes = b""
    """What follows the header: equal in two telegrams that say the same."""


def read_telegram(frame: Frame) -> Telegram | None:
    """Return what a frame says; None where its CI carries no records."""
    ci, body = frame.ci, frame.body
    msb_first = ci in {VARIABLE | MODE_2, FIXED | MODE_2}
    plain = None if ci is None else ci & ~MODE_2 if msb_first else ci
    if plain in {VARIABLE, FIXED}:
        read = _variable if plain == VARIABLE else _fixed
        return read(body, msb_first=msb_first)
    if plain == SHORT_HEADER and len(body) >= _SHORT_HEADER_BYTES:
        header = Header(access_no=body[0], status=body[1], signature=_number(body[2:4]))
        return _with_records(header, body[_SHORT_HEADER_BYTES:])
    if plain in {NO_HEADER, DATA_SEND}:
        return _with_records(Header(), body)
    return _report(frame)


def _report(frame: Frame) -> Telegram | None:
    """Return an application error or an alarm."""
    code = frame.body[0] if frame.body else 0
    if frame.ci == ERROR:
        return Telegram(refusal=code, content=frame.body)
    return Telegram(alarm=code, content=frame.body) if frame.ci == ALARM else None


def _variable(body: bytes, *, msb_first: bool) -> Telegram:
    if len(body) < _LONG_HEADER_BYTES:
        return Telegram(broken=f"a header has 12 bytes, {len(body)} came", content=body)
    fields = body[0:4], body[4:6], body[10:12]
    number, maker, signature = (part[::-1] if msb_first else part for part in fields)
    unit = MbusUnit(None, _digits(number), _number(maker), body[6], body[7])
    medium = MEDIA.get(body[7], f"Reserved {body[7]:02X}")
    header = Header(unit, medium, body[8], body[9], _number(signature))
    return _with_records(header, body[_LONG_HEADER_BYTES:], msb_first=msb_first)


def _fixed(body: bytes, *, msb_first: bool) -> Telegram:
    if len(body) < _FIXED_HEADER_BYTES:
        return Telegram(broken=f"fixed structure has 16 bytes, {len(body)} came", content=body)
    number = body[3::-1] if msb_first else body[:4]
    medium = FIXED_MEDIA[medium_code(body)]
    header = Header(MbusUnit(None, _digits(number)), medium, body[4], body[5])
    return _telegram(header, read_counters(body, msb_first=msb_first), body[5:])


def _with_records(header: Header, octets: bytes, *, msb_first: bool = False) -> Telegram:
    mode = (header.signature or 0) >> 8 & 0x1F
    if mode in _ENCRYPTIONS and not octets.startswith(b"\x2f\x2f"):
        found = Records(broken=f"records are encrypted, mode {mode}")
    else:
        found = read_records(octets, msb_first=msb_first)
    return _telegram(header, found, octets)


def _telegram(header: Header, found: Records, content: bytes) -> Telegram:
    return Telegram(header, found.records, found.more_follow, found.broken, content=content)


def _digits(octets: bytes) -> str:
    return octets[::-1].hex().upper()


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "little")
