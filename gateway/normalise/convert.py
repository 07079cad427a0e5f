"""Compile a point's rules into one function from raw value to value, exact in decimal arithmetic.

An integer raw value times a decimal scale is computed as one division of integers, which Python
rounds correctly: 2301 at scale 0.1 is 230.1 and not 230.10000000000002.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import TypeAlias

from gateway.model.reading import Value
from gateway.model.sample import Raw
from gateway.settings.site import Point, ValueType

Convert: TypeAlias = Callable[[Raw], Value | None]
"""Returns None where the raw value means "no value", or is implausible."""


def compile_point(point: Point) -> Convert:
    """Return the function from raw value to published value; None where there is no good value."""
    convert = _by_type(point)
    if point.invalid:
        convert = _without_sentinels(convert, frozenset(point.invalid))
    if point.minimum is not None or point.maximum is not None:
        convert = _within(convert, point.minimum, point.maximum)
    return convert


def is_plain_float(point: Point) -> bool:
    """Whether a finite float of this point is published as it is."""
    return (
        point.type is ValueType.FLOAT
        and (point.scale, point.offset) == (1, 0)
        and not point.invalid
        and point.minimum is None
        and point.maximum is None
        and point.scale_from is None
    )


def scale_exactly(raw: float, scale: Decimal, offset: Decimal) -> float:
    """Return raw * scale + offset, rounded once, to the nearest double; infinite beyond it."""
    exact = (Decimal(raw) if isinstance(raw, int) else Decimal(repr(raw))) * scale + offset
    return float(exact)


def _by_type(point: Point) -> Convert:
    match point.type:
        case ValueType.BOOL:
            return _to_inverted_bool if point.is_inverted else _to_bool
        case ValueType.ENUM:
            return _enumerated(point.enum)
        case ValueType.TEXT:
            return _to_text
        case ValueType.INT:
            return _scaled_int(point.scale, point.offset)
        case ValueType.FLOAT:
            return _scaled_float(point.scale, point.offset)


def _to_bool(raw: Raw) -> Value | None:
    return bool(raw)


def _to_inverted_bool(raw: Raw) -> Value | None:
    return not raw


def _to_text(raw: Raw) -> Value | None:
    if isinstance(raw, bytes):
        return raw.hex()
    return str(raw)


def _enumerated(names: Mapping[int, str]) -> Convert:
    def convert(raw: Raw) -> Value | None:
        return names.get(int(raw)) if isinstance(raw, int | float) else None

    return convert


def _integers(scale: Decimal, offset: Decimal) -> tuple[int, int, int]:
    """Return factor, addend and divisor: value = (raw * factor + addend) / divisor."""
    places = max(0, -_exponent(scale), -_exponent(offset))
    divisor = 10**places
    return int(scale * divisor), int(offset * divisor), divisor


def _exponent(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _scaled_int(scale: Decimal, offset: Decimal) -> Convert:
    factor, addend, divisor = _integers(scale, offset)

    def convert(raw: Raw) -> Value | None:
        if isinstance(raw, float):
            scaled = scale_exactly(raw, scale, offset) if isfinite(raw) else raw
            return round(scaled) if isfinite(scaled) else None
        if not isinstance(raw, int):
            return None
        whole, rest = divmod(raw * factor + addend, divisor)
        return whole if rest == 0 else (raw * factor + addend) / divisor

    return convert


def _scaled_float(scale: Decimal, offset: Decimal) -> Convert:
    factor, addend, divisor = _integers(scale, offset)
    is_plain = (factor, addend, divisor) == (1, 0, 1)

    def convert(raw: Raw) -> Value | None:
        if isinstance(raw, int):
            return (raw * factor + addend) / divisor
        if not isinstance(raw, float) or not isfinite(raw):
            return None
        if is_plain:
            return raw
        scaled = scale_exactly(raw, scale, offset)
        return scaled if isfinite(scaled) else None

    return convert


def _without_sentinels(convert: Convert, sentinels: frozenset[int | float]) -> Convert:
    def checked(raw: Raw) -> Value | None:
        return None if raw in sentinels else convert(raw)

    return checked


def _within(convert: Convert, minimum: float | None, maximum: float | None) -> Convert:
    low = -float("inf") if minimum is None else minimum
    high = float("inf") if maximum is None else maximum

    def checked(raw: Raw) -> Value | None:
        value = convert(raw)
        if isinstance(value, int | float) and not low <= value <= high:
            return None
        return value

    return checked
