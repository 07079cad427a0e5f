"""What the platform does to sub-devices by itself: adds, deletes, enables, disables. Pure.

Source: help.aliyun.com document_detail/89299.html, "notify gateways of changes of topological
relationships".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gateway.dialects.alink.names import Name
from gateway.dialects.alink.profile import AlinkProfile
from gateway.dialects.asked import MAX_ID, Wrong, read_object
from gateway.model.publication import Arrival

TOPO_CHANGE = "thing/topo/change"
_WORDS: Mapping[object, str] = {0: "added", 1: "deleted", 2: "enabled", 8: "disabled"}
_TAKEN = frozenset({"added", "enabled"})


@dataclass(frozen=True, slots=True)
class Notice:
    """What was done to which devices; `id` is that of the message, for its reply."""

    id: str
    word: str
    names: tuple[Name, ...]

    @property
    def is_taken(self) -> bool:
        """Whether the platform takes them from now on."""
        return self.word in _TAKEN


def read_notice(arrival: Arrival, words: AlinkProfile) -> Notice:
    """Return what a message says.

    Raises:
        Wrong: it says nothing that is known.
    """
    fields = read_object(arrival.payload)
    params: object = fields.get("params")
    inside = cast("dict[str, Any]", params) if isinstance(params, dict) else {}
    status, listed = inside.get("status"), inside.get("subList")
    word = _WORDS.get(status) if type(status) is int else None
    if word is None or not isinstance(listed, list):
        raise Wrong("bad_json", f"status {str(status)[:20]!r} of the topology is not known")
    found = [cast("dict[str, Any]", each) for each in listed if isinstance(each, dict)]  # pyright: ignore[reportUnknownVariableType] - JSON
    names = tuple(
        Name(str(each.get(words.product_word)), str(each.get(words.device_word))) for each in found
    )
    return Notice(str(fields.get("id"))[:MAX_ID], word, names)
