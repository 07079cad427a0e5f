"""Our Sparkplug bytes against Google's protobuf, both ways, and any bytes at all."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.sparkplug_b.wire import (
    MAX_BYTES,
    MAX_METRICS,
    DataType,
    Metric,
    NotSparkplug,
    Payload,
    decode_payload,
    encode_metric,
    encode_payload,
    seq_field,
)
from gateway.model.quality import Quality
from tests.support.sparkplug import ProtoPayload, property_of, shown, value_of

U64 = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS
)
PROPERTIES = st.dictionaries(
    TEXTS,
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        TEXTS,
        st.sampled_from(Quality),
    ),
    max_size=4,
)
METRICS = st.builds(
    Metric,
    VALUES,
    st.none() | U64,
    st.none() | TEXTS,
    st.none() | U64,
    st.none() | st.sampled_from([*map(int, DataType)]),
    st.booleans(),
    PROPERTIES,
)


def _property(value: Any) -> Any:
    return int(value) if isinstance(value, Quality) else value


def _signed(value: Any) -> Any:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value - (1 << 64) if is_whole and value >= 1 << 63 else value


@settings(max_examples=50)
@given(st.lists(METRICS, max_size=5), U64, st.integers(0, 255))
def test_google_reads_what_we_write(metrics: list[Metric], timestamp: int, seq: int) -> None:
    found = shown(encode_payload(map(encode_metric, metrics), timestamp) + seq_field(seq))
    assert (found["timestamp"], found["seq"]) == (timestamp, seq)
    assert len(found["metrics"]) == len(metrics)
    for ours, theirs in zip(metrics, found["metrics"], strict=True):
        assert value_of(theirs) == ours.value
        assert type(value_of(theirs)) is type(ours.value)
        assert theirs.get("is_null", False) is (ours.value is None)
        assert theirs.get("is_historical", False) is ours.is_historical
        assert (theirs.get("name"), theirs.get("alias")) == (ours.name, ours.alias)
        assert (theirs.get("timestamp"), theirs.get("datatype")) == (
            ours.timestamp_ms,
            ours.datatype,
        )
        assert {key: _signed(property_of(theirs, key)) for key in theirs.get("properties", {})} == {
            key: _property(value) for key, value in ours.properties.items()
        }


@st.composite
def proto_metrics(draw: st.DrawFn) -> dict[str, Any]:
    """Return the fields of a metric as a host may send it, with some that we skip."""
    fields: dict[str, Any] = {}
    for name, some in (
        ("name", TEXTS),
        ("alias", U64),
        ("timestamp", U64),
        ("is_historical", st.booleans()),
        ("is_transient", st.booleans()),
    ):
        if draw(st.booleans()):
            fields[name] = draw(some)
    name, some = draw(
        st.sampled_from(
            [
                ("int_value", st.integers(0, 2**31 - 1)),
                ("long_value", st.integers(0, 2**63 - 1)),
                ("float_value", st.floats(width=32, allow_nan=False)),
                ("double_value", st.floats(allow_nan=False)),
                ("boolean_value", st.booleans()),
                ("string_value", TEXTS),
            ]
        )
    )
    fields[name] = draw(some)
    return fields


@settings(max_examples=50)
@given(st.lists(proto_metrics(), max_size=5), U64, st.none() | U64)
def test_we_read_what_google_writes(
    metrics: list[Mapping[str, Any]], timestamp: int, seq: int | None
) -> None:
    proto = ProtoPayload(timestamp=timestamp, uuid="skipped", body=b"skipped")
    if seq is not None:
        proto.seq = seq
    for fields in metrics:
        proto.metrics.add(**fields)
    read = decode_payload(proto.SerializeToString())
    assert (read.timestamp_ms, read.seq) == (timestamp, seq)
    for fields, metric in zip(metrics, read.metrics, strict=True):
        value = next(v for k, v in fields.items() if k.endswith("_value"))
        assert (metric.value, type(metric.value)) == (value, type(value))
        assert (metric.name, metric.alias) == (fields.get("name"), fields.get("alias"))
        assert metric.timestamp_ms == fields.get("timestamp")
        assert metric.is_historical is fields.get("is_historical", False)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_a_refusal(found: bytes) -> None:
    try:
        read = decode_payload(found)
    except NotSparkplug:
        return
    assert isinstance(read, Payload)


@settings(max_examples=50)
@given(st.lists(METRICS, min_size=1, max_size=3), st.data())
def test_a_payload_that_is_cut_or_damaged_raises_nothing_else(
    metrics: list[Metric], data: st.DataObject
) -> None:
    whole = encode_payload(map(encode_metric, metrics), 1)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    for found in (cut, damaged):
        try:
            decode_payload(found)
        except NotSparkplug:
            continue


@pytest.mark.parametrize(
    ("fields", "datatype", "value"),
    [
        ({"long_value": 2**64 - 5}, DataType.INT64, -5),
        ({"long_value": 2**64 - 5}, None, -5),
        ({"long_value": 2**64 - 5}, DataType.UINT64, 2**64 - 5),
        ({"int_value": 2**32 - 5}, DataType.INT32, -5),
        ({"int_value": 2**32 - 5}, None, -5),
        ({"int_value": 2**32 - 5}, DataType.UINT32, 2**32 - 5),
        ({"int_value": 251}, DataType.INT8, -5),
        ({"int_value": 2**32 - 5}, DataType.INT8, -5),
        ({"int_value": 123}, DataType.INT8, 123),
        ({"int_value": 2**16 - 30_000}, DataType.INT16, -30_000),
        ({"int_value": 2**32 - 30_000}, DataType.INT16, -30_000),
        ({"long_value": 2**32 - 5}, DataType.INT32, -5),
        ({"long_value": 2**40 + 5}, DataType.INT32, 2**40 + 5),
        ({"int_value": 251}, DataType.UINT8, 251),
        ({"bytes_value": b"x"}, None, None),
        ({"is_null": True, "string_value": "x"}, None, None),
    ],
)
def test_the_sign_of_a_number_is_that_of_its_type(
    fields: Mapping[str, Any], datatype: int | None, value: int | None
) -> None:
    proto = ProtoPayload()
    typed = {} if datatype is None else {"datatype": datatype}
    proto.metrics.add(**fields, **typed)
    assert decode_payload(proto.SerializeToString()).metrics[0].value == value


@pytest.mark.parametrize(
    "found",
    [
        b"\x0b",  # a group, which protobuf no longer has
        b"\x0f",  # no wire type
        b"\x08" + b"\xff" * 10,  # a number without end
        b"\x12\x7f\x08",  # a metric that is longer than the payload
        b"\x12\x03\x0a\x01\xff",  # a name that is not UTF-8
        b"\x12\x02\x08\x01",  # a name that is a number
        b"\x12\x02\x22\x00",  # a datatype that is a text
        b"\x12\x00" * (MAX_METRICS + 1),
        bytes(MAX_BYTES + 1),
    ],
)
def test_what_is_no_payload_is_refused(found: bytes) -> None:
    with pytest.raises(NotSparkplug):
        decode_payload(found)


def test_a_number_that_does_not_fit_is_refused_and_not_cut() -> None:
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(ValueError, match="64-bit"):
            encode_metric(Metric(value))


def test_floats_are_doubles_on_the_wire_also_when_they_are_whole() -> None:
    assert encode_metric(Metric(10.0)).endswith(b"\x69" + struct.pack("<d", 10.0))
