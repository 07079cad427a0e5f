"""Clock bytes of GB/T 26875.3: second, minute, hour, day, month, two digits of the year.

The standard has them binary. Some makers write them as decimal digits (BCD), some mix both in one
frame: the public sample frame has a binary header clock and a component time that looks BCD.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

_CENTURY = 2000
_NIBBLE = 4
_DIGITS = 9


class ClockForm(StrEnum):
    """How clock bytes are written."""

    BINARY = "binary"
    BCD = "bcd"
    AUTO = "auto"


def read_clock(octets: bytes, form: ClockForm, near: datetime | None = None) -> datetime | None:
    """Return the local time that six bytes say, without a zone; None where they say none.

    With `auto`, bytes that make sense both ways are read as binary, or, when `near` is given, as
    whichever is closer to it.
    """
    binary, bcd = _moment(list(octets)), _moment(_digits(octets))
    if form is not ClockForm.AUTO:
        return binary if form is ClockForm.BINARY else bcd
    if binary is None or bcd is None or near is None:
        return binary or bcd
    return min((binary, bcd), key=lambda said: abs(said - near))


def write_clock(moment: datetime, form: ClockForm) -> bytes:
    """Return six bytes of a local time; `auto` writes binary, as the standard does."""
    year = moment.year % 100
    parts = (moment.second, moment.minute, moment.hour, moment.day, moment.month, year)
    if form is ClockForm.BCD:
        return bytes((part // 10 << _NIBBLE) | part % 10 for part in parts)
    return bytes(parts)


def local_time(utc_ms: int, local_offset_s: int) -> datetime:
    """Return the local time of a moment, without a zone, in whole seconds."""
    seconds = max(utc_ms // 1000 + local_offset_s, 0)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).replace(tzinfo=None)


def _moment(parts: list[int]) -> datetime | None:
    if len(parts) != 6 or parts[5] > 99:  # noqa: PLR2004 - six parts, two digits of a year
        return None
    second, minute, hour, day, month, year = parts
    try:
        return datetime(_CENTURY + year, month, day, hour, minute, second)  # noqa: DTZ001 - the frame says no zone
    except ValueError:
        return None


def _digits(octets: bytes) -> list[int]:
    """Return the numbers that pairs of decimal digits make, [] when one is no digit."""
    if any(octet >> _NIBBLE > _DIGITS or octet & 0xF > _DIGITS for octet in octets):
        return []
    return [10 * (octet >> _NIBBLE) + (octet & 0xF) for octet in octets]
