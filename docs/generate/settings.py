"""docs/reference/settings.md: every key of site, profile and kind files, from their models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel

from docs.generate.markdown import code, link, page, table
from drivers import registry
from gateway.settings.driver_keys import address_model, quirks_model
from gateway.settings.schema import MODELS

Schema: TypeAlias = Mapping[str, Any]

_ABOUT = """\
All keys of the three kinds of files: the [site file](#site-file), the [profile](#profile-file) of a
model of device, and the [kind](#kind-file) that profiles share. Keys that are not listed are
errors, except where it says that further keys are the driver's. The guides are
[site-file.md](../site-file.md) and [profiles.md](../profiles.md); editors take the JSON Schemas in
[config/schema](../../config/schema/site.json)."""

_NUMBERS_WITH_UNITS = {"(ms|s|m|h|d)": "duration", "(B|KB|MB|GB)": "size"}
_UNITS = {"duration": "ms, s, m, h, d", "size": "B, KB, MB, GB"}
_ID = "[a-z0-9][a-z0-9_-]{0,31}"
_WORDS = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}


def settings_page() -> str:
    """Return the page."""
    sections: dict[str, Schema] = {}
    for model in MODELS.values():
        schema = model.model_json_schema(by_alias=True)
        _collect(model.__name__, schema, schema.get("$defs", {}), sections)
    parts = [_section(_title(name), schema) for name, schema in sections.items()]
    drivers = [part for name in registry.names() for part in _driver_sections(name)]
    return page("Settings", _ABOUT, *parts, *drivers)


def _collect(name: str, schema: Schema, known: Schema, sections: dict[str, Schema]) -> None:
    """Put the models below one into the order in which a reader meets them."""
    if name in sections:
        return
    sections[name] = schema
    for part in schema.get("properties", {}).values():
        for reference in _references(part):
            if "properties" in known[reference]:
                _collect(reference, known[reference], known, sections)
            else:
                sections.setdefault(reference, known[reference])


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():  # pyright: ignore[reportUnknownVariableType] - JSON
            if key == "$ref":
                yield str(value).rpartition("/")[2]  # pyright: ignore[reportUnknownArgumentType]
            else:
                yield from _references(value)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(part, list):
        for value in part:  # pyright: ignore[reportUnknownVariableType]
            yield from _references(value)  # pyright: ignore[reportUnknownArgumentType]


def _driver_sections(name: str) -> Iterator[str]:
    spec = registry.load(name)
    own: tuple[tuple[str, type[BaseModel]], ...] = (
        (f"Point address of the driver {name}", address_model(spec)),
        (f"Quirks of the driver {name}", quirks_model(spec)),
    )
    for title, model in own:
        schema = model.model_json_schema(by_alias=True)
        yield _section(title, {**schema, "properties": _inlined(schema)})
    yield f"More about them: [drivers/{name}.md](../drivers/{name}.md)."


def _inlined(schema: Schema) -> Schema:
    known = schema.get("$defs", {})

    def inline(part: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
        if isinstance(part, list):
            return [inline(item) for item in part]  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return known[str(part["$ref"]).rpartition("/")[2]]  # pyright: ignore[reportUnknownArgumentType]
        return {key: inline(value) for key, value in part.items()}  # pyright: ignore[reportUnknownVariableType]

    return {key: inline(part) for key, part in schema["properties"].items()}


def _title(name: str) -> str:
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in name).strip()
    return words.removesuffix(" entry").capitalize()


def _section(title: str, schema: Schema) -> str:
    about = str(schema.get("description", "")).split("\n", maxsplit=1)[0]
    if "properties" not in schema:
        return f"## {title}\n\n{about} One of {_kind(schema)}."
    required = schema.get("required", [])
    rows = (
        (
            code(key),
            _kind(part),
            _default(part, is_required=key in required),
            _unit(part),
            _says(part),
        )
        for key, part in schema["properties"].items()
    )
    further = "\n\nFurther keys are the driver's." if schema.get("additionalProperties") else ""
    body = table(("key", "type", "default", "unit", "what it says"), rows)
    return f"## {title}\n\n{about}{further}\n\n{body}"


def _says(part: Schema) -> str:
    return str(part.get("description", ""))


def _unit(part: Schema) -> str:
    return next((unit for word, unit in _UNITS.items() if word in _kind(part).split(" ")), "")


def _kind(part: Schema) -> str:
    """Return the type in words."""
    if "$ref" in part:
        return link(_title(str(part["$ref"]).rpartition("/")[2]))
    if "const" in part:
        return code(part["const"])
    if "enum" in part:
        return ", ".join(code(value) for value in part["enum"])
    choices = part.get("anyOf") or part.get("oneOf") or part.get("allOf")
    if choices is None:
        return _plain(part)
    kinds = [_kind(choice) for choice in choices if choice.get("type") != "null"]
    forms = [_kind(choice) for choice in part.get("x-short", ())]
    return " or ".join(dict.fromkeys(kinds + forms))


def _plain(part: Schema) -> str:
    kind = part.get("type")
    if isinstance(kind, list):
        names: list[str] = [str(name) for name in kind]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return " or ".join(_WORDS[name] for name in names if name != "null") + _example(part)
    if kind == "array" and "items" in part:
        return f"list of {_kind(part['items'])}"
    if kind == "object" and (values := _values(part)):
        return f"mapping to {_kind(values)}"
    if kind == "string":
        return _text(part)
    return f"{_WORDS.get(str(kind), 'any value')}{_limits(part)}"


def _values(part: Schema) -> Schema | None:
    by_pattern: Schema = part.get("patternProperties", {})
    values: Any = next(iter(by_pattern.values()), part.get("additionalProperties"))
    return None if isinstance(values, bool) else values


def _text(part: Schema) -> str:
    pattern = str(part.get("pattern", ""))
    if _ID in pattern:
        return "id"
    word = next((w for end, w in _NUMBERS_WITH_UNITS.items() if end in pattern), "text")
    return f"{word}{_example(part)}"


def _example(part: Schema) -> str:
    examples = part.get("examples", ())
    return f" such as {code(examples[0])}" if examples else ""


def _limits(part: Schema) -> str:
    step = 1 if part.get("type") == "integer" else 0  # no whole number lies between
    low, high = part.get("minimum"), part.get("maximum")
    if low is None and "exclusiveMinimum" in part and step:
        low = part["exclusiveMinimum"] + step
    if high is None and "exclusiveMaximum" in part and step:
        high = part["exclusiveMaximum"] - step
    if "exclusiveMinimum" in part and low is None:
        return f" above {part['exclusiveMinimum']:g}"
    if low is not None and high is not None:
        return f" {low} to {high}"
    return "" if low is None else f" from {low}"


def _default(part: Schema, *, is_required: bool) -> str:
    value = part.get("default")
    if is_required:
        return "required"
    if value is None or value in ([], {}):
        return ""
    word = _kind(part).split(" ")[0]
    if word == "duration":
        return code(_duration(float(value)))
    if word == "size":
        return code(_size(int(value)))
    return code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def _size(size: int) -> str:
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"
