"""Alink dialects with a few devices, and what a platform would say to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.dialects.alink.dialect import Alink
from gateway.dialects.contract import Birth, BirthPoint, DialectSetup, Now, Received
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, GatewayId, PointId, SinkName, SiteId
from gateway.model.publication import Arrival, Publication
from gateway.model.quality import Mark
from gateway.model.reading import PointColumn, Value
from gateway.model.record import Body, Committed, PropBody, Record
from gateway.settings.site import Gateway
from gateway.settings.site_sinks import Secret
from tests.support.uplinks import a_sink

EP = 5129077341120511
NOW = Now(1763888400123, TimeQuality.SYNC)
METER, GATE = DeviceId("em-01"), DeviceId("gate-01")
COLUMN = PointColumn((PointId("ep_imp"), PointId("u_a"), PointId("count")), ("kW.h", "V", None))
SECRET = Secret("credential", "alink")
KEYS = {"alink": "gwsecret", "meter": "devsecret", "onenet": "Z3dzZWNyZXQ="}
PRODUCTS = {"meter.electricity": "pkMeter", "parking.gate": "pkGate"}


def read(secret: Secret) -> str:
    """Return a secret of this page."""
    return KEYS[secret.name]


def setup(profile: str = "aliyun", *, ack: str = "puback", **options: Any) -> DialectSetup:
    """Return who we are on a platform."""
    name = "onenet" if profile == "onenet" else "alink"
    given = {
        "product_key": "pkGw",
        "device_name": "gw03",
        "profile": profile,
        "device_secret": Secret("credential", name),
        "products": PRODUCTS,
        **options,
    }
    devices = {"*": {"device_secret": Secret("credential", "meter")}}
    sink = a_sink(1883, name=SinkName("city"), ack=ack, options=given, devices=devices)
    gateway = Gateway(GatewayId("gw-03"), SiteId("hz-fc-001"))
    return DialectSetup(gateway, sink, "linli-gateway 0.1.0", EP, 77, read)


def meter_birth(device: str = "em-01") -> Birth:
    """Return an electricity meter."""
    points = (
        BirthPoint(PointId("ep_imp"), "float", "kW.h", 0.01, "P1", "L2"),
        BirthPoint(PointId("u_a"), "float", "V", 0.1, "P1", "L2"),
        BirthPoint(PointId("count"), "int", None, None, "P0", "L1"),
        BirthPoint(PointId("relay"), "bool", None, None, "P0", "L1", is_writable=True),
        BirthPoint(PointId("p_limit"), "float", "kW", None, "P0", "L1", is_writable=True),
        BirthPoint(
            PointId("mode"), "enum", None, None, "P0", "L1", ("off", "auto", "on"), is_writable=True
        ),
    )
    return Birth(DeviceId(device), "meter.electricity", None, None, points)


def gate_birth() -> Birth:
    """Return a gate."""
    return Birth(GATE, "parking.gate", None, None, ())


BIRTHS = (meter_birth(), gate_birth())


def arrival(topic: str, body: object, *, is_retained: bool = False) -> Arrival:
    """Return a message of the platform."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Arrival(SinkName("city"), topic, payload, is_retained)


def later(seconds: float) -> Now:
    """Return a moment after NOW."""
    return Now(NOW.ms + int(seconds * 1000), TimeQuality.SYNC)


def body_of(publication: Publication) -> dict[str, Any]:
    """Return the payload."""
    return json.loads(publication.payload)


def answered(
    dialect: Alink,
    publications: Sequence[Publication],
    code: int = 200,
    *,
    reply: str = "_reply",
    now: Now = NOW,
    **more: Any,
) -> list[Received]:
    """Answer each of these with the same code, as the platform would on its reply topic."""
    return [
        dialect.received(
            arrival(each.topic + reply, {"id": body_of(each)["id"], "code": code, **more}), now
        )
        for each in publications
    ]


def alink(
    profile: str = "aliyun",
    *,
    births: Sequence[Birth] = BIRTHS,
    ack: str = "puback",
    **options: Any,
) -> Alink:
    """Return a dialect that is connected and whose devices are logged in."""
    dialect = Alink(setup(profile, ack=ack, **options))
    dialect.connect_spec(NOW)
    logins = dialect.connected(births, (), NOW)
    answered(dialect, logins, reply="/reply" if profile == "onenet" else "_reply")
    assert dialect.is_ready(NOW)
    return dialect


def record(body: Body, device: DeviceId = METER, *, seq: int = 10, age_ms: int = 43) -> Committed:
    """Return a record that was taken `age_ms` before NOW."""
    return Committed(Record(device, NOW.ms - age_ms, TimeQuality.SYNC, body), EP, seq, seq - 1)


def values(*found: Value | None, marks: tuple[Mark, ...] | None = None, **more: Any) -> PropBody:
    """Return values of the meter."""
    return PropBody(COLUMN, found, marks, **more)


def wide(count: int) -> PropBody:
    """Return a record of so many points, all 1.5."""
    column = PointColumn(tuple(PointId(f"p{n}") for n in range(count)), (None,) * count)
    return PropBody(column, (1.5,) * count, None)


def shown(publication: Publication) -> Mapping[str, Any]:
    """Return a message as golden files hold it."""
    return {
        "topic": publication.topic,
        "qos": publication.qos,
        "covers": list(publication.covers),
        "payload": body_of(publication),
    }
