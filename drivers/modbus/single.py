"""IEEE 754 single precision as people read it: 230.1, not 230.10000610351562.

The shortest decimal that rounds to the single is found in double arithmetic, without text: for a
single v with distance u to its neighbours, take the finest power of ten above u. At most one
multiple of it lies within u/2 of v; if one does, it is the answer, for all coarser decimals are
multiples too. Otherwise the nearest multiple of the next finer power is. (Below a power of two
the neighbours are closer; a test tries all of those that are taken this way.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

_SINGLE = Struct(">f")
_FRACTION_BITS = 24
_LOWEST, _HIGHEST = -30, 23  # exponents for which the scales are exact doubles of at least 1
_MOST_DIGITS = 9  # always enough for a single
# Adding and taking away 1.5 * 2**52 rounds a double below 2**51 to a whole number.
_ROUNDER = 6755399441055744.0


@dataclass(frozen=True, slots=True)
class _Scale:
    """For singles of one binary exponent: powers of ten, and half the distance of neighbours."""

    coarse: float
    fine: float
    half: float


def _scale(exponent: int) -> _Scale:
    distance = math.ldexp(1.0, exponent - _FRACTION_BITS)
    power = 0
    while 10.0 ** -(power + 1) > distance:
        power += 1
    return _Scale(10.0**power, 10.0 ** (power + 1), distance / 2)


_SCALES = {e: (s.coarse, s.fine, s.half) for e in range(_LOWEST, _HIGHEST) for s in (_scale(e),)}


def shortest(single: float) -> float | None:
    """Return the double of the shortest decimal that rounds to the single; None if not finite."""
    return shortest_all((single,))[0]


def shortest_all(singles: Sequence[float]) -> list[float | None]:
    """Return `shortest` of each; a few tenths of a microsecond per value."""
    found: list[float | None] = []
    frexp, scales, rounder = math.frexp, _SCALES, _ROUNDER
    for single in singles:
        scale = scales.get(frexp(single)[1])
        if scale is None:
            found.append(_by_text(single))
            continue
        coarse, fine, half = scale
        near = (single * coarse + rounder - rounder) / coarse
        if -half < near - single < half:
            found.append(near)
        elif single - single == 0.0:
            found.append((single * fine + rounder - rounder) / fine)
        else:
            found.append(None)  # NaN or infinite: its difference with itself is NaN
    return found


def _by_text(single: float) -> float | None:
    """Return the same for huge and tiny ones."""
    if not math.isfinite(single):
        return None
    if single.is_integer() and abs(single) < 1 << _FRACTION_BITS:
        return single
    octets = _SINGLE.pack(single)
    for digits in range(1, _MOST_DIGITS):
        short = float(f"{single:.{digits}g}")
        try:
            if _SINGLE.pack(short) == octets:
                return short
        except OverflowError:  # rounded up past the largest single
            continue
    return float(f"{single:.{_MOST_DIGITS}g}")
