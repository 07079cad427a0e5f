"""Application parts of GB/T 26875.3-2011: type, count, objects, each with the time of its state.

Sizes as reference page A8 and the tests of shootingfans/codec_gb26875_3_2011 have them (type 4 has
system type and address before the two bytes). State bits are of that repository's
`constant/type.go` alone: the standard's figures were not at hand. Analogue types 2, 3, 4, 5, 8, 9
are of A8, the others of its `constant/parameter.go`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from drivers.gbt26875.codec import CLOCK_BYTES, HEAD

COMPONENT_BYTES = 4
TEXT_BYTES = 31
_LISTING = 2  # type and count


class Object(StrEnum):
    """What a report is about; the names are those of a profile's `object`."""

    SYSTEM = "system"
    COMPONENT = "component"
    ANALOGUE = "analogue"
    OPERATION = "operation"
    DEVICE = "device"
    DEVICE_OPERATION = "device_operation"
    DEVICE_TIME = "device_time"


TYPES: Mapping[int, Object] = MappingProxyType(
    {
        1: Object.SYSTEM,
        2: Object.COMPONENT,
        3: Object.ANALOGUE,
        4: Object.OPERATION,
        21: Object.DEVICE,
        24: Object.DEVICE_OPERATION,
        28: Object.DEVICE_TIME,
    }
)
SET_CLOCK = 90
"""Type of the control command that sets the clock of a transmitter."""

_SIZES = {
    Object.SYSTEM: 4,
    Object.COMPONENT: 40,
    Object.ANALOGUE: 10,
    Object.OPERATION: 4,
    Object.DEVICE: 1,
    Object.DEVICE_OPERATION: 2,
    Object.DEVICE_TIME: 0,
}
_COMPONENT_BITS = (
    "normal",
    "alarm",
    "fault",
    "blocked",
    "supervised",
    "on",
    "feedback",
    "delayed",
    "mains_fault",
)
BITS: Mapping[Object, tuple[str, ...]] = MappingProxyType(
    {
        Object.COMPONENT: _COMPONENT_BITS,
        Object.SYSTEM: (
            *_COMPONENT_BITS,
            "backup_fault",
            "bus_fault",
            "manual",
            "changed",
            "reset",
        ),
        Object.DEVICE: (
            "normal",
            "alarm",
            "fault",
            "mains_fault",
            "backup_fault",
            "link_fault",
            "line_fault",
        ),
        Object.OPERATION: (
            "reset",
            "muted",
            "manual_alarm",
            "alarm_cancelled",
            "self_test",
            "confirmed",
            "test",
        ),
        Object.DEVICE_OPERATION: (
            "reset",
            "muted",
            "manual_alarm",
            "alarm_cancelled",
            "self_test",
            "guard_answered",
            "test",
        ),
    }
)
"""Names of the bits of a state or operation, bit 0 first."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What the integer of an analogue value counts, exactly."""

    name: str
    step: Decimal
    unit: str | None


SCALES: Mapping[int, Scale] = MappingProxyType(
    {
        1: Scale("count", Decimal(1), "1"),
        2: Scale("height", Decimal("0.01"), "m"),
        3: Scale("temperature", Decimal("0.1"), "Cel"),
        4: Scale("pressure_mpa", Decimal("0.1"), "MPa"),
        5: Scale("pressure_kpa", Decimal("0.1"), "kPa"),
        6: Scale("gas", Decimal("0.1"), "%{LEL}"),
        7: Scale("time", Decimal(1), "s"),
        8: Scale("voltage", Decimal("0.1"), "V"),
        9: Scale("current", Decimal("0.1"), "A"),
        10: Scale("flow", Decimal("0.1"), "L/s"),
        11: Scale("air_flow", Decimal("0.1"), "m3/min"),
        12: Scale("air_speed", Decimal(1), "m/s"),
    }
)


@dataclass(frozen=True, slots=True)
class Report:
    """One object of an application part.

    `word` is the state, the operation, or the integer of an analogue value; `component` the four
    address bytes, highest first; `clock` the six bytes of its time.
    """

    object: Object
    clock: bytes
    system_type: int | None = None
    system_address: int | None = None
    component_type: int | None = None
    component: bytes | None = None
    word: int | None = None
    kind: int | None = None
    text: str | None = None
    operator: int | None = None

    @property
    def value(self) -> float | None:
        """The analogue value in its unit; None for a kind that has no known scale."""
        scale = SCALES.get(self.kind or 0)
        return None if scale is None or self.word is None else float(self.word * scale.step)

    @property
    def bits(self) -> tuple[str, ...]:
        """The names of the bits that are set."""
        names = BITS.get(self.object, ())
        return tuple(name for bit, name in enumerate(names) if (self.word or 0) >> bit & 1)


def read_reports(application: bytes) -> tuple[Report, ...]:
    """Return the reports of an application part; () for an empty one and for unknown types.

    Raises:
        ValueError: type and count do not give its length.
    """
    if len(application) < _LISTING:
        if application:
            raise ValueError("an application part begins with type and count")
        return ()
    what, count = TYPES.get(application[0]), application[1]
    if what is None:
        return ()
    size = _SIZES[what] + CLOCK_BYTES
    if len(application) != _LISTING + count * size:
        raise ValueError(
            f"{count} objects of type {application[0]} are {_LISTING + count * size} bytes, "
            f"there are {len(application)}"
        )
    return tuple(_reports(what, application, size))


def operator_spans(application: bytes) -> Iterator[slice]:
    """Yield where in a whole frame of standard length the operators' numbers stand."""
    for number, report in enumerate(read_reports(application)):
        if report.operator is not None:
            size = _SIZES[report.object] + CLOCK_BYTES
            at = HEAD + _LISTING + number * size + _SIZES[report.object] - 1
            yield slice(at, at + 1)


def _reports(what: Object, application: bytes, size: int) -> Iterator[Report]:
    for start in range(_LISTING, len(application), size):
        octets = application[start : start + size]
        yield _report(what, octets[:-CLOCK_BYTES], octets[-CLOCK_BYTES:])


def _report(what: Object, octets: bytes, clock: bytes) -> Report:
    match what:
        case Object.DEVICE:
            return Report(what, clock, word=octets[0])
        case Object.DEVICE_OPERATION:
            return Report(what, clock, word=octets[0], operator=octets[1])
        case Object.DEVICE_TIME:
            return Report(what, clock)
        case _:
            return _of_system(what, octets, clock)


def _of_system(what: Object, octets: bytes, clock: bytes) -> Report:
    system_type, system_address = octets[0], octets[1]
    if what is Object.SYSTEM:
        word = int.from_bytes(octets[2:4], "little")
        return Report(what, clock, system_type, system_address, word=word)
    if what is Object.OPERATION:
        return Report(what, clock, system_type, system_address, word=octets[2], operator=octets[3])
    component_type, component = octets[2], octets[3 : 3 + COMPONENT_BYTES][::-1]
    place = (what, clock, system_type, system_address, component_type, component)
    if what is Object.ANALOGUE:
        # Below zero as two's complement: the standard's text at hand names no form.
        word = int.from_bytes(octets[8:10], "little", signed=True)
        return Report(*place, word=word, kind=octets[7])
    word, text = int.from_bytes(octets[7:9], "little"), _text(octets[9:])
    return Report(*place, word=word, text=text)


def _text(octets: bytes) -> str:
    """Return a GB18030 text without its filling; bytes that are none become U+FFFD.

    Of a text that is longer than its field, the last character may be cut in two: it is left out.
    """
    text = octets.split(b"\0", 1)[0].decode("gb18030", "replace")
    if b"\0" not in octets:
        text = text.removesuffix("\N{REPLACEMENT CHARACTER}")
    return "".join(one for one in text if one.isprintable()).strip()
