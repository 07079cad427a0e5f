"""Alarms raised and cleared in the field, and how long each took to a subscriber of alarms only.

with Alarms(scene, broker.port) as alarms:
    waits = alarms.play(20, every_s=1.0)
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.faults.uplink_stage import BASE_TOPIC, Scene

GIVEN_UP_S = 60.0


class Alarms:
    """Plays one alarm point of the field; the device changes, the subscriber hears of it."""

    def __init__(self, scene: Scene, port: int, unit: int = 1) -> None:
        """Take the field, the broker, and which device it is."""
        self._scene, self._port, self._unit = scene, port, unit
        self._is_on = False
        self._news = threading.Condition()
        self._last: tuple[str, float] | None = None
        self.live_at: float | None = None
        """When the first live value came since `watch_live`."""
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._came
        self._subscribed = threading.Event()
        self._client.on_subscribe = self._has_subscribed

    def __enter__(self) -> Self:
        """Subscribe to the alarms and values of this device."""
        self._client.connect("127.0.0.1", self._port)
        topics = [(f"{BASE_TOPIC}/up/{kind}/em-{self._unit}", 1) for kind in ("event", "prop")]
        self._client.subscribe(topics)
        self._client.loop_start()
        assert self._subscribed.wait(GIVEN_UP_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = self._client.on_subscribe = None
        del self._client

    def play(self, count: int, *, every_s: float) -> list[float]:
        """Change the point so many times; return the seconds from each change to its message."""
        return self.play_while(lambda number: number < count, every_s=every_s)

    def play_while(self, goes_on: Callable[[int], bool], *, every_s: float) -> list[float]:
        """Change the point as long as it is wanted, at this pace or when the last one came."""
        waits: list[float] = []
        while goes_on(len(waits)):
            self._is_on = not self._is_on
            wanted = "raised" if self._is_on else "cleared"
            with self._news:
                self._last = None
            changed = self._scene.wet(self._unit, is_on=self._is_on)
            waits.append(self._wait_for(wanted) - changed)
            time.sleep(max(0.0, every_s - waits[-1]))  # the pace of the fault
        return waits

    def wait_live(self) -> float:
        """Return when the first live value came since the beginning."""
        with self._news:
            assert self._news.wait_for(lambda: self.live_at is not None, GIVEN_UP_S), "no value"
            assert self.live_at is not None
            return self.live_at

    def _wait_for(self, state: str) -> float:
        with self._news:
            has_come = self._news.wait_for(
                lambda: self._last is not None and self._last[0] == state, GIVEN_UP_S
            )
            assert has_come, f"alarm never {state} within {GIVEN_UP_S:g} s"
            assert self._last is not None
            return self._last[1]

    def _has_subscribed(self, *_: object) -> None:
        self._subscribed.set()

    def _came(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        now, body = time.monotonic(), json.loads(message.payload)
        with self._news:
            if body["k"] == "event":
                self._last = (body["st"], now)
            elif self.live_at is None and not body.get("snap"):
                self.live_at = now
            self._news.notify_all()
