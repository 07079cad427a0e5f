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
"""Ids kept at most. What could still be done again is never forgotten: new writes wait for it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a command: its last status, with code and text."""

    status: str
    code: str | None
    message: str | None
    at_ms: int
    until_ms: int = 0
    """Until then it would be carried out again if it were forgotten; 0: it never would."""


class Memory:
    """The ids of the last 24 hours, each with the sink it came from."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        """Take what the store kept: `sink/rid` to the fields of `Remembered`."""
        self._known: dict[str, Remembered] = {
            key: Remembered(*entry)
            for key, entry in sorted(saved.items(), key=lambda item: item[1][3])
        }

    def find(self, sink: SinkName, rid: str) -> Remembered | None:
        """Return what became of this command, or None when it is new."""
        return self._known.get(f"{sink}/{rid}")

    def is_full(self, now_ms: int) -> bool:
        """Whether there is no room for another id without forgetting one that still matters."""
        return len(self._known) >= MAX_REMEMBERED and self._forgettable(now_ms) is None

    def remember(self, sink: SinkName, rid: str, entry: Remembered) -> tuple[StateChange, ...]:
        """Note the status of a command; return what to save, old ids to forget among it."""
        key = f"{sink}/{rid}"
        self._known.pop(key, None)
        forgotten = self._forget(entry.at_ms)
        self._known[key] = entry
        saved = [entry.status, entry.code, entry.message, entry.at_ms, entry.until_ms]
        return (StateChange(ROOM, key, saved), *forgotten)

    def _forget(self, now_ms: int) -> list[StateChange]:
        forgotten: list[StateChange] = []
        while self._known:
            oldest = next(iter(self._known))
            if self._known[oldest].at_ms > now_ms - KEEP_MS:
                break
            forgotten.append(self._drop(oldest))
        while len(self._known) >= MAX_REMEMBERED:
            key = self._forgettable(now_ms)
            if key is None:
                break
            forgotten.append(self._drop(key))
        return forgotten

    def _forgettable(self, now_ms: int) -> str | None:
        """Return the oldest id whose command would not be carried out again."""
        known = self._known.items()
        return next((key for key, entry in known if entry.until_ms <= now_ms), None)

    def _drop(self, key: str) -> StateChange:
        del self._known[key]
        return StateChange(ROOM, key, None)
