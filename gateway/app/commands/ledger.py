"""The audit entries and receipts of commands, with what must not stand in them blanked."""

from __future__ import annotations

import re
from hashlib import sha256

from gateway.app.commands.act import Done
from gateway.commands.audit import Chain
from gateway.commands.memory import Owed
from gateway.dialects.contract import Dropped
from gateway.model.clock import Clock
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId, SinkName
from gateway.model.reading import Value
from gateway.model.record import LogBody, Record, ReplyBody, StateChange
from gateway.privacy.transform import is_let_out, transform_of
from gateway.rules.report import point_of
from gateway.settings.site import Device, Point, Site

BLANK = "***"
MOST_TEXT = 512
"""Characters of a field of an entry, and of why: names and topics are as long as strangers like."""
_ACTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}")
"""What looks like an account or a role is shown to everyone; a name of a person is not."""


class Ledger:
    """Makes the records that a command leaves behind."""

    def __init__(self, site: Site, clock: Clock, chain: Chain) -> None:
        """Take the site, which says what is personal; the clock; and the chain of entries."""
        self.site = site
        self._clock = clock
        self._chain = chain

    def audit(self, command: Command, status: str, code: str | None) -> tuple[Record, StateChange]:
        """Return the entry for a command, and what to save with it.

        Values that are personal, or that some platform of this site may not see, are blanked:
        audit entries go to all of them.
        """
        detail = self._what(command) if code is None else f"{code}: {self._what(command)}"
        return self._entry(
            command.device,
            (
                ("rid", command.rid),
                ("sink", str(command.sink)),
                ("by", actor(command.by)),
                ("op", command.op.value),
                ("status", status),
                ("detail", detail),
            ),
        )

    def mark(self, command: Command) -> str:
        """Return a short text that differs where two commands ask for different things.

        It is kept for a day, so that values of personal points are not in it.
        """
        device, function = command.device, PointId(command.function or "")
        asked = (
            device,
            command.op.value,
            [(point, self._marked(device, point, value)) for point, value in command.values],
            command.points,
            self._word(device, function),
            [(name, self._marked(device, function, value)) for name, value in command.arguments],
            command.event,
            command.is_dry,
        )
        return sha256(repr(asked).encode()).hexdigest()[:8]

    def _marked(self, device: DeviceId, id_: PointId, value: Value) -> Value:
        point = self._point(device, id_)
        return _plain(value) if point is not None and _is_of_things(point) else BLANK

    def _word(self, device: DeviceId, function: PointId) -> str:
        """Return what is called; a word that is no point stands for a value of one."""
        if self._point(device, function) is not None:
            return function
        known = self.site.all_devices.get(device)
        commands = [point for point in known.points if point.is_command] if known else []
        return function if all(map(_is_of_things, commands)) else BLANK

    def _point(self, device: DeviceId, id_: PointId) -> Point | None:
        known = self.site.all_devices.get(device)
        return None if known is None else point_of(known, id_)

    def is_personal(self, command: Command) -> bool:
        """Whether a value that is to be written tells of a person."""
        ids = [*(point for point, _ in command.values), PointId(command.function or "")]
        points = [self._point(command.device, id_) for id_ in ids]
        is_word = command.function is not None and points[-1] is None
        return is_word or any(one is not None and not _is_of_things(one) for one in points)

    def audit_bad(self, bad: BadCommand) -> tuple[Record, StateChange]:
        """Return the entry for what was no command."""
        return self._entry(
            bad.device,
            (
                ("rid", bad.rid or "-"),
                ("sink", str(bad.sink)),
                ("status", "rejected"),
                ("detail", bad.code),
            ),
        )

    def audit_owed(self, owed: Owed) -> tuple[Record, StateChange]:
        """Return the entry for what a cut left half done, or not begun."""
        return self._entry(
            DeviceId(owed.entry.owed_by or GATEWAY_ITSELF),
            (
                ("rid", owed.rid),
                ("sink", str(owed.sink)),
                ("status", owed.entry.status),
                ("detail", owed.entry.code or "-"),
            ),
        )

    def audit_untold(self, fields: tuple[tuple[str, str], ...]) -> tuple[Record, StateChange]:
        """Return the entry for a flood that is not told one by one."""
        return self._entry(GATEWAY_ITSELF, fields)

    def audit_dropped(
        self, topic: str, sink: SinkName, dropped: Dropped
    ) -> tuple[Record, StateChange]:
        """Return the entry for a message that was not obeyed; `topic` is dropped or remark."""
        fields = (("sink", str(sink)), ("topic", dropped.topic), ("reason", dropped.reason))
        return self._entry(GATEWAY_ITSELF, fields, topic)

    def reply(self, command: Command, done: Done) -> Record:
        """Return the receipt, for the platform that asked and no other."""
        body = ReplyBody(
            command.rid, done.status, done.code, done.message, done.point, done.value, done.readback
        )
        return self._record(command.device, body, command.sink)

    def reply_owed(self, owed: Owed) -> Record:
        """Return the receipt of what a cut left half done, or not begun."""
        entry = owed.entry
        body = ReplyBody(owed.rid, entry.status, entry.code, entry.message)
        return self._record(DeviceId(entry.owed_by or GATEWAY_ITSELF), body, owed.sink)

    def reply_bad(self, bad: BadCommand) -> Record | None:
        """Return the receipt of what was no command; None where it had no `rid`."""
        if bad.rid is None:
            return None
        reply = ReplyBody(bad.rid, "rejected", bad.code, _cut(bad.message))
        return self._record(bad.device, reply, bad.sink)

    def _entry(
        self, device: DeviceId, fields: tuple[tuple[str, str], ...], topic: str = "command"
    ) -> tuple[Record, StateChange]:
        body, change = self._chain.entry(device, ((key, _cut(said)) for key, said in fields), topic)
        return self._record(device, body, None), change

    def _record(self, device: DeviceId, body: ReplyBody | LogBody, sink: SinkName | None) -> Record:
        return Record(device, self._clock.now_ms(), self._clock.quality(), body, sink)

    def _what(self, command: Command) -> str:
        match command.op:
            case Op.SET | Op.ARM:
                return ", ".join(
                    f"{point}={self._shown(command.device, point, value)}"
                    for point, value in command.values
                )
            case Op.CALL:
                return self._called(command)
            case Op.READ:
                return "read " + (", ".join(command.points[:8]) or "all")
            case Op.EVENT_ACK:
                return f"event {command.event}"

    def _called(self, command: Command) -> str:
        """A word that stands for a value is one: it is blanked like it."""
        function = PointId(command.function or "")
        device = self.site.all_devices.get(command.device)
        if device is None or point_of(device, function) is None:
            open_ones = (p for p in device.points if p.is_command) if device else ()
            is_open = device is None or all(self._is_open(device, p) for p in open_ones)
            return f"{function if is_open else BLANK}()"
        values = (
            f"{name}={self._shown(command.device, function, value)}"
            for name, value in command.arguments
        )
        return f"{function}({', '.join(values)})"

    def _shown(self, device: DeviceId, point: PointId, value: Value) -> str:
        found = self._point(device, point)
        known = self.site.all_devices.get(device)
        is_open = known is not None and found is not None and self._is_open(known, found)
        return str(value) if is_open else BLANK

    def _is_open(self, device: Device, point: Point) -> bool:
        """Whether every platform of the site may see the values of a point as they are."""
        return _is_of_things(point) and all(
            point.level <= sink.max_level
            and is_let_out(sink, device, point)
            and transform_of(sink, device, point) is None
            for sink in self.site.sinks.values()
        )


def _is_of_things(point: Point) -> bool:
    """Whether values of a point tell nothing of a person."""
    return point.personal in {"P0", "P1"}


def _plain(value: Value) -> Value:
    """Return a number as it is however a platform writes it."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _cut(said: str) -> str:
    return said if len(said) <= MOST_TEXT else said[: MOST_TEXT - 1] + "…"


def actor(by: str | None) -> str:
    """Return who asked as everyone may see it."""
    if by is None:
        return "-"
    return by if _ACTOR.fullmatch(by) else BLANK
