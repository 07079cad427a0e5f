"""Where a value is in a read-out, and what is peculiar to a meter: what profiles write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from drivers.iec62056.codec import Bcc
from drivers.iec62056.identification import RATES
from drivers.iec62056.obis import parse_code
from drivers.iec62056.units import MeterUnit, unit_named

MOST_CODE = 32
MOST_PASSWORD = 32
_RESERVED = set("()/!*&")


class Format(StrEnum):
    """What is made of the text between the parentheses."""

    NUMBER = "number"
    TEXT = "text"


class Read(StrEnum):
    """How a value is had: with all others, or by a command of the programming mode."""

    READOUT = "readout"
    R1 = "r1"


class ModeChoice(StrEnum):
    """How the meter goes on after its identification."""

    AUTO = "auto"
    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True)
class Iec62056Address:
    """Address keys of a point in a profile."""

    obis: str = field(
        metadata={"description": "Code of the line, quoted: 1-0:1.8.0, short 1.8.0, or F.F, FREQU"}
    )
    part: int = field(
        default=0,
        metadata={
            "description": "Which pair of parentheses of the line, 0 the first",
            "ge": 0,
            "le": 255,
        },
    )
    raw_unit: str | None = field(
        default=None,
        metadata={
            "description": "Unit of the raw value as meters write it, such as kWh; what the meter "
            "sends is checked against it and converted"
        },
    )
    format: Format = field(
        default=Format.NUMBER, metadata={"description": "number, or text for dates and numbers"}
    )
    read: Read = field(
        default=Read.READOUT,
        metadata={"description": "readout, or r1 for a read command of the programming mode"},
    )

    def __post_init__(self) -> None:
        """Check that the keys fit together.

        Raises:
            ValueError: they do not.
        """
        code = parse_code(self.obis)
        is_plain = self.obis.isascii() and self.obis.isprintable() and len(self.obis) <= MOST_CODE
        if code is None or not is_plain:
            raise ValueError(
                f"{self.obis!r} is no code of a line; write it as the meter does: "
                '"1.8.0", "1-0:1.8.0", "F.F"'
            )
        if self.raw_unit is not None and unit_named(self.raw_unit) is None:
            raise ValueError(f"{self.raw_unit!r} is no unit of meters; write kWh, kW, m3, V, A, …")
        if self.raw_unit is not None and self.format is Format.TEXT:
            raise ValueError("format text has no raw_unit")

    @property
    def unit(self) -> MeterUnit | None:
        """The unit of the raw value; None where the number is taken as it stands."""
        return None if self.raw_unit is None else unit_named(self.raw_unit)


@dataclass(frozen=True, slots=True)
class Iec62056Quirks:
    """How a meter differs from mode C of the standard."""

    mode: ModeChoice = field(
        default=ModeChoice.AUTO,
        metadata={
            "description": "A, B or C where the identification does not say it rightly; a meter "
            "of mode A needs A"
        },
    )
    switch_baud: bool = field(
        default=True,
        metadata={"description": "false: the whole dialogue runs at the line's own setting"},
    )
    first_baud: int = field(
        default=300,
        metadata={"description": "Rate of the sign-on", "ge": 300, "le": 19200},
    )
    max_baud: int = field(
        default=19200,
        metadata={
            "description": "Fastest rate that is agreed to; a slower one than the meter's is named "
            "in the acknowledgement",
            "ge": 300,
            "le": 19200,
        },
    )
    framing: Literal["7E1", "8N1"] = field(
        default="7E1",
        metadata={"description": "8N1: the port has no parity, so it is sent in bit 7"},
    )
    bcc: Bcc = field(
        default=Bcc.XOR,
        metadata={"description": "Check character: xor, sum (modulo 128), auto takes both"},
    )
    password: str = field(
        default="",
        repr=False,
        metadata={"description": "Sent by P1 before read commands; empty: no password"},
    )
    block_chars: int = field(
        default=1000,
        metadata={
            "description": "Characters of a read-out, for its deadline and the plan",
            "ge": 16,
            "le": 20000,
        },
    )

    def __post_init__(self) -> None:
        """Check the rates and the password.

        Raises:
            ValueError: there is no such rate, or the password cannot be sent.
        """
        for name, baud in (("first_baud", self.first_baud), ("max_baud", self.max_baud)):
            if baud not in RATES:
                raise ValueError(f"{name} {baud} is no rate of these meters; write one of {RATES}")
        password = self.password
        is_plain = password.isascii() and (not password or password.isprintable())
        if not is_plain or len(password) > MOST_PASSWORD or _RESERVED & set(password):
            raise ValueError(f"a password has at most {MOST_PASSWORD} characters, none of ()/!*&")


def complete_address(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys with a code that YAML took for a number made a text again."""
    filled = dict(keys)
    code = filled.get("obis")
    if isinstance(code, int | float) and not isinstance(code, bool):
        filled["obis"] = str(code)
    return filled
