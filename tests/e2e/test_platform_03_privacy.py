"""Part 3: plates, cards and names are sown, and every byte on wire, disk, log and socket searched.

Platforms of different level hear of a camera, a card reader and a flat. One may know all: there the
canaries are found, so that the search is known to see. Nowhere else.
"""

from __future__ import annotations

import json
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.privacy import sm2
from gateway.privacy.sealing import Cipher, NotSealed, is_signed, opened
from tests.e2e.kit_canaries import (
    CANARIES,
    CARD,
    HOLDER,
    PLATE,
    VALUES,
    files_of,
    search,
    sow,
    unpacked,
    write_profiles,
)
from tests.e2e.kit_gateway import asked, linli, until, write_site
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import mosquitto
from tests.support.payloads import checked

SITE = """\
version: 1
gateway: {id: gw-5, site: hz-fc-005, clock: trusted}
store: {commit_every: 50ms}
sinks:
  open: {url: "mqtt://127.0.0.1:$PORT", root: open, client_id: a, max_level: L1}
  city:
    url: mqtt://127.0.0.1:$PORT
    root: city
    client_id: b
    max_level: L2
    allow:
      - {points: ["*"]}
      - {kind: "parking.*", points: [plate]}
      - {device: "door-*", points: [card]}
    transforms:
      - {points: [plate], by: mask, level: L2, first: 2, last: 1}
      - {points: [card], by: hash, level: L2}
  unnamed: {url: "mqtt://127.0.0.1:$PORT", root: unnamed, client_id: c, max_level: L3}
  police:
    url: mqtt://127.0.0.1:$PORT
    root: police
    client_id: d
    max_level: L4
    allow: [{points: ["*"]}, {points: [plate, card, holder]}]
  secret:
    url: mqtt://127.0.0.1:$PORT
    root: secret
    client_id: e
    max_level: L4
    allow: [{points: ["*"]}, {points: [plate, card, holder]}]
    payload: {cipher: sm4-gcm, key: {file: $KEYS/sm4}, sign_key: {file: $KEYS/sm2}, signer: gw-5}
privacy: {algorithm: hmac-sm3, rotate: 7d}
buses:
  net: {tcp: "127.0.0.1:$SLAVE"}
devices:
  - {id: lpr-1, profile: e2e/lpr, bus: net, address: 1}
  - id: door-1
    profile: e2e/reader
    bus: net
    address: 2
    title: Wang Canary flat
    owner: Wang Canary owner
    location: {bldg: "3", room: R-0501}
commands: {allow: [{device: "*", points: ["*"], ops: [read]}]}
"""
SM4_KEY, SM2_KEY = bytes(range(16)), 0x1234_5678


@dataclass
class Tap:
    """Everything that the broker passes on, with the properties of its messages."""

    port: int
    heard: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    def __post_init__(self) -> None:
        """Make the client."""
        self._ready = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="tap", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._begin
        self._client.on_message = self._note

    def __enter__(self) -> Self:
        """Listen."""
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None
        del self._client  # paho closes its wake-up sockets only when it is collected

    def ask(self, topic: str, words: dict[str, Any]) -> None:
        """Send a command."""
        self._client.publish(topic, json.dumps(words), qos=1)

    def of(self, root: str) -> list[tuple[str, bytes]]:
        """Return what one platform gets."""
        return [one for one in list(self.heard) if one[0].startswith(f"{root}/")]

    def bodies(self, root: str, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the records of a class that a platform got."""
        for topic, payload in self.of(root):
            if f"/up/{kind}/" in topic and payload:
                yield json.loads(payload)

    def values(self, root: str, point: str) -> set[Any]:
        """Return the values of a point that a platform got."""
        return {
            entry.get("v")
            for kind in ("prop", "reply")
            for one in self.bodies(root, kind)
            for entry in one.get("pts", ())
            if entry["p"] == point
        }

    def _subscribe(self, client: Client, *_: object) -> None:
        client.subscribe("#", qos=1)

    def _begin(self, *_: object) -> None:
        self._ready.set()

    def _note(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        properties = getattr(message, "properties", None)
        told = repr(None if properties is None else properties.json()).encode()
        self.heard.append((message.topic, bytes(message.payload)))
        self.heard.append((message.topic.split("/")[0] + "/properties", told))


def test_platform_03_canaries_are_found_nowhere_below_their_level(tmp_path: Path) -> None:
    write_profiles(tmp_path)
    _write_keys(tmp_path)
    with Slave() as slave, mosquitto(tmp_path) as broker, Tap(broker.port) as tap:
        sow(slave)
        words = {"PORT": broker.port, "SLAVE": slave.port, "KEYS": tmp_path / "keys"}
        text = SITE
        for name, value in words.items():
            text = text.replace(f"${name}", str(value))
        site = write_site(tmp_path, text)
        with running_gateway(site, tmp_path) as gateway:
            _wait_for_canaries(tap)
            _ask_for_a_card(tap)
            answers = [asked(gateway, op) for op in ("status", "lines", "outbox")]
        _search_the_wire(tap)
        _check_what_the_city_gets(tap)
        _check_the_sealed_sink(tap)
        search(answers_of(answers), VALUES, "control socket")
        search([gateway.log.read_bytes()], CANARIES, "log")
        search(files_of(gateway.folders.base / "state"), VALUES, "disk")
        report = json.loads(linli(tmp_path, "privacy", "report", str(site), "--json").stdout)
    _check_the_report(report, tap)


def answers_of(answers: Iterable[Any]) -> list[bytes]:
    """Return answers as they come over the socket."""
    return [json.dumps(answer, ensure_ascii=False).encode() for answer in answers]


def _write_keys(base: Path) -> None:
    keys = base / "keys"
    keys.mkdir()
    for name, text in (("sm4", SM4_KEY.hex()), ("sm2", f"{SM2_KEY:064x}")):
        (keys / name).write_text(text, encoding="ascii")
        (keys / name).chmod(0o600)


def _wait_for_canaries(tap: Tap) -> None:
    """Return when the platform that may know all knows all, and every other one got its share."""
    for point, value in (("plate", PLATE), ("card", CARD), ("holder", HOLDER)):
        until(lambda p=point, v=value: v in tap.values("police", p), f"{point} for the police")
    for root in ("open", "city", "unnamed"):
        until(lambda r=root: 7 in tap.values(r, "passages"), f"passages for {root}")
        until(lambda r=root: list(tap.bodies(r, "event")), f"events for {root}")
    until(lambda: tap.values("city", "card"), "a hash for the city")
    until(lambda: any("/up/prop/" in topic for topic, _ in tap.of("secret")), "a sealed value")


def _ask_for_a_card(tap: Tap) -> None:
    for root in ("city", "unnamed", "police"):
        words = {"rid": f"r-{root}", "op": "read", "p": "card", "pts": ["card"]}
        newest = max(one["tp"] for one in tap.bodies(root, "prop"))
        words["exp"] = newest + 60_000
        tap.ask(f"{root}/1/hz-fc-005/gw-5/dn/cmd/door-1", words)
        until(lambda r=root: list(tap.bodies(r, "reply")), f"a reply for {root}")


def _search_the_wire(tap: Tap) -> None:
    for root in ("open", "city"):
        search(_octets(tap.of(root)), CANARIES, root)
    search(_octets(tap.of("unnamed")), VALUES, "unnamed")  # L3 may know flats and names of devices
    search(_octets(tap.of("secret")), CANARIES, "the sealed sink")
    told = b"".join(_octets(tap.of("police")))
    assert [canary for canary in CANARIES if canary.encode() not in told] == []


def _check_what_the_city_gets(tap: Tap) -> None:
    for topic, payload in tap.of("city"):
        if "/up/" in topic and payload:
            checked(topic, payload)
    assert tap.values("city", "plate") == {"浙A***Z"}
    (shown,) = tap.values("city", "card")
    period, digits = shown.split("-")
    assert (len(period), len(digits)) == (8, 16)
    events = {one["type"]: one for one in tap.bodies("city", "event")}
    assert events["presented"]["val"] == shown
    (duress,) = [one for one in tap.bodies("open", "event") if one["type"] == "duress"]
    assert (duress["val"], duress["p"]) == (None, None)
    births = {one["dev"]: one for one in tap.bodies("city", "birth")}
    place = births["door-1"]["loc"]
    assert place["bldg"] == "3"
    assert place["room"].startswith("~")
    (card,) = [point for point in births["door-1"]["pts"] if point["p"] == "card"]
    assert (card["tf"], card["t"], card["level"]) == ("hash", "text", "L2")


def _check_the_sealed_sink(tap: Tap) -> None:
    """Every payload of that sink opens with the key, and is signed; the canaries are inside."""
    cipher, public = Cipher("sm4-gcm", SM4_KEY), sm2.public_key(SM2_KEY)
    inside: list[bytes] = []
    for topic, payload in tap.of("secret"):
        if "/up/" in topic and payload:
            text = opened(topic, payload, cipher)
            assert is_signed(topic, payload, text, public)
            inside.append(text)
    assert [v for v in VALUES if v.encode() not in b"".join(inside)] == []


def _check_the_report(report: list[dict[str, Any]], tap: Tap) -> None:
    """What the report says leaves, and nothing else, was on the wire."""
    for sink in report:
        if sink["sink"] == "secret":
            continue
        told = {point["point"] for point in sink["points"] if point["leaves"]}
        sent = {
            entry["p"] for one in tap.bodies(sink["sink"], "prop") for entry in one.get("pts", ())
        }
        assert sent == told, sink["sink"]


def _octets(heard: Iterable[tuple[str, bytes]]) -> list[bytes]:
    return [topic.encode() + b"\n" + payload for topic, payload in heard]


def test_the_search_sees_what_is_packed_and_escaped() -> None:
    packed = b"abc" + zlib.compress(f'{{"v":"{PLATE}"}}'.encode(), 3)
    hidden: tuple[Iterable[bytes], ...] = (
        unpacked(packed),
        [json.dumps(PLATE).encode()],
        [PLATE.encode("gb18030")],
        [b64encode(b"ab" + HOLDER.encode() + b"cd")],
        [CARD.to_bytes(4, "big")],
        [b"\x08" + bytes((0xF1, 0xDB, 0xD1, 0xE0, 0x01))],  # the card as a number of protobuf
    )
    for place in hidden:
        with pytest.raises(AssertionError, match="hidden"):
            search(place, VALUES, "hidden")


def test_an_empty_object_is_no_sealed_payload() -> None:
    with pytest.raises(NotSealed):
        opened("t", b"{}", None)
