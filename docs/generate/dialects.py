"""The option tables in docs/platform/dialects, from the dataclasses of each dialect.

A page is written by hand. Its table whose head begins with `option`, and the one that begins with
`of a device`, are replaced by what the code says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from docs.generate.markdown import code, table
from gateway.dialects import registry
from gateway.dialects.contract import DialectSpec
from gateway.settings.site_sinks import Secret

FOLDER = Path(__file__).parents[1] / "platform" / "dialects"
_TABLES = {"option": "options", "of a device": "device_options"}
_TABLE = re.compile(r"^\| (option|of a device) \|.*\n(?:\|.*\n)+", re.MULTILINE)
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def written() -> Iterator[tuple[Path, str]]:
    """Yield the page of every dialect as it should be."""
    for name in registry.names():
        file = page_of(name)
        if file.exists():
            text = file.read_text(encoding="utf-8")
            yield file, with_option_tables(text, registry.load(name))


def page_of(name: str) -> Path:
    """Return the file of a dialect's page."""
    return FOLDER / f"{name}.md"


def with_option_tables(text: str, spec: DialectSpec) -> str:
    """Return a page with its option tables as the dataclasses of the dialect are today."""

    def fresh(found: re.Match[str]) -> str:
        head = found[1]
        return option_table(head, getattr(spec, _TABLES[head])) + "\n"

    return _TABLE.sub(fresh, text)


def option_table(head: str, plain: type[Any]) -> str:
    """Return the table of a dataclass of options: name, type, default, description."""
    hints = get_type_hints(plain)
    rows = (
        (code(field.name), _kind(hints[field.name], field), _default(field), _says(field))
        for field in fields(plain)
    )
    return table((head, "type", "default", "what it says"), rows)


def _says(field: Field[Any]) -> str:
    """Return the description without a default that the column beside it has."""
    text: str = field.metadata["description"]
    plain = _default(field).strip("`")
    return text.removesuffix(f" Default {plain}.") if plain else text


def _default(field: Field[Any]) -> str:
    if field.default is MISSING:
        return "required" if field.default_factory is MISSING else ""
    if field.default in (None, "", ()):
        return ""
    if isinstance(field.default, bool):
        return code(str(field.default).lower())
    return code(f"{field.default:g}" if isinstance(field.default, float) else field.default)


def _kind(hint: Any, field: Field[Any]) -> str:  # noqa: ANN401 - a type
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return " or ".join(_kind(part, field) for part in get_args(hint) if part is not NoneType)
    if origin is Literal:
        return ", ".join(code(value) for value in get_args(hint))
    if hint is Secret:
        return "secret by name"
    if origin is tuple:
        return "list of texts"
    return _WORDS.get(origin or hint, "texts by name") + _limits(field)


def _limits(field: Field[Any]) -> str:
    low, high = field.metadata.get("ge"), field.metadata.get("le")
    if low is not None and high is not None:
        return f" {low} to {high}"
    return "" if low is None else f" from {low}"
