"""What a platform or a person asked for again, and what of it is no longer kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.model.record import Committed, Lane
from gateway.outbox.batch import Handed
from gateway.outbox.walk import Cursor

MOST_HOLES = 100
"""Ranges of one request that are told apart; beyond, they are told as one."""
MOST_WAITING = 256
"""Requests that may wait; more are refused."""


@dataclass(slots=True)
class Replay:
    """A range of one lane to be handed out again.

    A record points to the one before it that was due, so what is gone is known by the links of
    those that are there. `ep` None asks for any.
    """

    lane: Lane
    first: int
    last: int
    ep: int | None
    is_told: bool
    """Whether what is gone is told; not for what came back from a lost connection."""
    cursor: Cursor = field(init=False)
    holes: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    has_found: bool = False
    _seen: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin at the first seq."""
        self.cursor = Cursor(self.first, self.last + 1, None)
        self._seen = self.first - 1

    def look_at(self, handed: Handed) -> bool:
        """Note what is missing before this record; return whether it was asked for."""
        self._missing_up_to(handed.link)
        self._seen = max(self._seen, handed.committed.seq)
        is_meant = self.ep is None or handed.committed.ep == self.ep
        self.has_found = self.has_found or is_meant
        return is_meant

    def end(self, next_link: int, present_ep: int) -> None:
        """Note what is missing at the end.

        `next_link` is what the next record behind the range points to, or the newest that was due.
        """
        self._missing_up_to(next_link)
        if self.ep not in {None, present_ep} and not self.has_found:
            self.holes = [(self.first, self.last)]  # nothing of that store is here
        elif len(self.holes) > MOST_HOLES:
            self.holes = [(self.holes[0][0], self.holes[-1][1])]

    def _missing_up_to(self, link: int) -> None:
        upto = min(link, self.last)
        if upto > self._seen:
            self.holes.append((self._seen + 1, upto))
            self._seen = upto


@dataclass(slots=True)
class Retries:
    """Refused records that are put out again; they stay refused until they are taken."""

    waiting: list[Committed] = field(default_factory=list[Committed])
    flying: dict[int, Committed] = field(default_factory=dict[int, Committed])
    """By seq, those that are handed out."""

    def add(self, records: Iterable[Committed]) -> int:
        """Take records; return how many were not waiting already."""
        known = {(each.ep, each.seq) for each in (*self.waiting, *self.flying.values())}
        fresh = [each for each in records if (each.ep, each.seq) not in known]
        self.waiting += fresh
        return len(fresh)

    def take(self, most: int, in_flight: Iterable[int]) -> tuple[Lane, Sequence[Committed]] | None:
        """Return some of one lane, in order, None when there are none."""
        busy = set(in_flight)
        ready = [each for each in self.waiting if each.seq not in busy]
        if not ready:
            return None
        lane = ready[0].record.lane
        taken = [each for each in ready if each.record.lane is lane][:most]
        for each in taken:
            self.waiting.remove(each)
            self.flying[each.seq] = each
        return lane, taken

    def put_back(self, seqs: Iterable[int]) -> None:
        """Let these wait again."""
        self.waiting += [self.flying.pop(seq) for seq in list(seqs) if seq in self.flying]
