"""Records to reports of an Alink platform: live values, history, events, states, replies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.dialects.alink.forms import Forms
from gateway.dialects.alink.logins import Desk
from gateway.dialects.alink.names import Name
from gateway.dialects.alink.pack import Packer, Piece
from gateway.dialects.alink.pending import Parts, Pending, Sent
from gateway.dialects.alink.reply import Replies
from gateway.dialects.alink.session import Sessions
from gateway.dialects.alink.text import Happening, Property, Writer
from gateway.dialects.contract import Encoded, Now, RefusedRecords
from gateway.dialects.json_text import text
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
from gateway.model.quality import GOOD, Quality
from gateway.model.record import (
    Committed,
    EventBody,
    GapBody,
    Lane,
    PropBody,
    ReplyBody,
    StateBody,
)

BACKFILL_AFTER_MS = 30_000
"""Telemetry older than this is history (contract)."""
AHEAD_MS = 24 * 3600 * 1000
"""A `time` may lie at most so far ahead (domain.md §2.3, S1)."""
BAD_QUALITY = "bad_quality"
"""Event of a device whose values are not good, with `quality: event`."""
QUALITY_SUFFIX = "_q"


class _Refused(Exception):
    """The platform would not take this record; the text is for people."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What reports are made with."""

    desk: Desk
    writer: Writer
    sessions: Sessions
    pending: Pending
    replies: Replies
    wants_reply: bool
    """`ack: app`: the platform shall confirm each report."""


@dataclass(slots=True)
class _Made:
    """What came of a batch so far."""

    publications: list[Publication] = field(default_factory=list[Publication])
    withheld: list[int] = field(default_factory=list[int])
    refused: dict[tuple[Lane, str], list[int]] = field(
        default_factory=dict[tuple[Lane, str], list[int]]
    )


class Batch:
    """Encodes one batch. Made for each, so that nothing is left over from a record that failed."""

    def __init__(self, tools: Tools, now: Now, *, is_backfill: bool) -> None:
        """Take the tools, the moment, and whether these records are old."""
        profile = tools.desk.profile
        self._tools = tools
        self._profile = profile
        self._now = now
        self._is_backfill = is_backfill
        self._made = _Made()
        self._lane = Lane.TELEMETRY
        self._ep = 0
        self._live = Packer(profile.limits, is_history=False)
        self._own = Packer(profile.limits, is_history=False)
        self._history = Packer(profile.history_limits, is_history=True)
        self._forms = Forms(profile.form, tools.desk.names, tools.writer)
        self._parts: dict[int, Parts] = {}
        self._ids: set[str] = set()

    def encode(self, items: Sequence[Committed]) -> Encoded:
        """Return the messages for these records."""
        for item in items:
            if item.ep != self._ep:
                self._flush()
            self._lane, self._ep = item.record.lane, item.ep
            goes_alone = self._tools.pending.goes_alone(item)
            if goes_alone:
                self._flush()
            try:
                self._one(item)
            except _Refused as why:
                self._made.refused.setdefault((self._lane, str(why)), []).append(item.seq)
            if goes_alone:
                self._flush()
        self._flush()
        made = self._made
        refused = [
            RefusedRecords(lane, tuple(seqs), why) for (lane, why), seqs in made.refused.items()
        ]
        return Encoded(tuple(made.publications), tuple(made.withheld), tuple(refused))

    def _one(self, item: Committed) -> None:
        record = item.record
        match record.body:
            case PropBody() as body:
                self._values(item, body)
            case EventBody() as body:
                self._event(item, self._tools.writer.event(body, record.ts_ms))
            case StateBody() as body:
                self._state(item, body)
            case ReplyBody() as body:
                self._reply(item, body)
            case GapBody() as body:
                self._gap(item, body)
            case _:
                self._made.withheld.append(item.seq)

    # --- records

    def _values(self, item: Committed, body: PropBody) -> None:
        record = item.record
        name = self._name(record.device)
        properties = self._properties(item, body)
        events = self._bad_quality(item, body)
        is_old = self._now.ms - record.ts_ms > BACKFILL_AFTER_MS and not body.is_snapshot
        is_history = (self._is_backfill or is_old) and self._profile.history is not None
        is_untold = (self._is_backfill or is_old) and not (is_history or self._profile.is_timed)
        if is_untold or not (properties or events):
            self._made.withheld.append(item.seq)
            return
        self._check_times([each.ms for each in properties])
        alone = () if self._is_packed(name) else events
        packed = () if alone else events
        if properties or packed:
            piece = Piece(item.seq, name, properties, packed, is_end=not alone)
            self._gather(piece, is_history=is_history)
        for event in alone:
            self._say_event(item, name, event)

    def _properties(self, item: Committed, body: PropBody) -> tuple[Property, ...]:
        """Return the good values; with `quality: suffix` a number beside each that is not."""
        names = self._tools.desk.names.points(item.record.device)
        has_suffix = self._tools.desk.options.quality == "suffix"
        found: list[Property] = []
        for index, point in enumerate(body.column.points):
            value = body.values[index]
            mark = GOOD if body.marks is None else body.marks[index]
            offset_ms = 0 if body.offsets_ms is None else body.offsets_ms[index]
            ms, identifier = item.record.ts_ms + offset_ms, names.theirs(point)
            if value is not None and mark.quality is Quality.GOOD:
                found.append(Property(identifier, self._tools.writer.value(value), ms))
            elif has_suffix:
                found.append(Property(identifier + QUALITY_SUFFIX, str(mark.quality.value), ms))
        return tuple(found)

    def _bad_quality(self, item: Committed, body: PropBody) -> tuple[Happening, ...]:
        """Return an event that names what is not good, with `quality: event`."""
        if self._tools.desk.options.quality != "event" or body.marks is None:
            return ()
        names = self._tools.desk.names.points(item.record.device)
        bad = [
            (names.theirs(point), str(mark.reason or mark.quality.name.lower()))
            for point, mark in zip(body.column.points, body.marks, strict=True)
            if mark != GOOD
        ]
        if not bad:
            return ()
        fields = {"p": ",".join(p for p, _ in bad), "reason": ",".join(why for _, why in bad)}
        outputs = self._tools.writer.outputs(fields)
        return (Happening(BAD_QUALITY, outputs, item.record.ts_ms),)

    def _event(self, item: Committed, event: Happening, device: DeviceId | None = None) -> None:
        name = self._name(item.record.device if device is None else device)
        self._check_times([event.ms])
        if self._is_packed(name):
            self._gather(Piece(item.seq, name, (), (event,)), is_history=False)
        else:
            self._say_event(item, name, event)

    def _state(self, item: Committed, body: StateBody) -> None:
        device, sessions = item.record.device, self._tools.sessions
        if device == GATEWAY_ITSELF:
            self._made.withheld.append(item.seq)
        elif sessions.has_logins:
            if self._tools.desk.names.of(device) is None:
                raise _Refused(self._tools.desk.names.why_none(device))
            self._flush()
            told = sessions.told(device, item.seq, self._now.ms, is_online=body.is_online)
            self._made.publications.extend(told)
            if not told and body.is_online and (why := sessions.why_refused(device)):
                raise _Refused(why)
            if not told:
                self._made.withheld.append(item.seq)
        elif event := self._tools.desk.options.state_event:
            self._event(item, self._tools.writer.state(event, body, item.record.ts_ms))
        else:
            self._made.withheld.append(item.seq)

    def _reply(self, item: Committed, body: ReplyBody) -> None:
        self._flush()
        device = item.record.device
        found = None
        if body.status != "accepted":
            found = self._tools.replies.reply(body, device)
        if found is None:
            self._made.withheld.append(item.seq)
            return
        topic, payload = found
        covers = (item.seq,)
        self._made.publications.append(
            Publication(topic, payload.encode(), self._lane, covers, broker_is_enough=True)
        )

    def _gap(self, item: Committed, body: GapBody) -> None:
        event = self._tools.desk.options.gap_event
        if not event:
            self._made.withheld.append(item.seq)
            return
        gap = self._tools.writer.gap(event, body, item.ep, item.record.ts_ms)
        self._event(item, gap, GATEWAY_ITSELF)

    # --- whether it may go

    def _name(self, device: DeviceId) -> Name:
        """Return the platform's name of a device that it has let in. Raises _Refused."""
        names = self._tools.desk.names
        name = names.of(device)
        if name is None:
            raise _Refused(names.why_none(device))
        why = self._tools.sessions.why_refused(device)
        if why is not None:
            raise _Refused(why)
        return name

    def _check_times(self, times_ms: Iterable[int]) -> None:
        if max(times_ms, default=0) > self._now.ms + AHEAD_MS:
            raise _Refused("its time lies more than 24 h ahead of the clock")

    def _is_packed(self, name: Name) -> bool:
        """Whether events of a device go with its values, not in a message of their own."""
        return self._profile.events_in_pack and name != self._tools.desk.names.own

    # --- messages

    def _gather(self, piece: Piece, *, is_history: bool) -> None:
        is_own = piece.name == self._tools.desk.names.own and self._profile.post is not None
        if is_history:
            for full in self._history.add(piece):
                self._say_history(full)
        elif is_own:
            for full in self._own.add(piece):
                self._say_own(full)
        else:
            for full in self._live.add(piece):
                self._say_pack(full)

    def _flush(self) -> None:
        """Let go of everything gathered: what comes next must come behind it."""
        for full in self._own.flush():
            self._say_own(full)
        for full in self._live.flush():
            self._say_pack(full)
        for full in self._history.flush():
            self._say_history(full)

    def _say_own(self, pieces: Sequence[Piece]) -> None:
        properties = [each for piece in pieces for each in piece.properties]
        self._say(self._profile.post or "", self._forms.own(properties), pieces)

    def _say_pack(self, pieces: Sequence[Piece]) -> None:
        self._say(self._profile.pack, self._forms.pack(pieces), pieces)

    def _say_history(self, pieces: Sequence[Piece]) -> None:
        self._say(self._profile.history or "", self._forms.history(pieces), pieces)

    def _say_event(self, item: Committed, name: Name, event: Happening) -> None:
        self._flush()
        path = self._profile.event.format(event.name)
        params = self._tools.writer.event_alone(event)
        self._say(path, params, [Piece(item.seq, name)], name)

    def _say(
        self, path: str, params: str, pieces: Sequence[Piece], name: Name | None = None
    ) -> None:
        """Make one report. It covers the records that end in it; the others go on in the next."""
        seqs = tuple(dict.fromkeys(piece.seq for piece in pieces))
        covers = tuple(dict.fromkeys(piece.seq for piece in pieces if piece.is_end))
        id_ = self._id(seqs)
        profile, names = self._profile, self._tools.desk.names
        head, tail = "", ""
        if profile.has_method:
            head = f'"sys":{{"ack":{int(self._tools.wants_reply)}}},'
            tail = f',"method":{text(profile.method(path))}'
        payload = f'{{"id":{text(id_)},"version":"1.0",{head}"params":{params}{tail}}}'
        topic = names.topic(path, name)
        self._made.publications.append(Publication(topic, payload.encode(), self._lane, covers))
        found = [names.whose(piece.name) for piece in pieces]
        devices = tuple(dict.fromkeys(device for device in found if device is not None))
        parts = tuple(self._parts.setdefault(seq, Parts(seq)) for seq in seqs)
        self._tools.pending.note(id_, Sent(self._ep, self._lane, parts, devices))

    def _id(self, seqs: Sequence[int]) -> str:
        """Return the id of a report: the identity of its records, or a number."""
        if self._profile.has_numeric_ids:
            ids = self._tools.desk.ids
            write = ids.short if self._profile.has_short_ids else ids.number
            return write(self._now.ms)
        span = str(seqs[0]) if len(seqs) == 1 else f"{seqs[0]}-{seqs[-1]}"
        id_ = f"{self._ep}-{span}"
        part = 1
        while id_ in self._ids:
            part += 1
            id_ = f"{self._ep}-{span}.{part}"
        self._ids.add(id_)
        return id_
