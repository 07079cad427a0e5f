"""The other end: a subscriber that plays the platform and holds what it gets against the truth.

`Auditor` is pure; `watch` feeds it from a broker. It checks the identity `(gw, ep, seq)` of every
record, follows the chain of `pv` for records that never came, and asks the ledger whether a good
value was really there when the gateway says that it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

import aiomqtt

from gateway.model.reading import Value
from simulators.ledger import Ledger
from simulators.tree import branches, leaves

GOOD = 192
TOPIC_WORDS = 7
KEPT_EVENTS = 50
KEPT_FALSE = 20
DEFAULT_SPAN_MS = 2000  # longest exchange of a slow line with a long reply
END_TOPIC = "linli-sim/end"
RECORD_BODY = ("dev", "ts", "pts", "eid", "type", "st", "online", "rid")

Stream = NewType("Stream", str)
"""One gateway's store: `gw/ep`."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest value of a point."""

    value: Value | None
    unit: str | None
    quality: int
    reason: str | None
    ts_ms: int


@dataclass(frozen=True, slots=True)
class EventSeen:
    """One step of an event."""

    device: str
    type: str
    state: str
    severity: int
    eid: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class FalseValue:
    """A good value that the ledger does not hold."""

    device: str
    point: str
    value: Value
    ts_ms: int


@dataclass(slots=True)
class Chain:
    """What came of one store."""

    records: dict[int, int] = field(default_factory=dict[int, int])
    """A fingerprint of the content by seq."""
    previous: set[int] = field(default_factory=set[int])

    @property
    def missing(self) -> frozenset[int]:
        """Records that a later one names as its predecessor, but that never came."""
        return frozenset(self.previous - self.records.keys())


class Auditor:
    """Counts and checks every message of the native dialect."""

    def __init__(self, ledger: Ledger | None = None, *, span_ms: int = DEFAULT_SPAN_MS) -> None:
        self._ledger = ledger
        self._span_ms = span_ms
        self.chains: dict[Stream, Chain] = {}
        self.latest: dict[tuple[str, str], Latest] = {}
        self.online: dict[str, bool] = {}
        self.events: deque[EventSeen] = deque(maxlen=KEPT_EVENTS)
        self.false: deque[FalseValue] = deque(maxlen=KEPT_FALSE)
        self.messages = 0
        self.values = 0
        self.unchecked = 0
        self.duplicates = 0
        self.conflicts = 0
        self.unreadable = 0
        self.false_count = 0

    @property
    def received(self) -> int:
        """Records received, each counted once."""
        return sum(len(chain.records) for chain in self.chains.values())

    @property
    def lost(self) -> int:
        """Records that must exist and have not come (yet)."""
        return sum(len(chain.missing) for chain in self.chains.values())

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message."""
        words = topic.split("/")
        if len(words) != TOPIC_WORDS or words[4] != "up":
            return
        self.messages += 1
        envelope: Mapping[str, Any] = {}
        with contextlib.suppress(ValueError):  # counted below: no object
            envelope = branches(json.loads(payload))
        self.unreadable += not envelope
        for record in _records(envelope):
            self._take_record(words[5], words[6], words[3], record)

    def _take_record(self, kind: str, device: str, gateway: str, record: dict[str, Any]) -> None:
        if kind == "state" and isinstance(record.get("online"), bool):
            self.online[device] = record["online"]
        if kind == "birth" or not self._note(gateway, record):
            return
        device = str(record.get("dev", device))
        if kind == "event":
            self.events.append(_event(device, record))
        for point in record.get("pts", ()):
            self._take_value(device, point, int(record.get("ts", 0)), is_live=kind != "hist")

    def _note(self, gateway: str, record: dict[str, Any]) -> bool:
        """Note the identity; False for what was there already or has none."""
        ep, seq, previous = record.get("ep"), record.get("seq"), record.get("pv")
        if not isinstance(ep, int) or not isinstance(seq, int):
            return False
        chain = self.chains.setdefault(Stream(f"{gateway}/{ep}"), Chain())
        if isinstance(previous, int) and previous > 0:
            chain.previous.add(previous)
        content = _fingerprint(record)
        if seq in chain.records:
            self.duplicates += 1
            self.conflicts += chain.records[seq] != content
            return False
        chain.records[seq] = content
        return True

    def _take_value(self, device: str, entry: dict[str, Any], ts_ms: int, *, is_live: bool) -> None:
        self.values += 1
        point, value = str(entry.get("p")), entry.get("v")
        quality = int(entry.get("q", GOOD))
        at_ms = ts_ms + int(entry.get("t", 0))
        latest = self.latest.get((device, point))
        if is_live and (latest is None or latest.ts_ms <= at_ms):
            self.latest[device, point] = Latest(
                value, entry.get("u"), quality, entry.get("qr"), at_ms
            )
        if quality == GOOD and value is not None:
            self._check(device, point, value, at_ms)

    def _check(self, device: str, point: str, value: Value, at_ms: int) -> None:
        ledger = self._ledger
        if ledger is None or not ledger.held(device, point):
            self.unchecked += 1
        elif not ledger.holds(device, point, value, (at_ms - self._span_ms, at_ms + 1)):
            self.false_count += 1
            self.false.append(FalseValue(device, point, value, at_ms))


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens, and whether it speaks MQTT 5."""

    host: str
    port: int
    has_mqtt5: bool = True


async def watch(at: BrokerAddress, root: str, auditor: Auditor, ready: asyncio.Event) -> None:
    """Feed the auditor from a broker until a message on `END_TOPIC` comes; sets `ready`."""
    version = aiomqtt.ProtocolVersion.V5 if at.has_mqtt5 else aiomqtt.ProtocolVersion.V311
    async with aiomqtt.Client(at.host, at.port, protocol=version) as client:
        await client.subscribe(f"{root}/#", qos=1)
        await client.subscribe(END_TOPIC, qos=1)
        ready.set()
        async for message in client.messages:
            if message.topic.value == END_TOPIC:
                return
            auditor.take(message.topic.value, bytes(message.payload))


async def end_watch(at: BrokerAddress) -> None:
    """Send the message that ends `watch`, behind everything that the broker had before it."""
    version = aiomqtt.ProtocolVersion.V5 if at.has_mqtt5 else aiomqtt.ProtocolVersion.V311
    async with aiomqtt.Client(at.host, at.port, protocol=version) as client:
        await client.publish(END_TOPIC, b"", qos=1)


def _records(envelope: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    shared = {name: value for name, value in envelope.items() if name != "items"}
    if "items" not in envelope:
        yield shared
    for item in leaves(envelope.get("items")):
        yield {**shared, **branches(item)}


def _event(device: str, record: dict[str, Any]) -> EventSeen:
    return EventSeen(
        device=device,
        type=str(record.get("type")),
        state=str(record.get("st")),
        severity=int(record.get("sev", 0)),
        eid=str(record.get("eid")),
        ts_ms=int(record.get("ts", 0)),
    )


def _fingerprint(record: dict[str, Any]) -> int:
    """Hash what must be equal in every copy, whatever the class and the time of publishing."""
    return hash(json.dumps({name: record.get(name) for name in RECORD_BODY}, sort_keys=True))
