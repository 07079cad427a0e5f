"""A raw value becomes the value that a person would write down, or none at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.normalise.convert import compile_point
from gateway.settings.site import Point, ValueType
from tests.support.points import a_point


@pytest.mark.parametrize(
    ("changes", "raw", "value"),
    [
        ({"scale": Decimal("0.1")}, 2301, 230.1),
        ({"scale": Decimal("0.001")}, 1, 0.001),
        ({"scale": Decimal("0.1"), "offset": Decimal(-40)}, 655, 25.5),
        ({"scale": Decimal(1000)}, 0.2301, 230.1),
        ({"scale": Decimal("0.1")}, 2300.1, 230.01),
        ({}, 7, 7.0),
        ({}, float("nan"), None),
        ({}, float("inf"), None),
        ({"type": ValueType.INT}, 7, 7),
        ({"type": ValueType.INT, "scale": Decimal("0.5")}, 7, 3.5),
        ({"type": ValueType.BOOL}, 1, True),
        ({"type": ValueType.BOOL, "is_inverted": True}, True, False),
        ({"type": ValueType.ENUM, "enum": {0: "free", 1: "occupied"}}, True, "occupied"),
        ({"type": ValueType.ENUM, "enum": {0: "free", 1: "occupied"}}, 9, None),
        ({"type": ValueType.TEXT}, "AB12", "AB12"),
        ({"type": ValueType.TEXT}, b"\x01\xff", "01ff"),
        ({"invalid": (0xFFFF,), "scale": Decimal("0.01")}, 0xFFFF, None),
        ({"minimum": 0.0, "maximum": 500.0}, 501, None),
        ({"minimum": 0.0, "maximum": 500.0}, 500, 500.0),
    ],
)
def test_a_raw_value_becomes_the_value_on_the_display(
    changes: dict[str, object], raw: float, value: object
) -> None:
    converted = compile_point(a_point("u_a", **changes))(raw)
    assert converted == value
    assert type(converted) is type(value)


@given(st.integers(-(2**63), 2**64), st.integers(-6, 3), st.integers(-100, 100))
def test_a_scaled_integer_is_the_nearest_double_of_its_decimal(
    raw: int, exponent: int, offset: int
) -> None:
    scale = Decimal(10) ** exponent
    point: Point = a_point("ep", scale=scale, offset=Decimal(offset))
    exact = Decimal(raw) * scale + Decimal(offset)
    assert compile_point(point)(raw) == float(str(exact))
