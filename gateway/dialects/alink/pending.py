"""Which records a message id stands for, until the platform confirms or refuses it. Pure.

A record in several messages is confirmed when all of them are. A message of several records that
is refused says nothing of a single one: they are sent again, each alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.dialects.alink.session import BUSY, SUCCESS
from gateway.dialects.contract import Ranges, Received, RefusedRecords, SeqRange
from gateway.model.ids import DeviceId
from gateway.model.record import Committed, Lane

NO_SESSION = 520
"""thinkgos/aliyun-iot infra/code: the sub-device is not online through this gateway."""
AGAIN = frozenset({NO_SESSION, *BUSY})
"""Not refused: unconfirmed, so that the records are handed out again."""
MOST_KEPT = 20_000
MOST_COMPLAINTS = 500
"""Messages that a platform may still complain of where it confirms none: most get no reply."""


@dataclass(slots=True)
class Parts:
    """One record on its way, in so many messages."""

    seq: int
    left: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that carries records."""

    ep: int
    lane: Lane
    parts: tuple[Parts, ...]
    devices: tuple[DeviceId, ...]


class Pending:
    """Of one connection."""

    def __init__(self, *, is_confirmed: bool) -> None:
        """Wait for nothing. `is_confirmed`: the platform confirms each message (`ack: app`)."""
        self._is_confirmed = is_confirmed
        self._most = MOST_KEPT if is_confirmed else MOST_COMPLAINTS
        self._sent: dict[str, Sent] = {}
        self._alone: set[int] = set()

    def clear(self) -> None:
        """A connection begins: what was not confirmed is handed out again anyway."""
        self._sent.clear()

    def note(self, id_: str, sent: Sent) -> None:
        """Remember a message; the oldest is forgotten when there are too many."""
        for part in sent.parts:
            part.left += 1
        self._sent[id_] = sent
        if len(self._sent) > self._most:
            del self._sent[next(iter(self._sent))]

    def goes_alone(self, item: Committed) -> bool:
        """Whether a record was refused in company and must be tried by itself."""
        return item.seq in self._alone

    def devices(self, id_: str) -> tuple[DeviceId, ...]:
        """Return whose records a message carries."""
        sent = self._sent.get(id_)
        return () if sent is None else sent.devices

    def answered(self, id_: str, code: int, why: str) -> Received:
        """Return what a reply to a report means; nothing for an id that is not known."""
        sent = self._sent.pop(id_, None)
        if sent is None or code in AGAIN:
            return Received()
        seqs = [part.seq for part in sent.parts]
        if code == SUCCESS:
            return Received(acknowledged=self._confirmed(sent))
        if len(seqs) > 1:
            self._alone.update(seqs if self._is_confirmed else ())  # else they are done already
            if len(self._alone) > MOST_KEPT:
                self._alone.clear()
            return Received()
        self._alone.difference_update(seqs)
        return Received(refused=(RefusedRecords(sent.lane, tuple(seqs), why),))

    def _confirmed(self, sent: Sent) -> tuple[Ranges, ...]:
        done: list[int] = []
        for part in sent.parts:
            part.left -= 1
            if part.left == 0:
                done.append(part.seq)
        self._alone.difference_update(done)
        return (Ranges(sent.ep, ranges_of(done)),) if done else ()


def ranges_of(seqs: Sequence[int]) -> tuple[SeqRange, ...]:
    """Return seqs as ranges that name nothing else."""
    found: list[SeqRange] = []
    for seq in sorted(seqs):
        if found and found[-1].last == seq - 1:
            found[-1] = SeqRange(found[-1].first, seq)
        else:
            found.append(SeqRange(seq, seq))
    return tuple(found)
