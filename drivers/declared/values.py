"""Raw values in the bytes and texts of declared frames."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from drivers.contract import Raw

MOST_INTEGER_BYTES = 8
MOST_TEXT_BYTES = 64
_FLOATS = {4: "f", 8: "d"}
_MOST_DIGITS = 32


class Form(StrEnum):
    """How bytes make a value; digits are BCD whose leading zeros count."""

    UINT = "uint"
    INT = "int"
    BCD = "bcd"
    DIGITS = "digits"
    ASCII = "ascii"
    FLOAT = "float"


@dataclass(frozen=True, slots=True)
class Shape:
    """A value's form, its number of bytes, and whether the lowest byte comes first."""

    size: int
    form: Form = Form.UINT
    is_little: bool = False

    def __post_init__(self) -> None:
        """Check that the form has that size.

        Raises:
            ValueError: it has not.
        """
        most = MOST_TEXT_BYTES if self.form is Form.ASCII else MOST_INTEGER_BYTES
        if not 1 <= self.size <= most:
            raise ValueError(f"{self.form} has 1 to {most} bytes, not {self.size}")
        if self.form is Form.FLOAT and self.size not in _FLOATS:
            raise ValueError("float has 4 or 8 bytes")


def read_octets(octets: bytes, shape: Shape) -> Raw | None:
    """Return the value of exactly `shape.size` bytes.

    None where they are none: BCD with A to F, a float that is no number or infinite.
    """
    ordered = octets[::-1] if shape.is_little and shape.form is not Form.ASCII else octets
    match shape.form:
        case Form.UINT | Form.INT:
            return int.from_bytes(ordered, "big", signed=shape.form is Form.INT)
        case Form.BCD | Form.DIGITS:
            text = ordered.hex()
            if not text.isdecimal():
                return None
            return text if shape.form is Form.DIGITS else int(text)
        case Form.ASCII:
            return octets.rstrip(b" \x00").decode("ascii", "replace")
        case Form.FLOAT:
            return _float(struct.unpack(f">{_FLOATS[len(ordered)]}", ordered)[0], len(ordered))


def write_octets(raw: Raw, shape: Shape) -> bytes:
    """Return the bytes of a value.

    Raises:
        ValueError: it does not fit.
    """
    try:
        octets = _written(raw, shape)
    except (OverflowError, ValueError, TypeError, struct.error):
        octets = b""
    if len(octets) != shape.size:
        raise ValueError(f"{raw!r} does not fit {shape.size} bytes of {shape.form}")
    return octets[::-1] if shape.is_little and shape.form is not Form.ASCII else octets


def _written(raw: Raw, shape: Shape) -> bytes:
    """Return the bytes, highest first; of a wrong length where they do not fit."""
    match shape.form:
        case Form.UINT | Form.INT:
            number = _whole(raw)
            return number.to_bytes(shape.size, "big", signed=shape.form is Form.INT)
        case Form.BCD | Form.DIGITS:
            text = str(raw) if isinstance(raw, str) else str(_whole(raw))
            return bytes.fromhex(text.zfill(2 * shape.size)) if text.isdecimal() else b""
        case Form.ASCII:
            return str(raw).encode("ascii").ljust(shape.size)
        case Form.FLOAT:
            return struct.pack(f">{_FLOATS[shape.size]}", float(raw))


def read_text(text: str, form: Form) -> Raw | None:
    """Return the value of a field of a line; None where the text is no such value."""
    if form in {Form.ASCII, Form.DIGITS}:
        return text
    number = _number(text.strip())
    if number is None or form is Form.FLOAT:
        return None if number is None else float(number)
    return int(number) if number == int(number) else None


def _number(text: str) -> Decimal | None:
    """Return the number of a text; None where it is none, or larger than any device says."""
    if not text.isascii() or len(text) > _MOST_DIGITS:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    is_usual = number.is_finite() and abs(number.adjusted()) <= _MOST_DIGITS
    return number if is_usual else None


def key_of(value: object) -> object:
    """Return a value for comparisons: decimal text and its number are the same."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value) if len(value) <= _MOST_DIGITS else value
    return value


def _whole(raw: Raw) -> int:
    if isinstance(raw, bytes):
        raise TypeError("bytes are no number")
    if isinstance(raw, float) and not raw.is_integer():
        raise ValueError("no whole number")
    return int(raw)


def _float(number: float, size: int) -> float | None:
    """Return a single as the shortest decimal that means it: 225.6, not 225.60000610351562."""
    if not math.isfinite(number):
        return None
    if size == 8:  # noqa: PLR2004 - a double says what it means
        return number
    octets = struct.pack(">f", number)
    for digits in range(6, 9):
        short = float(f"{number:.{digits}g}")
        if _single(short) == octets:
            return short
    return float(f"{number:.9g}")  # always enough for a single


def _single(number: float) -> bytes:
    try:
        return struct.pack(">f", number)
    except OverflowError:  # rounded up past the largest single
        return b""
