"""MQTT 5 response topics: who asks with one gets its receipts there too, beside the usual place.

The receipt on the usual topic is the one that counts: stored, acknowledged, sent again. The one
here goes once, at QoS 0, and not after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.model.command import BadCommand, Command
from gateway.model.publication import Arrival, Publication
from gateway.model.record import Committed, Lane, ReplyBody

MOST_EXPECTED = 200
"""Receipts that are looked out for; the oldest ones are forgotten beyond it."""
MOST_BYTES = 256
"""Of a response topic, and of its correlation data."""
_FORBIDDEN = re.compile(r"[+#\x00-\x1f\x7f-\x9f]|^\$")
"""Wildcards and control characters (MQTT 5.0, 4.7), and topics that belong to the broker."""
RESERVED = frozenset({"", "fc", "linli", "homeassistant", "spBv1.0", "v1", "ext", "sys"})
"""First levels on which platforms take readings, births and logins, our own among them: nobody is
let write there by asking us to."""


@dataclass(frozen=True, slots=True)
class _Answer:
    topic: str
    correlation: bytes | None


def fault_of(arrival: Arrival) -> str | None:
    """Return why a response topic is not used, None when it is, or when there is none.

    It must not begin as the topic of the question does: that is where we publish ourselves, and
    other gateways beside us.
    """
    topic = arrival.response_topic
    if topic is None:
        return None
    if not topic or len(topic.encode(errors="replace")) > MOST_BYTES or _FORBIDDEN.search(topic):
        return "response topic: empty, too long, with a wildcard, or the broker's own"
    if len(arrival.correlation or b"") > MOST_BYTES:
        return f"correlation data of more than {MOST_BYTES} bytes"
    first = topic.split("/", 1)[0]
    if first in RESERVED or first == arrival.topic.split("/", 1)[0]:
        return "response topic: its first level is one that gateways publish on"
    return None


class Answers:
    """Of one sink."""

    def __init__(self) -> None:
        """Expect none."""
        self._expected: dict[str, _Answer] = {}

    def expect(self, arrival: Arrival, commands: Iterable[Command | BadCommand]) -> str | None:
        """Look out for the receipts of these commands; return why not, if not."""
        if arrival.response_topic is None:
            return None
        fault = fault_of(arrival)
        if fault is not None:
            return fault
        for command in commands:
            if command.rid is not None:
                self._expected.pop(command.rid, None)
                self._expected[command.rid] = _Answer(arrival.response_topic, arrival.correlation)
        while len(self._expected) > MOST_EXPECTED:
            del self._expected[next(iter(self._expected))]
        return None

    def beside(
        self, records: Sequence[Committed], publications: Sequence[Publication]
    ) -> Iterator[Publication]:
        """Yield the messages, and after each expected receipt a copy for who asked."""
        receipts = self._receipts(records) if self._expected else {}
        for publication in publications:
            yield publication
            answer = receipts.get(publication.covers[0]) if publication.covers else None
            if answer is not None and len(publication.covers) == 1:
                yield Publication(
                    answer.topic,
                    publication.payload,
                    Lane.EVENT,
                    qos=0,
                    content_type=publication.content_type,
                    correlation=answer.correlation,
                )

    def _receipts(self, records: Sequence[Committed]) -> dict[int, _Answer]:
        found: dict[int, _Answer] = {}
        for committed in records:
            body = committed.record.body
            if isinstance(body, ReplyBody) and body.rid in self._expected:
                is_last = body.status != "accepted"
                expected = self._expected
                found[committed.seq] = expected.pop(body.rid) if is_last else expected[body.rid]
        return found
