"""Command ids that were seen, kept over restarts, so that nothing is done twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
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
    owed_by: str | None = None
    """The device that it is carried out on; None when it was answered."""
    mark: str | None = None
    """Of what was asked (`Ledger.mark`): another command must not use the same id."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A command whose receipt is owed to who asked."""

    sink: SinkName
    rid: str
    entry: Remembered


class Memory:
    """The ids of the last 24 hours, each with the sink it came from."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        """Take what the store kept: `sink/rid` to the fields of `Remembered`."""
        self._known: dict[str, Remembered] = {
            key: Remembered(*entry)
            for key, entry in sorted(saved.items(), key=lambda item: item[1][3])
        }

    def find(
        self, sink: SinkName, rid: str, now_ms: int, same_for_ms: int | None = None
    ) -> Remembered | None:
        """Return what became of this command, or None when it is new.

        What is further from now than `same_for_ms` was another request that had the same id.
        """
        known = self._known.get(f"{sink}/{rid}")
        if known is None or same_for_ms is None:
            return known
        return known if abs(now_ms - known.at_ms) <= same_for_ms else None

    def owed(self) -> list[Owed]:
        """Return what was being carried out when the gateway went, and was never answered."""
        found = ((*key.split("/", 1), entry) for key, entry in self._known.items() if entry.owed_by)
        return [Owed(SinkName(sink), rid, entry) for sink, rid, entry in found]

    def is_full(self, now_ms: int) -> bool:
        """Whether there is no room for another id without forgetting one that still matters."""
        return len(self._known) >= MAX_REMEMBERED and self._forgettable(now_ms) is None

    def remember(self, sink: SinkName, rid: str, entry: Remembered) -> tuple[StateChange, ...]:
        """Note the status of a command; return what to save, old ids to forget among it."""
        key = f"{sink}/{rid}"
        self._known.pop(key, None)
        forgotten = self._forget(entry.at_ms)
        self._known[key] = entry
        return (StateChange(ROOM, key, list(astuple(entry))), *forgotten)

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
