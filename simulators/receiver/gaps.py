"""When to ask a gateway for what is missing, and for which range: paced, and until it is closed.

A record names only the one before it, so a hole is known by its upper end. All between the newest
record below and that end is asked for at once; the gateway sends what it has of it and tells the
rest with a `gap` (guide, "Gaps").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from simulators.receiver.store import Store, ranges

MOST_RANGES = 100
"""Of one request; a gateway takes up to 1000."""
SLOWEST = 6
"""The time between two requests doubles so many times."""
_DUE = """SELECT m.stream, s.gw, g.site, s.ep, m.seq, m.asked,
  (SELECT max(seq) FROM record r WHERE r.stream = m.stream AND r.seq < m.seq)
FROM missing m JOIN stream s ON s.id = m.stream JOIN gateway g ON g.gw = s.gw
WHERE m.next_ms <= ?1 AND m.since_ms <= ?2 AND s.late_ms <= ?2 AND coalesce(g.online, 1)
ORDER BY m.stream, m.seq LIMIT ?3"""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How patient the receiver is."""

    patience_s: float = 60.0
    """From the moment that a record is missed, or the last older one of its store came."""
    repeat_s: float = 60.0
    """Until the same is asked for again; doubles up to 64 times that."""
    most: int = 200
    """Requests at once, of all gateways."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one gateway is asked for."""

    topic: str
    payload: bytes


class _Due(NamedTuple):
    stream: int
    gateway: str
    site: str
    ep: int
    seq: int
    asked: int
    below: int | None
    """The newest record that is there below it."""


def requests(store: Store, root: str, pacing: Pacing, now_ms: int) -> list[Request]:
    """Return what is to be asked for now, each gap by one copy only: they are marked as asked."""
    with store.transaction():
        due = [_Due(*row) for row in store.db.execute(_DUE, _limits(pacing, now_ms))]
        found: list[Request] = []
        for _, rows in groupby(due, key=lambda one: one.stream):
            if len(found) >= pacing.most:
                break
            chosen = list(rows)[:MOST_RANGES]
            _mark(store, chosen, pacing, now_ms)
            found.append(_request(root, chosen))
        if found:
            store.note_requests(len(found))
    return found


def acknowledgement(ep: int, seqs: set[int]) -> bytes:
    """Return the payload that confirms records of one store (`ack: app`)."""
    return json.dumps({"ep": ep, "ranges": ranges(seqs)}, separators=(",", ":")).encode()


def ack_topic(root: str, site: str, gateway: str) -> str:
    """Return where a gateway hears confirmations and requests."""
    return f"{root}/1/{site}/{gateway}/dn/ack/_"


def _limits(pacing: Pacing, now_ms: int) -> tuple[int, int, int]:
    return now_ms, now_ms - int(pacing.patience_s * 1000), pacing.most * MOST_RANGES


def _mark(store: Store, rows: list[_Due], pacing: Pacing, now_ms: int) -> None:
    store.db.executemany(
        "UPDATE missing SET asked = asked + 1, next_ms = ? WHERE stream = ? AND seq = ?",
        (
            (
                now_ms + int(1000 * pacing.repeat_s) * 2 ** min(row.asked, SLOWEST),
                row.stream,
                row.seq,
            )
            for row in rows
        ),
    )


def _request(root: str, rows: list[_Due]) -> Request:
    first = rows[0]
    wanted = {"ep": first.ep, "resend": list(_merged(rows))}
    payload = json.dumps(wanted, separators=(",", ":")).encode()
    return Request(ack_topic(root, first.site, first.gateway), payload)


def _merged(rows: list[_Due]) -> Iterator[list[int]]:
    """Yield [first, last] in order, those that touch as one."""
    held: list[int] | None = None
    for row in rows:
        begin = max(row.below or 0, 0) + 1
        if held is not None and begin <= held[1] + 1:
            held[1] = row.seq
            continue
        if held is not None:
            yield held
        held = [begin, row.seq]
    if held is not None:
        yield held
