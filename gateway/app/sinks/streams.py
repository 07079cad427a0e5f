"""Which streams of a sink its broker refuses, and what is tried again when. Pure.

A stream is what one device says of one kind: the broker's access list speaks of topics. While it
is refused its records are set aside without being sent; every minute one of them is tried, and
when that one is taken all are put out again, in order. They live in the store's `refused` table,
so a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.model.ids import DeviceId
from gateway.model.record import Committed, Record
from gateway.outbox.rows import Refusal

RETRY_S = 60.0
SOON_S = 1.0
"""Until the rest is put out, when there is more than goes at once."""
AT_ONCE = 500
LOOKED_AT = 10_000
"""Kept records that are looked at: as many as the store keeps."""
DENIED = "(0x87)"
"""In the reason of what the broker does not allow: that may change. Other refusals are final."""
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Stream:
    """What one device says of one kind."""

    device: DeviceId
    kind: str

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.kind} {self.device}"


@dataclass(frozen=True, slots=True)
class Again:
    """What is put out again in one go."""

    chosen: Sequence[Committed]
    probes: frozenset[int]
    """Seqs that are sent though their stream is refused."""
    is_all: bool
    """Whether nothing of the opened streams was left for the next go."""


def stream_of(record: Record) -> Stream:
    """Return the stream of a record."""
    return Stream(record.device, type(record.body).__name__.removesuffix("Body").lower())


class Streams:
    """The streams of one sink that are refused now."""

    def __init__(self) -> None:
        """Think well of all."""
        self._refused: dict[Stream, str] = {}
        self._opened: set[Stream] = set()

    def __len__(self) -> int:
        """Return how many are refused."""
        return len(self._refused)

    def why(self, stream: Stream) -> str | None:
        """Return why it is refused, None when it is not."""
        return self._refused.get(stream)

    def refused(self, stream: Stream, reason: str) -> None:
        """Note what the broker said."""
        self._refused[stream] = reason
        self._opened.discard(stream)

    def taken(self, stream: Stream) -> bool:
        """Note that the broker took a record; return whether it is the first after a refusal."""
        return self._refused.pop(stream, None) is not None

    def again(self, kept: Sequence[Refusal]) -> Again:
        """Return what of the kept records is to be put out again now.

        All of streams that are not refused, and the first of each that is. After a start nothing
        is known to be refused, but what was kept says it.
        """
        chosen: list[Committed] = []
        probes: dict[Stream, int] = {}
        is_all = True
        for one in kept:
            stream = stream_of(one.record)
            if stream not in self._opened and stream not in self._refused:
                self._refused[stream] = one.reason
            if stream in self._refused:
                if stream in probes:
                    continue
                probes[stream] = one.seq
            elif len(chosen) - len(probes) >= AT_ONCE:
                is_all = False
                continue
            chosen.append(Committed(one.record, one.ep, one.seq, one.pv))
        self._opened &= {stream_of(one.record) for one in kept}
        return Again(chosen, frozenset(probes.values()), is_all)

    def open(self, stream: Stream) -> None:
        """What was kept of this stream may go."""
        self._opened.add(stream)

    def shown(self) -> list[str]:
        """Return some of them for people, with the reason."""
        return [f"{stream}: {why}" for stream, why in list(self._refused.items())[:_MOST_SHOWN]]
