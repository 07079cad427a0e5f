"""Where a point is in a transmitter's reports, and what is peculiar to a transmitter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as key
from enum import StrEnum
from typing import Literal

from drivers.gbt26875.clock import ClockForm
from drivers.gbt26875.codec import ADDRESS_BYTES, Framing
from drivers.gbt26875.objects import BITS, COMPONENT_BYTES, SCALES, Object

_KINDS = {scale.name: kind for kind, scale in SCALES.items()}
_HEX_SOURCE = re.compile(r"[0-9A-Fa-f]{12}")
_DOTTED = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,5})*")
_HEX_COMPONENT = re.compile(r"[0-9A-Fa-f]{8}")
_PLACED = frozenset({Object.COMPONENT, Object.ANALOGUE})
_OF_SYSTEMS = _PLACED | {Object.SYSTEM, Object.OPERATION}
_WITH_OPERATOR = frozenset({Object.OPERATION, Object.DEVICE_OPERATION})
_PAIR, _QUAD = 2, 4
_BYTE = 0xFF
_WORD = 0xFFFF


class Field(StrEnum):
    """What of a report a point is."""

    STATE = "state"
    NORMAL = "normal"
    ALARM = "alarm"
    FAULT = "fault"
    BLOCKED = "blocked"
    SUPERVISED = "supervised"
    ON = "on"
    FEEDBACK = "feedback"
    DELAYED = "delayed"
    MAINS_FAULT = "mains_fault"
    BACKUP_FAULT = "backup_fault"
    BUS_FAULT = "bus_fault"
    MANUAL = "manual"
    CHANGED = "changed"
    RESET = "reset"
    LINK_FAULT = "link_fault"
    LINE_FAULT = "line_fault"
    MUTED = "muted"
    MANUAL_ALARM = "manual_alarm"
    ALARM_CANCELLED = "alarm_cancelled"
    SELF_TEST = "self_test"
    CONFIRMED = "confirmed"
    GUARD_ANSWERED = "guard_answered"
    TEST = "test"
    ABNORMAL = "abnormal"
    TEXT = "text"
    VALUE = "value"
    OPERATOR = "operator"
    TIME = "time"
    EVENT = "event"


def parse_source(text: str) -> bytes:
    """Return the six bytes of a transmitter's address, highest first.

    Twelve hexadecimal digits, or six decimal numbers with points between them, both highest byte
    first; on the wire the lowest comes first.

    Raises:
        ValueError: it is neither.
    """
    if _HEX_SOURCE.fullmatch(text):
        return bytes.fromhex(text)
    if (octets := _dotted_bytes(text, ADDRESS_BYTES)) is not None:
        return octets
    raise ValueError(
        f"{text!r} is no address of a transmitter; write its six bytes, highest first, as 12 "
        "hexadecimal digits (010203040506) or as numbers (1.2.3.4.5.6)"
    )


def parse_component(text: str) -> bytes:
    """Return the four address bytes of a component, highest first; on the wire the lowest is.

    Eight hexadecimal digits (`000600D9`), four decimal numbers (`0.6.0.217`), or loop and number
    on it (`6.217`), the upper and the lower two bytes, as the public sample frame has it.

    Raises:
        ValueError: it is none of these.
    """
    if _HEX_COMPONENT.fullmatch(text):
        return bytes.fromhex(text)
    if (octets := _dotted_bytes(text, COMPONENT_BYTES)) is not None:
        return octets
    numbers = [int(part) for part in text.split(".")] if _DOTTED.fullmatch(text) else []
    if len(numbers) == _PAIR and max(numbers) <= _WORD:
        return b"".join(number.to_bytes(2, "big") for number in numbers)
    raise ValueError(
        f"{text!r} is no component; write its four bytes, highest first, as 8 hexadecimal digits "
        "(000600D9), as numbers (0.6.0.217), or loop and number (6.217)"
    )


def _dotted_bytes(text: str, count: int) -> bytes | None:
    numbers = [int(part) for part in text.split(".")] if _DOTTED.fullmatch(text) else []
    return bytes(numbers) if len(numbers) == count and max(numbers) <= _BYTE else None


@dataclass(frozen=True, slots=True)
class Gbt26875Address:
    """Address keys of a point in a profile of GB/T 26875.3."""

    object: Object = key(
        default=Object.COMPONENT,
        metadata={
            "description": "What the report is about: system (type 1), component (2), analogue "
            "(3), operation (4), device (21, the transmitter itself), device_operation (24), "
            "device_time (28)"
        },
    )
    field: Field = key(
        default=Field.STATE,
        metadata={
            "description": "state (the whole word), one bit of it by name, abnormal (any bit of "
            "alarm or fault), text, value, operator, time, or event (all in one line)"
        },
    )
    kind: str | None = key(
        default=None,
        metadata={"description": "Analogue type by name or number, for object analogue"},
    )
    system_type: int | None = key(
        default=None,
        metadata={"description": "Type of the system, such as 1", "ge": 0, "le": _BYTE},
    )
    system_address: int | None = key(
        default=None, metadata={"description": "Address of the system", "ge": 0, "le": _BYTE}
    )
    component_type: int | None = key(
        default=None, metadata={"description": "Type of the component", "ge": 0, "le": _BYTE}
    )
    component: str | None = key(
        default=None,
        metadata={
            "description": "Address of the component, 000600D9, 0.6.0.217 or 6.217; leave it out "
            "where the device of the site is the component"
        },
    )

    def __post_init__(self) -> None:
        """Check that the keys fit together.

        Raises:
            ValueError: they do not.
        """
        allowed = fields_of(self.object)
        if self.field not in allowed:
            known = ", ".join(sorted(allowed))
            raise ValueError(f"{self.object} has no {self.field}; it has {known}")
        if (self.kind is not None) != (self.object is Object.ANALOGUE):
            raise ValueError("kind is for object analogue, which needs one, such as temperature")
        _ = self.kind_number
        if self.component is not None:
            parse_component(self.component)
        self._check_place()

    def _check_place(self) -> None:
        if (self.component, self.component_type) != (None, None) and self.object not in _PLACED:
            raise ValueError(f"{self.object} is not of one component")
        if (self.system_type, self.system_address) != (None, None) and (
            self.object not in _OF_SYSTEMS
        ):
            raise ValueError(f"{self.object} is of the transmitter, not of one system")

    @property
    def kind_number(self) -> int | None:
        """The analogue type.

        Raises:
            ValueError: it is no name that is known, and no number of a byte.
        """
        if self.kind is None:
            return None
        if self.kind in _KINDS:
            return _KINDS[self.kind]
        if self.kind.isascii() and self.kind.isdecimal() and int(self.kind) in SCALES:
            return int(self.kind)
        raise ValueError(f"kind {self.kind!r} is unknown; there are {', '.join(_KINDS)}")

    @property
    def component_octets(self) -> bytes | None:
        """The four address bytes of the component that it names."""
        return None if self.component is None else parse_component(self.component)


def fields_of(what: Object) -> frozenset[Field]:
    """Return what a point of such a report can be."""
    fields = {Field.TIME, Field.EVENT}
    if what in BITS:
        fields |= {Field.STATE, *(Field(name) for name in BITS[what])}
    if what in {Object.COMPONENT, Object.SYSTEM, Object.DEVICE}:
        fields.add(Field.ABNORMAL)
    if what is Object.COMPONENT:
        fields.add(Field.TEXT)
    if what is Object.ANALOGUE:
        fields.add(Field.VALUE)
    if what in _WITH_OPERATOR:
        fields.add(Field.OPERATOR)
    return frozenset(fields)


@dataclass(frozen=True, slots=True)
class Gbt26875Quirks:
    """What is peculiar to a transmitter."""

    silent_after_s: int = key(
        default=3600,
        metadata={
            "description": "Seconds without any good frame after which the transmitter counts as "
            "silent; 0 for never",
            "ge": 0,
            "le": 31 * 86400,
        },
    )
    clock: ClockForm = key(
        default=ClockForm.AUTO,
        metadata={
            "description": "How it writes clocks: binary (the standard), bcd, or auto, which "
            "reads both and writes binary"
        },
    )
    set_clock_every_s: int = key(
        default=0,
        metadata={
            "description": "Set its clock when it first speaks and after so many seconds again "
            "(command 90); 0 for never",
            "ge": 0,
            "le": 31 * 86400,
        },
    )
    answer_within_s: int = key(
        default=10,
        metadata={
            "description": "Seconds that it has to answer us before we repeat, three times",
            "ge": 1,
            "le": 10,
        },
    )
    checksum_from: Literal["serial", "start"] = key(
        default="serial",
        metadata={"description": "Where its sum begins: serial (the standard) or start"},
    )
    start: str = key(default="4040", metadata={"description": "Its two start bytes in hexadecimal"})
    end: str = key(default="2323", metadata={"description": "Its two end bytes in hexadecimal"})

    def __post_init__(self) -> None:
        """Check the frame bytes.

        Raises:
            ValueError: they are not two bytes.
        """
        for name, text in (("start", self.start), ("end", self.end)):
            if not re.fullmatch(r"[0-9A-Fa-f]{4}", text):
                raise ValueError(f"{name} {text!r} must be two bytes such as 4040")

    @property
    def framing(self) -> Framing:
        """How it frames."""
        sums_start = self.checksum_from == "start"
        return Framing(bytes.fromhex(self.start), bytes.fromhex(self.end), sums_start)
