"""Sparkplug B payloads in the encoding of Protocol Buffers: the fields that we use, both ways.

The message types are those of Sparkplug 3.0, chapter 6 ("Google Protocol Buffer Schema"); only
their field numbers stand here. A payload may be cut anywhere between fields, and fields may come in
any order, so that `seq_field` is appended when a message leaves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from gateway.model.quality import Quality
from gateway.model.reading import Value

MAX_BYTES = 64 * 1024
"""Longest payload of a platform that is read: commands are short."""
MAX_METRICS = 1000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_U32, _U64 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF
_LONGEST_VARINT = 70
"""Bits in ten bytes, which is the most that a varint has."""


class NotSparkplug(ValueError):
    """The bytes are no payload, or more than is read; says why."""


class DataType(IntEnum):
    """Data types of metrics and properties (Sparkplug 3.0, chapter 6, "Data Types")."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13


_UNSIGNED = frozenset(
    {DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64, DataType.DATETIME}
)
_NARROW: Mapping[int | None, int] = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32}
"""Bits of signed numbers that are less wide than their field: some hosts fill only these with the
two's complement, others the field."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One value. In births with name and alias, in data with the alias only.

    `value` None is null. On the wire an int is `long_value`, a float `double_value`; `Quality`
    among the properties is an Int32, as the standard wants it.
    """

    value: Value | None
    timestamp_ms: int | None = None
    name: str | None = None
    alias: int | None = None
    datatype: int | None = None
    is_historical: bool = False
    properties: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True)
class Payload:
    """A message as it was read."""

    metrics: tuple[Metric, ...]
    timestamp_ms: int | None = None
    seq: int | None = None


# --- to bytes


def encode_payload(metrics: Iterable[bytes], timestamp_ms: int) -> bytes:
    """Return a payload of encoded metrics, sent at that moment; its `seq` comes behind it."""
    parts = [_number(1, timestamp_ms)]
    parts += [_piece(2, metric) for metric in metrics]
    return b"".join(parts)


def seq_field(seq: int) -> bytes:
    """Return the sequence number of a payload, to stand behind it; 2 or 3 bytes."""
    return _number(3, seq)


def encode_metric(metric: Metric) -> bytes:
    """Return the bytes of one metric.

    Raises:
        ValueError: a whole number does not fit into 64 bits.
    """
    parts: list[bytes] = []
    if metric.name is not None:
        parts.append(_text(1, metric.name))
    if metric.alias is not None:
        parts.append(_number(2, metric.alias))
    if metric.timestamp_ms is not None:
        parts.append(_number(3, metric.timestamp_ms))
    if metric.datatype is not None:
        parts.append(_number(4, metric.datatype))
    if metric.is_historical:
        parts.append(_number(5, 1))
    if metric.properties:
        parts.append(_piece(9, _property_set(metric.properties)))
    parts.append(_number(7, 1) if metric.value is None else _value(metric.value, _METRIC_FIELDS))
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class _ValueFields:
    """Field numbers of the values of a metric, or of a property."""

    long: int
    double: int
    boolean: int
    string: int


_METRIC_FIELDS = _ValueFields(11, 13, 14, 15)
_PROPERTY_FIELDS = _ValueFields(4, 6, 7, 8)
_PROPERTY_INT = 3


def _property_set(properties: Mapping[str, Value]) -> bytes:
    keys = [_text(1, key) for key in properties]
    values = [_piece(2, _property(value)) for value in properties.values()]
    return b"".join((*keys, *values))


def _property(value: Value) -> bytes:
    if isinstance(value, Quality):
        return _number(1, DataType.INT32) + _number(_PROPERTY_INT, value)
    return _number(1, type_of(value)) + _value(value, _PROPERTY_FIELDS)


def type_of(value: Value) -> DataType:
    """Return the data type under which a value is sent."""
    match value:
        case bool():
            return DataType.BOOLEAN
        case int():
            return DataType.INT64
        case float():
            return DataType.DOUBLE
        case str():
            return DataType.STRING


def _value(value: Value, fields: _ValueFields) -> bytes:
    match value:
        case bool():
            return _number(fields.boolean, int(value))
        case int():
            return _number(fields.long, _two_complement(value))
        case float():
            return _tag(fields.double, _FIXED64) + struct.pack("<d", value)
        case str():
            return _text(fields.string, value)


def _two_complement(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} is no 64-bit number")
    return value & _U64


def _number(number: int, value: int) -> bytes:
    return _tag(number, _VARINT) + _varint(value)


def _text(number: int, text: str) -> bytes:
    return _piece(number, text.encode())


def _piece(number: int, piece: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(piece)) + piece


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    if value < 0x80:  # noqa: PLR2004 - seven bits a byte
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# --- from bytes

_Field: TypeAlias = int | bytes
"""Numbers of fixed width stay bytes until it is known what they are."""


def decode_payload(found: bytes) -> Payload:
    """Return what a payload says; what we have no use for is skipped.

    Raises:
        NotSparkplug: for any bytes that are no payload.
    """
    if len(found) > MAX_BYTES:
        raise NotSparkplug(f"{len(found)} bytes; at most {MAX_BYTES}")
    timestamp_ms = seq = None
    metrics: list[Metric] = []
    for number, value in _fields(found):
        match number, value:
            case 1, int():
                timestamp_ms = value
            case 2, bytes():
                metrics.append(_metric(value))
            case 3, int():
                seq = value
            case _:
                continue
    if len(metrics) > MAX_METRICS:
        raise NotSparkplug(f"{len(metrics)} metrics; at most {MAX_METRICS}")
    return Payload(tuple(metrics), timestamp_ms, seq)


def _metric(found: bytes) -> Metric:
    by_number: dict[int, _Field] = {}
    value_field: int | None = None
    for number, value in _fields(found):
        by_number[number] = value
        if 10 <= number <= 19:  # noqa: PLR2004 - the fields of `oneof value`: the last one counts
            value_field = number
    datatype = _int(by_number, 4)
    value = None if value_field is None else _read(value_field, by_number[value_field], datatype)
    return Metric(
        None if _int(by_number, 7) else value,
        _int(by_number, 3),
        _str(by_number, 1),
        _int(by_number, 2),
        datatype,
        bool(_int(by_number, 5)),
    )


def _read(number: int, found: _Field, datatype: int | None) -> Value | None:  # noqa: PLR0911 - one line for each type
    """Return a value; None for those that are none of ours (data sets, templates, bytes)."""
    match number, found:
        case 10, int():
            return _signed(found & _U32, 32, datatype)
        case 11, int():
            return _signed(found, 64, datatype)
        case 12, bytes() if len(found) == 4:  # noqa: PLR2004 - a float
            return float(struct.unpack("<f", found)[0])
        case 13, bytes() if len(found) == 8:  # noqa: PLR2004 - a double
            return float(struct.unpack("<d", found)[0])
        case 14, int():
            return bool(found)
        case 15, bytes():
            return _utf8(found)
        case _:
            return None


def _signed(found: int, bits: int, datatype: int | None) -> int:
    if datatype in _UNSIGNED:
        return found
    value = found - (1 << bits) if found >> (bits - 1) else found
    narrow = _NARROW.get(datatype, bits)
    return value - (1 << narrow) if value >> (narrow - 1) == 1 else value


def _int(fields: Mapping[int, _Field], number: int) -> int | None:
    found = fields.get(number)
    if isinstance(found, bytes):
        raise NotSparkplug(f"field {number} of a metric is no number")
    return found


def _str(fields: Mapping[int, _Field], number: int) -> str | None:
    found = fields.get(number)
    if found is None:
        return None
    if isinstance(found, int):
        raise NotSparkplug(f"field {number} of a metric is no text")
    return _utf8(found)


def _utf8(found: bytes) -> str:
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotSparkplug(f"not UTF-8 at byte {error.start}") from error


def _fields(found: bytes) -> Iterator[tuple[int, _Field]]:
    at = 0
    while at < len(found):
        tag, at = _read_varint(found, at)
        match tag & 7:
            case 0:
                value, at = _read_varint(found, at)
                yield tag >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, at = _read_varint(found, at)
            case 5:
                length = 4
            case other:
                raise NotSparkplug(f"wire type {other} at byte {at}")
        if length > len(found) - at:
            raise NotSparkplug(f"cut off at byte {at}")
        yield tag >> 3, found[at : at + length]
        at += length


def _read_varint(found: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < _LONGEST_VARINT:
        if at >= len(found):
            raise NotSparkplug(f"cut off at byte {at}")
        byte = found[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            return value & _U64, at
        shift += 7
    raise NotSparkplug(f"a number without end at byte {at}")
