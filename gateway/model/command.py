"""Commands on their way down, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import Value


class Op(StrEnum):
    """What a platform may ask."""

    SET = "set"
    """Write one point."""
    CALL = "call"
    """Do what a device is made for (`commands:` of its kind): the same as a write, by name."""
    READ = "read"
    """Read points now."""
    ARM = "arm"
    """Ask for the one-time token that a dangerous `set` or `call` must bring."""
    EVENT_ACK = "event_ack"
    """Somebody has seen a standing event."""


WRITING = frozenset({Op.SET, Op.CALL})
"""What moves something; `arm` prepares it."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command as a dialect understood it; nothing in it is checked yet except its shape."""

    sink: SinkName
    rid: str
    op: Op
    device: DeviceId
    values: tuple[tuple[PointId, Value], ...]
    """For `set` and `arm`: exactly one point and value."""
    points: tuple[PointId, ...]
    """For `read`: the points asked for, () for all."""
    expires_ms: int | None
    by: str | None = None
    """Who asks, as the platform says."""
    why: str | None = None
    function: str | None = None
    """For `call`: the point that is a command, or a word that only one of them takes."""
    arguments: tuple[tuple[str, Value], ...] = ()
    """For `call`: `value`, where the function needs one."""
    token: str | None = None
    """What an `arm` was answered with."""
    event: str | None = None
    """For `event_ack`: the id of the event."""
    is_dry: bool = False
    """Everything is checked, and nothing done."""
    same_for_ms: int | None = None
    """For so long its `rid` names this request and no other: the platform counts its requests anew
    some day. None: for as long as ids are remembered."""


@dataclass(frozen=True, slots=True)
class BadCommand:
    """A message that is no command; answered when it has a `rid`, audited always."""

    sink: SinkName
    rid: str | None
    device: DeviceId
    code: str
    message: str


class CommandRefused(Exception):
    """The gateway will not carry it out; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
