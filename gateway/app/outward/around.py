"""What every sink is given by the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.app.field.inbox import Inbox
from gateway.app.outward.postbox import Postbox
from gateway.dialects.contract import Birth, Dropped, Now
from gateway.model.clock import Clock
from gateway.model.command import BadCommand, Command
from gateway.model.ids import DeviceId, SinkName
from gateway.model.record import Committed, Record, StateChange


class Times(Protocol):
    """The timekeeper, as far as a sink needs it."""

    def is_lost(self) -> bool:
        """Whether the box has no time of day now."""
        ...

    def redated(self, committed: Committed) -> Committed:
        """Return the record with its real time, where its own is none."""
        ...


class TakesCommands(Protocol):
    """Where what a platform says goes. Nothing of it waits."""

    def put(self, command: Command | BadCommand) -> None:
        """Take a command."""
        ...

    def dropped(self, topic: str, sink: SinkName, dropped: Dropped) -> None:
        """Audit a message that was not obeyed; `topic` is `dropped` or `remark`."""
        ...

    def unheard(self, sink: SinkName, count: int) -> None:
        """Count messages that could not even be looked at."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What a sink is given by the house."""

    inbox: Inbox
    commands: TakesCommands
    clock: Clock
    keep: Callable[[Sequence[Record], Sequence[StateChange]], Awaitable[None]]
    """Commits records and state (what stands against a sink, and who was born on it)."""
    time: Times
    """Knows whether there is a time of day, and dates what was made without one."""
    post: Postbox = field(default_factory=Postbox)
    """Takes signed letters and what platforms say of the time; knows which configuration runs."""

    def now(self) -> Now:
        """Return the moment, for the dialect."""
        return Now(self.clock.now_ms(), self.clock.quality())


@dataclass(frozen=True, slots=True)
class Census:
    """The devices that a platform may know, and those it knew once."""

    births: tuple[Birth, ...]
    gone: frozenset[DeviceId]
