"""What of the site may lie in the local history, and for how long. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.historian.point_name import PointName
from gateway.model.ids import DeviceId, PointId
from gateway.model.record import PropBody, Record
from gateway.settings.site import Device, Point

KEPT_CLASSES = frozenset({"P0", "P1"})
"""Of personal data: what is P2 or above is never kept in the history."""


class KeptPoints:
    """What may lie in the history; grows with reloads."""

    def __init__(self, devices: Iterable[Device]) -> None:
        """Take the devices of the site."""
        self._points: dict[DeviceId, frozenset[PointId]] = {}
        self._days: dict[PointName, int] = {}
        self.use(devices)

    def use(self, devices: Iterable[Device]) -> None:
        """Take a reloaded site; devices that went stay known."""
        for device in devices:
            kept = [point for point in device.points if is_kept(point)]
            self._points[device.id] = frozenset(point.id for point in kept)
            for point in kept:
                name = PointName(device.id, point.id)
                self._days.pop(name, None)
                if point.retain_days is not None:
                    self._days[name] = point.retain_days

    def is_due(self, record: Record) -> bool:
        """Whether anything of the record is for the history."""
        body = record.body
        if not isinstance(body, PropBody) or record.sink is not None or body.is_snapshot:
            return False
        return not self.of(record.device).isdisjoint(body.column.points)

    def of(self, device: DeviceId) -> frozenset[PointId]:
        """Return the points of a device that are kept."""
        return self._points.get(device, frozenset())

    def longest_days(self, name: PointName, days: int) -> int:
        """Return for how many days values of a point may lie there; 0 for one that may not.

        `days` is what holds for points of which nothing is said.
        """
        if name.device in self._points and name.point not in self._points[name.device]:
            return 0
        return min(days, self._days.get(name, days))


def is_kept(point: Point) -> bool:
    """Whether values of a point of the site are kept in the history."""
    return point.is_published and point.personal in KEPT_CLASSES
