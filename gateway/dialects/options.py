"""Settings of a dialect: `options:` and `devices:` of a sink, made into the dataclass it declares.

A dialect declares a frozen dataclass; a field's metadata may hold `description` for the reference,
`ge` and `le` for numbers, and `are_names` for the platform's names of our points. The types that a
field may have are those of `Option`: str, int, float, bool, Secret, a Literal of texts,
tuple[str, ...], Mapping[str, str], and `| None` of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gateway.model.ids import DeviceId
from gateway.settings.problems import BadValue, Phrase, advice, shown
from gateway.settings.site_sinks import Option, Secret

T = TypeVar("T")
MOST_NAME = 64
"""Characters of a name of a point on a platform."""


class BadOption(Exception):
    """An option that the dialect does not take; `name` is "" where one is missing altogether."""

    def __init__(self, name: str, bad: BadValue) -> None:
        super().__init__(f"{name}: {bad.code} {dict(bad.facts)}")
        self.name = name
        self.bad = bad


def made(plain: type[T], given: Mapping[str, Option]) -> T:
    """Return the dataclass with these options.

    Raises:
        BadOption: one is unknown, missing, of another type, or out of its range.
    """
    known = {each.name: each for each in fields(plain)}  # pyright: ignore[reportArgumentType] - of a dialect: a dataclass
    for name, value in given.items():
        if name not in known:
            raise BadOption(name, BadValue("LG-SINK-02", name=name, advice=advice(name, known)))
        _check(known[name], _hints(plain)[name], value)
        if known[name].metadata.get("are_names") and isinstance(value, Mapping):
            _check_names(name, value)
    for name, each in known.items():
        if name not in given and each.default is MISSING and each.default_factory is MISSING:
            raise BadOption("", BadValue("LG-SINK-03", name=name))
    try:
        return plain(**given)
    except BadValue as bad:  # a rule across options, of its `__post_init__`
        raise BadOption("", bad) from bad


@dataclass(frozen=True, slots=True)
class Described:
    """One option, for people; `default` is as it is written in a site file, "" for none."""

    name: str
    type: str
    default: str
    description: str
    is_needed: bool


def described(plain: type[object]) -> tuple[Described, ...]:
    """Return the options of a dialect's dataclass, in order."""
    found: list[Described] = []
    for each in fields(plain):  # pyright: ignore[reportArgumentType] - of a dialect: a dataclass
        is_needed = each.default is MISSING and each.default_factory is MISSING
        default = each.default if each.default is not MISSING else None
        found.append(
            Described(
                each.name,
                _spelled(_hints(plain)[each.name]),
                "" if default is None else _written(default),
                each.metadata.get("description", ""),
                is_needed,
            )
        )
    return tuple(found)


def options_of(
    device: DeviceId, by_pattern: Mapping[str, Mapping[str, Option]]
) -> Mapping[str, Option]:
    """Return what the file says of a device: the entry of its id, else of the first pattern."""
    if device in by_pattern:
        return by_pattern[device]
    for pattern, given in by_pattern.items():
        if fnmatchcase(device, pattern):
            return given
    return {}


@cache
def command_ttl() -> float:
    """Return the option of dialects whose platform sends no expiry: seconds, 1 to 3600."""
    about = "Seconds for which a command is valid after it came. Default 30."
    return field(default=30.0, metadata={"description": about, "ge": 1, "le": 3600})


def _hints(plain: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(plain)


def _check(field: Field[Any], hint: Any, value: Option) -> None:  # noqa: ANN401 - a type
    if not _fits(hint, value):
        expected = Phrase("other", _spelled(hint))
        raise BadOption(field.name, BadValue("LG-VAL-01", expected=expected, found=shown(value)))
    low, high = field.metadata.get("ge"), field.metadata.get("le")
    if isinstance(value, int | float) and (
        (low is not None and value < low) or (high is not None and value > high)
    ):
        limit = f"{low}..{high}"
        raise BadOption(field.name, BadValue("LG-VAL-03", found=shown(value), limit=limit))


def _check_names(option: str, given: Mapping[str, str]) -> None:
    """Hold that no two points have one name: a message would keep one value of the two."""
    seen: set[str] = set()
    for name in given.values():
        if not 0 < len(name) <= MOST_NAME:
            limit = f"1..{MOST_NAME}"
            raise BadOption(option, BadValue("LG-VAL-05", found=shown(name), limit=limit))
        if name in seen:
            raise BadOption(option, BadValue("LG-OPT-01", name=name))
        seen.add(name)


def _fits(hint: Any, value: object) -> bool:  # noqa: ANN401, PLR0911 - one line for each type
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return any(_fits(part, value) for part in get_args(hint) if part is not NoneType)
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        return isinstance(value, tuple)
    if origin is not None:
        return isinstance(value, Mapping)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType] - a tuple of texts


def _spelled(hint: Any) -> str:  # noqa: ANN401 - a type
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return " | ".join(_spelled(part) for part in get_args(hint) if part is not NoneType)
    if origin is Literal:
        return " | ".join(map(str, get_args(hint)))
    if hint is Secret:
        return "{credential: name}"
    names = {
        tuple: "[text, …]",
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true|false",
    }
    return names.get(origin or hint, "{name: text}")
