"""Issue 5, part 1, dialect `thingsboard`: a scripted platform, and a client library of it."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.e2e.kit_gateway import TEST_ROOM, WAIT_S, depth, status, until
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.plant import CountingSlave, Plant
from tests.support.scripted_platform import Heard, Say, ScriptedPlatform
from tests.support.thingsboard_platform import (
    FILTERS,
    MAX_PAYLOAD,
    OWN,
    REQUEST,
    RESPONSE,
    TELEMETRY,
    ThingsBoardPlatform,
    call,
)

TOKEN = "s3cret"  # noqa: S105 - of the test
PEER = TEST_ROOM / "tests" / "e2e" / "thingsboard_peer"
PEER_PYTHON = TEST_ROOM / "build" / "thingsboard" / "bin" / "python"
FIVE_MINUTES_MS = 300_000
RECORDS_THAT_WAIT = 60


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    with CountingSlave() as slave:
        yield Plant(slave, tmp_path)


def site(plant: Plant, broker: Mosquitto) -> Path:
    """Write the site as docs/platform/dialects/thingsboard.md shows it."""
    file = plant.site(
        f"""\
    dialect: thingsboard
    url: "mqtt://127.0.0.1:{broker.port}"
    options:
      token: {{file: "{plant.base}/secret"}}
    devices:
      p-1: {{name: "Plant 1", type: plant, names: {{level: filling}}}}
"""
    )
    quick = ("timeout: 1s,", "timeout: 300ms, offline_after: 2 polls,")
    file.write_text(file.read_text(encoding="utf-8").replace(*quick), encoding="utf-8")
    return file


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_thingsboard_devices_connect_report_raise_events_and_obey(plant: Plant) -> None:
    plant.slave.put(1, 0, 230)
    script = ThingsBoardPlatform()
    with (
        mosquitto(plant.base, "log_type all") as broker,
        ScriptedPlatform(broker.port, FILTERS, script) as platform,
        running_gateway(site(plant, broker), plant.base) as gateway,
    ):
        platform.wait(lambda _: script.value("Plant 1", "filling") == 23.0, "a value")
        assert type(script.value("Plant 1", "filling")) is float
        assert re.search(rf"as gw-20 .*u'{TOKEN}'", broker.read_log()), "the token is the user"
        platform.wait(lambda _: script.value("p-2", "count"), "a value of the other device")
        kinds = {name: one.profile for name, one in script.devices.items() if name}
        assert kinds == {"Plant 1": "plant", "p-2": "io.module"}
        assert script.attribute("Plant 1", "units") == {"filling": "V", "count": "V"}
        assert script.attribute(OWN, "site") == "e2e"
        newest = max(script.devices["Plant 1"].series["filling"])
        assert abs(newest - now_ms()) < FIVE_MINUTES_MS
        they_obey(platform, plant)
        an_event_stands_and_ends(platform, script, plant)
        a_device_goes_and_comes(platform, script, plant)
        assert not script.made_by_default, "nothing came before its device was connected"
        assert gateway.stop() == 0


def they_obey(platform: ScriptedPlatform, plant: Plant) -> None:
    done = call(platform, "Plant 1", 0, "set", {"filling": 45.6})
    assert (done["success"], done["values"]) == (True, {"filling": 45.6})
    assert plant.slave.register(1, 0) == 456
    read = call(platform, "Plant 1", 1, "read", ["filling"])
    assert (read["success"], read["values"]) == (True, {"filling": 45.6})
    switched = call(platform, "p-2", 2, "out_1", params=True)  # as its switch widget asks
    assert (switched["success"], switched["status"]) == (True, "done")
    assert plant.slave.bit(2, 1)
    refused = call(platform, "p-2", 3, "set", {"count": 1})
    assert (refused["success"], refused["code"]) == (False, "not_allowed")
    nobody = call(platform, "nobody", 4, "set", {"level": 1})
    assert (nobody["success"], nobody["code"]) == (False, "no_device")
    writes = len(plant.slave.writes)
    again = call(platform, "Plant 1", 0, "set", {"filling": 45.6})
    assert again["success"]
    assert len(plant.slave.writes) == writes, "what comes again after a connect is done once"
    anew = call(platform, "Plant 1", 0, "set", {"filling": 12.3})
    assert anew["values"] == {"filling": 12.3}, "another request of the same number is another one"
    after = len(platform.so_far())
    platform.say(Say(f"{REQUEST}7", {"method": "reboot", "params": {}}))
    answer = platform.wait_for(
        lambda one: one.topic == f"{RESPONSE}7", "the gateway's own reply", after=after
    )
    assert answer.body["success"] is False


def an_event_stands_and_ends(
    platform: ScriptedPlatform, script: ThingsBoardPlatform, plant: Plant
) -> None:
    plant.slave.put_bit(2, 0, is_on=True)
    platform.wait(lambda _: script.attribute("p-2", "alarm_leak_wet") is True, "it stands")
    assert script.attribute("p-2", "alarm_leak_wet_severity") == "MAJOR"
    step = script.value("p-2", "event_leak")
    assert (step["state"], step["severity"], step["point"]) == ("raised", "MAJOR", "wet")
    plant.slave.put_bit(2, 0, is_on=False)
    platform.wait(lambda _: script.attribute("p-2", "alarm_leak_wet") is False, "its end")


def a_device_goes_and_comes(
    platform: ScriptedPlatform, script: ThingsBoardPlatform, plant: Plant
) -> None:
    plant.slave.silent.add(2)
    platform.wait(lambda _: script.attribute("p-2", "online") is False, "it goes offline")
    platform.wait(lambda _: script.value("p-2", "level__q") == "timeout", "why it has no value")
    plant.slave.silent.discard(2)
    platform.wait(lambda _: script.attribute("p-2", "online") is True, "it comes back")
    platform.wait(lambda _: script.value("p-2", "level__q") == "good", "it is good again")
    assert script.devices["p-2"].is_connected


def test_thingsboard_history_has_its_own_time_and_fits_the_limit_of_the_session(
    plant: Plant,
) -> None:
    script = ThingsBoardPlatform()
    with (
        mosquitto(plant.base) as broker,
        ScriptedPlatform(broker.port, FILTERS, script) as platform,
    ):
        broker.freeze()  # the platform has subscribed before, and misses nothing
        with running_gateway(site(plant, broker), plant.base) as gateway:
            until(lambda: status(gateway)["committed"] >= RECORDS_THAT_WAIT, "they wait")
            begun_ms = now_ms()
            broker.thaw()
            platform.wait(lambda _: newest(script) > begun_ms, "live values")
            until(lambda: depth(gateway) == 0, "all is sent")
            assert gateway.stop() == 0
    counts = script.devices["Plant 1"].series["count"]
    in_time = [counts[at] for at in sorted(counts)]
    assert in_time == sorted(in_time), "each value at the time at which it was so"
    old = [at for at in counts if at < begun_ms]
    assert len(old) > 10, "history"
    told = platform.so_far()
    first = next(n for n, one in enumerate(told) if one.topic.startswith(RESPONSE))
    packed = [one for one in told[first:] if one.topic == TELEMETRY and rows(one) > 2]
    assert {name for one in packed for name in one.body} == {"Plant 1", "p-2"}
    assert all(length(one) <= MAX_PAYLOAD for one in packed), "as the platform wants it"


def test_thingsboard_no_event_overtakes_the_connect_that_makes_its_device(plant: Plant) -> None:
    """On a narrow window events go first; the platform would make their devices by default."""
    script = ThingsBoardPlatform()
    plant.slave.put_bit(1, 0, is_on=True)
    plant.slave.silent.add(2)
    with (
        mosquitto(plant.base) as broker,
        ScriptedPlatform(broker.port, FILTERS, script) as platform,
    ):
        file = site(plant, broker)
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("dialect:", "window: 1\n    dialect:"), encoding="utf-8")
        broker.freeze()
        with running_gateway(file, plant.base) as gateway:
            until(lambda: status(gateway)["committed"] >= RECORDS_THAT_WAIT, "an event waits")
            broker.thaw()
            platform.wait(lambda _: script.attribute("Plant 1", "alarm_leak_wet"), "an alarm")
            platform.wait(lambda _: script.attribute("p-2", "online") is False, "who is offline")
            assert gateway.stop() == 0
    assert not script.made_by_default


def newest(script: ThingsBoardPlatform) -> int:
    device = script.devices.get("Plant 1")
    return max(device.series.get("count", {0: 0})) if device else 0


def rows(one: Heard) -> int:
    return sum(map(len, one.body.values()))


def length(one: Heard) -> int:
    return len(json.dumps(one.body, ensure_ascii=False, separators=(",", ":")).encode())


# --- a client library of the platform -------------------------------------------------------------


class Peer:
    """`thingsboard_peer/gateway.py` as a child; a thread takes what it says."""

    def __init__(self, port: int) -> None:
        assert PEER_PYTHON.exists(), "build/thingsboard is missing: deploy/test-packages.sh"
        self.said: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [PEER_PYTHON, PEER / "gateway.py", str(port), TOKEN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="peer")

    def __enter__(self) -> Self:
        """Return when the library has connected and knows the limits of the session."""
        self._reader.start()
        try:
            self.wait("connected")
        except AssertionError:
            self._process.kill()
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        status = self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        self._process.stdout.close()
        assert status == 0

    def order(self, **order: Any) -> None:
        """Give it an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def wait(self, kind: str) -> dict[str, Any]:
        """Return the first line of a kind."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.said if one["kind"] == kind]

        with self._news:
            assert self._news.wait_for(found, WAIT_S), f"never: {kind}; {self.said[-5:]}"
            return found()[0]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.said.append(json.loads(line))
                self._news.notify_all()


def test_thingsboard_its_own_client_library_and_we_say_the_same(plant: Plant) -> None:
    """The script takes both; the library reads our messages; both answer the same request."""
    plant.slave.put(1, 0, 230)
    ours, theirs = ThingsBoardPlatform(), ThingsBoardPlatform()
    with (
        mosquitto(plant.base) as broker,
        ScriptedPlatform(broker.port, FILTERS, ours) as platform,
    ):
        with running_gateway(site(plant, broker), plant.base) as gateway:
            platform.wait(lambda _: ours.value("Plant 1", "filling") == 23.0, "our value")
            answer = call(platform, "Plant 1", 5, "read", {"points": ["filling"]})
            assert gateway.stop() == 0
        told = platform.so_far()
    connect = next(one.body for one in told if one.topic == "v1/gateway/connect")
    values = next(one for one in told if one.topic == TELEMETRY and "Plant 1" in one.body)
    units = next(
        one.body["Plant 1"]
        for one in told
        if one.topic == "v1/gateway/attributes" and "Plant 1" in one.body
    )
    with (
        mosquitto(plant.base) as broker,
        ScriptedPlatform(broker.port, FILTERS, theirs) as platform,
        Peer(broker.port) as peer,
    ):
        assert peer.wait("connected")["max_payload"] == MAX_PAYLOAD * 80 // 100, "as it reads it"
        peer.order(connect=[connect["device"], connect["type"]])
        peer.order(telemetry=["Plant 1", values.body["Plant 1"]])
        peer.order(attributes=["Plant 1", units])
        platform.wait(lambda _: theirs.attribute("Plant 1", "units"), "the library's attributes")
        same = [one for one in platform.so_far() if one.topic in {TELEMETRY, "v1/gateway/connect"}]
        assert connect in [one.body for one in same], "byte for byte what we say"
        assert theirs.devices["Plant 1"].series == {
            key: {
                row["ts"]: row["values"][key]
                for row in values.body["Plant 1"]
                if key in row["values"]
            }
            for row in values.body["Plant 1"]
            for key in row["values"]
        }
        peer.order(count=values.body)
        points = sum(len(row["values"]) for row in values.body["Plant 1"])
        assert peer.wait("count")["counts"]["Plant 1"] == points, "it reads our rows"
        replied = call(platform, "Plant 1", 5, "read", {"points": ["filling"]})
        assert peer.wait("rpc")["method"] == "read"
        assert replied["success"] is answer["success"] is True
