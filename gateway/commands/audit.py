"""The audit chain: every entry carries the hash of the one before, so that a gap shows.

An entry is a `log` record of topic `command`, `dropped` or `remark`. Its fields hold `n`, a count
from 1, and `prev`, the hash of the entry before; the first one of a store has 64 zeros. The hash of
an entry is the SHA-256, in hex, over `{"dev":…,"fields":{…},"topic":…}` as JSON with sorted keys,
no spaces and no escapes but those that JSON demands. Time and seq are not in it: a box without the
time dates its records later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.model.ids import DeviceId
from gateway.model.record import LogBody, StateChange

ROOM = "command_audit"
TOPIC = "command"
"""Of what became of a command; the other entries say what was not taken for one."""
_LAST = "last"
NOTHING_BEFORE = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry as a reader has it."""

    device: str
    topic: str
    fields: Mapping[str, str]


def hash_of(entry: Entry) -> str:
    """Return the hash that the next entry carries as `prev`."""
    told = {"dev": entry.device, "fields": dict(entry.fields), "topic": entry.topic}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


class Chain:
    """Makes entries, in the order in which they are committed."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        """Take what the store kept: the count and hash of the last entry."""
        last: list[Any] = saved.get(_LAST) or [0, NOTHING_BEFORE]
        self._count: int = last[0]
        self._last: str = last[1]

    def entry(
        self, device: DeviceId, fields: Iterable[tuple[str, str]], topic: str = TOPIC
    ) -> tuple[LogBody, StateChange]:
        """Return the next entry, and what to save in the same transaction.

        Whoever takes it hands it to the store before anything else is awaited.
        """
        self._count += 1
        body = LogBody(topic, (*fields, ("n", str(self._count)), ("prev", self._last)))
        self._last = hash_of(Entry(str(device), topic, dict(body.fields)))
        return body, StateChange(ROOM, _LAST, [self._count, self._last])


def faults(entries: Iterable[Entry]) -> list[str]:
    """Return what is wrong with entries in the order of their `n`, [] when nothing is missing.

    The first one may be any: what was before it is not looked at.
    """
    found: list[str] = []
    before: Entry | None = None
    for entry in entries:
        if before is not None:
            found.extend(_fault(before, entry))
        before = entry
    return found


def _fault(before: Entry, entry: Entry) -> list[str]:
    expected, number = int(before.fields["n"]) + 1, int(entry.fields["n"])
    if number != expected:
        return [f"entry {expected} is missing: {number} follows {before.fields['n']}"]
    if entry.fields["prev"] != hash_of(before):
        return [f"entry {before.fields['n']} was changed: {number} carries another hash"]
    return []
