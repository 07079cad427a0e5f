"""The line protocol, held against what its reference says and a parser of our own."""

from __future__ import annotations

import math

import pytest

from gateway.historian.line_protocol import LONGEST_TEXT, field, line, series
from gateway.model.reading import Value

SERIES = (
    ("meter.electricity", (("device", "em-01"),), "meter.electricity,device=em-01"),
    ("m", (("b", "2"), ("a", "1")), "m,a=1,b=2"),
    ("m", (("a", ""), ("b", "2")), "m,b=2"),
    ("my meter,x", (("a b", "c,d=e f"),), r"my\ meter\,x,a\ b=c\,d\=e\ f"),
    ("m=x", (("k=1", "v"),), r"m=x,k\=1=v"),
    ("m", (("unit", "m3/h"), ("place", "3号楼")), "m,place=3号楼,unit=m3/h"),
    ("m", (("a", 'say "hi"'),), r'm,a=say\ "hi"'),
    ("m", (("a", "end\\"), ("b", "two\nlines")), "m,a=end/,b=two\\ lines"),
)
FIELDS = (
    (True, "true"),
    (False, "false"),
    (0, "0i"),
    (-7, "-7i"),
    ((1 << 63) - 1, "9223372036854775807i"),
    (-(1 << 63), "-9223372036854775808i"),
    (0.0, "0.0"),
    (230.0, "230.0"),
    (0.1, "0.1"),
    (-1.5e-7, "-1.5e-07"),
    (1e22, "1e+22"),
    ("", '""'),
    ("open", '"open"'),
    ('say "hi"', r'"say \"hi\""'),
    ("a\\b", r'"a\\b"'),
    ("a,b=c d", '"a,b=c d"'),
    ("two\nlines", '"two lines"'),
    ("漏水", '"漏水"'),
)


@pytest.mark.parametrize(("measurement", "tags", "expected"), SERIES)
def test_measurement_and_tags_are_escaped_and_sorted(
    measurement: str, tags: tuple[tuple[str, str], ...], expected: str
) -> None:
    assert series(measurement, tags) == expected


@pytest.mark.parametrize(("value", "expected"), FIELDS)
def test_a_field_keeps_its_type(value: Value, expected: str) -> None:
    assert field(value) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1 << 63, -(1 << 63) - 1])
def test_what_no_field_can_hold_is_no_field(value: float) -> None:
    with pytest.raises(ValueError, match=r"no number|64 bits"):
        field(value)


def test_a_text_is_cut_before_a_server_refuses_it() -> None:
    assert field("x" * 100_000) == f'"{"x" * LONGEST_TEXT}"'


def test_a_line_has_a_series_fields_and_a_time_in_ms() -> None:
    made = line("m,a=1", (("value", "1.5"), ("q", "192i")), 1_700_000_000_123)
    assert made == b"m,a=1 value=1.5,q=192i 1700000000123"


def test_half_a_surrogate_pair_stops_no_line() -> None:
    assert line("m", [("text", field("a\ud800b"))], 1) == b'm text="a?b" 1'
