"""Records to the messages of one platform: outer door, dialect, and the bulkhead of encode."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from gateway.app.outward.around import Around
from gateway.app.outward.doors import Passage
from gateway.app.sinks.doubts import Doubts
from gateway.app.sinks.streams import Stream, stream_of
from gateway.dialects.contract import Dialect, DialectSpec, Encoded, Now
from gateway.dialects.newest import Newest
from gateway.model.publication import Publication
from gateway.model.record import Committed, Lane, StateBody
from gateway.ops.traces import trace_of
from gateway.outbox.feed import FeedBatch, SinkFeed

_log = logging.getLogger("linli.sink")


@dataclass(frozen=True, slots=True)
class Message:
    """A message, and the streams of the records that it carries: several devices may share one."""

    publication: Publication
    streams: tuple[Stream, ...]


class Encoder:
    """Of one sink."""

    def __init__(  # noqa: PLR0917 - the rooms it stands between
        self, spec: DialectSpec, dialect: Dialect, passage: Passage, feed: SinkFeed, doubts: Doubts
    ) -> None:
        """Take the language, the door, the records, and what stands against the sink."""
        self._newest = None if spec.says_old_states else Newest()
        self._dialect = dialect
        self._passage = passage
        self._feed = feed
        self._doubts = doubts
        self.probes: frozenset[int] = frozenset()
        """Seqs that are sent though their stream is refused."""
        self._alone: set[tuple[Lane, int]] = set()
        """Records that go without company: in one message with others they were too large."""

    def encode(self, batch: FeedBatch, around: Around) -> Sequence[Message]:
        """Return the messages to send; what has none is settled here."""
        passed = self._passage.through([around.time.redated(item) for item in batch.items])
        items = [item for item in passed.items if not self._is_outdated(item)]
        if len(self._doubts.streams):  # before the dialect sees them: devices may share a message
            items = [item for item in items if not self._is_held(item)]
        withheld = list(passed.withheld)
        streams = {item.seq: stream_of(item.record) for item in items}
        messages: list[Message] = []
        now = around.now()
        parts = chain.from_iterable(
            self._parts(company, now, is_backfill=batch.is_backfill)
            for company in self._companies(items)
        )
        for encoded in parts:
            withheld.extend(encoded.withheld)
            for refused in encoded.refused:
                self._feed.refused(refused.lane, refused.seqs, refused.reason)
            for publication in encoded.publications:
                carried = dict.fromkeys(streams[seq] for seq in publication.covers)
                messages.append(Message(publication, tuple(carried)))
        if withheld:
            self._feed.done(batch.lane, withheld)
        return messages

    def part(self, lane: Lane, seqs: Iterable[int]) -> None:
        """Note that these were too large in one message: each gets one of its own."""
        self._alone.update((lane, seq) for seq in seqs)

    def _companies(self, items: Sequence[Committed]) -> Iterator[Sequence[Committed]]:
        """Yield the records in order: those that may share messages, and those that go alone."""
        if not self._alone:
            yield items
            return
        together: list[Committed] = []
        for item in items:
            place = (item.record.lane, item.seq)
            if place not in self._alone:
                together.append(item)
                continue
            self._alone.discard(place)
            yield together
            yield (item,)
            together = []
        yield together

    def _is_outdated(self, item: Committed) -> bool:
        """Settle a state that the platform must not hear after the newer one it has."""
        if self._newest is None or not isinstance(item.record.body, StateBody):
            return False
        if self._newest.takes(item.record.device, item):
            return False
        self._feed.done(item.record.lane, (item.seq,))
        return True

    def _is_held(self, item: Committed) -> bool:
        """Set aside what belongs to a refused stream, unless it is the one that is tried."""
        why = self._doubts.streams.why(stream_of(item.record))
        if why is None or item.seq in self.probes:
            return False
        self._feed.refused(item.record.lane, (item.seq,), why)
        return True

    def _parts(
        self, items: Sequence[Committed], now: Now, *, is_backfill: bool
    ) -> Iterator[Encoded]:
        """Yield what the dialect makes of the records; one that it cannot encode stops no other."""
        if not items:
            return
        try:
            encoded = self._dialect.encode(items, now, is_backfill=is_backfill)
        except Exception as exc:  # noqa: BLE001 - the bulkhead of encode: a poison record is set aside
            if len(items) == 1:
                self._set_aside(items[0], exc)
                return
        else:
            yield encoded
            return
        half = len(items) // 2
        yield from self._parts(items[:half], now, is_backfill=is_backfill)
        yield from self._parts(items[half:], now, is_backfill=is_backfill)

    def _set_aside(self, item: Committed, exc: Exception) -> None:
        _log.error("record seq=%d cannot be encoded: %s", item.seq, trace_of(exc))
        self._doubts.dead_letters += 1
        self._feed.refused(item.record.lane, [item.seq], f"encode: {type(exc).__name__}")
