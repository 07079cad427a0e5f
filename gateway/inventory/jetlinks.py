"""Thing models of JetLinks (its `metadata`): one for each product.

Source: doc.jetlinks.cn, "物模型说明", and the README of jetlinks/jetlinks-supports: `properties`,
`functions`, `events` and `tags` with `valueType` and `expands`. Not imported into a real platform.
"""

from __future__ import annotations

from typing import Any

from gateway.inventory.contract import Form, Happening, Inventory, named, names_of
from gateway.inventory.products import Product, products_of
from gateway.settings.site import Point, ValueType

_LANGUAGE = "zh"
_LEVELS = ("ordinary", "warn", "warn", "urgent", "urgent")
"""Of events, by our severity 0 to 4."""
_STRING: dict[str, Any] = {"type": "string"}


def make(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the products with their metadata and devices."""
    return [_product(product) for product in products_of(inventory.things)]


def _product(product: Product) -> dict[str, Any]:
    first = product.things[0]
    return {
        "id": product.name.replace(".", "_").replace("~", "_"),
        "name": product.name,
        "devices": [
            {"id": str(thing.device.id), "name": thing.title(_LANGUAGE), "tags": dict(thing.tags)}
            for thing in product.things
        ],
        "metadata": {
            "properties": [_property(p) for p in first.points if p.is_readable],
            "functions": [_function(p) for p in first.points if p.write and not p.is_readable],
            "events": [_event(event) for event in first.events],
            "tags": [],
        },
    }


def _property(point: Point) -> dict[str, Any]:
    ways = ["read", "write", "report"] if point.write else ["read", "report"]
    return {
        "id": point.id,
        "name": named(point.title, _LANGUAGE) or point.id,
        "valueType": _type(point),
        "expands": {"source": "device", "type": ways},
    }


def _function(point: Point) -> dict[str, Any]:
    name = named(point.title, _LANGUAGE) or point.id
    return {
        "id": point.id,
        "name": name,
        "async": False,
        "inputs": [{"id": "value", "name": name, "valueType": _type(point)}],
        "output": {"type": "object", "properties": []},
    }


def _event(event: Happening) -> dict[str, Any]:
    """Return an event with all that the dialect sends of it."""
    value = _type(event.point)
    fields = {
        "eid": _STRING,
        "severity": {"type": "int"},
        "state": _STRING,
        "point": _STRING,
        "value": value,
        "threshold": value,
        "duty": _STRING,
        "detail": _STRING,
    }
    properties = [{"id": name, "name": name, "valueType": kind} for name, kind in fields.items()]
    return {
        "id": event.type,
        "name": event.type,
        "valueType": {"type": "object", "properties": properties},
        "expands": {"level": _LEVELS[event.severity]},
    }


def _type(point: Point) -> dict[str, Any]:
    match point.type:
        case ValueType.BOOL:
            words = {"trueText": "true", "trueValue": "true"}
            return {"type": "boolean", **words, "falseText": "false", "falseValue": "false"}
        case ValueType.ENUM:
            elements = [{"value": name, "text": name} for name in names_of(point)]
            return {"type": "enum", "elements": elements}
        case ValueType.TEXT:
            return _STRING
        case ValueType.INT:
            return {"type": "long", **_unit(point)}
        case ValueType.FLOAT:
            return {"type": "double", **_unit(point)}


def _unit(point: Point) -> dict[str, str]:
    return {} if point.unit is None else {"unit": point.unit}


FORM = Form(make, "products with thing models of JetLinks")
