"""Headers of a record: DIF and DIFEs say where a value belongs, VIF and VIFEs what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.mbus.meaning import Meaning
from drivers.mbus.reader import Broken, Reader
from drivers.mbus.record import Function
from drivers.mbus.values import to_text
from drivers.mbus.vif import (
    EXTENSION_FB,
    EXTENSION_FD,
    EXTENSION_OF_FB,
    EXTENSION_OF_FD,
    MANUFACTURER,
    PLAIN_TEXT,
    PRIMARY,
)
from drivers.mbus.vife import SECOND_TABLE, combine

MAX_EXTENSIONS = 10
"""DIFEs, and VIFEs, of one record (the error codes 5 and 6 of the application layer)."""
MORE = 0x80
_FUNCTIONS = tuple(Function)
_TABLES: Mapping[int, Mapping[int, Meaning]] = {
    EXTENSION_FB: EXTENSION_OF_FB,
    EXTENSION_FD: EXTENSION_OF_FD,
}


@dataclass(slots=True)
class Place:
    """What DIF and DIFEs say: which memory, tariff and subunit a value is of."""

    dif: int
    storage: int
    tariff: int = 0
    subunit: int = 0

    @property
    def function(self) -> Function:
        """Instant, maximum, minimum, or the value while there was an error."""
        return _FUNCTIONS[self.dif >> 4 & 3]


def read_place(reader: Reader, dif: int) -> Place:
    """Take the DIFEs that follow a DIF.

    Raises:
        Broken: they do not end, or there are more than ten.
    """
    place = Place(dif, storage=dif >> 6 & 1)
    extension, count = dif, 0
    while extension & MORE:
        if count == MAX_EXTENSIONS:
            raise Broken(f"more than {MAX_EXTENSIONS} DIFEs before byte {reader.at}")
        extension = reader.byte()
        place.storage |= (extension & 0x0F) << (1 + 4 * count)
        place.tariff |= (extension >> 4 & 3) << (2 * count)
        place.subunit |= (extension >> 6 & 1) << count
        count += 1
    return place


def read_meaning(reader: Reader) -> Meaning:
    """Take VIF and VIFEs.

    What is unknown is named `unknown` or gets a qualifier: it is never taken for something else.

    Raises:
        Broken: they do not end, or there are more than ten.
    """
    vif = reader.byte()
    code, has_more = vif & 0x7F, bool(vif & MORE)
    table = _TABLES.get(code) if has_more else None
    if table is not None:
        extension = reader.byte()
        named = table.get(extension & 0x7F, _unknown(code | MORE, extension & 0x7F))
        return _read_combinations(reader, named, 1, has_more=bool(extension & MORE))
    if code == PLAIN_TEXT:
        # Elvaco CMa10 and Itron CYBLE put the text before the VIFEs, as the golden frames show.
        named = _plain_text(to_text(reader.take(reader.byte())))
    else:
        named = PRIMARY.get(code, _unknown(code))
    if code == MANUFACTURER:
        return _read_manufacturer(reader, named, has_more=has_more)
    return _read_combinations(reader, named, 0, has_more=has_more)


def _unknown(*codes: int) -> Meaning:
    return Meaning("unknown", qualifiers=("_".join(f"vif_{code:02x}" for code in codes),))


def _plain_text(text: str) -> Meaning:
    """Return the meaning of a VIF in plain text: `%RH` is known, others are a name without unit."""
    if text == "%RH":
        return Meaning("relative_humidity", "%")
    return Meaning("plain_text", qualifiers=(text,))


def _read_combinations(reader: Reader, meaning: Meaning, count: int, *, has_more: bool) -> Meaning:
    while has_more:
        if count == MAX_EXTENSIONS:
            raise Broken(f"more than {MAX_EXTENSIONS} VIFEs before byte {reader.at}")
        extension = reader.byte()
        count += 1
        code, has_more = extension & 0x7F, bool(extension & MORE)
        if code == MANUFACTURER:
            # What follows is the maker's own, so nothing of it may be combined.
            return _read_manufacturer(
                reader, meaning.qualified("manufacturer"), count, has_more=has_more
            )
        if code == SECOND_TABLE and has_more:
            second = reader.byte()
            count += 1
            has_more = bool(second & MORE)
            meaning = meaning.qualified(f"vife_fc_{second & 0x7F:02x}")
        else:
            meaning = combine(meaning, code)
    return meaning


def _read_manufacturer(
    reader: Reader, meaning: Meaning, count: int = 0, *, has_more: bool
) -> Meaning:
    codes: list[str] = []
    while has_more:
        if count == MAX_EXTENSIONS:
            raise Broken(f"more than {MAX_EXTENSIONS} VIFEs before byte {reader.at}")
        extension = reader.byte()
        count += 1
        codes.append(f"{extension & 0x7F:02x}")
        has_more = bool(extension & MORE)
    return meaning.qualified("vife_" + "_".join(codes)) if codes else meaning
