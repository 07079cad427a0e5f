"""Batches that only memory has while the disk refuses: bounded, alarms given up last."""

from __future__ import annotations

from collections.abc import Collection

from gateway.model.record import Keep, Lane
from gateway.outbox.batch import Batch

HELD_READINGS = 20_000
HELD_EVENTS = 10_000


class Held:
    """In order of seq. Alarms are given up only when there are far too many of them."""

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
            oldest = min(
                (each for each in self._batches if each.lane is lane),
                key=lambda each: (each.keep >= Keep.BILLING, each.first_seq),
            )
            self._batches.remove(oldest)
            self._size[lane] -= oldest.readings
            given_up.append(oldest)
        return given_up

    def remove(self, first_seqs: Collection[int]) -> None:
        """These are on disk."""
        self._batches = [each for each in self._batches if each.first_seq not in first_seqs]
        self._size = dict.fromkeys(Lane, 0)
        for batch in self._batches:
            self._size[batch.lane] += batch.readings
