"""Points and devices made by hand, for tests that need no YAML."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.model.ids import DeviceId, LineName, PointId
from gateway.settings.site import (
    Device,
    DeviceQuirks,
    Every,
    Point,
    Priority,
    ValueType,
)
from gateway.settings.where import Where

NOWHERE = Where("test.yaml", 1, 1)


@dataclass(frozen=True, slots=True)
class AnyAddress:
    """An address that no driver reads."""

    place: int = 0


@dataclass(frozen=True, slots=True)
class NoQuirks:
    """No quirks at all."""


def a_point(id_: str, **changes: Any) -> Point:
    """Return a float point in volts, changed as told."""
    fields: dict[str, Any] = {
        "id": PointId(id_),
        "address": AnyAddress(),
        "type": ValueType.FLOAT,
        "unit": "V",
        "poll": Every(1.0),
        "group": "power",
        "priority": Priority.NORMAL,
        "where": NOWHERE,
        "scale": Decimal(1),
    }
    return Point(**{**fields, **changes})


def a_device(id_: str, points: Sequence[Point], *, unit: Hashable = 1, line: str = "a") -> Device:
    """Return a device with these points on line `a`."""
    return Device(
        id=DeviceId(id_),
        profile="test/device",
        kind="meter.electricity",
        line=LineName(line),
        protocol="modbus-rtu",
        unit=unit,
        address_text=str(unit),
        points=tuple(points),
        quirks=DeviceQuirks(NoQuirks()),
        where=NOWHERE,
    )
