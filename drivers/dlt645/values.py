"""Bytes of an item to a raw value and back, without binary dust: 06 23 is 230.6 and stays it."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Protocol

from drivers.contract import Raw
from drivers.dlt645.items import Form

_SIGN = 0x80
_LENGTHS = {Form.DATE: 4, Form.TIME: 3, Form.MINUTE: 5}
_DATE = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}")


class Format(Protocol):
    """How the bytes of a value are read."""

    @property
    def size(self) -> int:
        """Bytes of the value."""
        ...

    @property
    def decimals(self) -> int:
        """Decimal places."""
        ...

    @property
    def form(self) -> Form:
        """What the bytes are."""
        ...

    @property
    def is_signed(self) -> bool:
        """Whether the top bit of the last byte is a sign."""
        ...


def to_raw(octets: bytes, how: Format) -> Raw | None:
    """Return the value; None where the meter says that it has none.

    All bytes FF mean no value, and so do digits that are no decimal digits: a meter without a phase
    sends either. Texts of times are ISO 8601; a day 00 (a demand that never was) is no value.
    """
    octets = octets[: how.size]
    if len(octets) < how.size or not octets.strip(b"\xff"):
        return None
    if how.form is Form.BITS:
        return int.from_bytes(octets, "little")
    return _number(octets, how) if how.form is Form.BCD else _text(octets, how.form)


def from_raw(raw: Raw, how: Format) -> bytes:
    """Return the bytes of a value.

    Raises:
        ValueError: it does not fit the format.
    """
    if how.form is Form.BITS and isinstance(raw, int) and 0 <= raw < 1 << (8 * how.size):
        return raw.to_bytes(how.size, "little")
    if how.form is Form.DIGITS and isinstance(raw, str) and _is_digits(raw, 2 * how.size):
        return bytes.fromhex(raw)[::-1]
    if how.form in (Form.DATE, Form.TIME) and isinstance(raw, str):
        return _clock_bytes(raw, how.form)
    if how.form is not Form.BCD or isinstance(raw, str | bytes | bool) or not isfinite(raw):
        raise ValueError(f"{raw!r} cannot be written to an item of the form {how.form}")
    exact = abs(Decimal(str(raw))).scaleb(how.decimals)
    text = f"{int(exact.to_integral_value()):0{2 * how.size}d}"
    # The sign takes the top bit of the first digit.
    is_too_long = len(text) > 2 * how.size or (how.is_signed and text[0] in "89")
    if is_too_long or (raw < 0 and not how.is_signed):
        raise ValueError(f"{raw} does not fit {2 * how.size} digits with {how.decimals} decimals")
    octets = bytearray(bytes.fromhex(text)[::-1])
    if raw < 0:
        octets[-1] |= _SIGN
    return bytes(octets)


def _text(octets: bytes, form: Form) -> str | None:
    digits = _digits(octets)
    if digits is None or form is Form.DIGITS:
        return digits
    if len(octets) != _LENGTHS[form]:
        return None
    if form is Form.DATE:
        text = _date(octets)
    elif form is Form.TIME:
        text = f"{octets[2]:02x}:{octets[1]:02x}:{octets[0]:02x}"
    else:
        text = _date(b"\0" + octets[2:5]) + f"T{octets[1]:02x}:{octets[0]:02x}"
    return text if _exists(text if form is not Form.TIME else f"2000-01-01T{text}") else None


def _exists(moment: str) -> bool:
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


def _clock_bytes(text: str, form: Form) -> bytes:
    """Return WW DD MM YY of 2026-11-27, or ss mm hh of 09:30:05."""
    if form is Form.TIME and _TIME.fullmatch(text) and _exists(f"2000-01-01T{text}"):
        return bytes.fromhex(text.replace(":", ""))[::-1]
    if form is Form.DATE and _DATE.fullmatch(text) and _exists(text):
        day = date.fromisoformat(text)
        return bytes((day.isoweekday() % 7,)) + bytes.fromhex(text[2:].replace("-", ""))[::-1]
    raise ValueError(f"{text!r} is none of 2026-11-27 (date) and 09:30:05 (time)")


def _number(octets: bytes, how: Format) -> Raw | None:
    is_negative = how.is_signed and bool(octets[-1] & _SIGN)
    if is_negative:
        octets = octets[:-1] + bytes((octets[-1] & ~_SIGN,))
    digits = _digits(octets)
    if digits is None:
        return None
    exact = Decimal(digits).scaleb(-how.decimals)
    value = -exact if is_negative else exact
    return float(value) if how.decimals else int(value)


def _digits(octets: bytes) -> str | None:
    text = octets[::-1].hex()
    return text if _is_digits(text, len(text)) else None


def _is_digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdecimal()


def _date(octets: bytes) -> str:
    """Return the date of WW DD MM YY; the century is the present one."""
    return f"20{octets[3]:02x}-{octets[2]:02x}-{octets[1]:02x}"
