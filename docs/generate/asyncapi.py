"""docs/platform/asyncapi.yaml: every class of the native dialect, from its JSON Schemas.

A schema says by `x-mqtt` on which topic its payloads go, with which QoS, whether they are retained
and which class answers them. A new class is a new schema and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from docs.generate.asyncapi_frame import INFO, PARAMETERS, RESPONSE, SECURITY, SERVERS

SCHEMAS = Path(__file__).parents[2] / "config" / "schema" / "payload"
SEALED = SCHEMAS.parent / "sealed.json"
_REF = "../../config/schema"
_FORMAT = "application/schema+json;version=draft-2020-12"
_HEAD = "# Made by `make docs` from config/schema/payload; edit it there.\n"
_ORDER = ("state", "birth", "prop", "hist", "event", "reply", "gap", "log", "cmd", "ack", "time")
"""In which a reader needs them; others follow."""
_Json: TypeAlias = dict[str, Any]


def schemas() -> Mapping[str, _Json]:
    """Return all payload schemas by class; that of the envelope is among them."""
    return {file.stem: _read(file) for file in sorted(SCHEMAS.glob("*.json"))}


def classes() -> Mapping[str, _Json]:
    """Return the schema of every class that has a topic, upwards before downwards."""
    named = [(name, schema) for name, schema in schemas().items() if "x-mqtt" in schema]
    return dict(sorted(named, key=lambda pair: _place(*pair)))


def _place(name: str, schema: _Json) -> tuple[bool, int]:
    is_down = schema["x-mqtt"]["topic"].startswith("dn/")
    return is_down, _ORDER.index(name) if name in _ORDER else len(_ORDER)


def asyncapi_document() -> str:
    """Return the document as YAML."""
    known = classes()
    document: _Json = {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "servers": SERVERS,
        "channels": {_channel_of(s): _channel(name, s) for name, s in known.items()},
        "operations": {_operation_of(s): _operation(s, known) for s in known.values()},
        "components": {
            "securitySchemes": SECURITY,
            "parameters": PARAMETERS,
            "messages": {name: _message(name, s) for name, s in known.items()}
            | {"sealed": _sealed()},
        },
    }
    return _HEAD + yaml.dump(
        document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100
    )


class _Plain(yaml.SafeDumper):
    """Writes the same part out twice, without anchors: not every reader of YAML knows them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's
        return True


def _read(file: Path) -> _Json:
    return json.loads(file.read_text(encoding="utf-8"))


def _channel_of(schema: _Json) -> str:
    direction, name, _ = schema["x-mqtt"]["topic"].split("/")
    return f"{direction}_{name}"


def _operation_of(schema: _Json) -> str:
    direction, name, _ = schema["x-mqtt"]["topic"].split("/")
    return f"{'say' if direction == 'up' else 'hear'}_{name}"


def _channel(name: str, schema: _Json) -> _Json:
    address = f"{{root}}/1/{{site}}/{{gateway}}/{schema['x-mqtt']['topic']}"
    asked = [word for word in PARAMETERS if f"{{{word}}}" in address]
    return {
        "address": address,
        "title": schema["title"],
        "description": schema["description"],
        "parameters": {word: {"$ref": f"#/components/parameters/{word}"} for word in asked},
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }


def _operation(schema: _Json, known: Mapping[str, _Json]) -> _Json:
    topic = schema["x-mqtt"]["topic"]
    made: _Json = {
        "action": "send" if topic.startswith("up/") else "receive",
        "title": schema["title"],
        "channel": {"$ref": f"#/channels/{_channel_of(schema)}"},
        "bindings": {
            "mqtt": {
                "qos": schema["x-mqtt"]["qos"],
                "retain": schema["x-mqtt"]["retain"],
                "bindingVersion": "0.2.0",
            }
        },
    }
    answer = schema["x-mqtt"].get("answer")
    if answer is not None:
        name = _channel_of(known[answer])
        message = f"#/channels/{name}/messages/{answer}"
        made["reply"] = {"channel": {"$ref": f"#/channels/{name}"}, "messages": [{"$ref": message}]}
    return made


def _message(name: str, schema: _Json) -> _Json:
    made: _Json = {
        "name": name,
        "title": schema["title"],
        "contentType": "application/json",
        "payload": {"schemaFormat": _FORMAT, "schema": {"$ref": f"{_REF}/payload/{name}.json"}},
    }
    key = schema["x-mqtt"].get("correlation")
    if key is not None:
        made["correlationId"] = {"location": f"$message.payload#/{key}"}
    if key is not None and "answer" in schema["x-mqtt"]:
        made["bindings"] = {"mqtt": RESPONSE}
    made["examples"] = [
        {"name": f"{name}_{number}", "payload": example}
        for number, example in enumerate(schema["examples"], 1)
    ]
    return made


def _sealed() -> _Json:
    schema = _read(SEALED)
    return {
        "name": "sealed",
        "title": schema["title"],
        "description": schema["description"],
        "contentType": "application/vnd.linli.sealed+json",
        "payload": {"schemaFormat": _FORMAT, "schema": {"$ref": f"{_REF}/{SEALED.name}"}},
        "examples": [{"name": "sealed_1", "payload": example} for example in schema["examples"]],
    }
