"""Every payload of the native dialect against its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "config" / "schema" / "payload"


@cache
def schemas() -> dict[str, Any]:
    """Return all schemas by class."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(SCHEMAS.glob("*.json"))
    }


@cache
def _validator(kind: str) -> Draft202012Validator:
    resources = [(s["$id"], Resource[Any].from_contents(s)) for s in schemas().values()]
    registry: Registry[Any] = Registry[Any]().with_resources(resources)
    return Draft202012Validator(schemas()[kind], registry=registry)


def faults(payload: Any, kind: str) -> list[str]:
    """Return what a payload of that class has against its schema, [] when nothing."""
    return [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _errors(_validator(kind), payload)
    ]


def _errors(validator: Draft202012Validator, payload: Any) -> Iterator[ValidationError]:
    return validator.iter_errors(payload)  # pyright: ignore[reportUnknownMemberType] - half typed


def checked(topic: str, payload: bytes) -> dict[str, Any]:
    """Return a message's payload as an object, after holding it against class and schema."""
    root, version, site, gateway, direction, kind, device = topic.split("/")
    assert (version, direction) == ("1", "up"), topic
    assert root
    assert site
    found: dict[str, Any] = json.loads(payload, parse_constant=_refuse)
    assert not faults(found, kind), (kind, faults(found, kind), found)
    assert (found["k"], found["gw"], found["dev"]) == (kind, gateway, device)
    return found


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
