"""What a letter asks for: a site configuration to be run, the last log lines, a support bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, cast

from gateway.remote.files import MOST_BYTES, MOST_FILES, is_bundle_name

MAX_RID = 64
MAX_TEXT = 200
MOST_NUMBER = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly (RFC 8259, 6)."""
_HASH = re.compile(r"[0-9a-f]{64}")


class Act(StrEnum):
    """What is to be done."""

    CONFIG = "config"
    LOG = "log"
    BUNDLE = "bundle"


class BadOrder(Exception):
    """A signed letter that says nothing we understand; `rid` where it could be read."""

    def __init__(self, rid: str | None, message: str) -> None:
        super().__init__(message)
        self.rid = rid


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its signer wrote it."""

    rid: str
    act: Act
    gateway: str
    site: str
    number: int
    """Greater than that of every letter before."""
    expires_ms: int
    by: str | None = None
    hash: str = ""
    """Of `files`, as `files.hash_of` makes it."""
    base: str = ""
    """Hash of the configuration that the signer means to replace."""
    version: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


_COMMON = frozenset({"rid", "do", "gw", "site", "n", "exp", "by"})
_KEYS: Mapping[Act, frozenset[str]] = {
    Act.CONFIG: _COMMON | {"hash", "base", "version", "files"},
    Act.LOG: _COMMON,
    Act.BUNDLE: _COMMON,
}


def read_order(payload: bytes) -> Order:
    """Return the order that was signed.

    Raises:
        BadOrder: it is no order; a letter that is signed may be wrong all the same.
    """
    fields = _object(payload)
    rid = _rid(fields)
    try:
        act = Act(str(fields.get("do")))
    except ValueError:
        raise BadOrder(rid, f"`do` must be one of {', '.join(Act)}") from None
    unknown = sorted(fields.keys() - _KEYS[act])
    if unknown:
        raise BadOrder(rid, f"unknown key {unknown[0][:32]!r}")
    order = Order(
        rid,
        act,
        _text(rid, fields, "gw"),
        _text(rid, fields, "site"),
        _number(rid, fields, "n"),
        _number(rid, fields, "exp"),
        _text(rid, fields, "by") if "by" in fields else None,
    )
    return order if act is not Act.CONFIG else _with_configuration(order, fields)


def rid_of(payload: bytes) -> str | None:
    """Return the `rid` of what need not be an order."""
    try:
        return _rid(_object(payload))
    except BadOrder:
        return None


def _with_configuration(order: Order, fields: Mapping[str, Any]) -> Order:
    rid = order.rid
    return Order(
        rid,
        order.act,
        order.gateway,
        order.site,
        order.number,
        order.expires_ms,
        order.by,
        _hash(rid, fields, "hash"),
        _hash(rid, fields, "base"),
        _text(rid, fields, "version") if "version" in fields else None,
        _files(rid, fields.get("files")),
    )


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(payload, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadOrder(None, f"no JSON: {error}"[:MAX_TEXT]) from error
    if not isinstance(found, dict):
        raise BadOrder(None, "not a JSON object")
    return cast("dict[str, Any]", found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _rid(fields: Mapping[str, Any]) -> str:
    rid = fields.get("rid")
    if not isinstance(rid, str) or not 0 < len(rid) <= MAX_RID or not rid.isprintable():
        raise BadOrder(None, f"`rid` must be a text of 1 to {MAX_RID} characters")
    return rid


def _text(rid: str, fields: Mapping[str, Any], key: str) -> str:
    found = fields.get(key)
    if not isinstance(found, str) or not 0 < len(found) <= MAX_TEXT or not found.isprintable():
        raise BadOrder(rid, f"`{key}` must be a text of 1 to {MAX_TEXT} characters")
    return found


def _number(rid: str, fields: Mapping[str, Any], key: str) -> int:
    found = fields.get(key)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= MOST_NUMBER:
        raise BadOrder(rid, f"`{key}` must be an integer from 1 to {MOST_NUMBER}")
    return found


def _hash(rid: str, fields: Mapping[str, Any], key: str) -> str:
    found = fields.get(key)
    if not isinstance(found, str) or not _HASH.fullmatch(found):
        raise BadOrder(rid, f"`{key}` must be a SHA-256 in 64 lower-case hex digits")
    return found


def _files(rid: str, found: object) -> Mapping[str, bytes]:
    files = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    if not 0 < len(files) <= MOST_FILES:
        raise BadOrder(rid, f"`files` must be an object of 1 to {MOST_FILES} files")
    made: dict[str, bytes] = {}
    for name, text in files.items():
        if any(parent.as_posix() in files for parent in PurePosixPath(name).parents):
            raise BadOrder(rid, f"{name[:64]!r} lies in a file, not in a folder")
        if not is_bundle_name(name):
            wanted = "gateway.yaml, conf.d/NAME.yaml, or NAME.csv in up to three folders"
            raise BadOrder(rid, f"{name[:64]!r} is no name of a file here: {wanted}")
        if not isinstance(text, str):
            raise BadOrder(rid, f"{name!r} must be a text")
        try:
            made[name] = text.encode()
        except UnicodeEncodeError as error:
            raise BadOrder(rid, f"{name!r} holds half a surrogate pair") from error
    if sum(map(len, made.values())) > MOST_BYTES:
        raise BadOrder(rid, f"`files` hold more than {MOST_BYTES} bytes")
    return made
