"""A native dialect with two devices, and records for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.app.outward.doors import Passage
from gateway.dialects.births import births_of
from gateway.dialects.contract import Birth, DialectSetup, Encoded, Now
from gateway.dialects.native.dialect import Native
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, GatewayId, PointId, SiteId
from gateway.model.quality import Mark
from gateway.model.reading import PointColumn, Value
from gateway.model.record import Body, Committed, PropBody, Record
from gateway.privacy.door import Door
from gateway.settings.site import (
    Device,
    Gateway,
    ValueType,
    WriteRule,
)
from gateway.settings.site_place import Location
from gateway.settings.site_privacy import Choice
from tests.support.points import a_device, a_point
from tests.support.uplinks import a_sink

EP = 5129077341120511
NOW = Now(1763888400123, TimeQuality.SYNC)
METER = DeviceId("em-01")
GATE = DeviceId("gate-01")
COLUMN = PointColumn((PointId("ep_imp"), PointId("u_a"), PointId("i_a")), ("kW.h", "V", "A"))
GATE_COLUMN = PointColumn(
    (PointId("gate_state"), PointId("is_open"), PointId("plate")), (None, None, None)
)

ALLOW = (Choice(("*",)), Choice(("plate", "gate_cmd")))
"""Everything, the personal points by name: what leaves is decided by the level."""


def meter() -> Device:
    """Return an electricity meter of three points."""
    points = (
        a_point(
            "ep_imp", unit="kW.h", level="L2", personal="P1", is_cumulative=True, resolution=0.01
        ),
        a_point("u_a", level="L2", personal="P1", title={"en": "Voltage A", "zh": "A相电压"}),
        a_point("i_a", unit="A", level="L2", personal="P1"),
        a_point("sf", level="L2", is_published=False),
    )
    device = a_device(METER, points)
    where = Location({"bldg": "3", "floor": "5", "room": "0501"})
    return replace(device, vendor="Eastron", model="SDM120", location=where)


def gate() -> Device:
    """Return a gate with a point that only L4 may see."""
    states = {1: "open", 2: "closed"}
    points = (
        a_point(
            "gate_state", unit=None, type=ValueType.ENUM, enum=states, level="L1", personal="P0"
        ),
        a_point("is_open", unit=None, type=ValueType.BOOL, level="L1", personal="P0"),
        a_point("plate", unit=None, type=ValueType.TEXT),
        a_point(
            "gate_cmd", unit=None, type=ValueType.ENUM, enum=states, level="L1", write=WriteRule()
        ),
    )
    return replace(a_device(GATE, points), kind="parking.gate", is_verified=False)


def births(level: str = "L2", devices: Sequence[Device] | None = None) -> tuple[Birth, ...]:
    """Return the births of meter and gate."""
    return births_of((meter(), gate()) if devices is None else devices, door(level))


def door(level: Any = "L2") -> Door:
    """Return the door of a sink that knows meter and gate."""
    return Door(a_sink(1883, max_level=level, allow=ALLOW), (meter(), gate()))


def setup(**sink: Any) -> DialectSetup:
    """Return who we are."""
    gateway = Gateway(GatewayId("gw-03"), SiteId("hz-fc-001"), title={"zh": "一期"})
    return DialectSetup(gateway, a_sink(1883, **sink), "linli-gateway 0.1.0", EP, 77)


def native(level: str = "L2") -> Native:
    """Return a dialect that has said its births."""
    dialect = Native(setup(max_level=level))
    dialect.connect_spec(NOW)
    dialect.connected(births(level), (), NOW)
    return dialect


def committed(
    body: Body, device: DeviceId = METER, *, seq: int = 10, pv: int | None = 9, age_ms: int = 43
) -> Committed:
    """Return a record that was taken `age_ms` before NOW."""
    return Committed(Record(device, NOW.ms - age_ms, TimeQuality.SYNC, body), EP, seq, pv)


def prop(
    *values: Value | None,
    marks: tuple[Mark, ...] | None = None,
    column: PointColumn = COLUMN,
    **more: Any,
) -> PropBody:
    """Return values of the meter."""
    return PropBody(column, values, marks, **more)


def said(batch: Sequence[Committed], *, level: str = "L2", is_backfill: bool = False) -> Encoded:
    """Return what the native dialect makes of what may leave through the door of that level."""
    passed = Passage(door(level)).through(batch)
    encoded = native(level).encode(passed.items, NOW, is_backfill=is_backfill)
    return replace(encoded, withheld=(*passed.withheld, *encoded.withheld))
