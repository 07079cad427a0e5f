"""Dead-band and heartbeat: which readings become a record, and the newest value of every point."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ulp

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import PointColumn, Reading, Readings, Value
from gateway.model.record import PropBody
from gateway.settings.site import (
    At,
    Deadband,
    Device,
    Point,
)

BAD_HEARTBEAT_S = 300.0
"""A value that stays bad is repeated this often where the point sets no heartbeat of its own."""


@dataclass(slots=True)
class _Sent:
    """What was last sent of one point."""

    value: Value | None
    mark: Mark
    at: float


@dataclass(slots=True)
class _Watch:
    """The memory of one job's readings: its dead-bands and what was sent last."""

    deadbands: tuple[Deadband, ...]
    has_deadband: bool
    sent: dict[PointId, _Sent]
    """Of the whole device: what a command read and sent counts for the polls too."""
    latest: Readings | None = None
    is_all_good: bool = False
    is_billing: bool = False
    """Whether a register that only grows is read at fixed marks: what people are billed on."""


class Reporter:
    """Decides what is sent. One for the whole gateway; pure but for its own memory."""

    def __init__(self, devices: Mapping[DeviceId, Device]) -> None:
        """Take the devices of the site; `replace` takes those of a reloaded one."""
        self._devices = devices
        self._watches: dict[tuple[DeviceId, PointColumn], _Watch] = {}
        self._sent: dict[DeviceId, dict[PointId, _Sent]] = {}
        self._asked: dict[DeviceId, dict[PointId, Readings]] = {}
        """The newest readings that somebody asked for; one for each point at most."""

    def replace(self, devices: Mapping[DeviceId, Device], forget: Collection[DeviceId]) -> None:
        """Take a changed site; all but the devices to `forget` keep their memory."""
        for key in [key for key in self._watches if key[0] in forget]:
            del self._watches[key]
        for device in forget:
            self._sent.pop(device, None)
            self._asked.pop(device, None)
        self._devices = devices

    def report(self, readings: Readings, now: float) -> PropBody | None:
        """Return what of these readings is to be sent, or None. `now` is monotonic seconds."""
        if readings.asked:
            return self._report_asked(readings, now)
        watch = self._watch(readings)
        is_good = readings.marks is None or _all_good(readings.marks)
        watch.latest = readings
        if is_good and not watch.has_deadband:
            was_bad = not watch.is_all_good
            watch.is_all_good = True
            if was_bad:
                for point in readings.column.points:
                    watch.sent.pop(point, None)
            return PropBody(
                readings.column, readings.values, readings.marks, is_billing=watch.is_billing
            )
        watch.is_all_good = False
        return _selected(readings, watch, now)

    def latest(self) -> Iterator[Readings]:
        """Yield the newest readings of every job, for a snapshot after a connect.

        A point may be in several; the one with the newest time counts.
        """
        for asked in self._asked.values():
            yield from {id(readings): readings for readings in asked.values()}.values()
        for watch in self._watches.values():
            if watch.latest is not None:
                yield watch.latest

    def latest_of(self, device: DeviceId) -> list[Reading]:
        """Return the newest reading of every point of one device."""
        return _newest([one for one in self.latest() if one.device == device])

    def _report_asked(self, readings: Readings, now: float) -> PropBody:
        """Send all of it, and let the polls of the same points know what was sent."""
        sent = self._sent.setdefault(readings.device, {})
        asked = self._asked.setdefault(readings.device, {})
        for one in singles(readings):
            sent[one.point] = _Sent(one.value, one.mark, now)
            asked[one.point] = readings
        for (device, _), watch in self._watches.items():
            if device == readings.device:
                watch.is_all_good = False
        return PropBody(readings.column, readings.values, readings.marks)

    def _watch(self, readings: Readings) -> _Watch:
        key = (readings.device, readings.column)
        watch = self._watches.get(key)
        if watch is None:
            points = {point.id: point for point in self._devices[readings.device].points}
            deadbands = tuple(points[point].deadband for point in readings.column.points)
            watch = self._watches[key] = _Watch(
                deadbands,
                any(d.absolute is not None or d.percent is not None for d in deadbands),
                self._sent.setdefault(readings.device, {}),
                is_billing=any(is_billing(points[point]) for point in readings.column.points),
            )
        return watch


def is_billing(point: Point) -> bool:
    """Whether people are billed on this point: it only grows, and is read at fixed marks."""
    return point.is_cumulative and isinstance(point.poll, At)


def snapshots(readings: Sequence[Readings]) -> list[tuple[DeviceId, int, PropBody]]:
    """Return one snapshot for each device: its newest values with their age against the newest."""
    by_device: dict[DeviceId, list[Readings]] = {}
    for one in readings:
        by_device.setdefault(one.device, []).append(one)
    return [(device, *_snapshot(parts)) for device, parts in by_device.items()]


def singles(readings: Readings) -> Iterator[Reading]:
    """Yield the readings of a batch one by one."""
    column = readings.column
    for index, point in enumerate(column.points):
        yield Reading(
            readings.device,
            point,
            readings.values[index],
            column.units[index],
            GOOD if readings.marks is None else readings.marks[index],
            readings.ts_ms,
            readings.tq,
        )


def _snapshot(parts: Sequence[Readings]) -> tuple[int, PropBody]:
    newest = max(part.ts_ms for part in parts)
    flat = _newest(parts)
    column = PointColumn(tuple(one.point for one in flat), tuple(one.unit for one in flat))
    return newest, PropBody(
        column,
        tuple(one.value for one in flat),
        tuple(one.mark for one in flat),
        tuple(one.ts_ms - newest for one in flat),
        is_snapshot=True,
    )


def _newest(parts: Sequence[Readings]) -> list[Reading]:
    """Return the newest reading of every point."""
    found: dict[PointId, Reading] = {}
    for part in parts:
        for one in singles(part):
            known = found.get(one.point)
            if known is None or one.ts_ms >= known.ts_ms:
                found[one.point] = one
    return list(found.values())


def _all_good(marks: Sequence[Mark]) -> bool:
    return all(mark.quality is Quality.GOOD for mark in marks)


def _selected(readings: Readings, watch: _Watch, now: float) -> PropBody | None:
    chosen = [
        index for index in range(len(readings.values)) if _passes(readings, watch, index, now)
    ]
    if not chosen:
        return None
    column, marks = readings.column, readings.marks
    for index in chosen:
        mark = GOOD if marks is None else marks[index]
        watch.sent[column.points[index]] = _Sent(readings.values[index], mark, now)
    if len(chosen) == len(readings.values):
        return PropBody(column, readings.values, marks, is_billing=watch.is_billing)
    return PropBody(
        PointColumn(
            tuple(column.points[i] for i in chosen), tuple(column.units[i] for i in chosen)
        ),
        tuple(readings.values[i] for i in chosen),
        None if marks is None else tuple(marks[i] for i in chosen),
        is_billing=watch.is_billing,
    )


def _passes(readings: Readings, watch: _Watch, index: int, now: float) -> bool:
    sent, deadband = watch.sent.get(readings.column.points[index]), watch.deadbands[index]
    mark = GOOD if readings.marks is None else readings.marks[index]
    if sent is None or mark != sent.mark:
        return True
    if mark.quality is not Quality.GOOD and readings.values[index] is None:
        return now - sent.at >= (deadband.heartbeat_s or BAD_HEARTBEAT_S)
    if deadband.heartbeat_s is not None and now - sent.at >= deadband.heartbeat_s:
        return True
    return _is_news(readings.values[index], sent.value, deadband)


def _is_news(value: Value | None, last: Value | None, deadband: Deadband) -> bool:
    if deadband.absolute is None and deadband.percent is None:
        return True
    if isinstance(value, bool | str | None) or isinstance(last, bool | str | None):
        return value != last
    if value == last:
        return False
    # 230.2 - 230.1 is 0.09999999999999432: a step of exactly the dead-band must not get lost.
    change = abs(value - last) + 4 * ulp(max(abs(value), abs(last)))
    if deadband.absolute is not None and change >= deadband.absolute:
        return True
    return deadband.percent is not None and change * 100 >= deadband.percent * abs(last)


def point_of(device: Device, point: PointId) -> Point | None:
    """Return a device's point by its id."""
    return next((one for one in device.points if one.id == point), None)
