"""Which values are personal, and how long they may be kept at the site. Pure.

What nobody said anything of is treated as the highest class: points of devices that the site does
not have any more among them (domain.md, section 3.5 rule 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.quality import GOOD, Reason, bad
from gateway.model.record import EventBody, PropBody, Record, ReplyBody
from gateway.settings.site import Device, Point
from gateway.settings.site_derived import SENSITIVE, Recipe, Take

DAY_S = 86400.0
PERSONAL_DAYS = 30
"""For values of class P2 and above where the site says nothing: as long as a plate's token lives
(domain.md, section 3.2), and as long as the store lasts for a platform that is away."""
EXPIRED = bad(Reason.CONFIG)
"""Stands in the place of a value that was taken out by rule."""


def is_sealed(point: Point) -> bool:
    """Whether something of a point is stored that only our own key may open.

    Of a counter the last value is, kept or not: the next one is held against it.
    """
    return point.personal in SENSITIVE and (point.keep != "none" or point.is_cumulative)


def first_sealed(devices: Mapping[DeviceId, Device]) -> tuple[Device, Point] | None:
    """Return the first such point of a site with its device, None when there is none.

    Points of which a derived one remembers what they were at a mark are among them.
    """
    remembered = {
        (one.device, one.point)
        for device in devices.values()
        for point in device.points
        if isinstance(recipe := point.address, Recipe) and recipe.take is Take.DELTA
        for one in recipe.inputs
    }
    found = (
        (device, point)
        for device in devices.values()
        for point in device.points
        if is_sealed(point) or (point.personal in SENSITIVE and (device.id, point.id) in remembered)
    )
    return next(found, None)


def retain_days(point: Point) -> int | None:
    """Return how long values of a point may be kept; None: as long as there is room."""
    if point.retain_days is not None:
        return point.retain_days
    return PERSONAL_DAYS if point.personal in SENSITIVE else None


class Personal:
    """What is known of the points of a site, device by device."""

    def __init__(self, devices: Mapping[DeviceId, Device]) -> None:
        """Take all devices of the site, derived ones too."""
        self._days: dict[DeviceId, dict[str, int | None]] = {}
        self._open: dict[DeviceId, frozenset[str]] = {}
        self.use(devices)

    def use(self, devices: Mapping[DeviceId, Device]) -> None:
        """Take a reloaded site; only what it still has is known."""
        self._days = {
            device.id: {point.id: retain_days(point) for point in device.points}
            for device in devices.values()
        }
        self._open = {
            device.id: frozenset(p.id for p in device.points if p.personal not in SENSITIVE)
            for device in devices.values()
        }

    def fingerprint(self) -> str:
        """Return a text that changes when any point is to be kept for another time."""
        shown = sorted((device, sorted(days.items())) for device, days in self._days.items())
        return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]

    def spans_s(self) -> tuple[float, ...]:
        """Return the ages in seconds at which anything expires, in rising order."""
        said = {days for of in self._days.values() for days in of.values() if days is not None}
        return tuple(days * DAY_S for days in sorted(said | {PERSONAL_DAYS}))

    def left(self, record: Record, age_s: float) -> Record | None:
        """Return what of a record of this age may still be kept: itself, less, or nothing.

        An event stays, without its value. Of several values those that may stay do, and the others
        are null with the reason `config`; a record of which no value is left goes.
        """
        return _without(record, lambda point: self._has_expired(record.device, point, age_s))

    def shown(self, record: Record) -> Record:
        """Return the record without values of class P2 and above, for people who look at it."""
        if record.device == GATEWAY_ITSELF:
            return record
        open_points = self._open.get(record.device, frozenset())
        return _without(record, lambda point: point not in open_points, least=True) or record

    def _has_expired(self, device: DeviceId, point: str, age_s: float) -> bool:
        if device == GATEWAY_ITSELF:
            return False
        of = self._days.get(device)
        days = PERSONAL_DAYS if of is None else of.get(point, PERSONAL_DAYS)
        return days is not None and age_s >= days * DAY_S


def _without(
    record: Record, is_gone: Callable[[str], bool], *, least: bool = False
) -> Record | None:
    body = record.body
    match body:
        case PropBody():
            left = _values(body, is_gone, least=least)
        case EventBody(point=str(point)) if is_gone(point):
            left = replace(body, value=None, detail=None)
        case ReplyBody():
            left = _reply(body, is_gone)
        case _:
            left = body
    if left is None:
        return None
    return record if left == body else replace(record, body=left)


def _values(body: PropBody, is_gone: Callable[[str], bool], *, least: bool) -> PropBody | None:
    gone = [is_gone(point) for point in body.column.points]
    if not any(gone):
        return body
    if all(gone) and not least:
        return None
    marks = body.marks or (GOOD,) * len(gone)
    return replace(
        body,
        values=tuple(None if out else v for out, v in zip(gone, body.values, strict=True)),
        marks=tuple(EXPIRED if out else m for out, m in zip(gone, marks, strict=True)),
    )


def _reply(body: ReplyBody, is_gone: Callable[[str], bool]) -> ReplyBody:
    value = None if body.point is not None and is_gone(body.point) else body.value
    readback = None if body.readback is None else _values(body.readback, is_gone, least=True)
    return replace(body, value=value, readback=readback)
