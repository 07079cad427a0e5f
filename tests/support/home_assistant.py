"""Home Assistant by script: makes entities of discovery messages, and shows their states.

As in the MQTT integration of Home Assistant (components/mqtt: discovery.py, mixins.py, sensor.py,
binary_sensor.py, switch.py, text.py, event.py): what is retained counts for entities and states,
and not for events; an entity is there when all its availability topics say so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from gateway.dialects.homeassistant.entities import TEXT_VALUE, VALUE
from tests.support.scripted_platform import WAIT_S, ScriptedPlatform

TOPIC = re.compile(r"homeassistant/(\w+)/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)/config")
COMPONENTS = {"sensor", "binary_sensor", "switch", "number", "select", "text", "event"}
UNAVAILABLE, UNKNOWN = "unavailable", "unknown"
NOT_TAKEN = "the state before"
"""What is shown on when a state is none of the options of a sensor."""
_NUMERIC = ("device_class", "state_class", "unit_of_measurement", "suggested_display_precision")
"""With any of these a sensor expects a number (components/sensor: _numeric_state_expected)."""


def shown_state(config: Mapping[str, Any], said: str) -> str:
    """Return what an entity shows of a state, as its component has it (release 2024.3.3)."""
    value = json.loads(said)["value"]
    assert config["value_template"] in {VALUE, TEXT_VALUE}
    if value is None:
        value = UNKNOWN if config["value_template"] == TEXT_VALUE else None
    rendered = str(value)
    is_enum = config.get("device_class") == "enum"
    if is_enum and rendered not in config["options"]:
        return NOT_TAKEN
    is_text = config["component"] == "sensor" and not any(key in config for key in _NUMERIC)
    if is_enum or is_text or config["component"] == "text":
        return rendered
    return UNKNOWN if rendered == "None" else rendered


class HomeAssistant(ScriptedPlatform):
    """One that has just started; a second one sees what the broker kept."""

    def __init__(self, port: int) -> None:
        super().__init__(port, ("homeassistant/#", "linli/#"), lambda _: ())
        self._last: dict[str, str] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.cleared: list[str] = []

    def entity(self, device: str, point: str) -> dict[str, Any]:
        """Return the announcement of a point, with its `component`."""
        suffix = f"/{device}_P_{point}/config"
        (found,) = [one for topic, one in self._configs.items() if topic.endswith(suffix)]
        return found

    def devices(self) -> set[str]:
        """Return the names of all devices that have entities."""
        return {one["device"]["name"] for one in self._configs.values()}

    def state(self, device: str, point: str) -> str:
        """Return what is shown of an entity."""
        config = self.entity(device, point)
        topics = [one["topic"] for one in config.get("availability", [])]
        if any(self._last.get(topic) != "online" for topic in topics):
            return UNAVAILABLE
        said = self._last.get(config["state_topic"])
        if "value_template" not in config:
            return said or UNKNOWN
        return UNKNOWN if said is None else shown_state(config, said)

    def until(self, is_true: Callable[[], object], what: str) -> None:
        """Return when something holds; looked at after every message."""
        self.wait(lambda _: is_true(), f"{what}: {sorted(self._configs)}")

    def shows(self, device: str, point: str, state: str) -> Callable[[], bool]:
        """Return the question whether an entity is there and shows this."""
        suffix = f"/{device}_P_{point}/config"
        return lambda: (
            any(topic.endswith(suffix) for topic in self._configs)
            and self.state(device, point) == state
        )

    def set(self, device: str, point: str, payload: str) -> None:
        """Do what somebody asks for on the screen."""
        sent = self._client.publish(self.entity(device, point)["command_topic"], payload, qos=1)
        sent.wait_for_publish(WAIT_S)

    def _on_message(self, client: Client, _userdata: object, message: MQTTMessage) -> None:  # noqa: ARG002 - of paho
        with self._news:
            try:
                self._take(message.topic, message.payload.decode(), is_retained=message.retain)
            except AssertionError as error:  # told to the test, whose thread this is not
                self._failed = error
            self._news.notify_all()

    def _take(self, topic: str, payload: str, *, is_retained: bool) -> None:
        if topic.startswith("homeassistant/"):
            self._discover(topic, payload)
        elif topic.endswith("/event"):
            assert not is_retained, "an event that is retained would be ignored"
            self.events.append({"topic": topic, **json.loads(payload)})
        elif not topic.endswith("/set"):
            self._last[topic] = payload

    def _discover(self, topic: str, payload: str) -> None:
        found = TOPIC.fullmatch(topic)
        assert found is not None, topic
        assert found[1] in COMPONENTS, topic
        if not payload:
            self._configs.pop(topic, None)
            self.cleared.append(topic)
            return
        config = json.loads(payload)
        others = {one["unique_id"] for at, one in self._configs.items() if at != topic}
        assert config["unique_id"] not in others, "an id is unique"
        assert config["device"]["identifiers"]
        self._configs[topic] = {**config, "component": found[1]}
