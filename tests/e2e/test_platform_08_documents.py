"""Part 8, end to end: who has only docs/platform/asyncapi.yaml reads a gateway, and is answered.

Topic filters, validators, QoS, retain flags and what may be said are taken from the document and
from the schemas that it points to; nothing else of the repository is asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from jsonschema import Draft202012Validator
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions
from referencing import Registry, Resource

from tests.e2e.kit_gateway import write_profile, write_site
from tests.e2e.kit_platform import WAIT_S, Platform
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import mosquitto
from tests.support.platform_samples import sample

DOCUMENT = Path(__file__).parents[2] / "docs" / "platform" / "asyncapi.yaml"
PROFILE = """\
version: 1
profile: e2e/cellar
vendor: test
model: cellar
title: {en: Cellar, zh: 地下室}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {fast: 200ms}
defaults: {group: fast, pii: P0, level: L1}
points:
  u_a: {register: 0, scale: 0.1, value: float, unit: V}
  wet:
    table: discrete
    register: 0
    value: bool
    priority: alarm
    events: [{type: leak, severity: 3, when: {equals: true}}]
  out_1: {table: coil, register: 8, value: bool, access: rw, write: {dangerous: true}}
  out_2: {table: coil, register: 9, value: bool, access: rw}
"""
SITE = """\
version: 1
gateway: {{id: gw-10, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{broker}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{slave}"}}
devices:
  - {{id: em-01, profile: e2e/cellar, bus: tcp, address: 1}}
commands:
  allow:
    - {{device: em-01, points: ["*"], ops: [read]}}
    - {{device: em-01, points: ["out_*"], ops: [set], by: [sample], dangerous: true}}
"""
PLACE = {"root": "fc", "site": "e2e", "gateway": "gw-10", "device": "em-01"}
"""What somebody with the document is told besides: where it is, and one device."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One operation of the document, as a stranger understands it."""

    address: str
    name: str
    """Of its message."""
    is_said: bool
    """By the gateway."""
    qos: int
    is_retained: bool
    validator: Draft202012Validator
    examples: tuple[Any, ...]
    rid_key: str | None
    """Where the correlation id stands in the payload."""
    answered_on: str | None = None
    """Address of the channel of replies."""

    @property
    def filter(self) -> str:
        """The topic filter that takes all of it."""
        return re.sub(r"\{\w+\}", "+", self.address)

    def takes(self, topic: str) -> bool:
        """Return whether a topic is one of this channel."""
        return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", self.address), topic) is not None

    def topic(self) -> str:
        """Return the topic of the one gateway and device that is known."""
        return self.address.format(**PLACE)

    def faults(self, payload: Any) -> list[str]:
        """Return what a payload has against the schema of this channel."""
        found = self.validator.iter_errors(payload)  # pyright: ignore[reportUnknownMemberType] - half typed
        return [fault.message for fault in found]


def channels() -> Iterator[Channel]:
    """Yield every operation of the document."""
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    for operation in document["operations"].values():
        channel = _at(document, operation["channel"])
        ((name, reference),) = channel["messages"].items()
        message = _at(document, reference)
        key = message.get("correlationId", {}).get("location", "").partition("#/")[2]
        reply = operation.get("reply")
        yield Channel(
            channel["address"],
            name,
            operation["action"] == "send",
            operation["bindings"]["mqtt"]["qos"],
            operation["bindings"]["mqtt"]["retain"],
            _validator(DOCUMENT.parent / message["payload"]["schema"]["$ref"]),
            tuple(example["payload"] for example in message["examples"]),
            key or None,
            None if reply is None else _at(document, reply["channel"])["address"],
        )


def _at(document: Any, reference: dict[str, str]) -> Any:
    found = document
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def _validator(file: Path) -> Draft202012Validator:
    beside = [json.loads(one.read_text(encoding="utf-8")) for one in file.parent.glob("*.json")]
    known = [(one["$id"], Resource[Any].from_contents(one)) for one in beside]
    schema = json.loads(file.read_text(encoding="utf-8"))
    return Draft202012Validator(schema, registry=Registry[Any]().with_resources(known))


@dataclass
class Stranger:
    """A subscriber that knows the document only."""

    port: int
    known: tuple[Channel, ...]
    heard: list[MQTTMessage] = field(default_factory=list[MQTTMessage])
    news: threading.Condition = field(default_factory=threading.Condition)
    stands: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Subscribe to every channel on which the gateway speaks."""
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_message = self._take
        self.client.on_subscribe = self._subscribed
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()
        as_published = SubscribeOptions(qos=2, retainAsPublished=True)
        self.client.subscribe([(one.filter, as_published) for one in self.known if one.is_said])
        assert self.stands.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = self.client.on_subscribe = None
        del self.client

    def say(self, channel: Channel, payload: Any) -> None:
        """Publish as the document says."""
        assert not channel.is_said
        assert channel.faults(payload) == []
        sent = self.client.publish(
            channel.topic(), json.dumps(payload), channel.qos, channel.is_retained
        )
        sent.wait_for_publish(WAIT_S)

    def bodies(self, name: str) -> list[dict[str, Any]]:
        """Return the payloads of one message of the document that came so far."""
        one = next(one for one in self.known if one.name == name)
        return [json.loads(m.payload) for m in list(self.heard) if one.takes(m.topic)]

    def wait_for(self, name: str, is_it: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the first payload like this."""

        def found() -> dict[str, Any] | None:
            return next((body for body in self.bodies(name) if is_it(body)), None)

        with self.news:
            assert self.news.wait_for(found, WAIT_S), f"no such {name}"
        body = found()
        assert body is not None
        return body

    def _take(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        with self.news:
            self.heard.append(message)
            self.news.notify_all()

    def _subscribed(self, *_: object) -> None:
        self.stands.set()


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in one run of a gateway."""

    known: tuple[Channel, ...]
    messages: list[MQTTMessage]
    all_topics: set[str]
    """Of whatever the gateway published upwards, seen by somebody else."""
    sample_replies: dict[str, tuple[Any, Any]]
    """What docs/platform/command.py was told, and what the device then showed, by point."""


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """Run a gateway until it has said all that it can say; then kill it, for its will."""
    base = tmp_path_factory.mktemp("documents")
    write_profile(base, "e2e/cellar", PROFILE)
    known = tuple(channels())
    below = {one.name: one for one in known if not one.is_said}
    told: dict[str, tuple[Any, Any]] = {}
    with (
        mosquitto(base) as broker,
        Slave() as slave,
        Platform(broker.port) as witness,
        Stranger(broker.port, known) as stranger,
    ):
        slave.put(1, 0, 2301)
        site = write_site(base, SITE.format(broker=broker.port, slave=slave.port))
        with running_gateway(site, base) as gateway:
            first = stranger.wait_for("prop", lambda prop: prop["dev"] == "em-01")
            slave.put_bit(1, 0, is_on=True)
            stranger.wait_for("event", lambda event: event["type"] == "leak")
            for channel in below.values():
                for example in channel.examples:
                    stranger.say(channel, example)
            again = {"ep": first["ep"], "resend": [[first["seq"], first["seq"]]]}
            stranger.say(below["ack"], again)
            stranger.wait_for("hist", lambda hist: hist["items"][0]["seq"] == first["seq"])
            stranger.wait_for("gap", lambda gap: gap["cause"] == "not_kept")
            stranger.wait_for("log", lambda log: log["topic"] == "command")
            for rid in _rids(below["cmd"]):
                stranger.wait_for("reply", lambda reply, rid=rid: reply["rid"] == rid)
            command, at = sample("command"), ("127.0.0.1", broker.port)
            for address, point in enumerate(("out_1", "out_2", "out_3"), 8):
                asked = command.set_point(at, "fc/1/e2e/gw-10", "em-01", **{point: True})
                reply = asyncio.run(asked)
                told[point] = ((reply["st"], reply["code"]), slave.bit(1, address))
            gateway.kill()
        stranger.wait_for("state", lambda state: state["dev"] == "_" and not state["online"])
        witness.wait_for("state", lambda state: state["dev"] == "_" and not state["online"])
        topics = {m.topic for m in witness.so_far()}
        return Heard(known, list(stranger.heard), topics, told)


def _rids(channel: Channel) -> list[str]:
    assert channel.rid_key is not None
    return [example[channel.rid_key] for example in channel.examples]


def test_platform_08_every_class_of_the_document_comes_and_no_other(heard: Heard) -> None:
    said = [one for one in heard.known if one.is_said]
    for message in heard.messages:
        assert sum(one.takes(message.topic) for one in said) == 1, message.topic
    came = {one.name for one in said for m in heard.messages if one.takes(m.topic)}
    assert came == {one.name for one in said}
    assert {message.topic for message in heard.messages} == heard.all_topics


def test_platform_08_every_message_is_as_its_channel_says(heard: Heard) -> None:
    for message in heard.messages:
        channel = next(one for one in heard.known if one.is_said and one.takes(message.topic))
        body = json.loads(message.payload)
        assert channel.faults(body) == [], (message.topic, body)
        published = (message.qos, message.retain)
        assert published == (channel.qos, channel.is_retained), message.topic


def test_platform_08_commands_of_the_document_are_answered_where_it_says(heard: Heard) -> None:
    asked = next(one for one in heard.known if one.name == "cmd")
    reply = next(one for one in heard.known if one.address == asked.answered_on)
    assert reply.rid_key is not None
    answered: dict[str, str] = {}
    for message in heard.messages:
        if message.topic == reply.topic():
            body = json.loads(message.payload)
            answered[body[reply.rid_key]] = body["st"]
    assert answered.keys() >= set(_rids(asked))
    reads = {example["rid"] for example in asked.examples if example["op"] == "read"}
    assert {answered[rid] for rid in reads} == {"done"}
    assert {answered[rid] for rid in set(_rids(asked)) - reads} <= {"rejected", "expired"}


def test_platform_08_the_sample_arms_what_is_dangerous_and_sets_it(heard: Heard) -> None:
    assert heard.sample_replies == {
        "out_1": (("done", None), True),
        "out_2": (("done", None), True),
        "out_3": (("rejected", "no_point"), False),
    }


def test_platform_08_a_validator_of_the_document_refuses_what_is_wrong() -> None:
    for channel in channels():
        for example in channel.examples:
            assert channel.faults(example) == []
            assert channel.faults([example])
            if channel.is_said:
                assert channel.faults({**example, "v": "2.0"})
                assert channel.faults({**example, "unknown": 1})
