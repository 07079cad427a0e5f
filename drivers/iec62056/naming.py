"""What data lines are to people: point ids and UCUM units of the values of a message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from drivers.contract import NamedValue
from drivers.iec62056.lines import DataSet
from drivers.iec62056.obis import parse_code
from drivers.iec62056.units import MeterUnit, as_raw, converted, number_of, parted, unit_named

MOST_ID = 32


@dataclass(frozen=True, slots=True)
class Known:
    """A value that every electricity meter has: its point id and the unit of its kind."""

    point: str
    unit: str


_ENERGY, _REACTIVE = "kWh", "kvarh"
KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "1.8.0": Known("ep_imp", _ENERGY),
        "2.8.0": Known("ep_exp", _ENERGY),
        "1.8.1": Known("ep_t1", _ENERGY),
        "1.8.2": Known("ep_t2", _ENERGY),
        "1.8.3": Known("ep_t3", _ENERGY),
        "1.8.4": Known("ep_t4", _ENERGY),
        "2.8.1": Known("ep_exp_t1", _ENERGY),
        "2.8.2": Known("ep_exp_t2", _ENERGY),
        "3.8.0": Known("eq_imp", _REACTIVE),
        "4.8.0": Known("eq_exp", _REACTIVE),
        "1.7.0": Known("p_imp", "W"),
        "2.7.0": Known("p_exp", "W"),
        "16.7.0": Known("p_tot", "W"),
        "32.7.0": Known("u_a", "V"),
        "52.7.0": Known("u_b", "V"),
        "72.7.0": Known("u_c", "V"),
        "31.7.0": Known("i_a", "A"),
        "51.7.0": Known("i_b", "A"),
        "71.7.0": Known("i_c", "A"),
        "13.7.0": Known("pf", ""),
        "14.7.0": Known("freq", "Hz"),
    }
)
"""OBIS value groups of electricity (channel 1-0, or none) and the ids of kind meter.electricity."""


def named_values(sets: Sequence[DataSet]) -> tuple[NamedValue, ...]:
    """Return every value of a message: a number where it has a unit or a point, else its text."""
    return tuple(value for one in sets for value in _of(one))


def _of(one: DataSet) -> Iterator[NamedValue]:
    known = _known(one.address)
    for part, whole in enumerate(one.groups):
        pair = parted(one.groups, part)
        text, unit_text = (whole, None) if pair is None else pair
        unit = None if unit_text is None else unit_named(unit_text)
        name = _point_id(one.address, part)
        number = number_of(text)
        if number is None or (unit is None and (unit_text is not None or "." not in text)):
            yield NamedValue(name, whole)
        elif known is not None and part == 0:
            yield _known_value(known, number, unit) or NamedValue(name, whole)
        else:
            yield NamedValue(name, as_raw(number), None if unit is None else unit.ucum)


def _known_value(known: Known, number: Decimal, unit: MeterUnit | None) -> NamedValue | None:
    """Return it in the unit of its kind; None where the meter's unit is of another quantity."""
    into = unit_named(known.unit)
    if into is None or unit is None:
        return NamedValue(known.point, as_raw(number), None if unit is None else unit.ucum)
    value = converted(number, unit, into)
    return None if value is None else NamedValue(known.point, as_raw(value), into.ucum)


def _known(address: str) -> Known | None:
    code = parse_code(address)
    if code is None or code.storage is not None or code.channel not in {None, "1-0", "1-1"}:
        return None
    return KNOWN.get(code.value)


def _point_id(address: str, part: int) -> str:
    """Return an id for a line that no kind names: `0-1:24.2.1` gives obis_0-1_24_2_1."""
    plain = re.sub(r"[^a-z0-9-]+", "_", address.lower()).strip("_") or "value"
    tail = f"_{part}" if part else ""
    return f"obis_{plain}"[: MOST_ID - len(tail)] + tail
