"""A loaded site, the side of commands: who may ask for what, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.model.ids import DeviceId, PointId
from gateway.model.reading import Value


@dataclass(frozen=True, slots=True)
class Interlock:
    """A condition over the newest value of a point: exactly one of equals, above and below."""

    device: DeviceId
    point: PointId
    equals: Value | None = None
    above: float | None = None
    below: float | None = None
    max_age_s: float | None = None
    """An older value says nothing. None: three polls of the point, and at least five seconds."""

    def holds(self, value: Value) -> bool:
        """Return whether this value meets the condition."""
        if self.equals is not None:
            return value == self.equals and isinstance(value, bool) == isinstance(self.equals, bool)
        if isinstance(value, bool | str):
            return False
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below

    def __str__(self) -> str:
        """Return it as people read it."""
        limits = (("=", self.equals), (">", self.above), ("<", self.below))
        said = next(f"{sign} {limit}" for sign, limit in limits if limit is not None)
        return f"{self.device}/{self.point} {said}"


@dataclass(frozen=True, slots=True)
class Allow:
    """One line of the command allow-list. Devices, points, sinks and actors are glob patterns.

    The first line that fits a command counts, with all that it says.
    """

    device: str
    points: tuple[str, ...]
    ops: tuple[str, ...]
    sinks: tuple[str, ...] = ("*",)
    by: tuple[str, ...] = ("*",)
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    """Values are `minimum`, or 0, and whole steps from there."""
    values: tuple[Value, ...] = ()
    """The only values; () for all that the profile takes."""
    every_s: float | None = None
    """Shortest time between two writes of one point."""
    max_per_hour: int | None = None
    """Of one point."""
    max_valid_s: float | None = None
    """`exp` may lie so far ahead."""
    unless: tuple[Interlock, ...] = ()
    """None of these may hold."""
    only_if: tuple[Interlock, ...] = ()
    """All of these must hold."""
    is_dangerous: bool = False
    """The local consent to points whose profile says dangerous."""
    arm: Literal["auto", "token", "none"] = "auto"
    """Whether a write needs a token: dangerous points only, all, or none."""


@dataclass(frozen=True, slots=True)
class Commands:
    """What the platform may do; nothing unless the site file says so."""

    allow: tuple[Allow, ...] = ()
    max_per_minute: int = 60
