"""Thing models of the Alink family (TSL): one for each kind of device with equal points.

Source: domain page of the platform, "TSL parameters" (help.aliyun.com/en/iot/user-guide/
tsl-parameters): `properties`, `events`, `services`, data types with their specs. `unit` is the
symbol that people read there, not a UCUM code of ours; where none is known it is the UCUM code.
Not imported into a real console: what it wants beyond that page is not known to us.
"""

from __future__ import annotations

from typing import Any

from gateway.inventory.contract import Form, Happening, Inventory, named, names_of
from gateway.inventory.products import Product, products_of
from gateway.settings.site import Point, ValueType

_LANGUAGE = "zh"
_TEXT: dict[str, Any] = {"type": "text", "specs": {"length": "2048"}}
"""2048 bytes: the longest text value of the platform."""
_MOST_INT = 2**31 - 1
_INT: dict[str, Any] = {"type": "int", "specs": {}}
_EVENT_TYPES = ("info", "alert", "alert", "error", "error")
"""By our severity 0 to 4 (the dialect maps events alike)."""


def make(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the thing models, each with the devices that are of it."""
    return [_model(product) for product in products_of(inventory.things)]


def _model(product: Product) -> dict[str, Any]:
    first = product.things[0]
    services = [point for point in first.points if point.write and not point.is_readable]
    return {
        "profile": {"productKey": "", "version": "1.0"},
        "product": product.name,
        "devices": [
            {
                "deviceName": str(thing.device.id),
                "title": thing.title(_LANGUAGE),
                "tags": dict(thing.tags),
            }
            for thing in product.things
        ],
        "properties": [_property(point) for point in first.points if point.is_readable],
        "events": [_event(event) for event in first.events],
        "services": [_service(point) for point in services],
    }


def _property(point: Point) -> dict[str, Any]:
    found = {
        "identifier": point.id,
        "name": named(point.title, _LANGUAGE) or point.id,
        "accessMode": "rw" if point.write else "r",
        "required": False,
        "dataType": _type(point),
    }
    names = names_of(point)
    return {**found, "desc": " | ".join(names)} if names else found


def _type(point: Point) -> dict[str, Any]:
    match point.type:
        case ValueType.BOOL:
            return {"type": "bool", "specs": {"0": "false", "1": "true"}}
        case ValueType.ENUM:
            return _TEXT  # an enum of TSL is a number there, and we send the names
        case ValueType.TEXT:
            return _TEXT
        case ValueType.INT:
            return {"type": "double" if _is_long(point) else "int", "specs": _specs(point)}
        case ValueType.FLOAT:
            return {"type": "double", "specs": _specs(point)}


def _is_long(point: Point) -> bool:
    """Whether a whole number may pass the 32 bits of an `int` there: a counter does some day."""
    if point.maximum is None:
        return point.is_cumulative
    return point.maximum > _MOST_INT


def _specs(point: Point) -> dict[str, str]:
    """Return limits and unit; the platform wants all of them as text."""
    given = {"min": point.minimum, "max": point.maximum, "step": point.resolution}
    specs = {name: f"{value:.10g}" for name, value in given.items() if value is not None}
    return specs if point.unit is None else {**specs, "unit": point.unit}


def _event(event: Happening) -> dict[str, Any]:
    """Return an event with all that the dialect may send of it."""
    value = _type(event.point)
    outputs = {
        "eid": _TEXT,
        "sev": _INT,
        "level": _TEXT,
        "st": _TEXT,
        "p": _TEXT,
        "val": value,
        "thr": value,
        "duty": _TEXT,
        "detail": _TEXT,
    }
    return {
        "identifier": event.type,
        "name": event.type,
        "type": _EVENT_TYPES[event.severity],
        "required": False,
        "method": f"thing.event.{event.type}.post",
        "outputData": [
            {"identifier": name, "name": name, "dataType": kind} for name, kind in outputs.items()
        ],
    }


def _service(point: Point) -> dict[str, Any]:
    name = named(point.title, _LANGUAGE) or point.id
    return {
        "identifier": point.id,
        "name": name,
        "callType": "async",
        "required": False,
        "method": f"thing.service.{point.id}",
        "inputData": [{"identifier": "value", "name": name, "dataType": _type(point)}],
        "outputData": [],
    }


FORM = Form(make, "thing models (TSL) of Alink platforms, one for each product")
