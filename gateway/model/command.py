"""Commands on their way down, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import Value


class Op(StrEnum):
    """What a platform may ask."""

    SET = "set"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as a dialect understood it; nothing in it is checked yet except its shape."""

    sink: SinkName
    rid: str
    op: Op
    device: DeviceId
    values: tuple[tuple[PointId, Value], ...]
    """For `set`: exactly one point and value."""
    points: tuple[PointId, ...]
    """For `read`: the points asked for, () for all."""
    expires_ms: int | None
    by: str | None = None
    why: str | None = None


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
