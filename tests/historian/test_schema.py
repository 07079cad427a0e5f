"""What a record is in the database: the schema that dashboards are built on."""

from __future__ import annotations

import math

import pytest

from gateway.historian.schema import Schema
from gateway.model.clock import TimeQuality
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, GatewayId, PointId, SiteId
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, bad
from gateway.model.reading import PointColumn, Value
from gateway.model.record import (
    Body,
    Committed,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    PropBody,
    Record,
    ReplyBody,
    StateBody,
)
from gateway.settings.site import Gateway
from tests.historian.historian_support import a_device

EM = "meter.electricity,device=em-01,gateway=gw-1"
WET = "event,device=em-01,gateway=gw-1,point=wet,site=lake"
TS = 1_700_000_000_000


@pytest.fixture
def schema() -> Schema:
    gateway = Gateway(GatewayId("gw-1"), SiteId("lake"))
    return Schema(gateway, [a_device("em-01", kind="meter.electricity")])


def octets(schema: Schema, body: Body, device: str = "em-01") -> list[str]:
    record = Record(DeviceId(device), TS, TimeQuality.SYNC, body)
    return [one.octets.decode() for one in schema.lines(Committed(record, 1, 9, None))]


def one_value(value: Value | None, mark: Mark = GOOD) -> PropBody:
    return PropBody(PointColumn((PointId("u_a"),), ("V",)), (value,), (mark,))


def test_every_point_of_a_record_is_a_line_of_its_own_time(schema: Schema) -> None:
    column = PointColumn((PointId("u_a"), PointId("on")), ("V", None))
    body = PropBody(column, (230.1, True), None, (0, -250))
    assert octets(schema, body) == [
        f"{EM},point=u_a,site=lake,unit=V value=230.1,q=192i {TS}",
        f"{EM},point=on,site=lake flag=true,q=192i {TS - 250}",
    ]


@pytest.mark.parametrize(
    ("value", "mark", "fields"),
    [
        (230.1, GOOD, "value=230.1,q=192i"),
        (230, GOOD, "value=230.0,q=192i"),
        (-(1 << 53), GOOD, "value=-9007199254740992.0,q=192i"),
        ((1 << 53) + 1, GOOD, "value=9007199254740992.0,whole=9007199254740993i,q=192i"),
        (1 << 64, GOOD, 'value=1.8446744073709552e+19,text="18446744073709551616",q=192i'),
        (10**400, GOOD, f'text="{10**400}",q=192i'),
        (False, GOOD, "flag=false,q=192i"),
        ("open", GOOD, 'text="open",q=192i'),
        (230.1, SIMULATED, 'value=230.1,q=192i,qr="sim"'),
        (None, bad("timeout"), 'q=0i,qr="timeout"'),
        (230.1, bad("stuck"), 'q=0i,qr="stuck"'),
        (230.1, Mark(Quality.STALE, "leased"), 'q=500i,qr="leased"'),
        (math.nan, GOOD, "q=192i"),
        (None, GOOD, "q=192i"),
    ],
)
def test_only_a_good_value_is_a_number_and_the_quality_is_always_there(
    schema: Schema, value: Value | None, mark: Mark, fields: str
) -> None:
    (line,) = octets(schema, one_value(value, mark))
    assert line.split(" ")[1] == fields


def test_what_was_written_when_it_was_new_is_not_written_again(schema: Schema) -> None:
    column = PointColumn((PointId("u_a"),), ("V",))
    assert octets(schema, PropBody(column, (1.0,), None, is_snapshot=True)) == []


def test_an_event_has_a_series_for_each_step_of_its_life(schema: Schema) -> None:
    raised = EventBody("e1", "leak", 3, "raised", "wet", value=True, detail="cellar, north")
    said = 'severity=3i,eid="e1",flag=true,detail="cellar, north"'
    assert octets(schema, raised) == [f"{WET},state=raised,type=leak {said} {TS}"]


def test_states_of_devices_and_gaps_are_there_too(schema: Schema) -> None:
    assert octets(schema, StateBody(False, "timeout", TS)) == [
        f'device_state,device=em-01,gateway=gw-1,site=lake online=false,reason="timeout" {TS}'
    ]
    gap = GapBody(Lane.TELEMETRY, 1, 9, 5, "quota")
    assert octets(schema, gap, GATEWAY_ITSELF) == [
        f'gap,device=_,gateway=gw-1,lane=telemetry,site=lake count=5i,cause="quota" {TS}'
    ]


@pytest.mark.parametrize("body", [ReplyBody("r", "done"), LogBody("audit", (("who", "x"),))])
def test_receipts_and_the_audit_are_no_time_series(schema: Schema, body: Body) -> None:
    assert octets(schema, body) == []


def test_a_device_that_left_the_site_is_still_written(schema: Schema) -> None:
    (line,) = octets(schema, one_value(1.0), "em-99")
    assert line.startswith("device,device=em-99,")
    schema.use([a_device("em-99", kind="valve")])
    (line,) = octets(schema, one_value(1.0), "em-99")
    assert line.startswith("valve,device=em-99,")
