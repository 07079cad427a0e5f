"""What every sink is given by the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.app.inbox import Inbox
from gateway.dialects.contract import Birth, Now
from gateway.model.clock import Clock
from gateway.model.command import BadCommand, Command
from gateway.model.ids import DeviceId
from gateway.model.record import Committed, Record, StateChange


class Times(Protocol):
    """The timekeeper, as far as a sink needs it."""

    def is_lost(self) -> bool:
        """Whether the box has no time of day now."""
        ...

    def redated(self, committed: Committed) -> Committed:
        """Return the record with its real time, where its own is none."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What a sink is given by the house."""

    inbox: Inbox
    take_command: Callable[[Command | BadCommand], None]
    clock: Clock
    keep: Callable[[Sequence[Record], Sequence[StateChange]], Awaitable[None]]
    """Commits records and state (the audit of what a platform sent, and who was born on it)."""
    time: Times
    """Knows whether there is a time of day, and dates what was made without one."""

    def now(self) -> Now:
        """Return the moment, for the dialect."""
        return Now(self.clock.now_ms(), self.clock.quality())


@dataclass(frozen=True, slots=True)
class Census:
    """The devices that a platform may know, and those it knew once."""

    births: tuple[Birth, ...]
    gone: frozenset[DeviceId]
