"""The one page for authors of a form of inventory: what is handed to it, and what it returns.

A module of this folder that defines `FORM = Form(...)` is one; its file name is the name that
`linli inventory --as` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.model.ids import PointId
from gateway.settings.site import Device, Gateway, Point, ValueType
from gateway.settings.site_place import Position
from gateway.settings.site_sinks import Sink

NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Happening:
    """A type of event that a device may send, and the first point that raises it."""

    type: str
    severity: int
    """The highest of all its points."""
    point: Point


@dataclass(frozen=True, slots=True)
class Thing:
    """One device as the reader of the inventory may know it: points and places passed the door."""

    device: Device
    points: tuple[Point, ...]
    """Those of the births: points whose values come, or that may be written."""
    places: Mapping[str, str]
    position: Position | None
    telling: tuple[Point, ...] = ()
    """Points whose events come; of some of them the values stay at the site."""
    transforms: Mapping[PointId, str] = field(default_factory=dict[PointId, str])
    """What is done to values before they leave, `hash` or `mask`, by point."""

    @property
    def events(self) -> tuple[Happening, ...]:
        """Its types of events, in the order of its points."""
        found: dict[str, Happening] = {}
        for point in self.telling:
            for rule in point.events:
                known = found.get(rule.type, Happening(rule.type, rule.severity, point))
                highest = max(known.severity, rule.severity)
                found[rule.type] = replace(known, severity=highest)
        return tuple(found.values())

    @property
    def tags(self) -> Mapping[str, str]:
        """What a twin binds to, as texts: place, position with its system, owner, operator, duty.

        For forms that have tags and no model of space.
        """
        at, device = self.position, self.device
        parts = () if at is None else (at.lon, at.lat, *(() if at.height is None else (at.height,)))
        said = {
            "pos": ",".join(map(str, parts)),
            "crs": "" if at is None else at.crs,
            "owner": device.owner,
            "operator": device.operator,
            "duty": device.duty,
        }
        return {**self.places, **{name: value for name, value in said.items() if value}}

    def title(self, language: str) -> str:
        """Return its name for people, else its id."""
        return named(self.device.title, language) or str(self.device.id)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What stands on the site, for the reader of one sink."""

    gateway: Gateway
    sink: Sink
    things: tuple[Thing, ...]

    @property
    def topics(self) -> str | None:
        """First words of the topics; None where the sink speaks another dialect than native."""
        if self.sink.dialect != NATIVE:
            return None
        return f"{self.sink.root}/1/{self.gateway.site}/{self.gateway.id}"

    def topic(self, kind: str, thing: Thing) -> str | None:
        """Return the topic on which this kind of message of a device comes."""
        return None if self.topics is None else f"{self.topics}/up/{kind}/{thing.device.id}"


@dataclass(frozen=True, slots=True)
class Form:
    """One form of inventory."""

    make: Callable[[Inventory], Any]
    """Returns a JSON document."""
    title: str
    """For `--help`: which system reads it."""
    needs_native: bool = False
    """It names topics, and is of no use for a sink of another dialect."""


def names_of(point: Point) -> list[str]:
    """Return the values of an enumeration, each once; [] for another type."""
    return list(dict.fromkeys(point.enum.values())) if point.type is ValueType.ENUM else []


def named(title: Mapping[str, str], language: str) -> str:
    """Return a title in that language, else in English, else in any, else ""."""
    return title.get(language) or title.get("en") or next(iter(title.values()), "")
