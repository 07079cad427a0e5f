"""Part 1 of the platform's side: Huawei IoTDA, end to end on a real mosquitto."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import sink_status, status, until
from tests.support.gateway_process import Folders, GatewayProcess, running_gateway
from tests.support.huawei_platform import (
    BASE,
    EVENTS,
    GATEWAY,
    MESSAGES,
    HuaweiPlatform,
    command,
    readings,
)
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.plant import CountingSlave, Plant, refused, stored
from tests.support.scripted_platform import Heard, Say, ScriptedPlatform

FIRST, SECOND = "65aa_p-1", "65aa_p-2"
FILTERS = (
    f"{BASE}properties/report",
    f"{BASE}gateway/sub_devices/properties/report",
    f"{BASE}events/up",
    f"{BASE}messages/up",
    f"{BASE}commands/response/#",
    f"{BASE}properties/set/response/#",
    f"{BASE}properties/get/response/#",
)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    with CountingSlave() as slave:
        yield Plant(slave, tmp_path)


def site(plant: Plant, broker: Mosquitto, more: str = "") -> Path:
    """Write the site as docs/platform/dialects/huawei_iotda.md shows it."""
    return plant.site(
        f"""\
    dialect: huawei_iotda
    url: "mqtt://127.0.0.1:{broker.port}"
    keepalive: 120s
    options:
      device_id: {GATEWAY}
      secret: {{file: "{plant.base}/secret"}}
      service_id: plant
      sequence: true
      {more}
    devices:
      "p-*": {{product_id: 65aa, names: {{level: filling}}}}
"""
    )


def now_utc() -> datetime:
    return datetime.fromtimestamp(time.time_ns() / 1e9, UTC)


def response_topic(kind: str, request_id: str) -> str:
    return f"{BASE}{kind}/response/request_id={request_id}"


def last_value(heard: list[Heard], device: str, name: str) -> Any:
    found = [
        one["properties"][name] for one in readings(heard, device) if name in one["properties"]
    ]
    return found[-1] if found else None


def test_sub_devices_come_online_report_and_obey(plant: Plant) -> None:
    plant.slave.put(1, 0, 234)
    script = HuaweiPlatform()
    with (
        mosquitto(plant.base, "log_type all") as broker,
        ScriptedPlatform(broker.port, FILTERS, script) as platform,
        running_gateway(site(plant, broker, "add_sub_devices: true"), plant.base),
    ):
        they_are_registered_and_online(platform, script)
        they_report(platform)
        they_obey(platform, plant.slave)
        plant.slave.put_bit(1, 0, is_on=True)
        leak = platform.wait_for(
            lambda one: one.topic == MESSAGES and one.body["name"] == "event", "the leak"
        ).body
        assert leak["object_device_id"] == FIRST
        assert (leak["content"]["type"], leak["content"]["state"]) == ("leak", "raised")
        plant.slave.silent.add(2)
        platform.wait(lambda _: script.online[SECOND] is False, "it goes offline")
        login = re.search(rf"as ({GATEWAY}_0_0_\d{{10}}) .*u'{GATEWAY}'", broker.read_log())
        assert login is not None, "the client id holds the hour"
        hour = datetime.strptime(login[1][-10:], "%Y%m%d%H").replace(tzinfo=UTC)
        assert abs((now_utc() - hour).total_seconds()) < 2 * 3600
    assert script.online == {FIRST: False, SECOND: False}, "a stop takes them offline"


def they_are_registered_and_online(platform: ScriptedPlatform, script: HuaweiPlatform) -> None:
    platform.wait(lambda heard: readings(heard, FIRST) and readings(heard, SECOND), "reports")
    assert script.registered == {"p-1": FIRST, "p-2": SECOND}
    assert script.online == {FIRST: True, SECOND: True}
    kinds = [
        service["event_type"]
        for one in platform.so_far()
        if one.topic == EVENTS
        for service in one.body["services"]
    ]
    assert kinds.index("add_sub_device_request") < kinds.index("sub_device_update_status")
    platform.wait_for(
        lambda one: one.topic == EVENTS and "time_sync_request" in str(one.body), "the time"
    )


def they_report(platform: ScriptedPlatform) -> None:
    first = readings(platform.so_far(), FIRST)[0]
    assert first["service_id"] == "plant"
    taken = datetime.fromisoformat(first["event_time"])
    assert abs((now_utc() - taken).total_seconds()) < 300, "UTC, not local time"
    platform.wait(lambda heard: last_value(heard, FIRST, "filling") == 23.4, "a float")
    assert isinstance(last_value(platform.so_far(), FIRST, "count"), int)
    platform.wait(lambda heard: last_value(heard, FIRST, "wet") is False, "a bool")


def they_obey(platform: ScriptedPlatform, slave: CountingSlave) -> None:
    def called(name: str, paras: object, device: str, request_id: str) -> dict[str, Any]:
        wish = command(name, paras, device, request_id)
        return platform.ask(wish, response_topic("commands", request_id))

    done = called("set", {"filling": 45.6}, FIRST, "c1")
    assert (done["result_code"], done["paras"]["values"]) == (0, {"filling": 45.6})
    assert slave.register(1, 0) == 456
    platform.wait(lambda heard: last_value(heard, FIRST, "filling") == 45.6, "the new value")
    assert called("out_1", {"value": True}, SECOND, "c2")["result_code"] == 0
    assert slave.bit(2, 1)
    services = [{"service_id": "plant", "properties": {"filling": 7.5}}]
    body: dict[str, Any] = {"object_device_id": SECOND, "services": services}
    wish = Say(f"{BASE}properties/set/request_id=s1", body)
    answer = platform.ask(wish, response_topic("properties/set", "s1"))
    assert answer == {"result_code": 0, "result_desc": "done"}
    assert slave.register(2, 0) == 75
    query = Say(
        f"{BASE}properties/get/request_id=g1",
        {"object_device_id": SECOND, "service_id": "plant"},
    )
    (service,) = platform.ask(query, response_topic("properties/get", "g1"))["services"]
    assert service["properties"]["filling"] == 7.5
    no = called("set", {"count": 1}, FIRST, "c3")
    assert (no["result_code"], no["paras"]["code"]) == (1, "not_allowed")
    assert called("set", {"filling": 1}, "65aa_p-9", "c4")["paras"]["code"] == "no_device"
    writes = len(slave.writes)
    assert called("set", {"filling": 45.6}, FIRST, "c1")["result_code"] == 0
    assert len(slave.writes) == writes, "a request id is carried out once"


def test_what_waited_comes_as_history_with_its_own_time_and_whole(plant: Plant) -> None:
    script = HuaweiPlatform()
    with mosquitto(plant.base) as broker:
        file = site(plant, broker)
        broker.stop()
        with GatewayProcess(file, Folders(plant.base)) as gateway:
            gateway.wait_ready()
            until(lambda: status(gateway)["committed"] >= 20, "records that wait")
            kept = stored(gateway, "p-1")
            gateway.kill()
        broker.start()
        with ScriptedPlatform(broker.port, FILTERS, script) as platform:
            begun = now_utc()
            with running_gateway(file, plant.base) as gateway:
                platform.wait(
                    lambda heard: any(
                        datetime.fromisoformat(one["event_time"]) > begun
                        for one in readings(heard, FIRST)
                    ),
                    "live reports again",
                )
                assert gateway.stop() == 0
            reports = readings(platform.so_far(), FIRST)
    assert kept
    assert kept <= {one["properties"]["_seq"] for one in reports}, "nothing is missing"
    old = [one for one in reports if one["properties"]["_seq"] in kept]
    assert all(datetime.fromisoformat(one["event_time"]) < begun for one in old), "its own time"
    in_time = sorted(reports, key=lambda one: one["event_time"])
    counts = [one["properties"]["count"] for one in in_time if "count" in one["properties"]]
    assert counts == sorted(counts), "each value at the time at which it was so"


def test_what_the_platform_does_not_take_is_kept_with_its_code_and_sent_when_it_does(
    plant: Plant,
) -> None:
    script = HuaweiPlatform()
    script.unknown.add(SECOND)
    with (
        mosquitto(plant.base) as broker,
        ScriptedPlatform(broker.port, FILTERS, script) as platform,
    ):
        file = site(plant, broker)
        with running_gateway(file, plant.base) as gateway:
            platform.wait(lambda heard: len(readings(heard, FIRST)) >= 5, "the other one goes on")
            plant.slave.put_bit(2, 0, is_on=True)
            until(lambda: status(gateway)["events"] == 1, "the leak")
            until(lambda: "IOTDA.014016" in refused(gateway), "it is kept and shown")
            assert sink_status(gateway)["connects"] == 1
        assert not any(one.topic == MESSAGES for one in platform.so_far())
        script.unknown.clear()
        with running_gateway(file, plant.base):
            leak = platform.wait_for(lambda one: one.topic == MESSAGES, "the leak that was kept")
    assert (leak.body["object_device_id"], leak.body["content"]["type"]) == (SECOND, "leak")
