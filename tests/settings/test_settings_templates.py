"""Index templates and human notations."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import durations
from gateway.settings.problems import BadValue
from gateway.settings.templates import fill


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("em-{n:02}", "em-07"),
        ("{n}", "7"),
        ("{n-1}", "6"),
        ("{loop*256+device}", "517"),
        ("{ ( n + 1 ) * 2 }", "16"),
        ("{2*n+3*loop}", "20"),
        ("{n:3}", "  7"),
        ("no template", "no template"),
        ("{n}-{loop}", "7-2"),
        ("{10-2-3}", "5"),
    ],
)
def test_templates_are_filled(text: str, expected: str) -> None:
    assert fill(text, {"n": 7, "loop": 2, "device": 5}) == expected


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("a{m}", "LG-TPL-02", 2),
        ("{n", "LG-TPL-01", 0),
        ("x}", "LG-TPL-01", 1),
        ("{}", "LG-TPL-01", 1),
        ("{n/2}", "LG-TPL-01", 2),
        ("{n**2}", "LG-TPL-01", 3),
        ("{n.real}", "LG-TPL-01", 2),
        ("{__import__('os')}", "LG-TPL-01", 11),
        ("{n 1}", "LG-TPL-01", 2),
        ("{(n}", "LG-TPL-01", 3),
        ("{n:x}", "LG-TPL-01", 2),
        ("{1.5}", "LG-TPL-01", 2),
        ("{" + "(" * 50 + "}", "LG-TPL-01", 12),
        ("{" + "1000000*" * 20 + "1}", "LG-TPL-01", 0),
        ("{n}" * 100, "LG-TPL-01", 0),
    ],
)
def test_wrong_templates_point_at_the_character(text: str, code: str, offset: int) -> None:
    with pytest.raises(BadValue) as raised:
        fill(text, {"n": 7})
    assert (raised.value.code, raised.value.offset) == (code, offset)


@given(st.text(alphabet="{}n()+-*: 0129_/.ab", max_size=40))
def test_any_template_is_filled_or_refused(text: str) -> None:
    with contextlib.suppress(BadValue):
        assert isinstance(fill(text, {"n": 3}), str)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5ms", 0.005),
        ("30s", 30.0),
        ("15m", 900.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("0.5 s", 0.5),
    ],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize(
    "value", ["30", 30, "-1s", "1w", "s", "", None, "1e3s", "\uff15s", "99999999d"]
)
def test_other_durations_are_refused(value: object) -> None:
    with pytest.raises(BadValue):
        durations.seconds(value)


def test_ranges_lists_sizes_settings_and_hosts() -> None:
    assert durations.whole_numbers("1..3, 7") == (1, 2, 3, 7)
    assert durations.whole_numbers([1, "4..5"]) == (1, 4, 5)
    assert durations.size_bytes("256MB") == 256 << 20
    assert str(durations.line_setting("2400 8E1")) == "2400 8E1"
    assert durations.endpoint("[::1]:502").host == "::1"
    assert durations.polls("3 polls") == durations.polls(3) == 3
    assert durations.text_or_hex("hex:01 FF") == b"\x01\xff"
    assert durations.text_or_hex("REG") == b"REG"
