"""What a value information field says: quantity, UCUM unit, exact factor, form of the value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias


class Form(StrEnum):
    """How the bytes of a value are to be read beside their data type."""

    NUMBER = "number"
    UNSIGNED = "unsigned"
    """Binary bytes are bits, or count from 0 (types C and D): none of them means "invalid"."""
    IDENTITY = "identity"
    DATE = "date"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A value is (what the bytes say) * factor + offset, in `unit`; unit None for no dimension.

    `qualifiers` change what is meant, such as `per_h` or `backward`: a record that has some is not
    the plain quantity. `error` is what the meter reports in the place of a value.
    """

    quantity: str
    unit: str | None = None
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    form: Form = Form.NUMBER
    qualifiers: tuple[str, ...] = ()
    error: str | None = None

    def qualified(self, name: str) -> Meaning:
        """Return it with one more qualifier."""
        return replace(self, qualifiers=(*self.qualifiers, name))


Table: TypeAlias = dict[int, Meaning]


def power_of_ten(exponent: int) -> Fraction:
    """Return 10 to the power, exact."""
    return Fraction(10) ** exponent


def decades(  # noqa: PLR0913, PLR0917 - a line of the standard's table
    first: int,
    count: int,
    quantity: str,
    unit: str,
    exponent: int,
    factor: Fraction | int = 1,
    offset: Fraction | int = 0,
) -> Table:
    """Return `count` codes from `first` on, each ten times the one before, from 10^exponent on."""
    scale = Fraction(factor)
    return {
        first + n: Meaning(quantity, unit, power_of_ten(exponent + n) * scale, Fraction(offset))
        for n in range(count)
    }


SECOND, MINUTE, HOUR, DAY = Fraction(1), Fraction(60), Fraction(3600), Fraction(86400)
TIME_STEPS = (SECOND, MINUTE, HOUR, DAY)


def times(first: int, quantity: str, steps: tuple[Fraction, ...] = TIME_STEPS) -> Table:
    """Return codes for a duration in seconds: counted in seconds, minutes, hours, days."""
    return {first + n: Meaning(quantity, "s", step) for n, step in enumerate(steps)}


def plain(first: int, *names: str, form: Form = Form.NUMBER) -> Table:
    """Return codes without unit, one for each name; a name of "" leaves its code out."""
    return {first + n: Meaning(name, form=form) for n, name in enumerate(names) if name}
