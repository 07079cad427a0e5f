"""Home Assistant: entities made of births, each with its retained discovery message.

Form: home-assistant.io/integrations/mqtt (discovery, `availability`, `device`, `origin`) and the
pages of its platforms sensor, binary_sensor, switch, number, select, text and event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.dialects.by_name import Directory
from gateway.dialects.contract import Birth, BirthPoint, DialectSetup
from gateway.dialects.homeassistant.classes import binary_class, number_class, sensor_class
from gateway.dialects.homeassistant.options import (
    HomeAssistantDeviceOptions,
    HomeAssistantOptions,
    range_of,
)
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.publication import Publication
from gateway.model.record import Lane

FAILED = "command_failed"
EVENT_TYPES = ("raised", "updated", "cleared", FAILED)
VALUE = "{{ value_json.value }}"
"""What a state is read with; null becomes `None`, which is `unknown` there (PAYLOAD_NONE)."""
UNKNOWN = "unknown"
"""The state that a sensor with no value has there."""
TEXT_VALUE = f"{{{{ '{UNKNOWN}' if value_json.value is none else value_json.value }}}}"
"""The same of texts and enumerations that are read: of these `None` would be a value like others,
and for a choice that is none of its options the old one stays (sensor.py, text.py)."""
_QUALITY = "{{ {'quality': value_json.quality} | tojson }}"
_EVENT_NAMES = {"en": "Event", "zh": "事件"}
_ONLINE_NAMES = {"en": "Connection", "zh": "连接"}
_LEAST_STEP = 0.001
_STATE = "state"
_ANY_RANGE = (-1_000_000.0, 1_000_000.0)
_PERCENT_RANGE = (0.0, 100.0)
_MAX_TEXT = 255
"""Characters of a state there (MAX_LENGTH_STATE_STATE)."""


@dataclass(frozen=True, slots=True)
class Topics:
    """`{prefix}/{component}/{gateway}/{object}/config`, and `{base}/{gateway}/…`.

    The gateway's id is the node, so one subscription finds what it has ever announced.
    """

    prefix: str
    base: str
    gateway: str

    def config(self, component: str, object_id: str) -> str:
        """Return where an entity is announced."""
        return f"{self.prefix}/{component}/{self.gateway}/{object_id}/config"

    def own(self, *parts: str) -> str:
        """Return a topic of ours."""
        return "/".join((self.base, self.gateway, *parts))

    def status(self) -> str:
        """Return where the gateway says `online`, and the broker `offline`."""
        return self.own("status")

    def availability(self, device: str) -> str:
        """Return where a device is `online` or `offline`."""
        return self.own(device, "availability")

    def state(self, device: str, point: str) -> str:
        """Return where the value of a point is."""
        return self.own(device, point, _STATE)

    def command(self, device: str, point: str) -> str:
        """Return where a point is set."""
        return self.own(device, point, "set")

    def event(self, device: str) -> str:
        """Return where the events of a device are told."""
        return self.own(device, "event")


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: where it is announced, and as what."""

    topic: str
    config: str
    state_topic: str

    def announce(self) -> Publication:
        """Return the retained message that makes it."""
        return Publication(self.topic, self.config.encode(), Lane.EVENT, is_retained=True)


def kept_state(topic: str) -> tuple[str, ...]:
    """Return the topic if the broker keeps a state there; events are not kept."""
    return (topic,) if topic.endswith(f"/{_STATE}") else ()


def cleared(*topics: str) -> tuple[Publication, ...]:
    """Return empty retained messages, after which the broker keeps nothing there."""
    return tuple(Publication(topic, b"", Lane.EVENT, is_retained=True) for topic in topics)


class Entities:
    """Makes the entities of one sink."""

    def __init__(
        self,
        setup: DialectSetup,
        options: HomeAssistantOptions,
        directory: Directory[HomeAssistantDeviceOptions],
    ) -> None:
        """Take who we are, and how devices are called."""
        self._setup = setup
        self._language = options.language
        self._directory = directory
        gateway = str(setup.gateway.id)
        self.topics = Topics(options.discovery_prefix, options.base_topic, gateway)
        self.mark = f"linli_{gateway}_"
        """What every unique id of ours begins with."""

    def of(self, births: Sequence[Birth]) -> dict[str, Entity]:
        """Return all entities by the topic on which they are announced."""
        found = [*self._of_gateway()]
        for birth in births:
            found.extend(self._of_device(birth))
        return {one.topic: one for one in found}

    # --- the gateway itself

    def _of_gateway(self) -> Iterator[Entity]:
        status = self.topics.status()
        device = {
            "identifiers": [self.mark + GATEWAY_ITSELF],
            "name": self._titled(self._setup.gateway.title, str(self._setup.gateway.id)),
            "model": "Linli Gateway",
            "sw_version": self._setup.software,
        }
        online = {
            "name": _ONLINE_NAMES[self._language],
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "payload_on": "online",
            "payload_off": "offline",
            "device": device,
        }
        yield self._entity("binary_sensor", f"{GATEWAY_ITSELF}_P_online", status, online)
        yield self._events(GATEWAY_ITSELF, device)

    # --- devices

    def _of_device(self, birth: Birth) -> Iterator[Entity]:
        options = self._directory.entry(birth.device).options
        device: dict[str, Any] = {
            "identifiers": [self.mark + birth.device],
            "name": options.name or self._named(birth),
            "manufacturer": birth.vendor,
            "model": birth.model,
            "suggested_area": options.area,
            "via_device": self.mark + GATEWAY_ITSELF,
        }
        device = {key: value for key, value in device.items() if value is not None}
        for point in birth.points:
            yield self._of_point(birth, point, device)
        yield self._events(birth.device, device)

    def _of_point(self, birth: Birth, point: BirthPoint, device: Mapping[str, Any]) -> Entity:
        component, told = self._form(birth, point)
        state = self.topics.state(birth.device, point.id)
        plain: dict[str, Any] = {
            "name": self._titled(point.title, point.id),
            "value_template": VALUE,
            "json_attributes_topic": state,
            "json_attributes_template": _QUALITY,
            "availability": [
                {"topic": self.topics.status()},
                {"topic": self.topics.availability(birth.device)},
            ],
            "availability_mode": "all",
            **told,
            "device": device,
        }
        if point.is_writable:
            plain["command_topic"] = self.topics.command(birth.device, point.id)
        # Ids have no capitals, so nothing else can be spelled like this.
        return self._entity(component, f"{birth.device}_P_{point.id}", state, plain)

    def _form(self, birth: Birth, point: BirthPoint) -> tuple[str, dict[str, Any]]:
        """Return the component of a point, and what only it has."""
        if point.type in {"float", "int"}:
            return self._number(birth, point)
        if point.is_writable:
            return _writable_form(point)
        if point.type == "bool":
            return "binary_sensor", {"device_class": binary_class(birth.kind, point)}
        if point.type == "text":
            return "sensor", {"value_template": TEXT_VALUE}
        options = list(dict.fromkeys((*point.values, UNKNOWN)))
        chosen = {"device_class": "enum", "options": options, "value_template": TEXT_VALUE}
        return "sensor", chosen

    def _number(self, birth: Birth, point: BirthPoint) -> tuple[str, dict[str, Any]]:
        told: dict[str, Any]
        if not point.is_writable:
            shown = sensor_class(birth.kind, point)
            told = {
                "state_class": shown.state_class,
                "suggested_display_precision": _decimals(point.resolution),
            }
        else:
            shown = number_class(birth.kind, point)
            least, most = self._range(birth.device, point)
            step = 1 if point.type == "int" else max(point.resolution or 0.0, _LEAST_STEP)
            told = {"min": least, "max": most, "step": step, "mode": "box"}
        classes = {"unit_of_measurement": shown.unit, "device_class": shown.device_class}
        return ("number" if point.is_writable else "sensor"), {**classes, **told}

    def _range(self, device: DeviceId, point: BirthPoint) -> tuple[float, float]:
        """Return what the slider shows: the platform would take 1..100 without it."""
        given = self._directory.entry(device).options.ranges.get(point.id)
        if given is not None:
            return range_of(given)
        return _PERCENT_RANGE if point.unit == "%" else _ANY_RANGE

    def _events(self, device: DeviceId, about: Mapping[str, Any]) -> Entity:
        told = {
            "name": _EVENT_NAMES[self._language],
            "event_types": list(EVENT_TYPES),
            "availability": [{"topic": self.topics.status()}],
            "device": about,
        }
        return self._entity("event", f"{device}_E", self.topics.event(device), told)

    def _entity(
        self, component: str, object_id: str, state_topic: str, told: Mapping[str, Any]
    ) -> Entity:
        name, _, version = self._setup.software.partition(" ")
        config = {
            "unique_id": self.mark + object_id,
            "state_topic": state_topic,
            "qos": 1,
            **{key: value for key, value in told.items() if value is not None},
            "origin": {"name": name, "sw_version": version},
        }
        topic = self.topics.config(component, object_id)
        return Entity(topic, json.dumps(config, ensure_ascii=False), state_topic)

    def _named(self, birth: Birth) -> str:
        """Return a name that no other device has: a title is often that of the model."""
        title = self._titled(birth.title, birth.device)
        return title if title == birth.device else f"{title} {birth.device}"

    def _titled(self, title: Mapping[str, str], otherwise: DeviceId | PointId | str) -> str:
        return title.get(self._language) or next(iter(title.values()), str(otherwise))


def _writable_form(point: BirthPoint) -> tuple[str, dict[str, Any]]:
    if point.type == "bool":
        return "switch", {}
    if point.type == "enum":
        return "select", {"options": list(point.values)}
    return "text", {"max": _MAX_TEXT, "value_template": TEXT_VALUE}


def _decimals(resolution: float | None) -> int | None:
    """Return how many digits behind the point a resolution has."""
    if resolution is None:
        return None
    exponent = Decimal(repr(resolution)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else None
