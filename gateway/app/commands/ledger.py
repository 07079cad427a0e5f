"""The audit entries and receipts of commands, with what must not stand in them blanked."""

from __future__ import annotations

import re

from gateway.app.commands.act import Done
from gateway.commands.audit import Chain
from gateway.dialects.contract import Dropped
from gateway.model.clock import Clock
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId, SinkName
from gateway.model.reading import Value
from gateway.model.record import LogBody, Record, ReplyBody, StateChange
from gateway.rules.report import point_of
from gateway.settings.site import Point, Site

BLANK = "***"
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

    def reply_bad(self, bad: BadCommand) -> Record | None:
        """Return the receipt of what was no command; None where it had no `rid`."""
        if bad.rid is None:
            return None
        reply = ReplyBody(bad.rid, "rejected", bad.code, bad.message)
        return self._record(bad.device, reply, bad.sink)

    def _entry(
        self, device: DeviceId, fields: tuple[tuple[str, str], ...], topic: str = "command"
    ) -> tuple[Record, StateChange]:
        body, change = self._chain.entry(device, fields, topic)
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
            return f"{function}()" if all(self._is_open(p) for p in open_ones) else f"{BLANK}()"
        values = (
            f"{name}={self._shown(command.device, function, value)}"
            for name, value in command.arguments
        )
        return f"{function}({', '.join(values)})"

    def _shown(self, device: DeviceId, point: PointId, value: Value) -> str:
        known = self.site.all_devices.get(device)
        found = None if known is None else point_of(known, point)
        return str(value) if found is not None and self._is_open(found) else BLANK

    def _is_open(self, point: Point) -> bool:
        lowest = min((sink.max_level for sink in self.site.sinks.values()), default="L1")
        return point.personal in {"P0", "P1"} and point.level <= lowest


def actor(by: str | None) -> str:
    """Return who asked as everyone may see it."""
    if by is None:
        return "-"
    return by if _ACTOR.fullmatch(by) else BLANK
