"""Point ids for the records of a telegram, where no profile gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from drivers.contract import NamedValue
from drivers.mbus.record import Function, Record

_LONGEST = 32
_OTHER = re.compile(r"[^a-z0-9]+")
_SUFFIX = {Function.MAXIMUM: "max", Function.MINIMUM: "min", Function.ERROR: "err"}


def named_values(records: Sequence[Record]) -> tuple[NamedValue, ...]:
    """Return one value for each record; ids are unique: `volume`, `volume_s1`, `energy_t2_u1`.

    Raw bytes of the maker are hexadecimal text.
    """
    taken: set[str] = set()
    found: list[NamedValue] = []
    for record in records:
        name = _unique(_name(record), taken)
        taken.add(name)
        found.append(NamedValue(name, shown(record), record.meaning.unit))
    return tuple(found)


def shown(record: Record) -> int | float | str | None:
    """Return the value of a record for people: bytes in hexadecimal, as they came."""
    value = record.value
    return value.hex(" ").upper() if isinstance(value, bytes) else value


def _name(record: Record) -> str:
    parts = [record.meaning.quantity, *record.meaning.qualifiers]
    if record.function in _SUFFIX:
        parts.append(_SUFFIX[record.function])
    for letter, number in (("s", record.storage), ("t", record.tariff), ("u", record.subunit)):
        if number:
            parts.append(f"{letter}{number}")
    return _OTHER.sub("_", "_".join(parts).lower()).strip("_")


def _unique(name: str, taken: set[str]) -> str:
    candidate, count = name[:_LONGEST], 1
    while candidate in taken:
        count += 1
        end = f"_{count}"
        candidate = name[: _LONGEST - len(end)] + end
    return candidate
