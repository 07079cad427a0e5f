"""The rate guard: a value that changed faster than physics allows waits for a second one.

It is published as read, with q 0 and reason `range`, until two readings agree: the next one that
fits the old value or the new one is good. Where no two agree the limit is held to be wrong after
`PATIENCE` readings and doubled, so that a true value is never refused for ever. Nothing of it is
kept over a restart: the first value then is believed, as at the very first start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark, Reason, bad
from gateway.model.reading import PointColumn, Readings
from gateway.rules.contract import (
    NOTHING,
    Orphan,
    Raised,
    RuleSpec,
    Setup,
    Stage,
    good_number,
    with_mark,
)
from gateway.settings.site import Device, Point

ROOM = "rates"
TOO_FAST = bad(Reason.RANGE)
PATIENCE = 4


@dataclass(slots=True)
class _Watch:
    """One point: its last good value, and the one that did not fit."""

    limit: float
    slack: float
    value: float | None = None
    at: float = 0.0
    other: float | None = None
    other_at: float = 0.0
    misses: int = 0

    def takes(self, value: float, now: float) -> bool:
        """Whether this value is good."""
        if self.value is not None and not self._fits(self.value, self.at, value, now):
            is_agreed = self.other is not None and self._fits(self.other, self.other_at, value, now)
            self.misses += 1
            if not is_agreed and self.misses <= PATIENCE:
                self.other, self.other_at = value, now
                return False
            if not is_agreed:
                self.limit *= 2
        self.value, self.at, self.other, self.misses = value, now, None, 0
        return True

    def _fits(self, was: float, at: float, value: float, now: float) -> bool:
        return abs(value - was) <= self.limit * max(now - at, 0.0) + self.slack


class RateGuard:
    """All points with a rate that are no counters."""

    def __init__(self, setup: Setup) -> None:
        """Take the site."""
        self._devices = setup.devices
        self._watches: dict[tuple[DeviceId, PointId], _Watch] = {}
        self._columns: dict[tuple[DeviceId, PointColumn], tuple[tuple[int, _Watch], ...]] = {}

    def watches(self, readings: Readings) -> bool:
        """Whether the job has points with a rate."""
        return bool(self._watched(readings))

    def step(self, readings: Readings, now: float) -> Raised:
        """Mark what changed too fast."""
        suspects: dict[int, Mark] = {}
        for index, watch in self._watched(readings):
            value = good_number(readings, index)
            if value is not None and not watch.takes(value, now):
                suspects[index] = TOO_FAST
        return Raised((), (), with_mark(readings, suspects)) if suspects else NOTHING

    def exchanged(self, device: DeviceId) -> None:
        """Begin anew with this device."""
        for key, watch in self._watches.items():
            if key[0] == device:
                watch.value = watch.other = None

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; changed devices begin anew."""
        self._devices = devices
        self._columns.clear()
        for key in [key for key in self._watches if key[0] in touched]:
            del self._watches[key]

    def orphans(self) -> tuple[Orphan, ...]:
        """It makes no events."""
        return ()

    def standing(self) -> Mapping[str, str]:
        """It makes no events."""
        return {}

    def _watched(self, readings: Readings) -> tuple[tuple[int, _Watch], ...]:
        key = (readings.device, readings.column)
        found = self._columns.get(key)
        if found is None:
            points = {p.id: p for p in self._devices[readings.device].points}
            found = self._columns[key] = tuple(
                (index, self._watch(readings.device, points[point]))
                for index, point in enumerate(readings.column.points)
                if points[point].rate_per_s is not None and not points[point].is_cumulative
            )
        return found

    def _watch(self, device: DeviceId, point: Point) -> _Watch:
        watch = self._watches.get((device, point.id))
        if watch is None:
            slack = 2 * max(float(abs(point.scale)), point.resolution or 0.0)
            watch = self._watches[device, point.id] = _Watch(point.rate_per_s or 0.0, slack)
        return watch


RULE = RuleSpec(ROOM, Stage.MARK, RateGuard)
