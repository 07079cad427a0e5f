"""Part 2 of the platform's side, end to end: commands on their one guarded path."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.commands.audit import Entry, faults
from tests.e2e.kit_gateway import linli, sink_status, status, until, write_profile, write_site
from tests.e2e.kit_platform import WAIT_S, Platform
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.mosquitto import Mosquitto, mosquitto

PROFILE = """\
version: 1
profile: e2e/sluice
vendor: test
model: sluice
title: {en: Sluice, zh: 闸门}
kind: io.module
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 200ms}
defaults: {group: state, pii: P0, level: L1}
points:
  level: {register: 0, scale: 0.1, unit: V, value: float, access: rw, write: {min: 0, max: 100}}
  code: {register: 1, value: int, unit: "1", access: rw, pii: P3, level: L3}
  wet:
    table: coil
    register: 8
    value: bool
    access: r
    events: [{type: leak, severity: 3, when: {equals: true}}]
  out_1: {table: coil, register: 0, access: rw, write: {dangerous: true}}
  out_2: {table: coil, register: 1, access: rw}
  out_3: {table: coil, register: 2, access: rw, write: {dangerous: true}}
  car: {table: coil, register: 9, value: bool, access: r}
"""
SITE = """\
version: 1
gateway: {{id: gw-08, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{broker}", max_level: L3}}
  other: {{url: "mqtt://127.0.0.1:{broker}", root: other, client_id: other}}
buses:
  tcp: {{tcp: "127.0.0.1:{slave}"}}
devices:
  - {{id: sluice-1, profile: e2e/sluice, bus: tcp, address: 1}}
commands:
  max_per_minute: 1000
  allow:
    - device: sluice-1
      points: [level]
      ops: [set]
      by: [desk]
      range: [10, 50]
      step: 0.5
      max_valid: 2h
    - {{device: sluice-1, points: [level, wet], ops: [read, event_ack]}}
    - {{device: sluice-1, points: [code], ops: [set]}}
    - device: sluice-1
      points: [out_1]
      ops: [set, call]
      dangerous: true
      unless: {{point: sluice-1/car, equals: true}}
    - {{device: sluice-1, points: [out_2], ops: [set, call], max_per_hour: 2}}
    - {{device: sluice-1, points: [out_3], ops: [set]}}
"""
HOUR_MS = 3_600_000
CANARY = 48_151


@dataclass(frozen=True, slots=True)
class Estate:
    """A slave, a broker, a platform."""

    slave: Slave
    broker: Mosquitto
    platform: Platform
    base: Path

    @contextmanager
    def gateway(self) -> Generator[Desk]:
        """Run the gateway, and wait until it hears commands."""
        text = SITE.format(broker=self.broker.port, slave=self.slave.port)
        site, seen = write_site(self.base, text), len(self.platform.so_far())
        with running_gateway(site, self.base) as gateway:
            self.platform.wait_for("state", lambda s: s["online"], device="_", after=seen)
            self.platform.wait_for("prop", device="sluice-1", after=seen)
            yield Desk(self.platform, gateway, status(gateway)["now"] + HOUR_MS)

    def written(self) -> list[tuple[int, int]]:
        """Return what was written so far: function and address."""
        return [(write.function, write.address) for write in self.slave.writes]


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody at the platform who commands."""

    platform: Platform
    gateway: GatewayProcess
    exp: int

    def ask(self, rid: str, op: str, **fields: Any) -> dict[str, Any]:
        """Send a command of `desk` and return its receipt; `...` leaves a field out."""
        after = len(self.platform.so_far())
        command = {"rid": rid, "op": op, "exp": self.exp, "by": "desk", **fields}
        self.say({key: value for key, value in command.items() if value is not ...})
        return self.platform.wait_for("reply", lambda r: r["rid"] == rid, after=after).body

    def say(self, command: object) -> None:
        """Send anything to the sluice."""
        self.platform.publish("fc/1/e2e/gw-08/dn/cmd/sluice-1", json.dumps(command))

    def arm(self, rid: str, **points: Any) -> str:
        """Return a token."""
        reply = self.ask(rid, "arm", p=points)
        assert (reply["st"], reply["code"], reply["p"]) == ("done", "armed", None)
        return reply["val"]


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    write_profile(tmp_path, "e2e/sluice", PROFILE)
    with mosquitto(tmp_path) as broker, Slave() as slave, Platform(broker.port) as platform:
        yield Estate(slave, broker, platform, tmp_path)


def outcome(reply: dict[str, Any]) -> tuple[str, str | None]:
    """Return status and code of a receipt."""
    return reply["st"], reply["code"]


def test_platform_02_who_and_what_and_within_which_limits(estate: Estate) -> None:
    with estate.gateway() as desk:
        refused = {
            "a1": ({"p": {"level": 9.5}}, "range"),
            "a2": ({"p": {"level": 50.5}}, "range"),
            "a3": ({"p": {"level": 20.2}}, "step"),
            "a4": ({"p": {"level": 20}, "by": "guard"}, "not_allowed"),
            "a5": ({"p": {"level": 20}, "by": ...}, "not_allowed"),
            "a6": ({"p": {"level": 20}, "exp": ...}, "no_expiry"),
            "a7": ({"p": {"level": 20}, "exp": desk.exp + 2 * HOUR_MS}, "expiry_too_far"),
            "a8": ({"p": {"out_3": True}}, "dangerous"),
        }
        for rid, (fields, code) in refused.items():
            assert outcome(desk.ask(rid, "set", **fields)) == ("rejected", code), rid
        assert estate.written() == []
        dry = desk.ask("b1", "set", p={"level": 20}, dry=True)
        assert outcome(dry) == ("done", "dry")
        assert estate.written() == []
        done = desk.ask("b2", "set", p={"level": 20.5})
        assert (outcome(done), done["pts"][0]["v"]) == (("done", None), 20.5)
        assert outcome(desk.ask("b2", "set", p={"level": 20.5})) == ("done", None)
        other = desk.ask("b2", "set", p={"level": 30})
        assert outcome(other) == ("rejected", "rid_used")
        assert estate.slave.register(1, 0) == 205
        called = desk.ask("c1", "call", fn="out_2", args={"value": True})
        assert (outcome(called), called["p"], called["val"]) == (("done", None), "out_2", True)
        assert outcome(desk.ask("c2", "call", fn="level", args={"value": 20})) == (
            "rejected",
            "no_function",
        )
        assert outcome(desk.ask("c3", "set", p={"out_2": False})) == ("done", None)
    with estate.gateway() as desk:  # two within the hour: a restart does not forget them
        assert outcome(desk.ask("c4", "set", p={"out_2": True})) == ("rejected", "rate")
        assert outcome(desk.ask("b2", "set", p={"level": 20.5})) == ("done", None)
        assert outcome(desk.ask("b2", "set", p={"level": 40})) == ("rejected", "rid_used")
    assert estate.written() == [(6, 0), (5, 1), (5, 1)]
    assert_chain(estate.platform)


def test_platform_02_what_is_dangerous_takes_two_steps_and_keeps_its_interlock(
    estate: Estate,
) -> None:
    with estate.gateway() as desk:
        assert outcome(desk.ask("a1", "set", p={"out_1": True})) == ("rejected", "not_armed")
        guess = desk.ask("a2", "set", p={"out_1": True}, token="0" * 32)
        assert outcome(guess) == ("rejected", "token")
        token = desk.arm("b1", out_1=True)
        other = desk.ask("b2", "set", p={"out_1": False}, token=token)
        assert outcome(other) == ("rejected", "token")
        void = desk.ask("b3", "set", p={"out_1": True}, token=token)
        assert outcome(void) == ("rejected", "token")
        assert estate.written() == []
        token = desk.arm("c1", out_1=True)
        assert outcome(desk.ask("c2", "set", p={"out_1": True}, token=token)) == ("done", None)
        twice = desk.ask("c3", "set", p={"out_1": True}, token=token)
        assert outcome(twice) == ("rejected", "token")
        token = desk.arm("d1", out_1=False)
        estate.slave.put_bit(1, 9, is_on=True)
        desk.platform.wait_for_point("sluice-1", "car", lambda entry: entry.get("v") is True)
        close = {"fn": "out_1", "args": {"value": False}, "token": token}
        assert outcome(desk.ask("d2", "call", **close)) == ("rejected", "interlock")
        estate.slave.silent.add(1)
        desk.platform.wait_for_point("sluice-1", "car", lambda entry: entry.get("q") == 0)
        assert outcome(desk.ask("d3", "call", **close)) == ("rejected", "interlock_unknown")
        estate.slave.silent.clear()
        estate.slave.put_bit(1, 9, is_on=False)
        desk.platform.wait_for("state", lambda s: s["online"], device="sluice-1")
        numbers = count()
        until(
            lambda: desk.ask(f"e{next(numbers)}", "call", **close)["st"] == "done",
            "closed when the car has gone and that is known",
        )
        token = desk.arm("f1", out_1=True)
    with estate.gateway() as desk:  # a token is not good over a restart
        late = desk.ask("f2", "set", p={"out_1": True}, token=token)
        assert outcome(late) == ("rejected", "token")
    assert estate.written() == [(5, 0), (5, 0)]
    assert_chain(estate.platform)


def test_platform_02_the_audit_is_whole_and_blank_where_it_must_be(estate: Estate) -> None:
    with Platform(estate.broker.port, root="other") as other:
        with estate.gateway() as desk:
            assert outcome(desk.ask("a1", "set", p={"code": CANARY}))[0] == "done"
            assert estate.slave.register(1, 1) == CANARY
            assert outcome(desk.ask("a2", "set", p={"level": 20}))[0] == "done"
            desk.platform.publish("fc/1/e2e/gw-08/dn/cmd/sluice-1", "{", is_retained=True)
            estate.slave.put_bit(1, 8, is_on=True)
            leak = desk.platform.wait_for("event", lambda e: e["type"] == "leak").body
            wrong = desk.ask("b1", "event_ack", eid="nothing", exp=...)
            assert outcome(wrong) == ("rejected", "no_event")
            assert outcome(desk.ask("b2", "event_ack", eid=leak["eid"], exp=...))[0] == "done"
            seen = other.wait_for("event", lambda e: e["st"] == "updated").body
            assert (seen["eid"], seen["sev"]) == (leak["eid"], 3)
            assert seen["detail"] == "acknowledged by desk of platform"
            other.wait_for("log", lambda b: b["fields"].get("rid") == "b2")
            stored = linli(estate.base, "outbox", "show", "--lane", "event", "--json")
        entries = assert_chain(other)
        assert entries == assert_chain(estate.platform)
        told = {
            entry.fields.get("rid"): entry.fields["detail"]
            for entry in entries
            if "rid" in entry.fields
        }
        assert told["a1"] == "code=***"
        assert told["a2"] == "level=20"
        for message in (*other.so_far(), *estate.platform.of("log")):
            assert str(CANARY).encode() not in message.payload
        assert stored.returncode == 0, stored.stderr
        assert '"prev"' in stored.stdout


def test_platform_02_a_cut_between_act_and_receipt_is_told_after_the_start(estate: Estate) -> None:
    with estate.gateway() as desk:

        def cut(_unit: int) -> None:
            if estate.written():  # this is the read-back
                desk.gateway.process.kill()

        estate.slave.before_read = cut
        desk.say({"rid": "k1", "op": "set", "exp": desk.exp, "by": "desk", "p": {"level": 20}})
        until(lambda: desk.gateway.process.poll() is not None, "the gateway is gone")
        assert not estate.platform.of("reply")
    estate.slave.before_read = _as_always
    with estate.gateway() as desk:
        told = desk.platform.wait_for("reply", lambda reply: reply["rid"] == "k1").body
        assert outcome(told) == ("failed", "interrupted")
        again = desk.ask("k1", "set", p={"level": 20})
        assert outcome(again) == ("failed", "interrupted")
    with estate.gateway() as desk:
        desk.ask("k2", "read", p=["level"], exp=...)
        replies = [m.body for m in desk.platform.of("reply")]
        assert len({reply["seq"] for reply in replies if reply["rid"] == "k1"}) == 2
    assert estate.written() == [(6, 0)]
    assert_chain(estate.platform)


def _as_always(_unit: int) -> None:
    return


def assert_chain(platform: Platform) -> list[Entry]:
    """Return the audit entries that the platform has, after holding them against each other."""
    # After a cut a record comes again under its identity.
    bodies = {message.body["seq"]: message.body for message in platform.of("log")}.values()
    entries = [
        Entry(body["dev"], body["topic"], body["fields"])
        for body in bodies
        if "n" in body["fields"]
    ]
    entries.sort(key=lambda entry: int(entry.fields["n"]))
    assert entries
    assert entries[0].fields["n"] == "1"
    assert faults(entries) == []
    return entries


# --- MQTT 5 response topics ----------------------------------------------------------------------


@contextmanager
def asker(
    port: int, topic: str
) -> Generator[tuple[Client, list[MQTTMessage], threading.Condition]]:
    """Connect somebody who asks with a response topic and listens on it."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    heard: list[MQTTMessage] = []
    news, is_subscribed = threading.Condition(), threading.Event()

    def on_subscribe(*_: object) -> None:
        is_subscribed.set()

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        with news:
            heard.append(message)
            news.notify_all()

    client.on_message = on_message
    client.on_subscribe = on_subscribe
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(topic, qos=1)
    assert is_subscribed.wait(WAIT_S)
    try:
        yield client, heard, news
    finally:
        client.disconnect()
        client.loop_stop()
        client.on_message = client.on_subscribe = None


def test_platform_02_who_asks_with_a_response_topic_is_answered_there_too(estate: Estate) -> None:
    with (
        estate.gateway() as desk,
        asker(estate.broker.port, "desk/#") as (client, heard, news),
    ):

        def ask(rid: str, answer: str) -> None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.ResponseTopic = answer
            properties.CorrelationData = b"\x00\xff" + rid.encode()
            command = {"rid": rid, "op": "read", "p": ["level"]}
            topic = "fc/1/e2e/gw-08/dn/cmd/sluice-1"
            client.publish(topic, json.dumps(command), qos=1, properties=properties)
            estate.platform.wait_for("reply", lambda r: r["rid"] == rid)

        births = len(estate.platform.of("birth"))
        for rid, topic in (
            ("x1", "fc/1/e2e/gw-08/up/birth/sluice-1"),
            ("x2", "$SYS/broker"),
            ("x3", "homeassistant/sensor/x/config"),
        ):
            ask(rid, topic)
        ask("y1", "desk/answers/7")
        with news:
            assert news.wait_for(lambda: heard, WAIT_S)
        (answer,) = heard
        assert answer.topic == "desk/answers/7"
        assert getattr(answer.properties, "CorrelationData", None) == b"\x00\xffy1"
        body = json.loads(answer.payload)
        assert (body["rid"], body["st"]) == ("y1", "done")
        assert len(estate.platform.of("birth")) == births
        remarks = [m.body for m in estate.platform.of("log") if m.body["topic"] == "remark"]
        assert len(remarks) == 3
        assert desk.gateway.process.poll() is None


# --- a flood -------------------------------------------------------------------------------------


def test_platform_02_a_flood_is_told_by_counts_and_the_devices_are_read_on(
    estate: Estate,
) -> None:
    """`python -m tests.bench flood` measures how many polls stay on time."""
    with estate.gateway() as desk:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", estate.broker.port)
        client.loop_start()
        for number in range(20_000):
            command = f'{{"rid":"f{number}","op":"set","p":{{"level":99}},"exp":{desk.exp}}}'
            client.publish("fc/1/e2e/gw-08/dn/cmd/sluice-1", command, qos=0)
        polls = estate.slave.polls[1]
        estate.platform.wait_for("log", lambda b: b["fields"].get("status") == "flood", device="_")
        until(lambda: estate.slave.polls[1] > polls + 3, "read on")
        numbers = count()
        until(lambda: _is_done(desk, f"g{next(numbers)}"), "a good command is carried out after it")
        client.disconnect()
        client.loop_stop()
        assert sink_status(desk.gateway)["connects"] == 1
        entries = assert_chain(estate.platform)
        floods = [entry for entry in entries if entry.fields["status"] == "flood"]
        assert sum(int(entry.fields["count"]) for entry in floods) > 500
        assert len(entries) < 1000
    assert estate.slave.register(1, 0) == 200


def _is_done(desk: Desk, rid: str) -> bool:
    """Return whether a command was done; one that came into the flood may have been counted."""
    desk.say({"rid": rid, "op": "set", "p": {"level": 20}, "exp": desk.exp, "by": "desk"})
    replies = [m.body for m in desk.platform.of("reply") if m.body["rid"].startswith("g")]
    return any(reply["st"] == "done" for reply in replies)
