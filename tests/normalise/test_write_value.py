"""A value goes down as exactly the raw value that means it, or is refused."""

from decimal import Decimal

import pytest

from gateway.model.command import CommandRefused
from gateway.normalise.write import to_raw
from gateway.settings.site import ValueType, WriteRule
from tests.support.points import a_point

FREE = WriteRule()


@pytest.mark.parametrize(
    ("changes", "value", "raw"),
    [
        ({"scale": Decimal("0.1"), "offset": Decimal(-40)}, 25.5, 655),
        ({"scale": Decimal("0.1")}, 230.1, 2301),
        ({"type": ValueType.BOOL}, True, True),
        ({"type": ValueType.BOOL, "is_inverted": True}, True, False),
        ({"type": ValueType.ENUM, "enum": {1: "open", 2: "close"}}, "close", 2),
    ],
)
def test_a_value_becomes_its_raw_value(
    changes: dict[str, object], value: float | str, raw: object
) -> None:
    assert to_raw(a_point("x", write=FREE, **changes), value) == raw


def test_a_magic_prefix_is_part_of_what_is_written() -> None:
    rule = WriteRule(raw_or=0x6800)
    gate = a_point("pos_cmd", type=ValueType.ENUM, enum={1: "open"}, write=rule)
    assert to_raw(gate, "open") == 0x6801


@pytest.mark.parametrize(
    ("rule", "value", "code"),
    [
        (None, 1, "read_only"),
        (WriteRule(maximum=32.0), 33, "range"),
        (WriteRule(minimum=6.0), 5.9, "range"),
        (WriteRule(allowed=(0, 16)), 8, "range"),
        (FREE, "16", "type"),
        (FREE, True, "type"),
        (FREE, float("nan"), "type"),
    ],
)
def test_what_may_not_be_written_is_refused_with_a_code(
    rule: WriteRule | None, value: float | str, code: str
) -> None:
    with pytest.raises(CommandRefused) as refused:
        to_raw(a_point("i_limit", write=rule), value)
    assert refused.value.code == code
