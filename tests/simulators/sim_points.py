"""Hand-made points and devices for the simulators' own tests."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from drivers.modbus import DRIVER
from gateway.model.clock import TimeQuality
from gateway.model.ids import PointId
from gateway.settings.driver_keys import address_model
from gateway.settings.site import (
    Every,
    Point,
    Priority,
    ValueType,
    WriteRule,
)
from gateway.settings.where import Where
from simulators.device import DeviceTraits, SimDevice
from simulators.faults import Faults
from simulators.frames import FRAMINGS
from simulators.ledger import Ledger
from simulators.units import Units

START_MS = 1_767_225_600_000


class ManualClock:
    """A clock that stands until it is set."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


def point(name: str, address: dict[str, Any], **traits: Any) -> Point:
    """A float point with this address."""
    made = Point(
        id=PointId(name),
        address=address_model(DRIVER).model_validate(address).plain,
        type=ValueType.FLOAT,
        unit=traits.pop("unit", None),
        poll=Every(1.0),
        group="g",
        priority=Priority.NORMAL,
        where=Where("test", 1, 1),
    )
    if "scale" in traits:
        traits["scale"] = Decimal(traits["scale"])
    return replace(made, **traits)


def meter_points() -> list[Point]:
    """A small electricity meter."""
    return [
        point("u_a", {"register": 0, "type": "f32"}, unit="V"),
        point("i_a", {"register": 2, "type": "f32"}, unit="A"),
        point("p_tot", {"register": 4, "type": "f32"}, unit="W"),
        point("pf", {"register": 6, "type": "f32"}, unit="1"),
        point("ep_imp", {"register": 8, "type": "u32"}, unit="kW.h", scale="0.01"),
    ]


def relay_points() -> list[Point]:
    """Two coils, two inputs and a setting."""
    return [
        point("out_1", {"register": 0, "table": "coil"}, type=ValueType.BOOL, write=WriteRule()),
        point("out_2", {"register": 1, "table": "coil"}, type=ValueType.BOOL, write=WriteRule()),
        point("in_1", {"register": 0, "table": "discrete"}, type=ValueType.BOOL),
        point("in_2", {"register": 1, "table": "discrete"}, type=ValueType.BOOL, is_inverted=True),
        point("level", {"register": 10}, type=ValueType.INT, write=WriteRule(minimum=5)),
    ]


def meter(unit: int = 1, ledger: Ledger | None = None) -> SimDevice:
    """A meter that answers."""
    traits = DeviceTraits(f"em-{unit:02}", unit, "meter.electricity", seed=unit)
    return SimDevice(traits, meter_points(), ledger)


def relays(unit: int = 2, ledger: Ledger | None = None) -> SimDevice:
    """A relay module that answers."""
    return SimDevice(DeviceTraits(f"io-{unit:02}", unit, "io.module"), relay_points(), ledger)


def units(*devices: SimDevice, protocol: str = "modbus-rtu", clock: Any = None) -> Units:
    """Devices on one bus without faults."""
    return Units(FRAMINGS[protocol], devices, clock or ManualClock(), Faults(1))
