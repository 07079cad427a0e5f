"""Records as Sparkplug messages: values, history, events, results of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.dialects.contract import Encoded, Now
from gateway.dialects.sparkplug_b.metrics import Board, Known, marks_of, stands
from gateway.dialects.sparkplug_b.presence import Presence
from gateway.dialects.sparkplug_b.voice import Voice
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
from gateway.model.quality import GOOD, Quality
from gateway.model.reading import Value
from gateway.model.record import (
    Committed,
    EventBody,
    GapBody,
    LogBody,
    PropBody,
    ReplyBody,
    StateBody,
)

HISTORY_AFTER_MS = 30_000
"""Values older than this are history: they no longer say what is (contract)."""
MESSAGE_BYTES = 60_000
"""Of history in one message: on 40 kbit/s it takes 12 s."""
FAILED = "command_failed"
GAP = "gap"
NODE_EVENTS = (
    GAP,
    FAILED,
    "clock_step",
    "clock_unsync",
    "duplicate_client_id",
    "nobody_listens",
    "publish_denied",
    "refusal_not_detectable",
    "store_damaged",
    "store_refused",
    "stream_refused",
)
"""Kinds of events of the gateway itself that stand in every NBIRTH. Another one is no harm: the
node is born again with it."""
_DONE = "done"
_ACCEPTED = "accepted"


@dataclass(slots=True)
class _Draft:
    """What a batch has become so far."""

    publications: list[Publication] = field(default_factory=list[Publication])
    withheld: list[int] = field(default_factory=list[int])

    def add(self, encoded: Encoded) -> None:
        self.publications.extend(encoded.publications)
        self.withheld.extend(encoded.withheld)


@dataclass(slots=True)
class _Old:
    """History of one device that makes the next message."""

    metrics: list[bytes] = field(default_factory=list[bytes])
    covers: list[int] = field(default_factory=list[int])
    size: int = 0


class Records:
    """The way down of one sink."""

    def __init__(self, board: Board, presence: Presence, voice: Voice) -> None:
        """Take the metrics, who is alive, and what makes messages."""
        self._board = board
        self._presence = presence
        self._voice = voice

    def encode(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> Encoded:
        """Return one message for each record; old values gathered by device."""
        memory = self._presence.begin_batch()
        is_whole = False
        try:
            draft = self._drafted(batch, now, is_backfill=is_backfill)
            is_whole = True
        finally:
            if not is_whole:  # one of them is none: nothing of this is sent, and all comes again
                self._presence.unsay(memory)
        return Encoded(tuple(draft.publications), tuple(draft.withheld))

    def _drafted(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> _Draft:
        draft = _Draft()
        old: dict[DeviceId, _Old] = {}
        for committed in batch:
            body = committed.record.body
            if isinstance(body, PropBody) and (is_backfill or _is_old(committed, body, now)):
                self._history(committed, body, now, old=old, draft=draft)
            else:
                draft.add(self._one(committed, now))
        for device, rest in old.items():
            draft.add(self._told(device, rest, now))
        return draft

    def _one(self, committed: Committed, now: Now) -> Encoded:
        body = committed.record.body
        match body:
            case PropBody():
                encoded = self._live(committed, body, now)
            case StateBody():
                encoded = self._presence.state(committed, body, now)
            case EventBody():
                encoded = self._event(committed, body, now)
            case ReplyBody():
                encoded = self._reply(committed, body, now)
            case GapBody():
                encoded = self._gap(committed, body, now)
            case LogBody():
                encoded = Encoded((), (committed.seq,))
        return encoded

    # --- values

    def _live(self, committed: Committed, body: PropBody, now: Now) -> Encoded:
        device, covers = committed.record.device, (committed.seq,)
        if self._presence.is_dead(device) and not _has_good(body):
            return Encoded((), covers)  # its death has said so of all values
        metrics = self._metrics(committed, body, is_historical=False)
        if not metrics:
            return Encoded((), covers)
        born = self._presence.open(device, now)
        return Encoded((*born, self._voice.values(device, metrics, now, covers)))

    def _history(
        self,
        committed: Committed,
        body: PropBody,
        now: Now,
        *,
        old: dict[DeviceId, _Old],
        draft: _Draft,
    ) -> None:
        device = committed.record.device
        metrics = self._metrics(committed, body, is_historical=True)
        if not metrics:
            draft.withheld.append(committed.seq)
            return
        size = sum(map(len, metrics))
        told = old.setdefault(device, _Old())
        if told.metrics and told.size + size > MESSAGE_BYTES:
            draft.add(self._told(device, told, now))
            told = old[device] = _Old()
        told.metrics += metrics
        told.covers.append(committed.seq)
        told.size += size

    def _told(self, device: DeviceId, old: _Old, now: Now) -> Encoded:
        born = self._presence.open(device, now)
        return Encoded((*born, self._voice.values(device, old.metrics, now, tuple(old.covers))))

    def _metrics(self, committed: Committed, body: PropBody, *, is_historical: bool) -> list[bytes]:
        known = self._board.of(committed.record.device)
        if known is None:
            return []
        ts_ms, marks, offsets = committed.record.ts_ms, body.marks, body.offsets_ms
        points = body.column.points
        in_time: Sequence[int] = range(len(points))
        if offsets is not None:  # metrics of a message stand in the order of their times
            in_time = sorted(in_time, key=offsets.__getitem__)
        return [
            known[points[at]].now(
                body.values[at],
                ts_ms if offsets is None else ts_ms + offsets[at],
                marks_of(GOOD if marks is None else marks[at]),
                is_historical=is_historical,
            )
            for at in in_time
            if points[at] in known
        ]

    # --- events

    def _event(self, committed: Committed, body: EventBody, now: Now) -> Encoded:
        properties: dict[str, Value | None] = {
            "eid": body.eid,
            "severity": body.severity,
            "state": body.state,
            "point": body.point,
            "value": body.value,
            "threshold": body.threshold,
            "duty": body.duty,
            "detail": body.detail,
        }
        owner, born, known = self._metric_of(committed, body.type, now)
        if owner != committed.record.device:
            properties["device"] = committed.record.device
        is_standing = stands(known, body.eid, is_cleared=body.state == "cleared")
        metric = known.now(is_standing, committed.record.ts_ms, _said(properties))
        return Encoded((*born, self._voice.data(owner, (metric,), now, (committed.seq,))))

    def _gap(self, committed: Committed, body: GapBody, now: Now) -> Encoded:
        properties: dict[str, Value | None] = {
            "lane": body.lane.value,
            "count": body.count,
            "cause": body.cause,
            "from": body.from_ms,
            "to": body.to_ms,
        }
        owner, born, known = self._metric_of(committed, GAP, now)
        metric = known.now(True, committed.record.ts_ms, _said(properties))  # noqa: FBT003 - a value
        return Encoded((*born, self._voice.data(owner, (metric,), now, (committed.seq,))))

    def _metric_of(
        self, committed: Committed, kind: str, now: Now
    ) -> tuple[DeviceId, tuple[Publication, ...], Known]:
        """Return who tells of a kind of event, the births that it needs first, and its metric.

        For a device that is no more the node tells.
        """
        device = committed.record.device
        owner = device if self._board.of(device) is not None else GATEWAY_ITSELF
        is_new = not self._board.has_event(owner, kind)
        known = self._board.event(owner, kind)
        speak = self._presence.renew if is_new else self._presence.open
        return owner, speak(owner, now), known

    # --- results of commands

    def _reply(self, committed: Committed, body: ReplyBody, now: Now) -> Encoded:
        """What a device reads back is its new values; a failure is an event, ended by a success."""
        device, covers = committed.record.device, (committed.seq,)
        if body.status == _ACCEPTED:
            return Encoded((), covers)
        read = [] if body.readback is None else self._read_back(committed, body.readback)
        is_new = body.status != _DONE
        if not is_new and not self._has_failed(device):
            if not read:
                return Encoded((), covers)
            born = self._presence.open(device, now)
            return Encoded((*born, self._voice.data(device, read, now, covers)))
        properties: dict[str, Value | None] = {
            "rid": body.rid,
            "status": body.status,
            "code": body.code,
            "message": body.message,
            "point": body.point,
            "value": body.value,
        }
        owner, born, known = self._metric_of(committed, FAILED, now)
        failed = known.now(is_new, committed.record.ts_ms, _said(properties))
        return Encoded((*born, self._voice.data(owner, (*read, failed), now, covers)))

    def _read_back(self, committed: Committed, readback: PropBody) -> list[bytes]:
        return self._metrics(committed, readback, is_historical=False)

    def _has_failed(self, device: DeviceId) -> bool:
        return (
            self._board.of(device) is not None
            and self._board.has_event(device, FAILED)
            and self._board.event(device, FAILED).value is True
        )


def _is_old(committed: Committed, body: PropBody, now: Now) -> bool:
    return not body.is_snapshot and now.ms - committed.record.ts_ms > HISTORY_AFTER_MS


def _has_good(body: PropBody) -> bool:
    return body.marks is None or any(mark.quality is Quality.GOOD for mark in body.marks)


def _said(properties: Mapping[str, Value | None]) -> dict[str, Value]:
    return {key: value for key, value in properties.items() if value is not None}
