"""Part 1 of issue 5, Alink: a real broker, a scripted platform, the gateway as a child process.

The platform checks every signature, answers logins, confirms reports, sends commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import (
    asked,
    depth,
    sink_status,
    status,
    until,
    write_profile,
    write_site,
)
from tests.e2e.kit_slave import Slave
from tests.support.alink_platform import AlinkPlatform
from tests.support.faketime import FakeTime
from tests.support.gateway_process import Folders, GatewayProcess, running_gateway
from tests.support.mosquitto import Mosquitto, mosquitto

PROFILE = """\
version: 1
profile: e2e/plant
vendor: test
model: plant
title: {en: Plant, zh: 机房}
kind: io.module
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 300ms}
defaults: {group: state, pii: P0, level: L1}
points:
  level: {register: 0, scale: 0.1, unit: V, value: float, access: rw, write: {min: 0, max: 100}}
  out_1: {table: coil, register: 0, access: rw}
  water:
    table: discrete
    register: 8
    value: bool
    events: [{type: flood, severity: 4, when: {equals: true}}]
"""
ALLOW = """\
commands:
  allow:
    - {device: "plant-*", points: [level, out_1], ops: [set, read]}
"""
SECRETS = {"pkPlant/plant-1": "secret-1", "pkPlant/plant-2": "secret-2"}
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class City:
    """A broker and two plants; platforms and gateways are started by the test."""

    slave: Slave
    broker: Mosquitto
    base: Path

    def site(self, options: str, *, ack: str = "app") -> Path:
        """Write the site with these options of the dialect."""
        return write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: gw-51, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0, offline_after: 1 polls}}
sinks:
  city:
    dialect: alink
    url: "mqtt://127.0.0.1:{self.broker.port}"
    ack: {ack}
    options: {{product_key: pkGw, device_name: gw51, {options}}}
    devices:
      plant-1: {{product_key: pkPlant, device_secret: {{env: SECRET_1}}}}
      plant-2: {{product_key: pkPlant, device_secret: {{env: SECRET_2}}}}
buses:
  tcp: {{tcp: "127.0.0.1:{self.slave.port}"}}
devices:
  - {{id: plant-1, profile: e2e/plant, bus: tcp, address: 1}}
  - {{id: plant-2, profile: e2e/plant, bus: tcp, address: 2}}
{ALLOW}""",
        )


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[City]:
    write_profile(tmp_path, "e2e/plant", PROFILE)
    monkeypatch.setenv("SECRET_GW", "secret-gw")
    monkeypatch.setenv("SECRET_1", "secret-1")
    monkeypatch.setenv("SECRET_2", "secret-2")
    monkeypatch.setenv("KEY_GW", "Z3dzZWNyZXQ=")
    with mosquitto(tmp_path, "log_type all") as broker, Slave() as slave:
        slave.put(1, 0, 100)
        slave.put(2, 0, 200)
        yield City(slave, broker, tmp_path)


ALIYUN = "device_secret: {env: SECRET_GW}, time_every: 1"


@pytest.mark.parametrize("subscribe", ["wildcard", "login"])
def test_alink_logs_in_and_receives_live_values_events_states_and_commands(
    city: City, subscribe: str
) -> None:
    with (
        AlinkPlatform(city.broker.port, secrets=SECRETS) as platform,
        running_gateway(city.site(f"{ALIYUN}, subscribe: {subscribe}"), city.base) as gateway,
    ):
        platform.wait_for("combine/batch_login")
        live = platform.wait_for("pack/post", lambda m: "plant-1" in m.devices())
        level = live.devices()["plant-1"]["properties"]["level"]
        assert level["value"] == 10.0
        assert b'"value":10.0' in live.payload, "a float keeps its point"
        assert abs(level["time"] - status(gateway)["now"]) < 60_000, "true UTC milliseconds"
        assert live.body["sys"] == {"ack": 1}
        assert platform.online == set(SECRETS)

        city.slave.put_bit(1, 8, is_on=True)
        flood = platform.wait_for(
            "pack/post", lambda m: "flood" in m.devices().get("plant-1", {}).get("events", {})
        )
        raised = flood.devices()["plant-1"]["events"]["flood"]["value"]
        assert (raised["st"], raised["sev"], raised["level"]) == ("raised", 4, "error")

        topic = "/sys/pkPlant/plant-2/thing/service/property/set"
        done = platform.ask(topic, {"level": 42.0}, method="thing.service.property.set")
        assert (done["code"], done["data"]) == (200, {"level": 42.0})
        assert city.slave.register(2, 0) == 420
        assert platform.ask(topic, {"out_1": 1})["data"] == {"out_1": 1}
        assert city.slave.bit(2, 0)
        assert platform.ask(topic, {"level": 100.1})["code"] == 460
        assert platform.ask(topic.replace("property/set", "read"), {"points": ["level"]})[
            "data"
        ] == {"level": 42.0}
        assert platform.ask(topic.replace("/set", "/get"), ["level"])["data"] == {"level": 42.0}

        city.slave.silent.add(2)
        platform.wait(lambda: platform.online == {"pkPlant/plant-1"}, "no logout of plant-2")
        city.slave.silent.discard(2)
        platform.wait(lambda: platform.online == set(SECRETS), "no login of plant-2")
        platform.wait_for("/ext/ntp/pkGw/gw51/response")
        until(lambda: depth(gateway, "city") < 20, "confirmed records are done")
        assert sink_status(gateway, "city")["refused"] == 0
        assert gateway.stop() == 0
        platform.wait(lambda: not platform.online, "no logout at the end")
    log = city.broker.read_log()
    assert "as pkGw.gw51|securemode=3,signmethod=hmacsha256,timestamp=" in log
    assert "u'gw51&pkGw'" in log


def test_alink_what_could_not_be_sent_arrives_as_history_in_true_utc(city: City) -> None:
    assert FakeTime.library() is not None, "libfaketime is missing: deploy/test-packages.sh"
    clock = FakeTime(city.base, -HOUR_S)
    site = city.site(ALIYUN)
    city.broker.stop()
    environment = {**clock.environment(), "TZ": "Asia/Shanghai"}
    with GatewayProcess(
        site, Folders(city.base), module=FakeTime.MODULE, environment=environment
    ) as gateway:
        gateway.wait_ready()
        until(lambda: depth(gateway, "city") > 4, "records that wait")
        began_ms = status(gateway)["now"]
        clock.set(0)
        city.broker.start()
        with AlinkPlatform(city.broker.port, secrets=SECRETS) as platform:
            history = platform.wait_for("history/post", lambda m: "plant-1" in m.devices())
            first = history.devices()["plant-1"]["properties"][0]["level"]
            assert first["value"] == 10.0
            assert abs(first["time"] - began_ms) < 60_000
            platform.wait_for("pack/post", lambda m: "plant-1" in m.devices())
            until(lambda: depth(gateway, "city") < 20, "history is confirmed")


def test_alink_a_sub_device_with_a_wrong_secret_is_refused_and_costs_no_other(city: City) -> None:
    wrong = {**SECRETS, "pkPlant/plant-2": "another"}
    with (
        AlinkPlatform(city.broker.port, secrets=wrong) as platform,
        running_gateway(city.site(ALIYUN), city.base) as gateway,
    ):
        platform.wait_for("pack/post", lambda m: "plant-1" in m.devices())
        assert platform.online == {"pkPlant/plant-1"}
        until(lambda: asked(gateway, "status")["outbox"]["refused"], "records are kept as refused")
        assert not [m for m in platform.of("pack/post") if "plant-2" in m.devices()]


def test_alink_onenet_topics_with_a_dollar_arrive(city: City) -> None:
    options = "profile: onenet, device_secret: {env: KEY_GW}"
    with (
        AlinkPlatform(city.broker.port, secrets={}, is_onenet=True) as platform,
        running_gateway(city.site(options), city.base) as gateway,
    ):
        live = platform.wait_for("pack/post", lambda m: "plant-1" in m.devices())
        assert live.topic == "$sys/pkGw/gw51/thing/pack/post"
        assert isinstance(live.body["params"], list)
        assert platform.online == set(SECRETS)
        set_topic = "$sys/pkGw/gw51/thing/sub/property/set"
        params = {"productID": "pkPlant", "deviceName": "plant-1", "params": {"level": 7.5}}
        assert platform.ask(set_topic, params)["code"] == 200
        assert city.slave.register(1, 0) == 75
        until(lambda: depth(gateway, "city") < 20, "confirmed records are done")
    log = city.broker.read_log()
    assert "as gw51 (" in log
    assert "u'pkGw'" in log


@dataclass(frozen=True, slots=True)
class Way:
    """How one platform of the family says what the test looks for."""

    profile: str
    live: str
    """End of the topic of values."""
    values: str
    """Member that holds them."""
    ask: str
    """Topic of a set, and what stands beside its `params`."""
    beside: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_timed: bool = False
    event: str = "pack/post"


GATEWAY, PLANT = "/sys/pkGw/gw51/", "/sys/pkPlant/plant-1/"
SET = "thing/service/property/set"
PLANT_ID = {"productKey": "pkPlant", "deviceKey": "plant-1"}
WAYS = (
    Way("sagoo", "pack/post", "properties", PLANT + SET, is_timed=True),
    Way("xunji", "pack/post", "properties", GATEWAY + SET, {"identity": PLANT_ID}),
    Way("yudao", "pack/post", "properties", PLANT + "thing/property/set"),
    Way(
        "enos",
        "measurepoint/post/batch",
        "measurepoints",
        PLANT + "thing/service/measurepoint/set",
        event="thing/event/flood/post",
    ),
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.profile)
def test_alink_relatives_receive_values_and_events_and_obey(city: City, way: Way) -> None:
    site = city.site(f"profile: {way.profile}, device_secret: {{env: SECRET_GW}}")
    with (
        AlinkPlatform(city.broker.port, secrets=SECRETS) as platform,
        running_gateway(site, city.base) as gateway,
    ):
        live = platform.wait_for(
            way.live, lambda m: "level" in m.devices().get("plant-1", {}).get(way.values, {})
        )
        level = live.devices()["plant-1"][way.values]["level"]
        assert (level["value"] if way.is_timed else level) == 10.0
        assert b"10.0" in live.payload, "a float keeps its point"
        if way.profile == "enos":
            assert platform.online == set(SECRETS)
        city.slave.put_bit(1, 8, is_on=True)
        flood = platform.wait_for(way.event, lambda m: b"flood" in m.payload + m.topic.encode())
        assert b"raised" in flood.payload
        done = platform.ask(way.ask, {"level": 42.0}, **way.beside)
        assert (done["code"], done["data"]) == (200, {"level": 42.0})
        assert city.slave.register(1, 0) == 420
        assert platform.ask(way.ask, {"level": 100.1}, **way.beside)["code"] == 460
        until(lambda: depth(gateway, "city") < 20, "confirmed records are done")
        assert sink_status(gateway, "city")["refused"] == 0


def test_alink_a_device_that_the_platform_disables_is_held_until_it_is_enabled(city: City) -> None:
    def say(status: int) -> None:
        name = {"productKey": "pkPlant", "deviceName": "plant-2"}
        params = {"status": status, "subList": [name]}
        body = {"id": f"t{status}", "params": params, "method": "thing.topo.change"}
        platform.say(GATEWAY + "thing/topo/change", body)
        platform.wait_for("topo/change_reply", lambda m: m.body["id"] == f"t{status}")

    with (
        AlinkPlatform(city.broker.port, secrets=SECRETS) as platform,
        running_gateway(city.site(ALIYUN), city.base) as gateway,
    ):
        platform.wait_for("pack/post", lambda m: "plant-2" in m.devices())
        say(8)
        city.slave.put(2, 0, 777)
        until(lambda: asked(gateway, "status")["outbox"]["refused"], "its records are kept")
        assert not [m for m in platform.of("pack/post") if b"77.7" in m.payload]
        logins = len(platform.of("combine/login"))
        say(2)
        platform.wait(lambda: len(platform.of("combine/login")) > logins, "a login at once")
        city.slave.put(2, 0, 888)
        platform.wait_for("/post", lambda m: b"88.8" in m.payload)
