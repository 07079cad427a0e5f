"""Gather values of several devices in messages that keep a platform's limits. Pure.

A message holds at most so many devices, properties, events and bytes, and each name of a device
once, unless it is history. A record that does not fit into what is gathered begins the next
message; one that fits into no message at all is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.dialects.alink.names import Name
from gateway.dialects.alink.profile import Limits
from gateway.dialects.alink.text import Happening, Property

WORDS = 40
"""Bytes that `"":{"value":,"time":1763888400123},` adds to a value."""
Said = TypeVar("Said", Property, Happening)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one record says of one device, or a part of it; `is_end` marks the last part."""

    seq: int
    name: Name
    properties: tuple[Property, ...] = ()
    events: tuple[Happening, ...] = ()
    is_end: bool = True


@dataclass(slots=True)
class _Room:
    """What a message holds of one device."""

    names: set[str] = field(default_factory=set[str])
    events: set[str] = field(default_factory=set[str])
    properties: int = 0
    happenings: int = 0


class Packer:
    """Fills messages of one kind, in the order in which records come."""

    def __init__(self, limits: Limits, *, is_history: bool) -> None:
        """Take what a message may hold."""
        self._limits = limits
        self._is_history = is_history
        self._pieces: list[Piece] = []
        self._rooms: dict[Name, _Room] = {}
        self._size = 0

    def add(self, piece: Piece) -> Iterator[tuple[Piece, ...]]:
        """Take a record; yield messages that became full before it."""
        for part in self._cut(piece):
            if not self._fits(part):
                yield from self.flush()
            room = self._rooms.setdefault(part.name, _Room())
            room.names.update(each.name for each in part.properties)
            room.events.update(each.name for each in part.events)
            room.properties += len(part.properties)
            room.happenings += len(part.events)
            self._size += _size(part)
            self._pieces.append(part)

    def flush(self) -> Iterator[tuple[Piece, ...]]:
        """Yield what is gathered, if anything is."""
        if self._pieces:
            yield tuple(self._pieces)
        self._pieces.clear()
        self._rooms.clear()
        self._size = 0

    def _cut(self, piece: Piece) -> Iterator[Piece]:
        properties = _parts(piece.properties, self._limits.properties, self._limits.bytes)
        events = _parts(piece.events, self._limits.events, self._limits.bytes)
        last = max(len(properties), len(events), 1) - 1
        for at in range(last + 1):
            yield Piece(
                piece.seq,
                piece.name,
                properties[at] if at < len(properties) else (),
                events[at] if at < len(events) else (),
                is_end=piece.is_end and at == last,
            )

    def _fits(self, piece: Piece) -> bool:
        room = self._rooms.get(piece.name)
        if len(self._rooms) + (room is None) > self._limits.devices:
            return False
        if self._pieces and self._size + _size(piece) > self._limits.bytes:
            return False
        counted = self._rooms.values()
        if self._limits.is_each:
            counted = [] if room is None else [room]
        properties = sum(each.properties for each in counted) + len(piece.properties)
        events = sum(each.happenings for each in counted) + len(piece.events)
        if properties > self._limits.properties or events > self._limits.events:
            return False
        return self._is_history or room is None or not _clashes(room, piece)


def _parts(found: Sequence[Said], most: int, most_bytes: int) -> list[tuple[Said, ...]]:
    """Return runs of at most so many, and so many bytes; what is larger by itself is one."""
    runs: list[list[Said]] = []
    size = 0
    for each in found:
        own = _size_of(each)
        if not runs or len(runs[-1]) == most or size + own > most_bytes:
            runs.append([])
            size = 0
        runs[-1].append(each)
        size += own
    return [tuple(run) for run in runs]


def _size(piece: Piece) -> int:
    return sum(map(_size_of, piece.properties)) + sum(map(_size_of, piece.events))


def _size_of(each: Property | Happening) -> int:
    json = each.json
    return WORDS + len(each.name) + (len(json) if json.isascii() else len(json.encode()))


def _clashes(room: _Room, piece: Piece) -> bool:
    return any(each.name in room.names for each in piece.properties) or any(
        each.name in room.events for each in piece.events
    )
