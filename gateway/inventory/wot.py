"""W3C Thing Descriptions 1.1, one for each device: properties observed and events, over MQTT.

Sources: W3C Recommendation "WoT Thing Description 1.1" (2023), and its binding for MQTT
(w3c/wot-binding-templates, bindings/protocols/mqtt/context.jsonld), still a work in progress.
Units are UCUM codes. What a form cannot say: the values lie in `pts` of the
payload, and one message carries those points that changed. Points that can only be written are
left out: a command is a message of its own (docs/platform/guide.md). What a twin binds to, the
place above all, is told by words of ours, `linli:bldg`, `linli:cim_id`, `linli:duty` and so on.
"""

from __future__ import annotations

from typing import Any

from gateway.inventory.contract import Form, Inventory, Thing, names_of
from gateway.settings.site import Point, ValueType
from gateway.settings.site_sinks import Broker, Sink

_CONTEXT = [
    "https://www.w3.org/2022/wot/td/v1.1",
    {"mqv": "https://www.w3.org/2019/wot/mqtt#", "linli": "urn:linli:td:"},
]
_TYPES = {
    ValueType.FLOAT: "number",
    ValueType.INT: "integer",
    ValueType.BOOL: "boolean",
    ValueType.ENUM: "string",
    ValueType.TEXT: "string",
}


def make(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the descriptions."""
    return [_description(inventory, thing) for thing in inventory.things]


def _description(inventory: Inventory, thing: Thing) -> dict[str, Any]:
    gateway, device = inventory.gateway, thing.device
    return {
        "@context": _CONTEXT,
        "@type": "Thing",
        "id": f"urn:linli:{gateway.site}:{gateway.id}:{device.id}",
        "title": thing.title("en"),
        "titles": dict(device.title) or {"en": str(device.id)},
        "base": _base(inventory),
        "securityDefinitions": {"login": _login(inventory.sink)},
        "security": ["login"],
        "properties": {
            str(p.id): _property(inventory, thing, p) for p in thing.points if p.is_readable
        },
        "events": _events(inventory, thing),
        "linli:kind": device.kind,
        **{f"linli:{name}": value for name, value in thing.tags.items()},
    }


def _login(sink: Sink) -> dict[str, str]:
    """Return how the gateway itself proves who it is to that broker."""
    if sink.username or sink.credentials:
        return {"scheme": "basic", "in": "auto"}
    return {"scheme": "nosec" if sink.tls.certificate is None else "auto"}


def _base(inventory: Inventory) -> str:
    sink = inventory.sink
    broker = Broker(sink.host, sink.port, sink.use_tls)
    return f"{'mqtts' if sink.use_tls else 'mqtt'}://{broker}/"


def _property(inventory: Inventory, thing: Thing, point: Point) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": point.title.get("en") or str(point.id),
        "type": _TYPES[point.type],
        "readOnly": point.write is None,
        "observable": True,
        "forms": [_form(inventory, thing, "prop", "observeproperty")],
    }
    limits = {"unit": point.unit, "minimum": point.minimum, "maximum": point.maximum}
    found |= {name: value for name, value in limits.items() if value is not None}
    if names := names_of(point):
        found["enum"] = names
    if point.title:
        found["titles"] = dict(point.title)
    return found


def _events(inventory: Inventory, thing: Thing) -> dict[str, Any]:
    return {
        event.type: {
            "title": event.type,
            "data": {"type": _TYPES[event.point.type]},
            "forms": [_form(inventory, thing, "event", "subscribeevent")],
        }
        for event in thing.events
    }


def _form(inventory: Inventory, thing: Thing, kind: str, operation: str) -> dict[str, Any]:
    topic = inventory.topic(kind, thing)
    return {
        "href": topic,
        "op": [operation],
        "contentType": "application/json",
        "mqv:controlPacket": "subscribe",
        "mqv:qos": "1",
        "mqv:filter": topic,
    }


FORM = Form(make, "W3C Thing Descriptions 1.1, one for each device", needs_native=True)
