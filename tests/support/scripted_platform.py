"""A platform in a thread: keeps what comes, answers by its script, asks what the test wants.

with ScriptedPlatform(broker.port, ("$oc/#",), script) as platform:
    platform.wait_for(lambda message: message.topic.endswith("/events/up"))
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WAIT_S = 60.0
"""Generous: it only ends tests that would fail anyway."""
FOR_EVER = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came."""

    topic: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Say:
    """One message of the platform."""

    topic: str
    body: Any


Script = Callable[[Heard], Iterable[Say]]
"""What the platform answers at once."""


class ScriptedPlatform:
    """A subscriber that answers. With a `name` its session outlives it at the broker."""

    def __init__(
        self, port: int, filters: Sequence[str], script: Script, *, name: str | None = None
    ) -> None:
        self._port = port
        self._filters = [(topic, 1) for topic in filters]
        self._script = script
        self._name = name
        self._heard: list[Heard] = []
        self._failed: AssertionError | None = None
        self._news = threading.Condition()
        self._subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name or "", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connect, and return when the subscriptions stand."""
        session = Properties(PacketTypes.CONNECT)
        if self._name is not None:
            session.SessionExpiryInterval = FOR_EVER
        self._client.connect(
            "127.0.0.1", self._port, clean_start=self._name is None, properties=session
        )
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S), "no subscription"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None
        del self._client  # paho closes its wake-up sockets only when it is collected

    def so_far(self) -> list[Heard]:
        """Return what has come."""
        with self._news:
            return list(self._heard)

    def wait(self, is_true: Callable[[list[Heard]], object], what: str) -> None:
        """Return when something holds of all that has come; looked at after every message."""
        with self._news:
            is_over = self._news.wait_for(lambda: self._failed or is_true(self._heard), WAIT_S)
            if self._failed is not None:
                raise self._failed
            assert is_over, what

    def wait_for(self, is_wanted: Callable[[Heard], object], what: str, *, after: int = 0) -> Heard:
        """Return the first message like this, behind the first `after` messages."""
        self.wait(lambda heard: any(map(is_wanted, heard[after:])), f"{what}; {self._summary()}")
        return next(one for one in self.so_far()[after:] if is_wanted(one))

    def say(self, said: Say) -> None:
        """Publish; returns when the broker has it."""
        sent = self._client.publish(said.topic, json.dumps(said.body), qos=1)
        sent.wait_for_publish(WAIT_S)
        assert sent.is_published()

    def ask(self, said: Say, answer_topic: str) -> dict[str, Any]:
        """Publish a request and return the body of its answer."""
        after = len(self.so_far())
        self.say(said)
        return self.wait_for(lambda one: one.topic == answer_topic, answer_topic, after=after).body

    def _summary(self) -> str:
        return f"heard {sorted({one.topic for one in self._heard})}"

    # --- paho's thread

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(self._filters)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()

    def _on_message(self, client: Client, _userdata: object, message: MQTTMessage) -> None:
        heard = Heard(message.topic, json.loads(message.payload))
        try:
            for said in self._script(heard):
                client.publish(said.topic, json.dumps(said.body), qos=1)
        except AssertionError as error:  # told to the test, whose thread this is not
            self._failed = error
        with self._news:
            self._heard.append(heard)
            self._news.notify_all()
