"""What an opened database says about the life before: identity, progress, states, losses."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model.ids import SinkName
from gateway.model.record import Keep, Lane
from gateway.outbox import tables
from gateway.outbox.encoding import Unreadable
from gateway.outbox.mark import Mark
from gateway.outbox.progress import LaneProgress
from gateway.outbox.rate import Rate
from gateway.outbox.rows import (
    Lost,
    Opened,
    ProgressMap,
    Side,
    StateKey,
    batch_from_row,
    lost_from_row,
    side_from_bytes,
)
from gateway.outbox.schema import keep_sql
from gateway.outbox.seal import opened, seal_of

_LAST = "SELECT first_seq, count FROM ROWS ORDER BY first_seq DESC LIMIT 1"
_SIDE = 6
"""Place of `side` among the columns."""


@dataclass(frozen=True, slots=True)
class Before:
    """What is known beside the database."""

    sinks: Sequence[SinkName]
    floor_seq: int
    """Highest seq that this process has given away already."""
    mark: Mark | None
    new_ep: Callable[[], int]


def begin_life(connection: sqlite3.Connection, before: Before) -> Opened:
    """Return what was found, and settle it in the database; a new `ep` where one is needed."""
    mark = before.mark
    stored = connection.execute("SELECT key, value FROM meta").fetchall()
    meta: dict[str, Any] = {key: json.loads(value) for key, value in stored}
    folded_seq, side = _read_sides(connection, meta.get("folded"))
    last_seq = max(folded_seq, *(_last_seq(connection, keep) for keep in Keep))
    life = _identity(_Identity(meta.get("ep"), meta.get("previous_ep"), None), mark, last_seq)
    ep, lost = life.ep, list[Lost]()
    if ep is None:
        ep = before.new_ep()
        lost = [] if mark is None else _vanished(before.sinks, mark, last_seq)
        last_seq = max(last_seq, 0 if mark is None else mark.seq)
    last_seq = max(last_seq, before.floor_seq)
    progress = _with_sinks(side.progress, before.sinks, last_seq, is_new=life.ep is None)
    with tables.transaction(connection):
        tables.put_meta(connection, "ep", ep)
        tables.put_meta(connection, "previous_ep", life.previous_ep)
        for loss in lost:
            tables.insert_lost(connection, loss)
        tables.fold(connection, last_seq, progress, side.states)
    return Opened(
        ep,
        life.previous_ep,
        last_seq,
        progress,
        _read_states(connection),
        _read_lost(connection),
        set_aside=None,
        damage=life.damage,
        rate=Rate(**meta["rate"]) if "rate" in meta else None,
    )


def _last_seq(connection: sqlite3.Connection, keep: Keep) -> int:
    row = connection.execute(keep_sql(_LAST, keep)).fetchone()
    return 0 if row is None else row[0] + row[1] - 1


def _read_sides(connection: sqlite3.Connection, folded: Any) -> tuple[int, Side]:  # noqa: ANN401 - parsed JSON
    """Return the seq up to which tables are right, and what rows say beyond it."""
    seq: int = folded["seq"] if folded else 0
    progress: ProgressMap = {}
    if folded:
        progress = side_from_bytes(json.dumps(folded["side"]).encode()).progress
    found: list[tuple[int, Side]] = []
    seal = seal_of(connection)
    for keep in Keep:
        sql = keep_sql(tables.SELECT + " WHERE first_seq > ?", keep)
        for row in connection.execute(sql, (seq,)):
            try:
                batch_from_row(keep.lane, row, seal)
            except Unreadable:
                continue  # told when a sink comes to it
            if row[_SIDE] is not None:
                side = opened(seal, row[_SIDE], tables.SIDE)
                found.append((row[0], side_from_bytes(side)))
    found.sort(key=lambda each: each[0])
    states: dict[StateKey, Any] = {}
    for _, side in found:
        progress = side.progress
        states.update(side.states)
    return seq, Side(progress, states)


def _read_lost(connection: sqlite3.Connection) -> tuple[Lost, ...]:
    found = connection.execute("SELECT id, body FROM lost")
    return tuple(lost_from_row(row_id, body) for row_id, body in found)


def _read_states(connection: sqlite3.Connection) -> dict[StateKey, Any]:
    found = connection.execute("SELECT room, key, value FROM state")
    seal = seal_of(connection)
    return {
        (room, key): json.loads(opened(seal, value, tables.STATE)) for room, key, value in found
    }


@dataclass(frozen=True, slots=True)
class _Identity:
    """`ep` None asks for a new one."""

    ep: int | None
    previous_ep: int | None
    damage: str | None


def _identity(stored: _Identity, mark: Mark | None, last_seq: int) -> _Identity:
    """Return whether the store may go on under its ep.

    A store that lost its end must not: it would give a seq twice, and platforms would throw the
    second record away as a repetition.
    """
    if mark is None:
        return stored
    if stored.ep is None:
        return _Identity(None, mark.ep, "the database was gone or empty")
    if mark.ep not in (stored.ep, stored.previous_ep):
        return _Identity(None, mark.ep, "the database is not the one that the mark beside it means")
    if mark.ep == stored.ep and mark.seq > last_seq:
        return _Identity(None, stored.ep, f"records {last_seq + 1} to {mark.seq} are gone")
    return stored


def _with_sinks(
    stored: ProgressMap, sinks: Sequence[SinkName], last_seq: int, *, is_new: bool
) -> dict[SinkName, dict[Lane, LaneProgress]]:
    """Return the progress of today's sinks; a sink that is new begins with what comes now."""
    progress: dict[SinkName, dict[Lane, LaneProgress]] = {}
    for sink in sinks:
        lanes = stored.get(sink, {})
        progress[sink] = {
            lane: lanes.get(lane) or LaneProgress(link=last_seq, upto=last_seq) for lane in Lane
        }
        if is_new:
            for at in progress[sink].values():
                at.pv = None  # the chain of the new ep begins
    return progress


def _vanished(sinks: Sequence[SinkName], mark: Mark, last_seq: int) -> list[Lost]:
    """Return what the mark knows of and the database does not.

    In which lane each of them was nobody can say, so that both are told the whole span.
    """
    if mark.seq <= last_seq:
        return []
    first = last_seq + 1 if last_seq else None
    count = mark.seq - last_seq if last_seq else 0
    return [
        Lost(sink, lane, mark.ep, first, mark.seq, count, "vanished")
        for sink in sinks
        for lane in Lane
    ]
