"""JSON that came from outside, made safe to look into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast


def branches(node: object) -> Mapping[str, Any]:
    """Return the fields of an object, none when it is no object."""
    return cast("Mapping[str, Any]", node) if isinstance(node, dict) else {}


def leaves(node: object) -> Sequence[Any]:
    """Return the items of a list or the values of an object, none when it is neither."""
    if isinstance(node, dict):
        return tuple(cast("Mapping[str, Any]", node).values())
    return cast("list[Any]", node) if isinstance(node, list) else ()
