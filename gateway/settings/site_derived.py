"""A loaded site, the side of derived devices: what their points are made of.

A derived device is a `Device` as platforms see it, and no line has it. The address of each of its
points is a `Recipe`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.reading import Value

PROTOCOL = "derived"
NO_LINE = LineName("_")
"""Stands where other devices name their line; no line of a site has this id."""
PERSONAL = frozenset({"P1", "P2", "P3"})
"""Classes of inputs over which a group must not tell of one of its members."""
SENSITIVE = frozenset({"P2", "P3"})


class Op(StrEnum):
    """What is made of the inputs."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    BIN = "bin"
    """One input, made coarser in time or value."""


class Take(StrEnum):
    """What one input gives for the time between two marks."""

    DELTA = "delta"
    """How much a counter grew."""
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Input:
    """One point that a derived point is made of."""

    device: DeviceId
    point: PointId
    poll_s: float
    """How often it comes."""
    is_derived: bool = False

    def __str__(self) -> str:
        """Return it as in the site file."""
        return f"{self.device}/{self.point}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a derived point is made."""

    op: Op
    written: str
    """The inputs as the site file names them: a pattern over devices, and a point."""
    inputs: tuple[Input, ...]
    equals: Value | None = None
    """What is counted; None: everything that has a good value."""
    every_s: float | None = None
    """Made at fixed marks of the wall clock; None: whenever an input changes."""
    take: Take = Take.LAST
    """Only with `every_s`."""
    step: float | None = None
    """The value is rounded to a multiple of it."""
    min_group: int = 1
    """With fewer good members there is no value."""
    coverage: float = 0.0
    """Part of the members that must be good for a value; 0 to 1."""
    fresh_s: float = 180.0
    """A member that was not read for so long is not good any more; only without `every_s`."""
    is_guarded: bool = False
    """Whether two values in a row must not differ by fewer than `min_group` members."""

    @property
    def names(self) -> tuple[str, ...]:
        """What `derived_from` says: the inputs, or the pattern where they are many."""
        most = 16
        if len(self.inputs) > most:
            return (self.written,)
        return tuple(str(one) for one in self.inputs)
