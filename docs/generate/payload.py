"""docs/platform/payload.md: every field of every class, from the JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, cast

from docs.generate.asyncapi import classes, schemas

SHARED = ("k", "seq", "pv")
"""Fields of the envelope that a class only narrows."""
_Rule: TypeAlias = dict[str, Any]


def payload_page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Payload reference, dialect `native`, version 1"
    yield ""
    yield "Made by `make docs` from the JSON Schemas in `config/schema/payload`."
    yield "What it all means is in [guide.md](guide.md)."
    for name in ("envelope", *classes()):
        yield from _section(name, _schema(name))


def _section(name: str, schema: _Rule) -> Iterator[str]:
    topic = f" `{schema['x-mqtt']['topic']}`" if "x-mqtt" in schema else ""
    yield from ("", f"## {schema['title']}{topic}", "", schema["description"], "")
    needed = [*schema.get("required", ())]
    for branch in ("then", "else"):
        needed += schema.get(branch, {}).get("required", ())
    own = {k: v for k, v in schema["properties"].items() if name == "envelope" or k not in SHARED}
    yield from _table(own, needed)
    for title, rule in _nested(own).items():
        yield from ("", f"Fields of each of `{title}`:", "")
        yield from _table(rule["properties"], rule.get("required", ()))
    for example in schema.get("examples", ()):
        yield from ("", "```json", json.dumps(example, ensure_ascii=False), "```")


def _table(fields: _Rule, needed: Sequence[str]) -> Iterator[str]:
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field, rule in fields.items():
        mark = "" if field in needed else " (optional)"
        yield f"| `{field}`{mark} | {_type(rule)} | {_resolved(rule).get('description', '')} |"


def _nested(fields: _Rule) -> _Rule:
    found: _Rule = {}
    for field, rule in fields.items():
        inner = _resolved(_resolved(rule).get("items", {}))
        if "properties" in inner:
            found[field] = inner
    return found


def _resolved(rule: object) -> _Rule:
    """Follow a reference into the envelope's definitions."""
    if not isinstance(rule, dict):
        return {}
    known = cast("_Rule", rule)
    reference = str(known.get("$ref", ""))
    if "#/$defs/" not in reference:
        return known
    target = _schema("envelope")["$defs"][reference.rsplit("/", 1)[1]]
    return {**_resolved(target), **{k: v for k, v in known.items() if k != "$ref"}}


def _type(rule: object) -> str:
    known = _resolved(rule)
    options = [known["const"]] if "const" in known else known.get("enum")
    if options is not None:
        return ", ".join(f"`{json.dumps(value)}`" for value in options)
    if "anyOf" in known:
        return " or ".join(_type(option) for option in known["anyOf"])
    found = known.get("type", "any")
    if found == "array":
        return f"array of {_type(known.get('items', {}))}"
    name = found if isinstance(found, str) else " or ".join(found)
    return f"{name} `{known['pattern']}`".replace("|", "\\|") if "pattern" in known else name


def _schema(name: str) -> _Rule:
    return schemas()[name]
