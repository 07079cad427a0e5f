"""Whom a request is for: a primary address, or a secondary one with wildcards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from drivers.mbus.codec import LAST_PRIMARY
from drivers.mbus.memory import Memory

_ID = re.compile(r"[0-9F]{8}")
_MANUFACTURER = re.compile(r"[A-Z]{3}")
_BYTE = re.compile(r"[0-9A-F]{2}")
_ANY_MANUFACTURER = 0xFFFF
_ANY = 0xFF
_ID_DIGITS = 8
_PRIMARY_DIGITS = 3
_PARTS = 4
EXPECTED = (
    "write a primary address from 0 to 250, or a secondary one in quotes such as "
    '"12345678" or "12345678.KAM.08.04" with F for any digit'
)


def manufacturer_text(code: int) -> str:
    """Return the three letters of a maker's code: five bits each, A is 1 (EN 62056-21 FLAG)."""
    letters = [(code >> shift & 0x1F) + 0x40 for shift in (10, 5, 0)]
    return "".join(chr(letter) for letter in letters)


def manufacturer_code(text: str) -> int:
    """Return the code of three letters."""
    first, second, third = (ord(letter) - 0x40 for letter in text)
    return first << 10 | second << 5 | third


@dataclass(frozen=True, slots=True)
class MbusUnit:
    """A slave: by `primary` address, else by `number` and what follows it on its label.

    `number` has eight digits, F for any; `manufacturer` is the code of three letters or FFFF for
    any, `version` and `medium` a byte or FF for any.
    """

    primary: int | None = None
    number: str = "F" * _ID_DIGITS
    manufacturer: int = _ANY_MANUFACTURER
    version: int = _ANY
    medium: int = _ANY
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)
    """The frame count bit of this meter on its line: all jobs of the unit share it, and units of
    the same number on two lines have one each."""

    def __str__(self) -> str:
        """Return the text that `parse_unit` takes."""
        if self.primary is not None:
            return str(self.primary)
        known = self.manufacturer, self.version, self.medium
        if known == (_ANY_MANUFACTURER, _ANY, _ANY):
            return self.number
        maker = manufacturer_text(self.manufacturer)
        if self.manufacturer == _ANY_MANUFACTURER or not _MANUFACTURER.fullmatch(maker):
            maker = "FFF"  # a code that is no letters (some meters have 0) is found by any
        return f"{self.number}.{maker}.{self.version:02X}.{self.medium:02X}"

    @property
    def selection(self) -> bytes:
        """The eight bytes that select it: number, maker, version, medium, low byte first."""
        number = bytes.fromhex(self.number)[::-1]
        return number + self.manufacturer.to_bytes(2, "little") + bytes((self.version, self.medium))

    def covers(self, other: MbusUnit) -> bool:
        """Whether another secondary address is one of those that this one stands for."""
        digits = zip(self.number, other.number, strict=True)
        return (
            all(mine in {"F", theirs} for mine, theirs in digits)
            and self.manufacturer in {_ANY_MANUFACTURER, other.manufacturer}
            and self.version in {_ANY, other.version}
            and self.medium in {_ANY, other.medium}
        )


def parse_unit(address: object) -> MbusUnit:
    """Return the unit of an `address:` in the site file.

    Raises:
        ValueError: it is none, and what to write.
    """
    text = str(address).strip().upper()
    if isinstance(address, bool | float) or address is None or not text.isascii():
        raise ValueError(f"{address!r} is no M-Bus address; {EXPECTED}")
    if text.isdecimal() and len(text) <= _PRIMARY_DIGITS:
        if int(text) > LAST_PRIMARY:
            raise ValueError(f"primary address {int(text)} does not exist; {EXPECTED}")
        return MbusUnit(primary=int(text))
    return _parse_secondary(text)


def _parse_secondary(text: str) -> MbusUnit:
    parts = [*text.split("."), "FFF", "FF", "FF"][:_PARTS]
    number, maker, version, medium = parts
    if text.count(".") >= _PARTS or not _ID.fullmatch(number):
        raise ValueError(f"{text!r} is no M-Bus address; {EXPECTED}")
    if not _MANUFACTURER.fullmatch(maker):
        raise ValueError(f"manufacturer {maker!r} of {text!r} is not three letters, FFF for any")
    if not (_BYTE.fullmatch(version) and _BYTE.fullmatch(medium)):
        raise ValueError(f"version and medium of {text!r} are two hexadecimal digits each")
    code = _ANY_MANUFACTURER if maker == "FFF" else manufacturer_code(maker)
    return MbusUnit(None, number, code, int(version, 16), int(medium, 16))
