"""The inner door, second half: what may be kept at all. Pure.

A point that the site keeps `event_only` or `none` of never reaches the store, and so no sink: its
values are cut out of every record, and events of the first kind go without them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from gateway.model.ids import DeviceId
from gateway.model.reading import PointColumn
from gateway.model.record import EventBody, PropBody, Record, ReplyBody
from gateway.privacy.retention import is_sealed
from gateway.settings.site import Device


class KeepGate:
    """Of one site. A device of which everything is kept costs one look-up."""

    def __init__(self, devices: Mapping[DeviceId, Device], *, can_seal: bool = True) -> None:
        """Take the devices of the site, and whether the store can seal what is personal."""
        self._values: dict[DeviceId, frozenset[str]] = {}
        """Points of which no values are kept."""
        self._events: dict[DeviceId, frozenset[str]] = {}
        """Points of which no events are kept either."""
        for device in devices.values():
            if hidden := frozenset(
                point.id
                for point in device.points
                if point.keep != "all" or (is_sealed(point) and not can_seal)
            ):
                self._values[device.id] = hidden
                self._events[device.id] = frozenset(
                    point.id for point in device.points if point.keep == "none"
                )

    def through(self, record: Record) -> Record | None:
        """Return what of a record may be kept, None when nothing may."""
        hidden = self._values.get(record.device)
        if hidden is None:
            return record
        body = record.body
        match body:
            case PropBody():
                left = _without(body, hidden)
            case EventBody(point=point):
                is_silent = point in self._events[record.device]
                left = None if is_silent else _bare(body, hidden)
            case ReplyBody():
                left = _reply(body, hidden)
            case _:
                left = body
        if left is body:
            return record
        return None if left is None else replace(record, body=left)


def _bare(body: EventBody, hidden: Collection[str]) -> EventBody:
    return replace(body, value=None, detail=None) if body.point in hidden else body


def _reply(body: ReplyBody, hidden: Collection[str]) -> ReplyBody:
    readback = None if body.readback is None else _without(body.readback, hidden)
    value = None if body.point in hidden else body.value
    return replace(body, value=value, readback=readback)


def _without(body: PropBody, hidden: Collection[str]) -> PropBody | None:
    column = body.column
    at = [place for place, point in enumerate(column.points) if point not in hidden]
    if len(at) == len(column.points):
        return body
    if not at:
        return None
    marks, offsets = body.marks, body.offsets_ms
    return replace(
        body,
        column=PointColumn(
            tuple(column.points[place] for place in at), tuple(column.units[place] for place in at)
        ),
        values=tuple(body.values[place] for place in at),
        marks=None if marks is None else tuple(marks[place] for place in at),
        offsets_ms=None if offsets is None else tuple(offsets[place] for place in at),
    )
