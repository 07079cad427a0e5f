"""Everything that a subscriber received, with the time at which it was sampled."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.mosquitto import Mosquitto

TOPICS = [("fc/1/+/+/up/prop/+", 1), ("fc/1/+/+/up/hist/+", 1)]
SUBSCRIBE_S = 10.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """The values of one record; points without a good value are not among them."""

    device: str
    ts_ms: int
    values: Mapping[str, float]


class Arrivals:
    """What has come so far; filled by the client's thread."""

    def __init__(self) -> None:
        self._payloads: list[bytes] = []
        self.is_subscribed = threading.Event()

    def put(self, payload: bytes) -> None:
        """Keep a message; it is read when the bench is over."""
        self._payloads.append(payload)

    @property
    def messages(self) -> int:
        """How many messages there are."""
        return len(self._payloads)

    def rows(self, begin: int = 0, end: int | None = None) -> Iterator[Arrival]:
        """Yield the records of these messages."""
        for payload in self._payloads[begin:end]:
            message: Mapping[str, Any] = json.loads(payload)
            for item in message.get("items", (message,)):
                yield Arrival(message["dev"], item["ts"], _good(item["pts"]))


@contextmanager
def arrivals(broker: Mosquitto) -> Generator[Arrivals]:
    """Collect all readings that reach a broker, QoS 1."""
    came = Arrivals()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

    def connected(client: mqtt.Client, *_: Any) -> None:
        client.subscribe(TOPICS)

    def received(_: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        came.put(bytes(message.payload))

    def subscribed(*_: Any) -> None:
        came.is_subscribed.set()

    client.on_connect = connected
    client.on_message = received
    client.on_subscribe = subscribed
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        assert came.is_subscribed.wait(SUBSCRIBE_S), "the broker does not answer"
        yield came
    finally:
        client.disconnect()
        client.loop_stop()


def _good(points: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    return {one["p"]: one["v"] for one in points if "q" not in one}
