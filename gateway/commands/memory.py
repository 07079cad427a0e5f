"""Command ids that were seen, kept over restarts, so that nothing is done twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.model.ids import SinkName
from gateway.model.record import StateChange

ROOM = "commands"
KEEP_MS = 24 * 3600 * 1000
MAX_REMEMBERED = 10_000
"""Ids kept at most; the oldest are forgotten first. `exp` guards those that were forgotten."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a command: its last status, with code and text."""

    status: str
    code: str | None
    message: str | None
    at_ms: int


class Memory:
    """The ids of the last 24 hours."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        """Take what the store kept: `sink/rid` to [status, code, message, time in ms]."""
        self._known: dict[str, Remembered] = {
            key: Remembered(*entry)
            for key, entry in sorted(saved.items(), key=lambda item: item[1][3])
        }

    def find(self, sink: SinkName, rid: str) -> Remembered | None:
        """Return what became of this command, or None when it is new."""
        return self._known.get(f"{sink}/{rid}")

    def remember(self, sink: SinkName, rid: str, entry: Remembered) -> tuple[StateChange, ...]:
        """Note the status of a command; return what to save, old ids to forget among it."""
        key = f"{sink}/{rid}"
        self._known.pop(key, None)
        self._known[key] = entry
        saved = [entry.status, entry.code, entry.message, entry.at_ms]
        return (StateChange(ROOM, key, saved), *self._forget(entry.at_ms))

    def _forget(self, now_ms: int) -> list[StateChange]:
        forgotten: list[StateChange] = []
        for key, entry in list(self._known.items()):
            if len(self._known) <= MAX_REMEMBERED and entry.at_ms > now_ms - KEEP_MS:
                break
            del self._known[key]
            forgotten.append(StateChange(ROOM, key, None))
        return forgotten
