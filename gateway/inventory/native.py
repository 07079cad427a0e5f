"""Our own form: one JSON object, the devices with the words of the native dialect's births."""

from __future__ import annotations

from typing import Any

from gateway.inventory.contract import Form, Inventory, Thing, names_of
from gateway.settings.site import Point
from gateway.settings.site_place import Position


def make(inventory: Inventory) -> dict[str, Any]:
    """Return the inventory; fields as in the birth payload, with events and topics beside them."""
    gateway = inventory.gateway
    return {
        "v": "1.0",
        "gw": gateway.id,
        "site": gateway.site,
        "tz": gateway.timezone,
        "title": dict(gateway.title),
        "loc": dict(gateway.location.parts),
        **_position(gateway.location.position),
        "operator": gateway.operator,
        "level": inventory.sink.max_level,
        "topics": None if inventory.topics is None else f"{inventory.topics}/up/+/+",
        "devices": [_device(inventory, thing) for thing in inventory.things],
    }


def _device(inventory: Inventory, thing: Thing) -> dict[str, Any]:
    device = thing.device
    return {
        "dev": device.id,
        "kind": device.kind,
        "profile": device.profile,
        "vendor": device.vendor,
        "model": device.model,
        "title": dict(device.title),
        "loc": dict(thing.places),
        **_position(thing.position),
        "owner": device.owner,
        "operator": device.operator,
        "duty": device.duty,
        "verified": device.is_verified,
        "topic": inventory.topic("+", thing),
        "pts": [_point(thing, point) for point in thing.points],
        "events": [
            {"type": one.type, "sev": one.severity, "p": one.point.id} for one in thing.events
        ],
    }


def _point(thing: Thing, point: Point) -> dict[str, Any]:
    return {
        "p": point.id,
        "t": point.type.value,
        "u": point.unit,
        "res": point.resolution,
        "enum": names_of(point),
        "min": point.minimum,
        "max": point.maximum,
        "w": point.write is not None,
        "cum": point.is_cumulative,
        "pii": point.personal,
        "level": point.level,
        "basis": point.basis,
        "retain_d": point.retain_days,
        "tf": thing.transforms.get(point.id),
        "derived_from": list(point.derived_from),
        "title": dict(point.title),
        "events": [
            {"type": event.type, "sev": event.severity, "duty": event.duty}
            for event in point.events
        ],
    }


def _position(position: Position | None) -> dict[str, Any]:
    if position is None:
        return {}
    height = [] if position.height is None else [position.height]
    return {"pos": [position.lon, position.lat, *height], "crs": position.crs}


FORM = Form(make, "our own: all that a birth says, for every device")
