"""Decide whether a command may be carried out: repetition, expiry, clock, allow-list, rate."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.commands.memory import Memory, Remembered
from gateway.model.clock import TimeQuality
from gateway.model.command import WRITING, Command, CommandRefused, Op
from gateway.model.ids import PointId
from gateway.settings.site_commands import Allow, Commands

MAX_EXPIRY_MS = 24 * 3600 * 1000
"""A command may not be valid for longer: its `rid` is remembered this long."""
MINUTE_S = 60.0
_MOVING = WRITING | {Op.ARM}


@dataclass(frozen=True, slots=True)
class Moment:
    """When a command arrived: wall clock with its quality, and monotonic seconds."""

    now_ms: int
    tq: TimeQuality
    now: float


class Repeated(Exception):
    """This `rid` was seen before; its receipt is sent again and nothing is done."""

    def __init__(self, receipt: Remembered) -> None:
        super().__init__(receipt.status)
        self.receipt = receipt


class Admission:
    """The door that every command passes, from whichever sink it came."""

    def __init__(self, settings: Commands, memory: Memory) -> None:
        """Take the allow-list of the site and the memory of command ids."""
        self.settings = settings
        self._memory = memory
        self._recent: deque[float] = deque()

    def check_time(self, command: Command, at: Moment) -> None:
        """Return when the command is new and in time.

        Raises:
            Repeated: its `rid` was seen before.
            CommandRefused: it is late; it moves something and has no end; it does more than read,
                and nobody knows how late it is.
        """
        known = self._memory.find(command.sink, command.rid, at.now_ms, command.same_for_ms)
        if known is not None:
            raise Repeated(known)
        if at.tq is TimeQuality.UNSYNC and command.op is not Op.READ:
            raise CommandRefused(
                "clock", "the gateway's clock is not synchronised: it may read and nothing else"
            )
        if command.op not in _MOVING:
            _check_not_late(command, at)
            return
        if command.expires_ms is None:
            raise CommandRefused("no_expiry", "a command that writes needs `exp`")
        _check_not_late(command, at)
        if command.expires_ms > at.now_ms + MAX_EXPIRY_MS:
            raise CommandRefused("expiry_too_far", "`exp` may lie at most 24 hours ahead")
        if self._memory.is_full(at.now_ms):
            raise CommandRefused("busy", "too many commands that are still valid were carried out")

    def rule(self, command: Command, point: PointId, at: Moment) -> Allow:
        """Return the line of the allow-list that lets this command have this point.

        Raises:
            CommandRefused: there is none, or `exp` lies further ahead than the line lets it.
        """
        for rule in self.settings.allow:
            if _covers(rule, command) and any(fnmatchcase(point, p) for p in rule.points):
                _check_valid(rule, command, at)
                return rule
        raise _not_allowed(command, point)

    def check_device(self, command: Command) -> None:
        """Return when some line of the allow-list speaks of this command's device and op.

        Raises:
            CommandRefused: none does; nothing else about the device is told.
        """
        if not any(_covers(rule, command) for rule in self.settings.allow):
            raise _not_allowed(command, PointId(command.function or "*"))

    def check_rate(self, now: float) -> None:
        """Count a command that is allowed. `now` is monotonic seconds.

        Raises:
            CommandRefused: too many came within a minute, from all platforms together.
        """
        while self._recent and now - self._recent[0] >= MINUTE_S:
            self._recent.popleft()
        if len(self._recent) >= self.settings.max_per_minute:
            raise CommandRefused(
                "rate", f"more than {self.settings.max_per_minute} commands in a minute"
            )
        self._recent.append(now)


def _check_not_late(command: Command, at: Moment) -> None:
    if command.expires_ms is not None and at.tq is not TimeQuality.UNSYNC:
        late_ms = at.now_ms - command.expires_ms
        if late_ms >= 0:
            raise CommandRefused("expired", f"expired {late_ms} ms before it arrived")


def _check_valid(rule: Allow, command: Command, at: Moment) -> None:
    if rule.max_valid_s is None or command.expires_ms is None or command.op is Op.READ:
        return
    if command.expires_ms > at.now_ms + rule.max_valid_s * 1000:
        text = f"`exp` may lie at most {rule.max_valid_s:g} s ahead here"
        raise CommandRefused("expiry_too_far", text)


def _not_allowed(command: Command, point: PointId) -> CommandRefused:
    return CommandRefused(
        "not_allowed",
        f"{command.op} of {command.device}/{point} is not on the allow-list "
        "(`commands: allow:` in the site file)",
    )


def _covers(rule: Allow, command: Command) -> bool:
    """Whether a line speaks of this command's op, device, sink and actor."""
    is_op = command.op in rule.ops or (command.op is Op.ARM and not WRITING.isdisjoint(rule.ops))
    return (
        is_op
        and fnmatchcase(command.device, rule.device)
        and any(fnmatchcase(command.sink, pattern) for pattern in rule.sinks)
        and any(pattern == "*" or _is_by(command, pattern) for pattern in rule.by)
    )


def _is_by(command: Command, pattern: str) -> bool:
    return command.by is not None and fnmatchcase(command.by, pattern)
