"""A tree against a pydantic model: all errors at once, each at its own place in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.problems import BadValue, Fact, Phrase, Problems, advice, shown
from gateway.settings.where import Where
from gateway.settings.yaml_source import Node, follow, plain

M = TypeVar("M", bound=BaseModel)

_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "whole",
    "int_from_float": "whole",
    "int_parsing": "whole",
    "int_parsing_size": "whole",
    "float_type": "number",
    "float_parsing": "number",
    "bool_type": "bool",
    "bool_parsing": "bool",
    "dict_type": "mapping",
    "mapping_type": "mapping",
    "model_type": "mapping",
    "model_attributes_type": "mapping",
    "list_type": "list",
    "tuple_type": "list",
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("ge", ">="),
    "greater_than": ("gt", ">"),
    "less_than_equal": ("le", "<="),
    "less_than": ("lt", "<"),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """A value in a file: what messages about it point at."""

    file: str
    node: Node
    path: tuple[str, ...] = ()

    @property
    def where(self) -> Where:
        """The place where the value begins."""
        return Where(self.file, self.node.line, self.node.column)

    def at(self, *parts: str | int) -> Spot:
        """Return the spot of a value below, as deep as the file has it."""
        node, path = self.node, list(self.path)
        for part, below in follow(self.node, parts):
            node = below
            path.append(str(part))
        return Spot(self.file, node, tuple(path))

    def at_key(self, key: str) -> Where:
        """Return the place of a key of this mapping, else of the value itself."""
        if self.node.keys and key in self.node.keys:
            return Where(self.file, *self.node.keys[key])
        return self.where

    def has(self, key: str) -> bool:
        """Whether this mapping has the key."""
        return self.node.keys is not None and key in self.node.keys

    @property
    def text(self) -> str:
        """The path as messages show it."""
        return ".".join(self.path)


def check(model: type[M], spot: Spot, problems: Problems) -> M | None:
    """Return the model of a tree, or None with its errors among the problems."""
    try:
        return model.model_validate(plain(spot.node))
    except ValidationError as exc:
        report(exc, model, spot, problems)
        return None


def report(exc: ValidationError, model: type[BaseModel], spot: Spot, problems: Problems) -> None:
    """Add every error of a validation at the place of its value."""
    for error in exc.errors(include_url=False):
        report_one(error, model, spot, problems)


def add_bad_value(problems: Problems, bad: BadValue, spot: Spot) -> None:
    """Add what a parser refused, at the character where it lies."""
    where = spot.where
    if bad.offset:
        column = where.column + bad.offset + spot.node.is_quoted
        where = Where(where.file, where.line, column)
    problems.add(bad.code, where, spot.text, **bad.facts)


def field_names(model: type[BaseModel]) -> list[str]:
    """Return the keys that a model knows, as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def report_one(
    error: ErrorDetails,
    model: type[BaseModel],
    spot: Spot,
    problems: Problems,
    *,
    also: Sequence[str] = (),
) -> None:
    """Add one error of a validation; `also` are keys that are known beside the model's."""
    path, kind = error["loc"], error["type"]
    if kind in ("extra_forbidden", "missing"):
        parent, key = spot.at(*path[:-1]), str(path[-1])
        full = ".".join((*parent.path, key))
        if kind == "missing":
            problems.add("LG-KEY-02", parent.where, full, key=key)
        else:
            known = [*field_names(_model_at(model, path[:-1])), *also]
            problems.add("LG-KEY-01", parent.at_key(key), full, key=key, advice=advice(key, known))
        return
    place = spot.at(*path)
    if path and path[-1] == "[key]":
        place = _key_spot(spot.at(*path[:-2]), str(path[-2]))
    bad = error.get("ctx", {}).get("error")
    if kind == "value_error" and isinstance(bad, BadValue):
        add_bad_value(problems, bad, place)
        return
    code, facts = _explained(error)
    problems.add(code, place.where, place.text, **facts)


def _key_spot(parent: Spot, key: str) -> Spot:
    where = parent.at_key(key)
    return Spot(parent.file, Node(key, where.line, where.column), (*parent.path, key))


def _explained(error: ErrorDetails) -> tuple[str, dict[str, Fact]]:
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    facts: dict[str, Fact] = {"found": shown(found)}
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if kind == "string_type" and is_number:
        return "LG-VAL-02", facts
    if kind in _EXPECTED:
        return "LG-VAL-01", {**facts, "expected": Phrase(_EXPECTED[kind])}
    if kind in {"literal_error", "enum"}:
        expected = str(context["expected"]).replace(" or ", ",")
        choices = [choice.strip(" '") for choice in expected.split(",")]
        return "LG-VAL-04", {**facts, "advice": advice(str(found), choices)}
    if kind == "finite_number":
        return "LG-YAML-08", facts
    return _limit_explained(error, facts)


def _limit_explained(error: ErrorDetails, facts: dict[str, Fact]) -> tuple[str, dict[str, Fact]]:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _LIMITS:
        name, sign = _LIMITS[kind]
        return "LG-VAL-03", {**facts, "limit": f"{sign} {context[name]}"}
    if kind.endswith(("too_short", "too_long")):
        low, high = context.get("min_length", 0), context.get("max_length", "")
        return "LG-VAL-05", {**facts, "limit": f"{low}..{high}"}
    if kind == "string_pattern_mismatch":
        return "LG-VAL-05", {**facts, "limit": str(context["pattern"])}
    what = str(context["error"]) if kind == "value_error" else error["msg"]
    return "LG-VAL-09", {"what": what[:300]}


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel]:
    """Return the model that the path ends in, found through the annotations of the fields."""
    for part in path:
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                model = _model_in(field.annotation) or model
                break
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - typing's own objects
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if found := _model_in(argument):
            return found
    return None
