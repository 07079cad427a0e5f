"""The one page for authors of a rule: what it is given, and what it may say.

A rule is one module of this folder that defines `RULE = RuleSpec(...)`; `registry` finds it. It is
a pure machine: readings and loop time in, events, marks and small state out. A rule may make a
mark worse, and never changes a value. What it wants back after a restart it says as
`StateChange`s of its own room (the name in its spec); they are committed with the records that
they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import IntEnum
from typing import Any, Protocol

from gateway.model.ids import DeviceId
from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import Readings, Value
from gateway.model.record import EventBody, StateChange
from gateway.settings.site import Device


class Stage(IntEnum):
    """Order in which rules see a batch: who marks comes before who judges by the marks."""

    IDENTITY = 0
    MARK = 1
    JUDGE = 2


@dataclass(frozen=True, slots=True)
class Raised:
    """What a rule says about one batch of readings."""

    events: tuple[EventBody, ...]
    changes: tuple[StateChange, ...]
    marks: tuple[Mark, ...] | None = None
    """The marks that the readings have from now on; None: those that they had."""
    is_exchanged: bool = False
    """Another device answers at this address from this batch on: all rules are told."""


NOTHING = Raised((), ())


@dataclass(frozen=True, slots=True)
class Orphan:
    """The end of an event that nothing watches any more, and what to forget."""

    device: DeviceId
    event: EventBody
    change: StateChange


class Rule(Protocol):
    """One kind of rule over the whole site."""

    def watches(self, readings: Readings) -> bool:
        """Whether it has anything to do with a job; asked once for each, not at every poll."""
        ...

    def step(self, readings: Readings, now: float) -> Raised:
        """Return what these readings mean. `now` is monotonic seconds."""
        ...

    def exchanged(self, device: DeviceId) -> None:
        """Another device answers in this one's place: what was known of it tells nothing more."""
        ...

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; `touched` devices are gone or changed."""
        ...

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events that nothing in the site watches any more."""
        ...

    def standing(self) -> Mapping[str, str]:
        """Return its events that stand: `device/point/type` to event id."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """What a rule is made of."""

    devices: Mapping[DeviceId, Device]
    saved: Mapping[str, Any]
    """What it said by `StateChange` in the last run."""
    new_eid: Callable[[], str]
    """Makes unique event ids."""
    zone: tzinfo = UTC
    """Of the site: what a clock on its walls shows."""


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as its module offers it."""

    room: str
    """Name under which its state is kept over a restart."""
    stage: Stage
    make: Callable[[Setup], Rule]


def good_number(readings: Readings, index: int) -> float | None:
    """Return a value to reckon with; None where it is not good or no number."""
    value = readings.values[index]
    if isinstance(value, bool | str) or value is None:
        return None
    if readings.marks is not None and readings.marks[index].quality is not Quality.GOOD:
        return None
    return value


def with_mark(readings: Readings, marked: Mapping[int, Mark]) -> tuple[Mark, ...]:
    """Return the marks of the readings with some of them replaced; bad ones stay as they are."""
    marks = list(readings.marks or (GOOD,) * len(readings.values))
    for index, mark in marked.items():
        if marks[index].quality is Quality.GOOD:
            marks[index] = mark
    return tuple(marks)


def both(begin: EventBody, end: str) -> tuple[EventBody, EventBody]:
    """Return an event that is over as soon as it is told, with what became of it."""
    return begin, ended(begin, begin.value, end)


def ended(begun: EventBody, value: Value | None, detail: str) -> EventBody:
    """Return the end of an event, with its id."""
    return EventBody(
        begun.eid,
        begun.type,
        begun.severity,
        "cleared",
        begun.point,
        value,
        begun.threshold,
        begun.duty,
        detail,
    )
