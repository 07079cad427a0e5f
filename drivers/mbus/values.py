"""Bytes of a record as a number, a text or a point in time; None where the meter says "invalid"."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import TypeAlias

Number: TypeAlias = Fraction | None

_DIGITS = "0123456789"
_MINUS = 0xF
_PIVOT = 80
"""Years 00..80 without a century are 2000..2080, others 1981..1999 (EN 13757-3, type F)."""
_LAST_MONTH, _LAST_HOUR, _LAST_MINUTE = 12, 23, 59
_FEBRUARY = 2
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_INVALID = 0x80
_EVERY_YEAR = 99


def to_integer(octets: bytes) -> Number:
    """Return a signed number of 1 to 8 bytes, low byte first (type B).

    The most negative one means "invalid" there, so it is None.
    """
    value = int.from_bytes(octets, "little", signed=True)
    return None if value == -(1 << (8 * len(octets) - 1)) else Fraction(value)


def to_unsigned(octets: bytes) -> Number:
    """Return a number of 1 to 8 bytes, low byte first, that is never negative (types C and D)."""
    return Fraction(int.from_bytes(octets, "little"))


def to_bcd(octets: bytes) -> Number:
    """Return a number of two digits a byte, low byte first; F as first digit is a minus (type A).

    None for any other digit above 9: meters mark errors so.
    """
    text = octets[::-1].hex()
    sign = 1
    if text and int(text[0], 16) == _MINUS:
        sign, text = -1, text[1:]
    if not text or any(digit not in _DIGITS for digit in text):
        return None
    return Fraction(sign * int(text))


def to_real(octets: bytes) -> Number:
    """Return a single of 4 bytes as its shortest decimal (type H); None if it is not finite."""
    (value,) = struct.unpack("<f", octets)
    if not math.isfinite(value):
        return None
    for digits in range(6, 10):
        text = f"{value:.{digits}g}"
        if struct.unpack("<f", struct.pack("<f", float(text)))[0] == value:
            return Fraction(text)
    return Fraction(value)


def to_identity(octets: bytes) -> str:
    """Return BCD digits as they are printed on the meter, hexadecimal ones too."""
    return octets[::-1].hex().upper()


def to_text(octets: bytes) -> str:
    """Return characters of ISO 8859-1 that were sent last one first; unprintable ones dropped."""
    shown = octets[::-1].decode("latin-1")
    return "".join(letter for letter in shown if letter.isprintable()).strip()


def to_date(octets: bytes) -> str | None:
    """Return an ISO date of 2 bytes (type G); None if invalid, or for "every year" and the like."""
    return _date(octets[0], octets[1])


def to_moment(octets: bytes) -> str | None:
    """Return an ISO date and time of 4 or 6 bytes, or time of 3 (types F, I, J).

    It is local time of the meter. None where its invalid bit is set or a field has no such value.
    """
    if len(octets) == 3:  # noqa: PLR2004 - type J
        return _time(octets[2], octets[1], octets[0] & 0x3F)
    if len(octets) == 4:  # noqa: PLR2004 - type F
        return _type_f(octets)
    return _type_i(octets)


def _type_f(octets: bytes) -> str | None:
    minute, hour = octets[0], octets[1]
    century = hour >> 5 & 3
    day = _date(octets[2], octets[3], century)
    time = _time(hour & 0x1F, minute & 0x3F)
    if minute & _INVALID or day is None or time is None:
        return None
    return f"{day}T{time}"


def _type_i(octets: bytes) -> str | None:
    second, minute, hour = octets[0] & 0x3F, octets[1], octets[2] & 0x1F
    day = _date(octets[3], octets[4])
    time = _time(hour, minute & 0x3F, second)
    if minute & _INVALID or day is None or time is None:
        return None
    return f"{day}T{time}"


def _date(low: int, high: int, century: int = 0) -> str | None:
    day, month = low & 0x1F, high & 0x0F
    year = low >> 5 | high >> 4 << 3
    if not (1 <= month <= _LAST_MONTH and 1 <= day <= _DAYS[month - 1]) or year > _EVERY_YEAR:
        return None
    full = 2000 + year if not century and year <= _PIVOT else 1900 + 100 * century + year
    is_leap = full % 4 == 0 and (full % 100 != 0 or full % 400 == 0)
    if month == _FEBRUARY and day == _DAYS[1] and not is_leap:
        return None
    return f"{full:04}-{month:02}-{day:02}"


def _time(hour: int, minute: int, second: int = 0) -> str | None:
    if hour > _LAST_HOUR or minute > _LAST_MINUTE or second > _LAST_MINUTE:
        return None
    return f"{hour:02}:{minute:02}:{second:02}"
