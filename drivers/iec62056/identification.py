"""Who a meter says it is, and which rate it proposes (IEC 62056-21:2002, 6.3.2 and 6.3.14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MOST_IDENTIFICATION = 64
"""Characters after the rate; the standard allows 16, read-outs in the field have more."""
MOST_LINE = 7 + MOST_IDENTIFICATION
"""Characters of the whole message: slash, maker, rate, identification, CR LF."""
FIRST_BAUD = 300
RATES = (300, 600, 1200, 2400, 4800, 9600, 19200)
"""Baud rates that the characters 0 to 6 stand for."""
_LINE = re.compile(rb"/([A-Za-z]{3})([\x20-\x7E])([\x20-\x7E]{0,64})\r\n")
_C = {str(code): baud for code, baud in enumerate(RATES)}
_B = {chr(ord("A") + code): baud for code, baud in enumerate(RATES[1:])}


class Mode(StrEnum):
    """How a meter goes on after its identification."""

    A = "A"
    """Data follow at once at the same rate."""
    B = "B"
    """Data follow at the rate that it names, without an acknowledgement."""
    C = "C"
    """It waits for an acknowledgement with the rate."""


@dataclass(frozen=True, slots=True)
class Identification:
    """The identification message. `end` is where it ends in the bytes that were searched."""

    manufacturer: str
    baud_character: str
    text: str
    end: int

    @property
    def mode(self) -> Mode:
        """What the rate character says: digits are mode C, letters A to F mode B, others mode A."""
        if self.baud_character.isdecimal():
            return Mode.C
        return Mode.B if self.baud_character in _B else Mode.A

    @property
    def baud(self) -> int:
        """The rate that it proposes; 300 where the character names none."""
        return {**_C, **_B}.get(self.baud_character, FIRST_BAUD)

    @property
    def reaction_ms(self) -> int:
        """Its least reaction time: 20 ms where the third letter of the maker is lower case."""
        return 20 if self.manufacturer[2].islower() else 200

    @property
    def line(self) -> str:
        """The message as text, without its end."""
        return f"/{self.manufacturer}{self.baud_character}{self.text}"


def find_identification(octets: bytes, begin: int = 0) -> Identification | None:
    """Return the first identification among seven-bit characters from `begin` on, or None."""
    match = _LINE.search(octets, begin)
    if match is None:
        return None
    manufacturer, baud, text = (part.decode("ascii") for part in match.groups())
    return Identification(manufacturer, baud, text, match.end())


def agreed_baud_character(proposed: str, max_baud: int) -> str:
    """Return the rate character to acknowledge: the proposed one, or a slower one."""
    allowed = [code for code, baud in _C.items() if baud <= max_baud]
    return min(proposed, allowed[-1]) if proposed in _C else allowed[0]


def baud_of(character: str) -> int:
    """Return the rate of a mode C character."""
    return _C[character]
