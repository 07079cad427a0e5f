"""Decide whether a command may be carried out: allow-list, expiry, clock, rate, repetition."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.commands.memory import Memory, Remembered
from gateway.model.clock import TimeQuality
from gateway.model.command import Command, CommandRefused, Op
from gateway.model.ids import PointId
from gateway.settings.site_sinks import Allow, Commands

MAX_EXPIRY_MS = 24 * 3600 * 1000
"""A command may not be valid for longer: its `rid` is remembered this long."""


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

    def admit(self, command: Command, at: Moment) -> None:
        """Return when the command may be carried out.

        Raises:
            Repeated: its `rid` was seen before.
            CommandRefused: it may not; the code says why.
        """
        known = self._memory.find(command.sink, command.rid)
        if known is not None:
            raise Repeated(known)
        self._check_time(command, at)
        points = [point for point, _ in command.values] or list(command.points) or [PointId("*")]
        for point in points:
            if not self._is_allowed(command, point):
                raise CommandRefused(
                    "not_allowed",
                    f"{command.op} of {command.device}/{point} is not on the allow-list "
                    "(`commands: allow:` in the site file)",
                )
        self._check_rate(at.now)

    def _is_allowed(self, command: Command, point: PointId) -> bool:
        return any(_covers(rule, command, point) for rule in self.settings.allow)

    def _check_time(self, command: Command, at: Moment) -> None:
        if command.op is Op.READ:
            return
        if at.tq is TimeQuality.UNSYNC:
            raise CommandRefused(
                "clock", "the gateway's clock is not synchronised: it may read and nothing else"
            )
        if command.expires_ms is None:
            raise CommandRefused("no_expiry", "a command that writes needs `exp`")
        if command.expires_ms <= at.now_ms:
            raise CommandRefused(
                "expired", f"expired {at.now_ms - command.expires_ms} ms before it arrived"
            )
        if command.expires_ms > at.now_ms + MAX_EXPIRY_MS:
            raise CommandRefused("expiry_too_far", "`exp` may lie at most 24 hours ahead")

    def _check_rate(self, now: float) -> None:
        while self._recent and now - self._recent[0] >= 60:  # noqa: PLR2004 - a minute
            self._recent.popleft()
        if len(self._recent) >= self.settings.max_per_minute:
            raise CommandRefused(
                "rate", f"more than {self.settings.max_per_minute} commands in a minute"
            )
        self._recent.append(now)


def _covers(rule: Allow, command: Command, point: PointId) -> bool:
    return (
        command.op in rule.ops
        and fnmatchcase(command.device, rule.device)
        and any(fnmatchcase(point, pattern) for pattern in rule.points)
        and any(fnmatchcase(command.sink, pattern) for pattern in rule.sinks)
    )
