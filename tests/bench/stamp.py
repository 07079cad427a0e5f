"""What a value of a bench says of itself: exact in 32 bits, so it survives the whole way."""

from __future__ import annotations

from dataclasses import dataclass

UNIT_BITS, INDEX_BITS, FLOAT_BITS = 6, 5, 24
MAX_READS = 1 << (FLOAT_BITS - UNIT_BITS - INDEX_BITS)
"""Reads until the count begins anew."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The read that a value was served in, who served it, and which of its values it is."""

    read: int
    unit: int
    index: int


def stamp(read: int, unit: int, index: int) -> float:
    """Return the value."""
    return float((read << UNIT_BITS | unit) << INDEX_BITS | index)


def stamp_of(value: float) -> Stamp:
    """Return what a value says."""
    number = int(value)
    rest = number >> INDEX_BITS
    return Stamp(rest >> UNIT_BITS, rest & (1 << UNIT_BITS) - 1, number & (1 << INDEX_BITS) - 1)
