"""Part 1 of the platform's side: JetLinks, end to end on a real mosquitto."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import sink_status, status, until
from tests.support.gateway_process import Folders, GatewayProcess, running_gateway
from tests.support.jetlinks_platform import (
    BASE,
    JetLinksPlatform,
    child_topic,
    reply_topic,
    reports,
    request,
)
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.plant import CountingSlave, Plant, stored
from tests.support.scripted_platform import Heard, ScriptedPlatform

FILTERS = (
    f"{BASE}child/+/online",
    f"{BASE}child/+/offline",
    f"{BASE}child/+/register",
    f"{BASE}child/+/properties/report",
    f"{BASE}child/+/event/+",
    f"{BASE}child/+/+/+/reply",
    f"{BASE}child-reply/#",
    f"{BASE}time-sync",
)
FIVE_MINUTES_MS = 300_000


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    with CountingSlave() as slave:
        yield Plant(slave, tmp_path)


def site(plant: Plant, broker: Mosquitto, clock: str = "trusted") -> Path:
    """Write the site as docs/platform/dialects/jetlinks.md shows it."""
    file = plant.site(
        f"""\
    dialect: jetlinks
    url: "mqtt://127.0.0.1:{broker.port}"
    options:
      product_id: linli
      device_id: gw001
      secure_id: admin
      secure_key: {{file: "{plant.base}/secret"}}
      register: true
    devices:
      p-1: {{device_id: plant-1, names: {{level: filling}}}}
"""
    )
    text = file.read_text(encoding="utf-8").replace("clock: trusted", f"clock: {clock}")
    file.write_text(text, encoding="utf-8")
    return file


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def last_value(heard: list[Heard], child: str, name: str) -> Any:
    found = [one["properties"] for one in reports(heard, child) if name in one["properties"]]
    return found[-1][name] if found else None


def logins(broker: Mosquitto) -> list[int]:
    """Return the times in the user names of all connects that the broker logged."""
    return [int(ms) for ms in re.findall(r"as gw001 .*u'admin\|(\d+)'", broker.read_log())]


def test_children_come_online_report_and_obey(plant: Plant) -> None:
    plant.slave.put(1, 0, 230)
    script = JetLinksPlatform()
    with (
        mosquitto(plant.base, "log_type all") as broker,
        ScriptedPlatform(broker.port, FILTERS, script) as platform,
        running_gateway(site(plant, broker), plant.base) as gateway,
    ):
        platform.wait(lambda heard: reports(heard, "plant-1") and reports(heard, "p-2"), "reports")
        assert script.bound == {"plant-1", "p-2"}
        assert script.online == {"plant-1": True, "p-2": True}
        they_report(platform)
        they_obey(platform, plant.slave)
        platform.wait(lambda _: script.times_asked, "the question for the time")
        plant.slave.put_bit(2, 0, is_on=True)
        leak = platform.wait_for(
            lambda one: one.topic == child_topic("p-2", "event/leak"), "the leak"
        ).body
        assert (leak["data"]["state"], leak["data"]["point"]) == ("raised", "wet")
        plant.slave.silent.add(2)
        platform.wait(lambda _: script.online["p-2"] is False, "it goes offline")
        broker.restart()
        until(lambda: sink_status(gateway)["connects"] == 2, "a second connection")
        first_ms, *_, last_ms = logins(broker)
        assert first_ms < last_ms, "the login is made anew"
        assert abs(last_ms - now_ms()) < FIVE_MINUTES_MS


def they_report(platform: ScriptedPlatform) -> None:
    first = reports(platform.so_far(), "plant-1")[0]
    assert abs(first["timestamp"] - now_ms()) < FIVE_MINUTES_MS
    platform.wait(lambda heard: repr(last_value(heard, "plant-1", "filling")) == "23.0", "a float")
    assert isinstance(last_value(platform.so_far(), "plant-1", "count"), int)
    platform.wait(lambda heard: last_value(heard, "plant-1", "wet") is False, "a bool")


def they_obey(platform: ScriptedPlatform, slave: CountingSlave) -> None:
    def asked(child: str, what: str, message_id: str, **fields: Any) -> dict[str, Any]:
        wish = request(child, what, message_id, **fields)
        return platform.ask(wish, reply_topic(child, what))

    written = asked("plant-1", "properties/write", "m1", properties={"filling": 45.6})
    assert (written["messageId"], written["success"]) == ("m1", True)
    assert written["properties"] == {"filling": 45.6}
    assert slave.register(1, 0) == 456
    platform.wait(lambda heard: last_value(heard, "plant-1", "filling") == 45.6, "the value")
    read = asked("plant-1", "properties/read", "m2", properties=["filling"])
    assert (read["success"], read["properties"]) == (True, {"filling": 45.6})
    inputs = [{"name": "out_1", "value": True}]
    invoked = asked("p-2", "function/invoke", "m3", functionId="set", inputs=inputs)
    assert (invoked["success"], invoked["output"]["status"]) == (True, "done")
    assert slave.bit(2, 1)
    refused = asked("p-2", "properties/write", "m4", properties={"count": 1})
    assert (refused["success"], refused["code"]) == (False, "not_allowed")
    nobody = asked("p-9", "properties/write", "m5", properties={"level": 1})
    assert (nobody["success"], nobody["code"]) == (False, "no_device")
    writes = len(slave.writes)
    again = asked("plant-1", "properties/write", "m1", properties={"filling": 45.6})
    assert again["success"]
    assert len(slave.writes) == writes, "a message id is carried out once"


def test_it_waits_for_the_time_of_day_and_then_sends_history_with_its_own_time(
    plant: Plant,
) -> None:
    flag = plant.base / "synchronised"
    with (
        mosquitto(plant.base, "log_type all") as broker,
        ScriptedPlatform(broker.port, FILTERS, JetLinksPlatform()) as platform,
        GatewayProcess(
            site(plant, broker, clock="kernel"),
            Folders(plant.base),
            environment={"LINLI_TIME_FLAG": str(flag)},
        ) as gateway,
    ):
        gateway.wait_ready()
        until(lambda: "synchronised clock" in sink_status(gateway)["why"], "it waits, and says so")
        until(lambda: status(gateway)["committed"] >= 20, "records that wait")
        kept = stored(gateway, "p-1")
        assert not sink_status(gateway)["connected"]
        assert logins(broker) == [], "no login with a time that may be wrong"
        flag.touch()
        begun_ms = now_ms()
        platform.wait(
            lambda heard: any(one["timestamp"] > begun_ms for one in reports(heard, "plant-1")),
            "live reports",
        )
        assert gateway.stop() == 0
        found = reports(platform.so_far(), "plant-1")
    assert kept
    assert kept <= {one["messageId"] for one in found}, "nothing is missing"
    old = [one for one in found if one["messageId"] in kept]
    assert all(one["timestamp"] < begun_ms for one in old), "each with its own time"
    in_time = sorted(found, key=lambda one: one["timestamp"])
    counts = [one["properties"]["count"] for one in in_time if "count" in one["properties"]]
    assert counts == sorted(counts), "each value at the time at which it was so"
