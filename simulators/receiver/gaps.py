"""When to ask a gateway for what is missing, and for which range: paced, and until it is closed.

A record names only the one before it, so a hole is known by its upper end. All between the newest
record below and that end is asked for at once; the gateway sends what it has of it and tells the
rest with a `gap` (guide, "Gaps").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simulators.receiver.message import Source
from simulators.receiver.store import Store, ranges

MOST_RANGES = 100
"""Of one request; a gateway takes up to 1000."""
MOST_CONFIRMED = 400
"""Ranges of one confirmation: with the longest numbers still below the 16 kB of a gateway."""
SLOWEST = 6
"""The time between two requests doubles so many times."""
COMING = 60
"""So many times its patience a copy waits while history comes in; then it asks all the same."""
_DUE = """m.next_ms <= :now AND m.since_ms <= :patient
AND (s.late_ms <= :patient OR m.since_ms <= :coming)"""
# Another source is the first each time: one with a hole in every record leaves room for the others.
_SOURCES = f"""SELECT s.id, s.site, s.gw, s.ep FROM stream s
LEFT JOIN gateway g ON g.site = s.site AND g.gw = s.gw
WHERE coalesce(g.online, 1) AND EXISTS (SELECT 1 FROM missing m WHERE m.stream = s.id AND {_DUE})
ORDER BY s.id < :now / 1000 % (SELECT max(id) + 1 FROM stream), s.id LIMIT :most"""  # noqa: S608 - no words from outside
_HOLES = f"""SELECT m.seq, m.asked,
  (SELECT max(seq) FROM record r WHERE r.stream = m.stream AND r.seq < m.seq)
FROM missing m JOIN stream s ON s.id = m.stream
WHERE m.stream = :stream AND {_DUE} ORDER BY m.seq LIMIT {MOST_RANGES}"""  # noqa: S608 - as above
_ASK = "UPDATE missing SET asked = asked + 1, next_ms = ? WHERE stream = ? AND seq = ?"


@dataclass(frozen=True, slots=True)
class Pacing:
    """How patient the receiver is."""

    patience_s: float = 60.0
    """From the moment that a record is missed, or the last older history of its store came."""
    repeat_s: float = 60.0
    """Until the same is asked for again; doubles up to 64 times that."""
    most: int = 200
    """Requests at once, of all gateways."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one gateway is asked for."""

    topic: str
    payload: bytes


class _Hole(NamedTuple):
    seq: int
    """Its upper end."""
    asked: int
    below: int | None
    """The newest record that is there below it."""


def requests(store: Store, root: str, pacing: Pacing, now_ms: int) -> list[Request]:
    """Return what is to be asked for now, each gap by one copy only: they are marked as asked."""
    (is_any,) = store.db.execute("SELECT EXISTS (SELECT 1 FROM missing)").fetchone()
    if not is_any:
        return []
    with store.transaction():
        found = list(_requests(store, root, pacing, now_ms))
        if found:
            store.note_requests(len(found))
    return found


def _requests(store: Store, root: str, pacing: Pacing, now_ms: int) -> Iterator[Request]:
    patience_ms = int(pacing.patience_s * 1000)
    words = {
        "now": now_ms,
        "patient": now_ms - patience_ms,
        "coming": now_ms - COMING * patience_ms,
        "most": pacing.most,
    }
    for stream, *source in store.db.execute(_SOURCES, words).fetchall():
        holes = [_Hole(*row) for row in store.db.execute(_HOLES, {**words, "stream": stream})]
        again = [(now_ms + _wait_ms(pacing, hole), stream, hole.seq) for hole in holes]
        store.db.executemany(_ASK, again)
        yield _request(root, Source(*source), holes)


def acknowledgements(ep: int, seqs: set[int]) -> Iterator[bytes]:
    """Yield the payloads that confirm records of one store (`ack: app`)."""
    found = ranges(seqs)
    for at in range(0, len(found), MOST_CONFIRMED):
        part = {"ep": ep, "ranges": found[at : at + MOST_CONFIRMED]}
        yield json.dumps(part, separators=(",", ":")).encode()


def ack_topic(root: str, site: str, gateway: str) -> str:
    """Return where a gateway hears confirmations and requests."""
    return f"{root}/1/{site}/{gateway}/dn/ack/_"


def _wait_ms(pacing: Pacing, hole: _Hole) -> int:
    return int(1000 * pacing.repeat_s) << min(hole.asked, SLOWEST)


def _request(root: str, source: Source, holes: list[_Hole]) -> Request:
    wanted = {"ep": source.ep, "resend": list(_merged(holes))}
    payload = json.dumps(wanted, separators=(",", ":")).encode()
    return Request(ack_topic(root, source.site, source.gateway), payload)


def _merged(holes: list[_Hole]) -> Iterator[list[int]]:
    """Yield [first, last] in order, those that touch as one."""
    held: list[int] | None = None
    for hole in holes:
        begin = (hole.below or 0) + 1
        if held is not None and begin <= held[1] + 1:
            held[1] = hole.seq
            continue
        if held is not None:
            yield held
        held = [begin, hole.seq]
    if held is not None:
        yield held
