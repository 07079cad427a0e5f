"""From the loaded site to what the reader of one sink may know of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from gateway.inventory.contract import Inventory, Thing
from gateway.settings.site import Device, Gateway, Point
from gateway.settings.site_place import Position
from gateway.settings.site_sinks import Sink


class Shows(Protocol):
    """The door of a sink, as far as an inventory needs it."""

    def shows(self, device: Device, point: Point) -> bool:
        """Whether values of a point may leave."""
        ...

    def places(self, device: Device) -> Mapping[str, str]:
        """Return the parts of a device's location that may leave."""
        ...

    def position(self, device: Device) -> Position | None:
        """Return its point on the map, if that may leave."""
        ...

    def title(self, device: Device) -> Mapping[str, str]:
        """Return its name for people, if that may leave."""
        ...

    def owner(self, device: Device) -> str | None:
        """Return whose it is, if that may leave."""
        ...

    def shown(self, device: Device, point: Point) -> Point:
        """Return a point that leaves as the platform gets it."""
        ...

    def retain_days(self, point: Point) -> int | None:
        """Return for how many days its values are kept at the site."""
        ...

    def transform(self, device: Device, point: Point) -> str | None:
        """Return what is done to a point's values before they leave."""
        ...


def inventory_of(gateway: Gateway, sink: Sink, devices: Iterable[Device], door: Shows) -> Inventory:
    """Return the inventory as that sink's platform may have it."""
    return Inventory(gateway, sink, tuple(_thing(device, door) for device in devices))


def _thing(device: Device, door: Shows) -> Thing:
    leaving = [point for point in device.points if door.shows(device, point)]
    shown = [
        replace(door.shown(device, point), retain_days=door.retain_days(point)) for point in leaving
    ]
    changes = {point.id: door.transform(device, point) for point in leaving}
    return Thing(
        replace(device, title=door.title(device), owner=door.owner(device)),
        tuple(point for point in shown if point.keep == "all" or point.write is not None),
        door.places(device),
        door.position(device),
        tuple(point for point in shown if point.keep != "none"),
        {id_: how for id_, how in changes.items() if how is not None},
    )
