"""The one page for authors of a form of inventory: what is handed to it, and what it returns.

A module of this folder that defines `FORM = Form(...)` is one; its file name is the name that
`linli inventory --as` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.settings.site import Device, Gateway, Point
from gateway.settings.site_place import Position
from gateway.settings.site_sinks import Sink


@dataclass(frozen=True, slots=True)
class Thing:
    """One device as the reader of the inventory may know it: points and places passed the door."""

    device: Device
    points: tuple[Point, ...]
    places: Mapping[str, str]
    position: Position | None

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
    def topics(self) -> str:
        """First words of the topics of the native dialect."""
        return f"{self.sink.root}/1/{self.gateway.site}/{self.gateway.id}"


@dataclass(frozen=True, slots=True)
class Form:
    """One form of inventory."""

    make: Callable[[Inventory], Any]
    """Returns a JSON document."""
    title: str
    """For `--help`: which system reads it."""


def named(title: Mapping[str, str], language: str) -> str:
    """Return a title in that language, else in English, else in any, else ""."""
    return title.get(language) or title.get("en") or next(iter(title.values()), "")
