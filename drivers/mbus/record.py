"""A record of a telegram: one value with all that the telegram says of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from drivers.contract import Raw
from drivers.mbus.meaning import Meaning


class Function(StrEnum):
    """What a value is of its time (bits 5 and 4 of DIF)."""

    INSTANT = "instant"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Record:
    """A value with its meaning. `number` is exact and in `unit`; `said` is a text or raw bytes.

    Both are None where the meter says that it has no value; `error` then tells why, if it says so.
    `header` are the bytes of DIF, DIFE, VIF, VIFE as they came.
    """

    header: bytes
    meaning: Meaning
    function: Function = Function.INSTANT
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    number: Fraction | None = None
    said: str | bytes | None = None
    error: str | None = None

    @property
    def value(self) -> Raw | None:
        """The value in its unit, with no binary dust; whole numbers as int."""
        return self.said if self.number is None else plain_number(self.number)


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one telegram in their order; `broken` says where it could not be read on."""

    records: tuple[Record, ...] = ()
    more_follow: bool = False
    broken: str | None = None


def plain_number(number: Fraction) -> int | float:
    """Return an int, or the double that is nearest to it."""
    return number.numerator if number.denominator == 1 else float(number)
