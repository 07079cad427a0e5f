"""Fixed structure: a header and two counters of four bytes (CI 73 and 77)."""

from __future__ import annotations

from fractions import Fraction
from types import MappingProxyType

from drivers.mbus.meaning import Meaning, Table, decades
from drivers.mbus.reader import Broken, Reader
from drivers.mbus.record import Record, Records
from drivers.mbus.values import to_bcd, to_integer

FIXED_BYTES = 16
HEAD_BYTES = 8
COUNTER_BYTES = 4
_BINARY, _HISTORIC = 0x01, 0x02
_SAME_BUT_HISTORIC = 0x3E
_RESERVED = Meaning("unknown", qualifiers=("unit_reserved",))


def _row(first: int, quantity: str, unit: str, scales: tuple[Fraction, ...]) -> Table:
    """Return three codes for each scale: times 1, 10, 100."""
    rows = enumerate(scale * 10**n for scale in scales for n in range(3))
    return {first + n: Meaning(quantity, unit, scale) for n, scale in rows}


_MILLI, _UNIT, _KILO = Fraction(1, 1000), Fraction(1), Fraction(1000)
_MICRO, _MEGA, _GIGA = _MILLI**2, _KILO**2, _KILO**3
UNITS = MappingProxyType[int, Meaning](
    {
        **_row(0x02, "energy", "kW.h", (_MILLI, _UNIT, _KILO)),
        **_row(0x0B, "energy", "J", (_KILO, _MEGA, _GIGA)),
        **_row(0x14, "power", "W", (_UNIT, _KILO, _MEGA)),
        **_row(0x1D, "power", "W", (_KILO / 3600, _MEGA / 3600, _GIGA / 3600)),
        **_row(0x26, "volume", "m3", (_MICRO, _MILLI, _UNIT)),
        **_row(0x2F, "volume_flow", "m3/h", (_MICRO, _MILLI, _UNIT)),
        **decades(0x38, 1, "flow_temperature", "Cel", -3),
        0x39: Meaning("heat_cost_units"),
        0x3F: Meaning("dimensionless"),
    }
)
"""Units by their six bits; 00 and 01 (time and date of day) and 3A..3D are left unknown."""


def medium_code(octets: bytes) -> int:
    """Return the four bits of medium that the two unit bytes have in their upper two bits."""
    return octets[6] >> 6 | (octets[7] >> 6) << 2


def read_counters(octets: bytes, *, msb_first: bool = False) -> Records:
    """Return the two counters of a body of 16 bytes; `octets` begins with the number.

    The second one may be what the first was at a set day: it is storage 1 of its quantity then.
    """
    reader = Reader(octets, HEAD_BYTES)
    found: list[Record] = []
    broken = None if len(octets) == FIXED_BYTES else _sentence(octets)
    try:
        found.append(_counter(reader, octets, 0, msb_first=msb_first))
        found.append(_counter(reader, octets, 1, msb_first=msb_first))
    except Broken:
        broken = _sentence(octets)
    return Records(tuple(found), broken=broken)


def _sentence(octets: bytes) -> str:
    return f"fixed structure has {FIXED_BYTES} bytes, {len(octets)} came"


def _counter(reader: Reader, octets: bytes, index: int, *, msb_first: bool) -> Record:
    status, code = octets[5], octets[6 + index] & 0x3F
    is_historic = bool(index and code == _SAME_BUT_HISTORIC)
    meaning = UNITS.get(octets[6] & 0x3F if is_historic else code, _RESERVED)
    said = reader.take(COUNTER_BYTES)
    content = said[::-1] if msb_first else said
    read = to_integer if status & _BINARY else to_bcd
    number = read(content)
    return Record(
        header=octets[6 + index : 7 + index],
        meaning=meaning,
        storage=int(is_historic or bool(status & _HISTORIC)),
        number=None if number is None else number * meaning.factor + meaning.offset,
    )
