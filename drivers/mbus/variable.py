"""Variable structure: bytes after the header of a telegram as records (CI 72 and 76)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from drivers.mbus.header import Place, read_meaning, read_place
from drivers.mbus.meaning import Form, Meaning
from drivers.mbus.reader import Broken, Reader
from drivers.mbus.record import Record, Records
from drivers.mbus.values import (
    to_bcd,
    to_date,
    to_identity,
    to_integer,
    to_moment,
    to_real,
    to_text,
    to_unsigned,
)
from drivers.mbus.vif import MANUFACTURER, PRIMARY

MANUFACTURER_END, MORE_FOLLOW, FILLER, READOUT = 0x0F, 0x1F, 0x2F, 0x7F
_SPECIAL, _VARIABLE, _REAL, _FIRST_BCD = 0xF, 0xD, 0x5, 0x9
_SIZES = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6)
"""Bytes by the low half of DIF; D has its length in its first byte."""
_DATE_BYTES, _MOMENT_BYTES = 2, frozenset({3, 4, 6})


@dataclass(frozen=True, slots=True)
class _Content:
    """The bytes of a value, low byte first, and how they are coded."""

    octets: bytes
    coding: str
    sign: int = 1


def read_records(octets: bytes, *, msb_first: bool = False) -> Records:
    """Return all records; what cannot be read never loses those before it.

    `msb_first` is mode 2, in which every value of several bytes is sent highest byte first.
    """
    reader = Reader(octets)
    found: list[Record] = []
    more_follow = False
    try:
        while reader.left:
            dif = reader.byte()
            if dif in {MANUFACTURER_END, MORE_FOLLOW}:
                more_follow = dif == MORE_FOLLOW
                rest = reader.take(reader.left)
                found.append(Record(bytes((dif,)), PRIMARY[MANUFACTURER], said=rest))
            elif dif not in {FILLER, READOUT}:
                found.append(_read_record(reader, dif, msb_first=msb_first))
    except Broken as broken:
        return Records(tuple(found), more_follow=more_follow, broken=str(broken))
    return Records(tuple(found), more_follow=more_follow)


def _read_record(reader: Reader, dif: int, *, msb_first: bool) -> Record:
    start = reader.at - 1
    if dif & 0x0F == _SPECIAL:
        raise Broken(f"DIF {dif:02X} at byte {start} is reserved")
    place = read_place(reader, dif)
    meaning = read_meaning(reader)
    header = reader.octets[start : reader.at]
    content = _read_content(reader, dif & 0x0F, msb_first=msb_first)
    return _record(header, place, meaning, content)


def _read_content(reader: Reader, code: int, *, msb_first: bool) -> _Content:
    if code == _VARIABLE:
        content = _read_variable(reader)
    else:
        octets = reader.take(_SIZES[code])
        if not octets:
            return _Content(b"", "nothing")
        coding = "bcd" if code >= _FIRST_BCD else "real" if code == _REAL else "integer"
        content = _Content(octets, coding)
    return replace(content, octets=content.octets[::-1]) if msb_first else content


def _read_variable(reader: Reader) -> _Content:
    """Take a value that has its length in its first byte (LVAR)."""
    length = reader.byte()
    for form in _LENGTHS:
        if length in form.codes:
            return _Content(reader.take(form.count(length)), form.coding, form.sign)
    raise Broken(f"length code {length:02X} before byte {reader.at} is reserved")


@dataclass(frozen=True, slots=True)
class _Length:
    """What a first byte LVAR says of the bytes that follow."""

    codes: range
    coding: str
    count: Callable[[int], int]
    sign: int = 1


_LENGTHS = (
    _Length(range(0xC0), "text", lambda length: length),
    _Length(range(0xC0, 0xCA), "bcd", lambda length: length - 0xC0),
    _Length(range(0xD0, 0xDA), "bcd", lambda length: length - 0xD0, -1),
    _Length(range(0xE0, 0xF0), "binary", lambda length: length - 0xE0),
    # F0..F4: 16, 20, 24, 28, 32 bytes, then 48 and 64 (golden frame mbus-026 has F0 with 16).
    _Length(range(0xF0, 0xF5), "binary", lambda length: 4 * (length - 0xEC)),
    _Length(range(0xF5, 0xF7), "binary", lambda length: 48 if length == 0xF5 else 64),  # noqa: PLR2004
)


def _record(header: bytes, place: Place, meaning: Meaning, content: _Content) -> Record:
    record = Record(
        header=header,
        meaning=meaning,
        function=place.function,
        storage=place.storage,
        tariff=place.tariff,
        subunit=place.subunit,
        error=meaning.error,
    )
    if meaning.error is not None or content.coding == "nothing":
        return record
    if content.coding in {"text", "binary"}:
        octets = content.octets
        said = to_text(octets) if content.coding == "text" else octets
        return replace(record, said=said)
    if meaning.form in {Form.DATE, Form.MOMENT}:
        return replace(record, said=_point_in_time(content))
    if meaning.form is Form.IDENTITY and content.coding == "bcd":
        return replace(record, said=to_identity(content.octets))
    return replace(record, number=_number(meaning, content))


def _point_in_time(content: _Content) -> str | None:
    size = len(content.octets)
    if content.coding != "integer":
        return None
    if size == _DATE_BYTES:
        return to_date(content.octets)
    return to_moment(content.octets) if size in _MOMENT_BYTES else None


def _number(meaning: Meaning, content: _Content) -> Fraction | None:
    is_signed = meaning.form not in {Form.UNSIGNED, Form.IDENTITY}
    whole = to_integer if is_signed else to_unsigned
    read = {"bcd": to_bcd, "real": to_real}.get(content.coding, whole)
    said = read(content.octets)
    return None if said is None else content.sign * said * meaning.factor + meaning.offset
