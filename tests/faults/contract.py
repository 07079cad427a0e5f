"""The one page for authors of a row: what a row says, what it is given, and what it answers.

A module of `tests/faults/rows/` that defines `ROW = Row(...)` is one row of the matrix. It is found
by its folder: adding one makes a new file and edits none. `python -m tests.faults` runs them all
and writes one report; rows with a `short` form run in `make test` too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Judgement(StrEnum):
    """What a row found."""

    HOLDS = "holds"
    FAILS = "fails"
    NOT_HERE = "cannot be injected here"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a row: its judgement, one figure for people, and all figures for machines."""

    judgement: Judgement
    figure: str
    """What was measured, in one line: `200 kills, 1,003,112 readings, 0 lost`."""
    figures: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a row runs: an empty folder of its own, a seed, and how much of it is wanted."""

    folder: Path
    seed: int
    is_short: bool
    """True in `make test`: seconds, not minutes. The same fault, fewer times."""

    def times(self, full: int, short: int) -> int:
        """Return how often the fault is to be injected."""
        return short if self.is_short else full


@dataclass(frozen=True, slots=True)
class Row:
    """One fault of the matrix."""

    id: str
    """U1 .. U16, P1 .. P7, D1 .. D7, F1 .. F12, or a name of our own."""
    fault: str
    tool: str
    """What injects it: `mosquitto acl_file`, `ext4 shutdown ioctl`, `libfaketime`, …"""
    must_hold: str
    goal: str
    """The figure that is asked for."""
    run: Callable[[Stage], Verdict]
    """Raises AssertionError where something that must hold does not."""
    has_short: bool = True
    """Whether it also runs in `make test`, in its short form; not where that takes half a minute,
    or where other work on the machine would decide it."""
    timeout_s: float = 300.0
    """After which the short form is given up."""


def holds(figure: str, **figures: Any) -> Verdict:
    """Return the verdict of a row that held."""
    return Verdict(Judgement.HOLDS, figure, figures)


def not_here(why: str) -> Verdict:
    """Return the verdict of a row whose fault this machine does not let us inject."""
    return Verdict(Judgement.NOT_HERE, why)
