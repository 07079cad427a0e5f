"""Unit codes of CJ/T 188: what the byte beside a number says, in the units that we publish.

They are those of the fixed data structure of M-Bus (rscada/libmbus, mbus/mbus-protocol.c), which
all captures and the meter firmware of `codec` agree with. Codes 01 and 36 mean different things in
different sources (joule or date, volt or flow) and are left out: a number in a unit that is not
known is no value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Quantity(StrEnum):
    """What is measured, by the unit in which it is published."""

    VOLUME = "m3"
    FLOW = "m3/h"
    ENERGY = "kW.h"
    POWER = "kW"


@dataclass(frozen=True, slots=True)
class UnitCode:
    """A unit: its quantity, and how many of the published unit it is (`times` over `over`)."""

    quantity: Quantity
    times: Decimal
    over: Decimal = Decimal(1)

    def published(self, number: Decimal) -> float:
        """Return a number of this unit in the published unit, rounded once, to the double."""
        return float(number * self.times / self.over)


_GJ_IN_KWH = Decimal(3600)
"""1 GJ is 1e6 kJ, and 3600 kJ are 1 kWh."""


def _decades(
    first: int, count: int, quantity: Quantity, times: str, *, over: Decimal = Decimal(1)
) -> Iterator[tuple[int, UnitCode]]:
    for step in range(count):
        yield first + step, UnitCode(quantity, Decimal(times).scaleb(step), over)


UNITS = dict(
    (
        *_decades(0x02, 9, Quantity.ENERGY, "0.001"),  # 02 Wh, 05 kWh, 08 MWh, 0A 100 MWh
        *_decades(0x0B, 9, Quantity.ENERGY, "1", over=_GJ_IN_KWH),  # 0B kJ, 0E MJ, 11 GJ, 13 100 GJ
        *_decades(0x14, 9, Quantity.POWER, "0.001"),  # 14 W, 17 kW, 1A MW
        *_decades(0x26, 9, Quantity.VOLUME, "0.000001"),  # 26 ml, 29 l, 2C m3
        *_decades(0x2F, 7, Quantity.FLOW, "0.000001"),  # 2F ml/h, 32 l/h, 35 m3/h
    )
)
"""Unit codes by their byte."""
