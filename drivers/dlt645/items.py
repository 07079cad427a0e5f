"""What data ids mean: format, unit, and the point of the catalogue of kinds.

Formats on which public tables agree (600888/dlt645, sulfurandcu/dlt645-tool, HslCommunication
DLTHelper.cs). The standard's own annexes were not at hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How the bytes of an item are read."""

    BCD = "bcd"
    """Decimal digits, low byte first."""
    BITS = "bits"
    """A status word, low byte first."""
    DIGITS = "digits"
    """Digits that are no number: an address, a serial number."""
    DATE = "date"
    """WW DD MM YY, low byte first; 0 is Sunday."""
    TIME = "time"
    """ss mm hh."""
    MINUTE = "minute"
    """mm hh DD MM YY."""


@dataclass(frozen=True, slots=True)
class Item:
    """One data id: bytes of one value, decimal places, and whether the top bit is a sign."""

    size: int
    decimals: int = 0
    form: Form = Form.BCD
    is_signed: bool = False
    point: str | None = None
    unit: str | None = None
    block: str | None = None
    """Data id of the block that has it, and its place there."""
    place: int = 0
    sent: int = 0
    """Bytes that a meter sends where they are more than the value's; 0: as many."""

    @property
    def length(self) -> int:
        """Bytes behind the data id of an answer that carries it alone."""
        return self.sent or self.size


_KINDS_OF_ENERGY = {
    "00": ("ep_tot", "kW.h"),
    "01": ("ep_imp", "kW.h"),
    "02": ("ep_exp", "kW.h"),
    "03": ("eq_imp", "kV.A{reactive}.h"),
    "04": ("eq_exp", "kV.A{reactive}.h"),
}
_SIGNED_ENERGY = frozenset({"00", "03", "04"})
"""Combined energies may be negative; the sign in the top bit is what meters do with powers."""
_PHASED = {
    # measured quantity: size, decimals, signed, stem, unit, first place is the total
    "01": (Item(2, 1, unit="V"), "u", 1),
    "02": (Item(3, 3, is_signed=True, unit="A"), "i", 1),
    "03": (Item(3, 4, is_signed=True, unit="kW"), "p", 0),
    "04": (Item(3, 4, is_signed=True, unit="kV.A{reactive}"), "q", 0),
    "05": (Item(3, 4, is_signed=True, unit="kV.A"), "s", 0),
    "06": (Item(2, 3, is_signed=True, unit="1"), "pf", 0),
}
_PHASES = ("tot", "a", "b", "c")
_SINGLE_2007 = {
    "02800001": Item(3, 3, is_signed=True, point="i_n", unit="A"),
    "02800002": Item(2, 2, point="freq", unit="Hz"),
    "02800007": Item(2, 1, is_signed=True, point="temp", unit="Cel"),
    "02800008": Item(2, 2, point="batt_u", unit="V"),
    "0280000A": Item(4, point="batt_min", unit="min"),
    "04000101": Item(4, form=Form.DATE, point="clock_date"),
    "04000102": Item(3, form=Form.TIME, point="clock_time"),
    "04000401": Item(6, form=Form.DIGITS, point="address"),
    "00900200": Item(4, 2, point="money_left"),
    "05060001": Item(5, form=Form.MINUTE, point="freeze_time"),
    "03300D00": Item(3, point="cover_open_n"),
    "1D000001": Item(3, point="trip_n"),
}
_SINGLE_1997 = {
    "B611": Item(2, point="u_a", unit="V"),
    "B612": Item(2, point="u_b", unit="V"),
    "B613": Item(2, point="u_c", unit="V"),
    "B621": Item(2, 2, point="i_a", unit="A"),
    "B622": Item(2, 2, point="i_b", unit="A"),
    "B623": Item(2, 2, point="i_c", unit="A"),
    "B630": Item(3, 4, point="p_tot", unit="kW"),
    "B650": Item(2, 3, point="pf", unit="1"),
    "C010": Item(4, form=Form.DATE, point="clock_date"),
    "C011": Item(3, form=Form.TIME, point="clock_time"),
    "C032": Item(6, form=Form.DIGITS, point="address"),
}
_ENERGY_1997 = {"90": "kW.h", "91": "kV.A{reactive}.h"}
_STEM_1997 = {"901": "ep_imp", "902": "ep_exp", "911": "eq_imp", "912": "eq_exp"}
_TARIFFS = 4
_DEMAND_BYTES = 8
"""XX.XXXX kW and five bytes of time: common knowledge of the trade, no capture was at hand."""


def item_of(di: str) -> Item | None:
    """Return what a data id means: eight hex digits are of 2007, four of 1997. None: unknown."""
    di = di.upper()
    if len(di) == 4:  # noqa: PLR2004 - two bytes
        return _SINGLE_1997.get(di) or _energy_1997(di)
    return _SINGLE_2007.get(di) or _energy(di) or _demand(di) or _measured(di) or _status(di)


def moment_of(item: Item) -> Item | None:
    """Return what stands behind a highest demand: when it was; None for other items."""
    if item.sent != _DEMAND_BYTES or item.point is None:
        return None
    point = item.point.replace("demand_max", "demand_time")
    return Item(_DEMAND_BYTES - item.size, form=Form.MINUTE, point=point)


def members(di: str) -> list[Item]:
    """Return the items of a block id such as 0201FF00, in order; [] when it is no block."""
    di = di.upper()
    if len(di) == 4:  # noqa: PLR2004 - two bytes
        block = [item_of(f"{di[:3]}{place}") for place in range(_TARIFFS + 1)]
        return [item for item in block if item] if di.endswith("F") else []
    if di[4:6] != "FF":
        return []
    if di[:2] == "00":
        found = [item_of(f"{di[:4]}{place:02X}{di[6:]}") for place in range(_TARIFFS + 1)]
    else:
        phased = _PHASED.get(di[2:4]) if di[:2] == "02" else None
        first = phased[2] if phased else 0
        found = [item_of(f"{di[:4]}{p:02X}00") for p in range(first, 4)] if phased else []
    return [item for item in found if item is not None]


def _energy(di: str) -> Item | None:
    """00 kind tariff settlement: kind of energy, total or tariff, now or so many periods ago."""
    match = re.fullmatch(r"00(0[0-4])([0-3][0-9A-F])(0[0-9A-C])", di)
    if match is None:
        return None
    stem, unit = _KINDS_OF_ENERGY[match[1]]
    tariff, period = int(match[2], 16), int(match[3], 16)
    point = stem if not tariff else f"ep_t{tariff}" if stem == "ep_imp" else f"{stem}_t{tariff}"
    block = f"{di[:4]}FF{di[6:]}" if tariff <= _TARIFFS else None
    return Item(
        4, 2, is_signed=match[1] in _SIGNED_ENERGY, point=_aged(point, period), unit=unit,
        block=block, place=tariff,
    )  # fmt: skip


def _demand(di: str) -> Item | None:
    """01 kind tariff settlement: the highest demand, and behind it when it was (mm hh DD MM YY)."""
    match = re.fullmatch(r"01(0[12])([0-3][0-9A-F])(0[0-9A-C])", di)
    if match is None:
        return None
    point = "demand_max" if match[1] == "01" else "demand_max_exp"
    tariff, period = int(match[2], 16), int(match[3], 16)
    return Item(
        3, 4, point=_aged(f"{point}_t{tariff}" if tariff else point, period), unit="kW",
        sent=_DEMAND_BYTES,
    )  # fmt: skip


def _measured(di: str) -> Item | None:
    """02 quantity phase 00."""
    match = re.fullmatch(r"02(0[1-6])(0[0-3])00", di)
    if match is None:
        return None
    item, stem, first = _PHASED[match[1]]
    phase = int(match[2])
    if phase < first:
        return None
    point = "pf" if (stem, phase) == ("pf", 0) else f"{stem}_{_PHASES[phase]}"
    return Item(
        item.size, item.decimals, is_signed=item.is_signed, point=point, unit=item.unit,
        block=f"{di[:4]}FF00", place=phase - first,
    )  # fmt: skip


def _status(di: str) -> Item | None:
    match = re.fullmatch(r"0400050([1-7])", di)
    return Item(2, form=Form.BITS, point=f"status_{match[1]}") if match else None


def _energy_1997(di: str) -> Item | None:
    stem = _STEM_1997.get(di[:3])
    if stem is None or not di[3].isdecimal() or int(di[3]) > _TARIFFS:
        return None
    tariff = int(di[3])
    point = stem if not tariff else f"ep_t{tariff}" if stem == "ep_imp" else f"{stem}_t{tariff}"
    return Item(4, 2, point=point, unit=_ENERGY_1997[di[:2]], block=f"{di[:3]}F", place=tariff)


def _aged(point: str, period: int) -> str:
    return f"{point}_p{period}" if period else point
