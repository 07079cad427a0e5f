"""What one commit makes of the records of one lane, and which of them are due to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.model.ids import SinkName
from gateway.model.record import Committed, Keep, Lane, PropBody, Record

IsDue = Callable[[SinkName, Record], bool]
NOTHING_SKIPPED: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Due:
    """Which records of a batch are due to one sink; decided once, at commit."""

    link: int
    """Seq of the record of this lane before the batch that was due, of any ep; 0 for none."""
    pv: int | None
    """The same, within the batch's own ep."""
    count: int
    last: int
    """Seq of the last due record; `link` when there is none in the batch."""
    skipped: frozenset[int] = NOTHING_SKIPPED
    """Positions of records that are not due."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one class, with consecutive seqs when they were committed: one row on disk."""

    lane: Lane
    ep: int
    first_seq: int
    at_ms: int
    """Wall clock of the commit."""
    records: tuple[Record, ...]
    dues: Mapping[SinkName, Due]
    places: tuple[int, ...] | None = None
    """Where the records lie behind `first_seq`, once some were thinned out; None: side by side."""

    @property
    def keep(self) -> Keep:
        """The class of its records."""
        return self.records[0].keep

    @property
    def last_seq(self) -> int:
        """Seq of its last record."""
        return self.first_seq + (len(self.records) - 1 if self.places is None else self.places[-1])

    def placed(self) -> Iterator[tuple[int, Record]]:
        """Yield the records with their seqs."""
        places = range(len(self.records)) if self.places is None else self.places
        for place, record in zip(places, self.records, strict=True):
            yield self.first_seq + place, record

    @property
    def readings(self) -> int:
        """Values in it, an event counting as one: the measure of memory."""
        return sum(
            len(record.body.values) if isinstance(record.body, PropBody) else 1
            for record in self.records
        )


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of appended records. `is_durable` is False while the disk refuses."""

    batches: tuple[Batch, ...]
    is_durable: bool


@dataclass(frozen=True, slots=True)
class Handed:
    """A record on its way to one sink; `link` is the due record before it, of any ep."""

    committed: Committed
    link: int


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the chain of one sink and lane ends: by order of commit, and within one ep."""

    link: int
    pv: int | None


def is_addressed(sink: SinkName, record: Record) -> bool:
    """Whether the record is for this sink or for all: what is due unless someone knows better."""
    return record.sink is None or record.sink == sink


def due_of(
    records: Sequence[Record], first_seq: int, tail: Tail, is_due: Callable[[Record], bool]
) -> Due:
    """Return which of the records are due, chained to what was due before."""
    skipped = frozenset(position for position, record in enumerate(records) if not is_due(record))
    count = len(records) - len(skipped)
    last = tail.link
    if count:
        position = len(records) - 1
        while position in skipped:
            position -= 1
        last = first_seq + position
    return Due(tail.link, tail.pv, count, last, skipped)


def due_records(batch: Batch, due: Due, start: int) -> Iterator[Handed]:
    """Yield the due records with a seq from `start` on, each with its own `pv`."""
    if batch.places is not None:
        yield from _due_of_thinned(batch, due, start)
        return
    position, link, pv = 0, due.link, due.pv
    if not due.skipped and start > batch.first_seq:
        position = start - batch.first_seq
        link = pv = start - 1
    for index in range(position, len(batch.records)):
        if index in due.skipped:
            continue
        seq = batch.first_seq + index
        if seq >= start:
            yield Handed(Committed(batch.records[index], batch.ep, seq, pv), link)
        link = pv = seq


def _due_of_thinned(batch: Batch, due: Due, start: int) -> Iterator[Handed]:
    """Yield what is left; its chain is still that of the commit, through what was thinned out."""
    left = dict(batch.placed())
    link, pv = due.link, due.pv
    for seq in range(batch.first_seq, batch.last_seq + 1):
        if seq - batch.first_seq in due.skipped:
            continue
        record = left.get(seq)
        if record is not None and seq >= start:
            yield Handed(Committed(record, batch.ep, seq, pv), link)
        link = pv = seq
