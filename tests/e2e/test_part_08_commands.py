"""Part 8 of the issue, end to end: what a platform may do, once, in time, with a receipt."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.ops.clock import kernel_is_synchronised
from tests.e2e.kit_gateway import TEST_ROOM, sink_status, status, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
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
groups: {state: 300ms, output: 300ms}
defaults: {group: state, pii: P0, level: L1}
points:
  level: {register: 0, scale: 0.1, unit: V, value: float, access: rw, write: {min: 0, max: 100}}
  mode: {register: 1, value: enum, enum: {0: "off", 1: eco, 2: full}, access: rw}
  fixed: {register: 2, unit: V, value: float}
  out_{n}: {each: 1..4, table: coil, register: "{n-1}", access: rw}
"""
ALLOW = """\
commands:
  allow:
    - {device: "plant-*", points: [level, mode, "out_*"], ops: [set, read]}
    - {device: "plant-*", points: ["*"], ops: [read]}
"""
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Estate:
    """A slave, a broker, a platform; gateways are started by the test."""

    slave: Slave
    broker: Mosquitto
    platform: Platform
    base: Path

    def site(self, commands: str = ALLOW, clock: str = "trusted", mqtt: str = "auto") -> Path:
        """Write the site with these commands allowed."""
        return write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: gw-08, site: e2e, clock: {clock}}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{self.broker.port}", mqtt: "{mqtt}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{self.slave.port}"}}
devices:
  - {{id: plant-1, profile: e2e/plant, bus: tcp, address: 1}}
{commands}""",
        )

    def send(
        self, gateway: GatewayProcess, *, device: str = "plant-1", **fields: Any
    ) -> dict[str, Any]:
        """Send a command that is good for an hour unless it says else; return its receipt."""
        after = len(self.platform.so_far())
        command = {"exp": status(gateway)["now"] + HOUR_MS, **fields}
        self.say({key: value for key, value in command.items() if value is not None}, device)
        rid = fields["rid"]
        return self.platform.wait_for("reply", lambda r: r["rid"] == rid, after=after).body

    def say(self, command: object, device: str = "plant-1", *, is_retained: bool = False) -> None:
        """Send anything on the command topic of a device."""
        payload = command if isinstance(command, bytes) else json.dumps(command)
        topic = f"fc/1/e2e/gw-08/dn/cmd/{device}"
        self.platform.publish(topic, payload, is_retained=is_retained)


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    write_profile(tmp_path, "e2e/plant", PROFILE)
    with mosquitto(tmp_path) as broker, Slave() as slave, Platform(broker.port) as platform:
        yield Estate(slave, broker, platform, tmp_path)


@contextmanager
def listening(estate: Estate, site: Path) -> Generator[GatewayProcess]:
    """Run the gateway, and wait until it hears commands."""
    seen = len(estate.platform.so_far())
    with running_gateway(site, estate.base) as gateway:
        estate.platform.wait_for("state", lambda s: s["online"], device="_", after=seen)
        estate.platform.wait_for("prop", device="plant-1", after=seen)
        yield gateway


def test_without_an_allow_list_everything_is_refused(estate: Estate) -> None:
    with listening(estate, estate.site(commands="")) as gateway:
        receipt = estate.send(gateway, rid="a1", op="set", p={"out_1": True})
        assert (receipt["st"], receipt["code"]) == ("rejected", "not_allowed")
        read = estate.send(gateway, rid="a2", op="read", p=["level"])
        assert (read["st"], read["code"]) == ("rejected", "not_allowed")
    assert estate.slave.writes == []


def test_an_allowed_set_is_written_read_back_and_receipted(estate: Estate) -> None:
    with listening(estate, estate.site()) as gateway:
        switched = estate.send(
            gateway, rid="b1", op="set", p={"out_2": True}, by="desk", why="test"
        )
        assert (switched["st"], switched["p"], switched["val"]) == ("done", "out_2", True)
        assert [(e["p"], e["v"]) for e in switched["pts"]] == [("out_2", True)]
        assert estate.slave.bit(1, 1)
        assert not estate.slave.bit(1, 0)
        turned = estate.send(gateway, rid="b2", op="set", p={"level": 23.4})
        assert (turned["st"], turned["pts"][0]["v"]) == ("done", 23.4)
        assert estate.slave.register(1, 0) == 234
        named = estate.send(gateway, rid="b3", op="set", p={"mode": "full"})
        assert (named["st"], named["pts"][0]["v"]) == ("done", "full")
        assert estate.slave.register(1, 1) == 2
        estate.platform.wait_for_point("plant-1", "level", lambda e: e.get("v") == 23.4)
    assert len(estate.slave.writes) == 3
    audits = [m.body for m in estate.platform.of("log") if m.body["topic"] == "command"]
    assert [a["fields"]["status"] for a in audits if a["fields"]["rid"] == "b1"] == [
        "accepted",
        "done",
    ]


REFUSALS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"p": {"level": 100.1}}, ("rejected", "range")),
    ({"p": {"level": -0.1}}, ("rejected", "range")),
    ({"p": {"mode": "party"}}, ("rejected", "type")),
    ({"p": {"out_1": 1}}, ("rejected", "type")),
    ({"p": {"fixed": 1}}, ("rejected", "not_allowed")),
    ({"p": {"out_1": True}, "exp": 1_700_000_000_000}, ("expired", "expired")),
    ({"p": {"out_1": True}, "exp": None}, ("rejected", "no_expiry")),
    ({"p": {"out_1": True}, "exp": 9_999_999_999_999}, ("rejected", "expiry_too_far")),
    ({"p": {"out_1": True, "out_2": True}}, ("rejected", "bad_points")),
    ({"p": {"out_9": True}}, ("rejected", "no_point")),
]


def test_what_is_out_of_range_late_or_without_expiry_is_refused(estate: Estate) -> None:
    with listening(estate, estate.site()) as gateway:
        for number, (fields, answer) in enumerate(REFUSALS):
            receipt = estate.send(gateway, rid=f"c{number}", op="set", **fields)
            assert (receipt["st"], receipt["code"]) == answer, fields
            assert receipt["msg"]
        unknown = estate.send(gateway, device="plant-9", rid="c99", op="set", p={"out_1": True})
        assert (unknown["st"], unknown["code"]) == ("rejected", "no_device")
    assert estate.slave.writes == []


@pytest.mark.parametrize("mqtt", ["5", "3.1.1"])
def test_a_retained_command_is_never_carried_out(estate: Estate, mqtt: str) -> None:
    site = estate.site(mqtt=mqtt)
    with listening(estate, site) as gateway:
        exp = status(gateway)["now"] + HOUR_MS
    estate.say({"rid": "d1", "op": "set", "p": {"out_1": True}, "exp": exp}, is_retained=True)
    with listening(estate, site) as gateway:
        assert estate.send(gateway, rid="d2", op="set", p={"out_2": True})["st"] == "done"
        if mqtt == "5":  # only there a broker tells those who listen already
            late = {"rid": "d3", "op": "set", "p": {"out_3": True}, "exp": exp}
            estate.say(late, is_retained=True)
            assert estate.send(gateway, rid="d4", op="set", p={"out_4": True})["st"] == "done"
    assert [write.address for write in estate.slave.writes] == ([1, 3] if mqtt == "5" else [1])
    assert not {m.body["rid"] for m in estate.platform.of("reply")} & {"d1", "d3"}


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_one_rid_is_carried_out_once_also_over_a_restart(estate: Estate, end: str) -> None:
    site = estate.site()
    command: dict[str, Any] = {"rid": "e1", "op": "set", "p": {"level": 5}}
    with GatewayProcess(site, Folders(estate.base)) as gateway:
        gateway.wait_ready()
        estate.platform.wait_for("prop", device="plant-1")
        first = estate.send(gateway, **command)
        again = estate.send(gateway, **command)
        if end == "kill":
            gateway.kill()
    with listening(estate, site) as gateway:
        third = estate.send(gateway, **command)
        other = estate.send(gateway, rid="e1", op="set", p={"level": 6})
    assert [r["st"] for r in (first, again, third)] == ["done"] * 3
    assert (other["st"], other["code"]) == ("rejected", "rid_used")
    assert len(estate.slave.writes) == 1
    assert estate.slave.register(1, 0) == 50


def test_a_device_that_shows_another_value_makes_the_command_fail(estate: Estate) -> None:
    with listening(estate, estate.site()) as gateway:
        estate.slave.obeys = False
        receipt = estate.send(gateway, rid="f1", op="set", p={"out_1": True})
        assert (receipt["st"], receipt["code"]) == ("failed", "readback")
        assert receipt["pts"][0]["v"] is False
        estate.slave.refusing[1] = 3
        refused = estate.send(gateway, rid="f2", op="set", p={"out_1": True})
        assert (refused["st"], refused["code"]) == ("failed", "exception:3")
        del estate.slave.refusing[1]
        estate.slave.silent.add(1)
        silent = estate.send(gateway, rid="f3", op="set", p={"out_1": True})
        assert (silent["st"], silent["code"]) == ("failed", "timeout")


def test_read_asks_the_device_now(estate: Estate) -> None:
    estate.slave.put(1, 0, 777)
    with listening(estate, estate.site()) as gateway:
        some = estate.send(gateway, rid="g1", op="read", p=["level", "out_1"], exp=None)
        assert some["st"] == "done"
        assert {e["p"]: e["v"] for e in some["pts"]} == {"level": 77.7, "out_1": False}
        everything = estate.send(gateway, rid="g2", op="read", exp=None)
        assert {e["p"] for e in everything["pts"]} == {
            *("level", "mode", "fixed", "out_1", "out_2", "out_3", "out_4"),
        }
        missing = estate.send(gateway, rid="g3", op="read", p=["nothing"], exp=None)
        assert (missing["st"], missing["code"]) == ("rejected", "no_point")


GARBAGE: list[bytes] = [
    b"",
    b"\x00\xff\xfe",
    b"null",
    b"[]",
    b'"set"',
    b"{",
    b"[" * 5000,
    b'{"rid": "h1", "op": "set", "p": {"out_1": NaN}}',
    b'{"rid": "h2", "op": "set", "p": {"out_1": 1e999}}',
    b'{"rid": "h3", "op": "set", "p": {"out_1": true}, "rid": "h3"}',
    b'{"rid": 7, "op": "set", "p": {"out_1": true}}',
    b'{"rid": "h4", "op": "explode"}',
    b'{"rid": "h5", "op": "set", "p": {"out_1": {"$gt": 0}}}',
    b'{"rid": "h6", "op": "set", "p": {"out_1": true}, "sudo": true}',
    b'{"rid": "h7\\u0000", "op": "read"}',
    b'{"rid": "' + b"x" * 100_000 + b'", "op": "read"}',
    b'{"rid": "h8", "op": "set", "p": {"../../out_1": true}, "exp": 1}',
]


def test_garbage_never_hurts(estate: Estate) -> None:
    with listening(estate, estate.site()) as gateway:
        for payload in GARBAGE:
            estate.say(payload)
        for topic in ("dn/cmd/..", "dn/cmd/PLANT", "dn/ota/_", "dn/ack/_", "dn/time/_", "dn/x/y"):
            estate.platform.publish(f"fc/1/e2e/gw-08/{topic}", b"{]")
        good = estate.send(gateway, rid="h99", op="set", p={"out_2": True})
        assert good["st"] == "done"
        assert sink_status(gateway)["connects"] == 1
        assert status(gateway)["faults"] == 0
    assert [write.address for write in estate.slave.writes] == [1]
    answered = {m.body["rid"]: m.body["st"] for m in estate.platform.of("reply")}
    assert set(answered.values()) == {"rejected", "done"}
    assert answered["h4"] == "rejected"


@pytest.mark.skipif(kernel_is_synchronised(), reason="this machine's clock is synchronised")
def test_with_an_unsynchronised_clock_commands_may_read_and_nothing_else(estate: Estate) -> None:
    estate.slave.put(1, 0, 10)
    with listening(estate, estate.site(clock="kernel")) as gateway:
        refused = estate.send(gateway, rid="i1", op="set", p={"out_1": True})
        assert (refused["st"], refused["code"], refused["tq"]) == ("rejected", "clock", "unsync")
        read = estate.send(gateway, rid="i2", op="read", p=["level"], exp=None)
        assert (read["st"], read["pts"][0]["v"]) == ("done", 1.0)
    assert estate.slave.writes == []
    assert {m.body["tq"] for m in estate.platform.of("prop")} == {"unsync"}


# --- simulated devices on a line with true timing ------------------------------------------------

GATE_SITE = """\
version: 1
gateway: {{id: gw-08, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{broker}"}}
buses:
  gate: {{port: "{folder}/ports/gate", line: 115200 8N1, simulated: true}}
devices:
  - {{id: gate-1, profile: roger/gate-motor, bus: gate, address: 10, poll: 300ms}}
  - {{id: relay-1, profile: generic/relay-module-8, bus: gate, address: 11, poll: 300ms}}
commands:
  allow:
    - {{device: gate-1, points: [pos_cmd], ops: [set], dangerous: true, arm: none}}
    - {{device: relay-1, points: ["out_*"], ops: [set, read]}}
"""


@contextmanager
def simulation(site: Path) -> Generator[None]:
    """Run `linli-sim run` on a site file."""
    command = [sys.executable, "-m", "simulators.cli", "run", str(site), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TEST_ROOM) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["devices"]
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_a_simulated_gate_opens_and_a_relay_switches(tmp_path: Path) -> None:
    (tmp_path / "ports").mkdir()
    with mosquitto(tmp_path) as broker, Platform(broker.port) as platform:
        site = write_site(tmp_path, GATE_SITE.format(broker=broker.port, folder=tmp_path))
        estate = Estate(Slave(), broker, platform, tmp_path)
        with simulation(site), running_gateway(site, tmp_path) as gateway:
            platform.wait_for_point("gate-1", "pos", lambda e: e.get("v") == "closed")
            opened = estate.send(
                gateway, device="gate-1", rid="j1", op="set", p={"pos_cmd": "open"}
            )
            assert (opened["st"], opened["code"]) == ("done", "no_readback")
            platform.wait_for_point("gate-1", "pos", lambda e: e.get("v") == "open")
            event = platform.wait_for("event", lambda e: e["type"] == "opened", device="gate-1")
            assert event.body["st"] == "raised"
            wrong = estate.send(
                gateway, device="gate-1", rid="j2", op="set", p={"pos_cmd": "explode"}
            )
            assert (wrong["st"], wrong["code"]) == ("rejected", "range")
            relay = estate.send(gateway, device="relay-1", rid="j3", op="set", p={"out_7": True})
            assert (relay["st"], relay["pts"][0]["v"]) == ("done", True)
            relays = [f"out_{n}" for n in range(1, 9)]
            read = estate.send(gateway, device="relay-1", rid="j4", op="read", p=relays, exp=None)
            assert [e["p"] for e in read["pts"] if e["v"] is True] == ["out_7"]
