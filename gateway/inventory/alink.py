"""Thing models of the Alink family (TSL): one for each kind of device with equal points.

Source: domain page of the platform, "TSL parameters" (help.aliyun.com/en/iot/user-guide/
tsl-parameters): `properties`, `events`, `services`, data types with their specs. `unit` is the
symbol that people read there, not a UCUM code of ours; where none is known it is the UCUM code.
Not imported into a real console: what it wants beyond that page is not known to us.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.inventory.contract import Form, Inventory, Thing, named
from gateway.inventory.products import Product, products_of
from gateway.settings.site import EventRule, Point, ValueType

_LANGUAGE = "zh"
_TEXT_LENGTH = 2048
"""Longest text value of the platform, in bytes."""
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
        "devices": [str(thing.device.id) for thing in product.things],
        "properties": [_property(point) for point in first.points if point.is_readable],
        "events": list(_events(first)),
        "services": [_service(point) for point in services],
    }


def _property(point: Point) -> dict[str, Any]:
    return {
        "identifier": point.id,
        "name": named(point.title, _LANGUAGE) or point.id,
        "accessMode": "rw" if point.write else "r",
        "required": False,
        "dataType": _type(point),
    }


def _type(point: Point) -> dict[str, Any]:
    match point.type:
        case ValueType.BOOL:
            return {"type": "bool", "specs": {"0": "false", "1": "true"}}
        case ValueType.ENUM:
            names = point.enum.values()
            return {"type": "enum", "specs": {str(i): name for i, name in enumerate(names)}}
        case ValueType.TEXT:
            return {"type": "text", "specs": {"length": str(_TEXT_LENGTH)}}
        case ValueType.INT:
            return {"type": "int", "specs": _specs(point)}
        case ValueType.FLOAT:
            return {"type": "double", "specs": _specs(point)}


def _specs(point: Point) -> dict[str, str]:
    """Return limits and unit; the platform wants all of them as text."""
    given = {"min": point.minimum, "max": point.maximum, "step": point.resolution}
    specs = {name: f"{value:.10g}" for name, value in given.items() if value is not None}
    return specs if point.unit is None else {**specs, "unit": point.unit}


def _events(thing: Thing) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for point in thing.points:
        for event in point.events:
            if event.type not in seen:
                seen.add(event.type)
                yield _event(point, event)


def _event(point: Point, event: EventRule) -> dict[str, Any]:
    return {
        "identifier": event.type,
        "name": event.type,
        "type": _EVENT_TYPES[event.severity],
        "required": False,
        "method": f"thing.event.{event.type}.post",
        "outputData": [{"identifier": "val", "name": point.id, "dataType": _type(point)}],
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
