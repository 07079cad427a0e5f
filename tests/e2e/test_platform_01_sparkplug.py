"""Issue 5, part 1, dialect `sparkplug_b`: a host, a real broker and the gateway as a child."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from tests.e2e.kit_gateway import (
    TEST_ROOM,
    WAIT_S,
    sink_status,
    status,
    until,
    write_profile,
    write_site,
)
from tests.e2e.kit_slave import Slave
from tests.support.faketime import FakeTime
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.sparkplug import SparkplugHost, bd_seq_of, property_of

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
groups: {state: 100ms}
defaults: {group: state, pii: P0, level: L1}
points:
  level: {register: 0, scale: 0.1, unit: V, value: float, access: rw, write: {min: 0, max: 100}}
  mode: {register: 1, value: enum, enum: {0: "off", 1: eco, 2: full}, access: rw}
  count: {register: 2, unit: V, value: float}
  alarm: {register: 3, unit: V, value: float, events: [{type: leak, severity: 3, when: {above: 0}}]}
"""
HOUR_S = 3600
GROUP, NODE = "e2e", "gw-spb"
PLANT, OTHER = "plant-1", "plant-2"
PEER = TEST_ROOM / "tests" / "e2e" / "sparkplug_peer"
PEER_PYTHON = TEST_ROOM / "build" / "sparkplug" / "bin" / "python"


def now_ms() -> int:
    """Return the time that a host says with its commands."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Estate:
    """A slave of two units, a broker; gateways and hosts are started by the test."""

    slave: Slave
    broker: Mosquitto
    base: Path

    def site(self, options: str = "", *, mqtt: str = "auto") -> Path:
        """Write the site with these options of the dialect."""
        return write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: {NODE}, site: {GROUP}, clock: trusted}}
store: {{commit_every: 50ms}}
defaults: {{timeout: 300ms, retries: 0, offline_after: 2 polls}}
sinks:
  platform:
    dialect: sparkplug_b
    url: "mqtt://127.0.0.1:{self.broker.port}"
    mqtt: "{mqtt}"
    options: {{{options}}}
buses:
  tcp: {{tcp: "127.0.0.1:{self.slave.port}"}}
devices:
  - {{id: {PLANT}, profile: e2e/plant, bus: tcp, address: 1}}
  - {{id: {OTHER}, profile: e2e/plant, bus: tcp, address: 2}}
commands:
  allow:
    - {{device: "plant-*", points: [level, mode], ops: [set]}}
""",
        )

    def gateway(self, site: Path, clock: FakeTime | None = None) -> GatewayProcess:
        """Start a gateway, by another clock when one is given."""
        if clock is None:
            return GatewayProcess(site, Folders(self.base))
        environment = {**clock.environment(), "TZ": "Asia/Shanghai"}
        module = FakeTime.MODULE
        return GatewayProcess(site, Folders(self.base), module=module, environment=environment)

    def host(self, name: str | None = None) -> SparkplugHost:
        """Return a host, not yet connected."""
        return SparkplugHost(self.broker.port, GROUP, NODE, name=name)


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    write_profile(tmp_path, "e2e/plant", PROFILE)
    with mosquitto(tmp_path) as broker, Slave() as slave:
        yield Estate(slave, broker, tmp_path)


def test_sparkplug_a_host_sees_births_values_events_commands_and_the_death(estate: Estate) -> None:
    slave = estate.slave
    slave.put(1, 0, 777)
    with estate.host() as host, estate.gateway(estate.site()) as gateway:
        host.wait(lambda: host.value(PLANT, "level") == 77.7, "a live value")
        assert host.twin(PLANT).is_alive
        assert host.twin(OTHER).is_alive
        level = host.twin(PLANT).metrics["level"]
        assert host.value("", "Properties/Site") == GROUP
        assert property_of(level, "Quality") is None

        host.ask_rebirth()
        host.wait(lambda: host.count("NBIRTH") == 2, "births again")
        host.wait(lambda: host.count("DBIRTH", OTHER) == 2, "births of all")
        births = [m.payload for m in host.messages if m.kind == "NBIRTH"]
        assert len({bd_seq_of(birth) for birth in births}) == 1, "the same bdSeq"
        assert host.value(PLANT, "level") == 77.7, "the birth has it"
        assert property_of(host.twin(PLANT).metrics["level"], "engUnit") == "V"

        host.write(PLANT, "level", now_ms(), double_value=23.4)
        host.wait(lambda: host.value(PLANT, "level") == 23.4, "the command has its effect")
        assert slave.register(1, 0) == 234
        host.write(PLANT, "mode", now_ms(), string_value="party")
        host.wait(lambda: host.value(PLANT, "Event/command_failed") is True, "a refusal is seen")
        failed = host.twin(PLANT).metrics["Event/command_failed"]
        assert (property_of(failed, "status"), property_of(failed, "code")) == (
            *("rejected",),
            "type",
        )
        assert slave.register(1, 1) == 0
        host.write(PLANT, "mode", now_ms(), string_value="full")
        host.wait(lambda: host.value(PLANT, "Event/command_failed") is False, "and its end")
        assert (slave.register(1, 1), host.value(PLANT, "mode")) == (2, "full")

        slave.put(1, 3, 1)
        host.wait(lambda: host.value(PLANT, "Event/leak") is True, "an alarm")
        slave.put(1, 3, 0)
        host.wait(lambda: host.value(PLANT, "Event/leak") is False, "its end")

        slave.silent.add(2)
        host.wait(lambda: host.count("DDEATH", OTHER), "the death of a device")
        slave.silent.discard(2)
        host.wait(lambda: host.twin(OTHER).is_alive, "its birth")

        bd_seq = host.rules.bd_seq
        gateway.kill()
        host.wait(lambda: host.count("NDEATH"), "the will")
        death = next(m for m in host.messages if m.kind == "NDEATH")
        assert bd_seq_of(death.payload) == bd_seq
        assert not host.rules.is_alive
        assert host.rules.wrong == []


def test_sparkplug_nothing_is_lost_at_qos_0_over_a_broker_that_dies(estate: Estate) -> None:
    slave, counted = estate.slave, [0]

    def count(unit: int) -> None:
        if unit == 1:
            counted[0] += 1
            slave.put(1, 2, counted[0])

    assert FakeTime.library() is not None, "libfaketime is missing: deploy/test-packages.sh"
    clock = FakeTime(estate.base, -HOUR_S)
    site = estate.site("primary_host: scada")
    with estate.host("scada") as host, estate.gateway(site, clock) as gateway:
        gateway.wait_ready()
        until(lambda: sink_status(gateway)["connected"], "connected")
        slave.before_read = count
        until(lambda: counted[0] > 10, "values that wait")
        assert not host.messages, "the primary host is not there yet"
        began_ms = status(gateway)["now"]
        clock.set(0)
        host.say_state(1, is_online=True)
        host.wait(lambda: host.value(PLANT, "count"), "values")
        until(lambda: sink_status(gateway)["refusal_proof"] == "proven", "an echo")
        estate.broker.freeze()  # what is written now is never read
        before = counted[0]
        until(lambda: counted[0] > before + 5, "values on their way")
        estate.broker.kill()
        estate.broker.start()
        host.wait(lambda: host.count("NBIRTH") == 2, "born again")
        host.say_state(3, is_online=False)
        host.wait(lambda: not host.rules.is_alive, "it dies with its primary host")
        bd_seq = host.rules.bd_seq
        until(lambda: sink_status(gateway)["connects"] == 3, "it has left the broker, and is back")
        host.say_state(4, is_online=True)
        host.wait(lambda: host.count("NBIRTH") == 3, "born again")
        assert bd_seq is not None
        assert host.rules.bd_seq == (bd_seq + 1) % 256
        slave.before_read = lambda _: None
        last = counted[0]
        host.wait(lambda: host.value(PLANT, "count") == last, "the last value")
        assert gateway.stop() == 0
        host.wait(lambda: not host.rules.is_alive, "a goodbye")
        seen = host.seen(PLANT, "count")
        first = int(min(seen))
        assert sorted(set(seen)) == [float(n) for n in range(first, last + 1)], "nothing missing"
        assert first <= 2
        old = [told for told in host.told if told.is_historical and told.metric == "count"]
        assert old, "what waited for an hour is history"
        assert all(abs(told.timestamp - began_ms) < HOUR_S * 1000 / 2 for told in old), "in UTC"
        assert host.rules.wrong == []


# --- a client library of the Sparkplug world -----------------------------------------------------


class Peer:
    """`sparkplug_peer/host.py` as a child; a thread takes what it has decoded."""

    def __init__(self, port: int) -> None:
        assert PEER_PYTHON.exists(), "build/sparkplug is missing: deploy/test-packages.sh"
        self.messages: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [PEER_PYTHON, PEER / "host.py", str(port), GROUP, NODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="peer")

    def __enter__(self) -> Self:
        """Return when it is connected."""
        self._reader.start()
        self.wait(lambda: any(m["kind"] == "connected" for m in self.messages), "connected")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(WAIT_S) == 0
        self._reader.join(WAIT_S)
        self._process.stdout.close()

    def say(self, **order: Any) -> None:
        """Give it an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def of(self, kind: str, device: str | None = None) -> list[dict[str, Any]]:
        """Return the messages of a kind."""
        return [m for m in self.messages if m["kind"] == kind and m["device"] == device]

    def has(self, kind: str, device: str | None, metric: str, value: object) -> bool:
        """Whether a message had that value."""
        return any(
            m["metrics"].get(metric, {}).get("value") == value for m in self.of(kind, device)
        )

    def wait(self, is_true: Callable[[], object], what: str) -> None:
        """Return when something holds; looked at after every message."""
        with self._news:
            assert self._news.wait_for(is_true, WAIT_S), f"never: {what}; {self.messages[-5:]}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.messages.append(json.loads(line))
                self._news.notify_all()


def test_sparkplug_pysparkplug_understands_us_and_is_obeyed(estate: Estate) -> None:
    estate.slave.put(1, 0, 777)
    with Peer(estate.broker.port) as peer, estate.gateway(estate.site(mqtt="3.1.1")) as gateway:
        peer.wait(lambda: peer.has("DDATA", PLANT, "level", 77.7), "a value, named by its alias")
        (birth,) = peer.of("NBIRTH")
        assert birth["metrics"]["Node Control/Rebirth"] == {
            "value": False,
            "type": "BOOLEAN",
            "is_old": False,
        }
        types = {name: one["type"] for name, one in peer.of("DBIRTH", PLANT)[0]["metrics"].items()}
        assert types["level"] == "DOUBLE"
        assert types["mode"] == "STRING"
        peer.say(rebirth=True)
        peer.wait(lambda: len(peer.of("NBIRTH")) == 2, "born again")
        peer.say(write=[PLANT, "level", "DOUBLE", 12.5])
        peer.wait(lambda: peer.has("DDATA", PLANT, "level", 12.5), "the command's effect")
        assert estate.slave.register(1, 0) == 125
        peer.say(write=[PLANT, "level", "DOUBLE", 1000.0])
        peer.wait(lambda: peer.has("DDATA", PLANT, "Event/command_failed", True), "a refusal")
        bd_seq = birth["metrics"]["bdSeq"]["value"]
        assert gateway.stop() == 0
        peer.wait(lambda: peer.has("NDEATH", None, "bdSeq", bd_seq), "a goodbye")
