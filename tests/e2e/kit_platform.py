"""The platform's side: a subscriber in a thread that keeps, audits and checks what comes.

    with Platform(broker.port) as platform:
        raised = platform.wait_for("event", lambda event: event["st"] == "raised")

Leaving the block holds what came against the JSON Schemas.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from simulators.platform import Auditor
from tests.support.payloads import checked

WAIT_S = 60.0
"""Generous: it only ends tests that would fail anyway."""
CHECKED_OF_EACH_KIND = 60
FOR_EVER = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came."""

    topic: str
    payload: bytes
    is_retained: bool

    @property
    def kind(self) -> str:
        """The class in its topic."""
        return self.topic.split("/")[5]

    @property
    def device(self) -> str:
        """The device in its topic."""
        return self.topic.split("/")[6]

    @property
    def body(self) -> dict[str, Any]:
        """The payload; {} when it is empty (a cleared topic)."""
        return json.loads(self.payload) if self.payload else {}


class Platform:
    """A subscriber to everything that goes up.

    `name` makes its session durable: what is published while it is away waits at the broker.
    """

    def __init__(
        self,
        port: int,
        *,
        name: str | None = None,
        root: str = "fc",
        is_v5: bool = True,
    ) -> None:
        self._asked: set[tuple[str, int]] = set()
        self.messages: list[Message] = []
        self.auditor = Auditor()
        self._port = port
        self._name = name
        self._filter = f"{root}/1/+/+/up/#"
        self._news = threading.Condition()
        self._subscribed = threading.Event()
        self._published = 0
        self._is_v5 = is_v5
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name or "",
            clean_session=None if is_v5 else name is None,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connect, and return when the subscription stands."""
        if self._is_v5:
            session = Properties(PacketTypes.CONNECT)
            if self._name is not None:
                session.SessionExpiryInterval = FOR_EVER
            self._client.connect(
                "127.0.0.1", self._port, clean_start=self._name is None, properties=session
            )
        else:
            self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S), "no subscription"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """Disconnect; hold a sample of each class against its schema."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None
        del self._client  # paho closes its wake-up sockets only when it is collected
        if error is None:
            self.check_schemas()

    def check_schemas(self) -> None:
        """Hold the first of each class against the schemas of the repository."""
        seen: Counter[str] = Counter()
        for message in self.so_far():
            seen[message.kind] += 1
            if message.payload and seen[message.kind] <= CHECKED_OF_EACH_KIND:
                checked(message.topic, message.payload)

    # --- what came -----------------------------------------------------------------------------

    def so_far(self) -> list[Message]:
        """Return what has come."""
        with self._news:
            return list(self.messages)

    def of(self, kind: str, device: str | None = None) -> list[Message]:
        """Return messages of one class, of one device when it is named."""
        return [m for m in self.so_far() if m.kind == kind and device in (None, m.device)]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield every record as it came, those of `hist` one by one with their `dev`."""
        for message in self.so_far():
            body = message.body
            if message.kind == "hist":
                yield from ({"dev": body["dev"], "k": "hist", **item} for item in body["items"])
            elif isinstance(body.get("seq"), int):
                yield body

    def points(self, device: str, point: str, *, snapshots: bool = False) -> list[dict[str, Any]]:
        """Return the entries of one point, in the order in which they came."""
        return [
            entry
            for record in self.records()
            if record["dev"] == device and (snapshots or not record.get("snap"))
            for entry in record.get("pts", ())
            if entry["p"] == point
        ]

    def wait(self, is_true: Callable[[], bool], what: str) -> None:
        """Return when something holds; looked at after every message."""
        with self._news:
            assert self._news.wait_for(is_true, WAIT_S), f"{what}; {self._summary()}"

    def wait_for(
        self,
        kind: str,
        is_wanted: Callable[[dict[str, Any]], bool] = lambda _: True,
        *,
        device: str | None = None,
        after: int = 0,
    ) -> Message:
        """Return the first message like this, behind the first `after` messages."""
        found: list[Message] = []
        at = after

        def has_come() -> bool:
            nonlocal at
            while at < len(self.messages) and not found:
                message = self.messages[at]
                at += 1
                if message.kind == kind and device in (None, message.device):
                    found.extend([message] if is_wanted(message.body) else [])
            return bool(found)

        self.wait(has_come, f"no such {kind} of {device}")
        return found[0]

    def wait_for_point(
        self, device: str, point: str, is_wanted: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """Return the first entry of a point like this, live, snapshot or history."""
        found: list[dict[str, Any]] = []
        at = 0

        def has_come() -> bool:
            nonlocal at
            fresh, at = self.messages[at:], len(self.messages)
            for body in (m.body for m in fresh if m.device == device):
                for record in body.get("items", [body]):
                    found.extend(
                        e for e in record.get("pts", ()) if e["p"] == point and is_wanted(e)
                    )
            return bool(found)

        self.wait(has_come, f"{device}/{point} never like this")
        return found[0]

    # --- what is said --------------------------------------------------------------------------

    def publish(self, topic: str, payload: bytes | str, *, is_retained: bool = False) -> None:
        """Say something; returns when the broker has it."""
        sent = self._client.publish(topic, payload, qos=1, retain=is_retained)
        sent.wait_for_publish(WAIT_S)
        assert sent.is_published()

    def has_all(self, base_topic: str) -> bool:
        """Return whether nothing is missing; ask, as a platform does, for what newly is.

        A broker that dies may have acknowledged what it had not passed on yet.
        """
        for stream, chain in list(self.auditor.chains.items()):
            fresh = {(stream, seq) for seq in chain.missing} - self._asked
            self._asked |= fresh
            if fresh:
                resend = [[seq, seq] for _, seq in sorted(fresh)]
                request = {"ep": int(stream.split("/")[1]), "ranges": [], "resend": resend}
                self.publish(f"{base_topic}/dn/ack/_", json.dumps(request))
        return self.auditor.lost == 0

    def _summary(self) -> str:
        return f"so far {dict(Counter(m.kind for m in self.messages))}"

    # --- paho's thread ---------------------------------------------------------------------------

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(self._filter, qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        payload = bytes(message.payload)
        with self._news:
            self.messages.append(Message(message.topic, payload, message.retain))
            self.auditor.take(message.topic, payload)
            self._news.notify_all()
