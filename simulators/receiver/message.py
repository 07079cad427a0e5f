"""What a message of the native dialect says: its records, each with its identity. Pure and total.

The topic is `{root}/1/{site}/{gateway}/up/{class}/{device}` (docs/platform/guide.md). The gateway
is taken from the topic, which a broker's access list guards, and never from the payload.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeAlias

from simulators.tree import branches, leaves

Lane: TypeAlias = Literal["telemetry", "event"]
"""The two chains of `pv` of a store (guide, "Gaps")."""
ITSELF = "_"
"""The device that is the gateway."""
TELEMETRY = frozenset({"prop", "hist"})
MAJOR = "1."
_TOPIC_WORDS = 5
_MOST = (1 << 53) - 1
"""`ep` and `seq` are integers that every JSON reader holds exactly."""
_SHARED = ("v", "k", "gw", "dev", "kind", "tp")
"""Fields of a `hist` message that hold for each of its items."""
_OF_THE_MESSAGE = frozenset({"v", "k", "gw", "kind", "ep", "seq", "pv", "tp", "items", "site"})
"""Fields that may differ between two copies of one record: they belong to the sending."""


class Unreadable(Exception):
    """The message is not of this dialect; the text says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Its identity is `(gateway, ep, seq)`."""

    gateway: str
    ep: int
    seq: int
    pv: int | None
    kind: str
    """The class of its message: prop, hist, event, …"""
    device: str
    ts_ms: int
    text: str
    """The record as JSON."""
    fields: Mapping[str, Any]

    @property
    def lane(self) -> Lane:
        """The chain that its `pv` belongs to."""
        return "telemetry" if self.kind in TELEMETRY else "event"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what its topic says, its own fields, and the records that it carries."""

    site: str
    gateway: str
    kind: str
    device: str
    fields: Mapping[str, Any]
    """Empty when a retained topic is cleared."""
    records: tuple[Record, ...] = ()


def read(topic: str, payload: bytes, root: str) -> Message:
    """Return what a message says.

    Raises:
        Unreadable: it is no message of this dialect and version.
    """
    words = topic.removeprefix(f"{root}/1/").split("/")
    if not topic.startswith(f"{root}/1/") or len(words) != _TOPIC_WORDS or words[2] != "up":
        raise Unreadable("the topic is not one of ours")
    site, gateway, _, kind, device = words
    if not payload:
        return Message(site, gateway, kind, device, {})
    text, fields = _object(payload)
    if fields.get("gw") != gateway or not str(fields.get("v", "")).startswith(MAJOR):
        raise Unreadable("`gw` is not the gateway of the topic, or `v` is not 1.x")
    records = tuple(_records(gateway, kind, device, (text, fields)))
    return Message(site, gateway, kind, device, fields, records)


def same_content(one: str, other: str) -> bool:
    """Whether two texts of one identity say the same, whatever the class they were sent in."""
    return _content(one) == _content(other)


def _content(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(text)
    return {name: value for name, value in fields.items() if name not in _OF_THE_MESSAGE}


def _object(payload: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        text = payload.decode()
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {error}") from error
    fields = branches(found)
    if not fields:
        raise Unreadable("no JSON object")
    return text, fields


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _records(
    gateway: str, kind: str, device: str, whole: tuple[str, Mapping[str, Any]]
) -> Iterator[Record]:
    text, fields = whole
    items = fields.get("items")
    if items is None:
        if fields.get("seq") is not None:
            yield _record(gateway, kind, device, (text, fields))
        return
    shared = {name: fields[name] for name in _SHARED if name in fields}
    for item in leaves(items):
        one = {**shared, **branches(item)}
        again = json.dumps(one, separators=(",", ":"), ensure_ascii=False)
        yield _record(gateway, kind, device, (again, one))


def _record(gateway: str, kind: str, device: str, whole: tuple[str, Mapping[str, Any]]) -> Record:
    text, fields = whole
    pv = fields.get("pv")
    return Record(
        gateway,
        _count(fields, "ep"),
        _count(fields, "seq"),
        None if pv is None else _count(fields, "pv"),
        kind,
        device,
        _count(fields, "ts"),
        text,
        fields,
    )


def _count(fields: Mapping[str, Any], name: str) -> int:
    found = fields.get(name)
    if type(found) is not int or not 0 <= found <= _MOST:
        raise Unreadable(f"`{name}` is no integer from 0 to 2^53")
    return found
