"""What a platform says: commands, acknowledgements, wishes. The way up from the broker."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.app.around import Around
from gateway.dialects.contract import Dialect, Dropped, Now, Ranges, SeqRange
from gateway.model.ids import GATEWAY_ITSELF, SinkName
from gateway.model.publication import Arrival, Publication
from gateway.model.record import Lane, LogBody, Record
from gateway.outbox.feed import SinkFeed


async def hear(
    arrival: Arrival, dialect: Dialect, feed: SinkFeed, around: Around
) -> Sequence[Publication]:
    """Do what a message means, and return what is answered; what is not obeyed is audited."""
    received = dialect.received(arrival, around.now())
    for command in received.commands:
        around.take_command(command)
    for lane in Lane:
        for part in _parts(received.acknowledged):
            feed.done_range(lane, part.first, part.last)
        for wanted in received.wanted:
            for part in wanted.ranges:
                feed.replay(lane, part.first, part.last, wanted.ep)
    for refused in received.refused:
        feed.refused(refused.lane, refused.seqs, refused.reason)
    if received.dropped or received.remarks:
        now = around.now()
        records = [_audit("dropped", feed.sink, one, now) for one in received.dropped]
        records += [_audit("remark", feed.sink, one, now) for one in received.remarks]
        await around.keep(records, ())
    return received.publications


def _audit(topic: str, sink: SinkName, dropped: Dropped, now: Now) -> Record:
    fields = (("sink", str(sink)), ("topic", dropped.topic), ("reason", dropped.reason))
    return Record(GATEWAY_ITSELF, now.ms, now.tq, LogBody(topic, fields))


def _parts(ranges: Sequence[Ranges]) -> list[SeqRange]:
    return [part for one in ranges for part in one.ranges]
