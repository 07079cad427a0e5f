"""What a message of the native dialect says: its records, each with its identity. Pure and total.

The topic is `{root}/1/{site}/{gateway}/up/{class}/{device}` (docs/platform/guide.md). The gateway
is taken from the topic, which a broker's access list guards, and never from the payload: it is its
site and its id, because two communities may both have a `gw-03`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias

from simulators.tree import branches, leaves

Lane: TypeAlias = Literal["telemetry", "event"]
"""The two chains of `pv` of a store (guide, "Gaps")."""
ITSELF = "_"
"""The device that is the gateway."""
TELEMETRY = frozenset({"prop", "hist"})
MAJOR = "1."
_TOPIC_WORDS = 5
MOST_DEPTH = 64
"""Levels of a payload; ours have four. What is deeper might be read here and nowhere else."""
_MOST = (1 << 53) - 1
"""`ep` and `seq` are integers that every JSON reader holds exactly."""
_SHARED = ("v", "k", "gw", "dev", "kind", "tp")
"""Fields of a `hist` message that hold for each of its items."""
_OF_THE_MESSAGE = frozenset({"v", "k", "gw", "kind", "ep", "seq", "pv", "tp", "items", "site"})
"""Fields that may differ between two copies of one record: they belong to the sending."""


class Unreadable(Exception):
    """The message is not of this dialect; the text says why."""


class Source(NamedTuple):
    """One gateway's store, in which each `seq` is given once."""

    site: str
    gateway: str
    ep: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Its identity is its source and `seq`."""

    source: Source
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
    text: str = ""
    """The payload."""


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
    if fields.get("k") == "sealed":
        raise Unreadable("sealed, and there is no key here (docs/platform/privacy.md)")
    if fields.get("gw") != gateway or not str(fields.get("v", "")).startswith(MAJOR):
        raise Unreadable("`gw` is not the gateway of the topic, or `v` is not 1.x")
    records = tuple(_records(_Said(site, gateway, kind, device, text, fields)))
    return Message(site, gateway, kind, device, fields, records, text)


def same_content(one: str, other: str) -> bool:
    """Whether two texts of one identity say the same, whatever the class they were sent in."""
    return _content(one) == _content(other)


def _content(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(text)
    return {name: value for name, value in fields.items() if name not in _OF_THE_MESSAGE}


def _object(payload: bytes) -> tuple[str, Mapping[str, Any]]:
    try:
        text = payload.decode()
        found = _STRICT.decode(text)
        if "\\" in text:
            json.dumps(found, ensure_ascii=False).encode()  # half a character (\ud800) is no text
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {error}") from error
    fields = branches(found)
    if not fields:
        raise Unreadable("no JSON object")
    if text.count("{") + text.count("[") > MOST_DEPTH and _is_deeper(found, MOST_DEPTH):
        raise Unreadable(f"more than {MOST_DEPTH} levels")
    return text, fields


def _is_deeper(node: object, most: int) -> bool:
    level = [node]
    for _ in range(most):
        level = [each for one in level for each in leaves(one) if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_STRICT = json.JSONDecoder(parse_constant=_no_number)


class _Said(NamedTuple):
    site: str
    gateway: str
    kind: str
    device: str
    text: str
    fields: Mapping[str, Any]


def _records(said: _Said) -> Iterator[Record]:
    items = said.fields.get("items")
    if items is None:
        if said.fields.get("seq") is not None:
            yield _record(said)
        return
    shared = {name: said.fields[name] for name in _SHARED if name in said.fields}
    for item in leaves(items):
        one = {**shared, **branches(item)}
        yield _record(said._replace(text=_text(one), fields=one))


def _text(fields: Mapping[str, Any]) -> str:
    try:
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:  # 1e999 was read as infinity
        raise Unreadable(f"no JSON: {error}") from error


def _record(said: _Said) -> Record:
    site, gateway, kind, device, text, fields = said
    pv = None if fields.get("pv") is None else _count(fields, "pv")
    source = Source(site, gateway, _count(fields, "ep"))
    seq, ts_ms = _count(fields, "seq"), _count(fields, "ts")
    return Record(source, seq, pv, kind, device, ts_ms, text, fields)


def _count(fields: Mapping[str, Any], name: str) -> int:
    found = fields.get(name)
    if type(found) is not int or not 0 <= found <= _MOST:
        raise Unreadable(f"`{name}` is no integer from 0 to 2^53")
    return found
