"""What is stored comes back as it was, or is called unreadable."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outbox_support import event, values

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.quality import GOOD, Mark, Quality, bad
from gateway.model.reading import PointColumn
from gateway.model.record import (
    Body,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    PropBody,
    Record,
    ReplyBody,
    StateBody,
)
from gateway.outbox.encoding import Unreadable, decode_records, encode_records

VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
MARK = st.sampled_from(
    [GOOD, Mark(Quality.GOOD, "sim"), bad("timeout"), bad("exception:2"), Mark(Quality.STALE)]
)
TQ = st.sampled_from(TimeQuality)
TEXT = st.text(max_size=8)
FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def prop_bodies(draw: st.DrawFn) -> PropBody:
    size = draw(st.integers(0, 4))
    points = tuple(PointId(f"p{index}") for index in range(size))
    units = tuple(draw(st.sampled_from([None, "V", "m3"])) for _ in points)
    row = tuple(draw(VALUE) for _ in points)
    marks = draw(st.one_of(st.none(), st.tuples(*[MARK] * size)))
    offsets = draw(st.one_of(st.none(), st.tuples(*[st.integers(-5000, 0)] * size)))
    return PropBody(PointColumn(points, units), row, marks, offsets, draw(st.booleans()))


OTHER: st.SearchStrategy[Body] = st.one_of(
    st.builds(EventBody, TEXT, TEXT, st.integers(0, 4), TEXT, st.none() | TEXT, VALUE, VALUE),
    st.builds(StateBody, st.booleans(), TEXT, st.integers()),
    st.builds(ReplyBody, TEXT, TEXT, TEXT, TEXT, TEXT, VALUE, st.none() | prop_bodies()),
    st.builds(
        GapBody,
        st.sampled_from(Lane),
        st.none() | st.integers(),
        st.integers(),
        st.integers(),
        TEXT,
    ),
    st.builds(LogBody, TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)),
)
HEAD = st.tuples(
    st.sampled_from(["a", "b-1", "_"]), st.integers(), TQ, st.sampled_from([None, "x"])
)


def record(head: tuple[str, int, TimeQuality, str | None], body: Body) -> Record:
    device, ts_ms, tq, sink = head
    return Record(DeviceId(device), ts_ms, tq, body, None if sink is None else SinkName(sink))


def exactly(records: tuple[Record, ...]) -> str:
    """Text in which 1, 1.0 and True differ, and so do 0.0 and -0.0."""
    return repr(records)


@FEW
@given(st.lists(st.builds(record, HEAD, prop_bodies()), min_size=1, max_size=6))
def test_values_come_back_with_their_kind(records: list[Record]) -> None:
    assert exactly(decode_records(encode_records(records))) == exactly(tuple(records))


@FEW
@given(st.lists(st.builds(record, HEAD, OTHER), min_size=1, max_size=6))
def test_events_come_back_as_they_were(records: list[Record]) -> None:
    assert exactly(decode_records(encode_records(records))) == exactly(tuple(records))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_records([values(1, number)])


@FEW
@given(st.binary(max_size=40))
def test_foreign_bytes_are_unreadable(block: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_records(block)


def test_another_layout_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="version ff"):
        decode_records(b"\xff" + encode_records([event("e")])[1:])


def test_records_of_one_job_share_their_column_again() -> None:
    first = values(1.5, 2.5)
    assert isinstance(first.body, PropBody)
    second = replace(first, body=replace(first.body, values=(3.5, 4.5)))
    one, other = decode_records(encode_records([first, second]))
    assert isinstance(one.body, PropBody)
    assert isinstance(other.body, PropBody)
    assert one.body.column is other.body.column
