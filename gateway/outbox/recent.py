"""The newest batches of one lane, in memory, shared by all feeds: the disk is for arrears."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from gateway.outbox.batch import Batch


class Recent:
    """Complete for all seqs from `low` on. Bounded by values, not by batches."""

    def __init__(self, low: int, most_readings: int) -> None:
        """Begin empty: the first batch that comes has a seq of at least `low`."""
        self.low = low
        self._most_readings = most_readings
        self._readings = 0
        self._batches: list[Batch] = []
        self._held: set[int] = set()

    @property
    def end(self) -> int:
        """The seq after the last one that is here; `low` when nothing is."""
        return self._batches[-1].last_seq + 1 if self._batches else self.low

    def add(self, batch: Batch, *, is_held: bool = False) -> None:
        """Take a fresh batch; a held one is nowhere else and stays until it is let go."""
        self._batches.append(batch)
        self._readings += batch.readings
        if is_held:
            self._held.add(batch.first_seq)
        self._trim()

    def since(self, seq: int) -> Sequence[Batch]:
        """Return the batches that have this seq or later ones; `seq` is not below `low`."""
        if not self._batches or seq > self._batches[-1].last_seq:
            return ()
        if seq >= self._batches[-1].first_seq:
            return self._batches[-1:]
        return self._batches[bisect_left(self._batches, seq, key=_last_seq) :]

    def let_go(self, first_seq: int) -> None:
        """A held batch is on disk now, or given up."""
        self._held.discard(first_seq)
        self._trim()

    def drop(self, first_seq: int) -> None:
        """Give up a held batch and all before it."""
        self._held.discard(first_seq)
        while self._batches and self._batches[0].first_seq <= first_seq:
            self._drop_oldest()

    def _trim(self) -> None:
        while (
            self._readings > self._most_readings
            and len(self._batches) > 1
            and self._batches[0].first_seq not in self._held
        ):
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._batches.pop(0)
        self._readings -= oldest.readings
        self.low = oldest.last_seq + 1


def _last_seq(batch: Batch) -> int:
    return batch.last_seq
