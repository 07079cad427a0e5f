"""Thinning of old telemetry: which records stay, and rows written anew without the others. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.model.ids import DeviceId, PointId
from gateway.model.record import PropBody, Record
from gateway.outbox.batch import Batch, Due

KEEP_EVERY = 4
"""Of each device and its points, one record in so many stays."""
_Key: TypeAlias = tuple[DeviceId, tuple[PointId, ...]]


@dataclass(slots=True)
class _Before:
    """The record of one device and its points that came before."""

    seq: int
    body: PropBody


class Thinner:
    """Remembers which of each device's records was kept last, from one stretch to the next."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: dict[_Key, int] = {}

    def to_keep(self, stretch: Sequence[Batch]) -> set[int]:
        """Return the seqs that stay.

        Every fourth record of each device and its points; every change of a status or a quality,
        with the record before it; and the last one of the stretch, so that a register that only
        grows loses nothing but the points in between.
        """
        kept: set[int] = set()
        before: dict[_Key, _Before] = {}
        for batch in stretch:
            for seq, record in batch.placed():
                self._look(seq, record, before, kept)
        kept.update(last.seq for last in before.values())
        return kept

    def _look(self, seq: int, record: Record, before: dict[_Key, _Before], kept: set[int]) -> None:
        body = record.body
        if not isinstance(body, PropBody):
            kept.add(seq)
            return
        key = (record.device, body.column.points)
        number = self._seen.get(key, 0)
        self._seen[key] = number + 1
        last = before.get(key)
        if number % KEEP_EVERY == 0:
            kept.add(seq)
        if last is not None and _is_change(last.body, body):
            kept.update((last.seq, seq))
        before[key] = _Before(seq, body)


def _is_change(before: PropBody, now: PropBody) -> bool:
    return before.marks != now.marks or _status(before) != _status(now)


def _status(body: PropBody) -> list[bool | str]:
    return [value for value in body.values if isinstance(value, bool | str)]


def thinned(batch: Batch, kept: Collection[int]) -> Batch | None:
    """Return the row with these seqs left, None when none is."""
    left = [(seq, record) for seq, record in batch.placed() if seq in kept]
    if not left:
        return None
    places = tuple(seq - batch.first_seq for seq, _ in left)
    gone = {seq - batch.first_seq for seq, _ in batch.placed()} - set(places)
    return replace(
        batch,
        records=tuple(record for _, record in left),
        places=places,
        dues={sink: _due_left(due, gone) for sink, due in batch.dues.items()},
    )


def _due_left(due: Due, gone: Collection[int]) -> Due:
    return replace(due, count=due.count - sum(place not in due.skipped for place in gone))
