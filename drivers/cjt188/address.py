"""Where a point is in a meter of CJ/T 188, and what is peculiar to the meter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as key_of
from enum import StrEnum

DI_READING = 0x901F
DI_MONTHS = range(0xD120, 0xD12C)
DI_PRICES = 0x8102
DI_SETTLEMENT_DAY = 0x8103
DI_READING_DAY = 0x8104
DI_PURCHASE = 0x8105
DI_ADDRESS = 0x810A
DI_CLOCK = 0xA015
DI_VALVE = 0xA017
STATUS_BITS = 16
WILDCARD = "A" * 14

_DI = re.compile(r"[0-9A-Fa-f]{4}")
_TYPE = re.compile(r"[0-9A-Fa-f]{2}")
_METER = re.compile(r"[0-9FA]{14}")


class Field(StrEnum):
    """What a point is; the standard's fields, by the words of the trade."""

    VOLUME = "volume"
    VOLUME_DAY = "volume_day"
    ENERGY = "energy"
    ENERGY_DAY = "energy_day"
    ENERGY_COLD = "energy_cold"
    POWER = "power"
    FLOW = "flow"
    T_SUPPLY = "t_supply"
    T_RETURN = "t_return"
    HOURS = "hours"
    CLOCK = "clock"
    STATUS = "status"
    PRICE_1 = "price_1"
    STEP_1 = "step_1"
    PRICE_2 = "price_2"
    STEP_2 = "step_2"
    PRICE_3 = "price_3"
    DAY = "day"
    PURCHASE_COUNT = "purchase_count"
    PURCHASE = "purchase"
    PURCHASE_TOTAL = "purchase_total"
    MONEY_LEFT = "money_left"
    ADDRESS = "address"
    VALVE = "valve"
    VALVE_CLOSE = "valve_close"


_READING = frozenset(list(Field)[: list(Field).index(Field.PRICE_1)])
_MONTH = frozenset({Field.VOLUME, Field.ENERGY})
_PRICES = frozenset({Field.PRICE_1, Field.STEP_1, Field.PRICE_2, Field.STEP_2, Field.PRICE_3})
_PURCHASE = frozenset(
    {Field.PURCHASE_COUNT, Field.PURCHASE, Field.PURCHASE_TOTAL, Field.MONEY_LEFT, Field.STATUS}
)
FIELDS_OF = {
    DI_READING: _READING,
    **dict.fromkeys(DI_MONTHS, _MONTH),
    DI_PRICES: _PRICES,
    DI_SETTLEMENT_DAY: frozenset({Field.DAY}),
    DI_READING_DAY: frozenset({Field.DAY}),
    DI_PURCHASE: _PURCHASE,
    DI_ADDRESS: frozenset({Field.ADDRESS}),
    DI_CLOCK: frozenset({Field.CLOCK}),
    DI_VALVE: frozenset({Field.VALVE, Field.VALVE_CLOSE}),
}
"""Fields by data identifier."""

_USUAL_DI = {
    **dict.fromkeys(_READING, DI_READING),
    **dict.fromkeys(_PRICES, DI_PRICES),
    **dict.fromkeys(_PURCHASE - {Field.STATUS}, DI_PURCHASE),
    Field.ADDRESS: DI_ADDRESS,
    Field.VALVE: DI_VALVE,
    Field.VALVE_CLOSE: DI_VALVE,
}


class DiOrder(StrEnum):
    """Order of the two bytes of a data identifier on the wire."""

    AUTO = "auto"
    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


class Serial(StrEnum):
    """What a reply's serial number (SER) must be."""

    ECHOED = "echoed"
    ANY = "any"


class ClockOrder(StrEnum):
    """Order of the seven bytes of a clock."""

    LOW_FIRST = "low_first"
    HIGH_FIRST = "high_first"


@dataclass(frozen=True, slots=True)
class Cjt188Address:
    """Address keys of a point in a profile of CJ/T 188."""

    field: Field = key_of(metadata={"description": "What it is: volume, energy, flow, status, …"})
    di: int | str | None = key_of(
        default=None,
        metadata={"description": "Data identifier, four hex digits; without it, by the field"},
    )
    month: int | None = key_of(
        default=None,
        metadata={"description": "Value so many months ago (D120 to D12B)", "ge": 1, "le": 12},
    )
    bit: int | None = key_of(
        default=None,
        metadata={
            "description": "One bit of the status as a boolean, 0 the lowest of the second byte",
            "ge": 0,
            "lt": STATUS_BITS,
        },
    )
    mask: int | None = key_of(
        default=None,
        metadata={
            "description": "Bits kept of the status, moved down to the lowest of them",
            "gt": 0,
            "lt": 1 << STATUS_BITS,
        },
    )

    def __post_init__(self) -> None:
        """Check that the keys fit together.

        Raises:
            ValueError: they do not; limits of single keys are checked by who parses them.
        """
        if self.di is not None and not _DI.fullmatch(str(self.di)):
            raise ValueError(f"di {self.di!r} is none; write four hex digits such as 901F")
        if self.di is not None and self.month is not None:
            raise ValueError("di and month exclude each other")
        if self.field is Field.DAY and self.di is None:
            raise ValueError("field day needs di: 8103 (settlement day) or 8104 (reading day)")
        known = FIELDS_OF.get(self.identifier)
        if known is None:
            raise ValueError(f"data identifier {self.identifier:04X} is not known here")
        if self.field not in known:
            fields = ", ".join(sorted(known))
            raise ValueError(f"{self.identifier:04X} has no {self.field}; it has: {fields}")
        if (self.bit is not None or self.mask is not None) and self.field is not Field.STATUS:
            raise ValueError("bit and mask are for field status")
        if self.bit is not None and self.mask is not None:
            raise ValueError("bit and mask exclude each other")

    @property
    def identifier(self) -> int:
        """The data identifier, most significant byte first."""
        if self.month is not None:
            return DI_MONTHS[self.month - 1]
        return _USUAL_DI[self.field] if self.di is None else int(str(self.di), 16)

    @property
    def is_write_only(self) -> bool:
        """Whether it can be written, and never read."""
        return self.identifier in {DI_CLOCK, DI_VALVE}


@dataclass(frozen=True, slots=True)
class Cjt188Quirks:
    """What a meter is, and in what it differs from others."""

    type: int | str = key_of(
        default="10",
        metadata={
            "description": "Meter type in requests, two hex digits: 10 cold water, 11 hot water, "
            "12 drinking water, 13 reclaimed water, 20 heat, 21 cold, 30 gas, 40 electricity"
        },
    )
    di_order: DiOrder = key_of(
        default=DiOrder.AUTO,
        metadata={"description": "Order of the data identifier: auto, high_first or low_first"},
    )
    ser: Serial = key_of(
        default=Serial.ECHOED,
        metadata={"description": "Serial number of replies: echoed, or any where it is not"},
    )
    preambles: int = key_of(
        default=3, metadata={"description": "FE sent before a request", "ge": 0, "le": 20}
    )
    unit_first: bool = key_of(
        default=False, metadata={"description": "The unit byte stands before its number"}
    )
    clock_order: ClockOrder = key_of(
        default=ClockOrder.LOW_FIRST,
        metadata={"description": "Order of the clock's bytes: low_first or high_first"},
    )
    flow_decimals: int = key_of(
        default=4, metadata={"description": "Decimals of the flow", "ge": 0, "le": 8}
    )
    valve: bool = key_of(
        default=False, metadata={"description": "The valve may be moved; the site must allow it"}
    )

    def __post_init__(self) -> None:
        """Check the meter type.

        Raises:
            ValueError: it is none.
        """
        if not _TYPE.fullmatch(str(self.type)):
            raise ValueError(f"type {self.type!r} is none; write two hex digits such as 10")

    @property
    def meter_type(self) -> int:
        """The type byte."""
        return int(str(self.type), 16)


def parse_meter(address: object) -> str:
    """Return the 14 digits of a meter's address.

    Raises:
        ValueError: it is none, and what to write.
    """
    text = address.strip().upper() if isinstance(address, str) else ""
    if not _METER.fullmatch(text):
        raise ValueError(
            f"{address!r} is no address of CJ/T 188; write its 14 digits in quotes, "
            'with zeros in front, such as "00000012345678"'
        )
    return text


_FILLERS = frozenset("0F")


def is_same_meter(asked: str, answered: str) -> bool:
    """Whether a reply from `answered` can be of the meter that was asked.

    The ten digits of the number must be equal, where 0 and F both fill what has no digit, and A in
    the request asks all. The four digits of the maker must be equal unless either side leaves them
    out (0, F or A all through): meters answer so (traps of CJ/T 188 in the field).
    """
    number = zip(asked[4:], answered[4:], strict=True)
    for mine, theirs in number:
        if mine not in {theirs, "A"} and not {mine, theirs} <= _FILLERS:
            return False
    mine, theirs = asked[:4], answered[:4]
    return mine == theirs or _says_nothing(mine) or _says_nothing(theirs)


def _says_nothing(maker: str) -> bool:
    return set(maker) <= {*_FILLERS, "A"}
