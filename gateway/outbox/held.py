"""Batches that only memory has while the disk refuses: bounded, telemetry given up first."""

from __future__ import annotations

from gateway.model.record import Lane
from gateway.outbox.batch import Batch

HELD_READINGS = 20_000
HELD_EVENTS = 10_000


class Held:
    """In order of seq. Events are given up only when there are far too many of them."""

    def __init__(self, most_readings: int = HELD_READINGS, most_events: int = HELD_EVENTS) -> None:
        """Begin empty."""
        self._most = {Lane.TELEMETRY: most_readings, Lane.EVENT: most_events}
        self._size = dict.fromkeys(Lane, 0)
        self._batches: list[Batch] = []

    def __len__(self) -> int:
        """Return the number of records."""
        return sum(len(batch.records) for batch in self._batches)

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All of them, oldest first."""
        return tuple(self._batches)

    def add(self, batch: Batch) -> list[Batch]:
        """Take a batch; return what had to be given up for it."""
        self._batches.append(batch)
        lane = batch.lane
        self._size[lane] += batch.readings
        given_up: list[Batch] = []
        while self._size[lane] > self._most[lane]:
            oldest = next(each for each in self._batches if each.lane is lane)
            self._batches.remove(oldest)
            self._size[lane] -= oldest.readings
            given_up.append(oldest)
        return given_up

    def clear(self) -> None:
        """They are on disk."""
        self._batches.clear()
        self._size = dict.fromkeys(Lane, 0)
