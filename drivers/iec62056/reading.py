"""From the data sets of a read-out to the raw values of points."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.contract import Raw
from drivers.iec62056.address import Format, Iec62056Address
from drivers.iec62056.lines import DataSet
from drivers.iec62056.obis import find_set
from drivers.iec62056.units import as_raw, converted, number_of, parted, unit_named


def raw_value(sets: Sequence[DataSet], address: Iec62056Address) -> Raw | None:
    """Return the raw value of a point; None where the message has none.

    None, too, when the text is no number, or the meter's unit is of another quantity. Where the
    meter names no unit, the number is taken to be in the one that is expected.
    """
    found = find_set(sets, address.obis)
    return None if found is None else _value(found, address)


def _value(found: DataSet, address: Iec62056Address) -> Raw | None:
    pair = parted(found.groups, address.part)
    if pair is None:
        return None
    if address.format is Format.TEXT:
        return found.groups[address.part]
    text, sent_unit = pair
    number, expected = number_of(text), address.unit
    if number is None or expected is None or sent_unit is None:
        return None if number is None else as_raw(number)
    sent = unit_named(sent_unit)
    number = None if sent is None else converted(number, sent, expected)
    return None if number is None else as_raw(number)
