"""What leaves a site through each sink, and what is held back and why: made of the loaded site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gateway.model.ids import DeviceId
from gateway.privacy.door import COARSE_PLACES, LIFE_SAFETY, ROOM_LEVEL, Door
from gateway.privacy.retention import retain_days
from gateway.privacy.transform import is_let_out, shown_level, transform_of
from gateway.settings.site import Device, Point, Site
from gateway.settings.site_privacy import is_personal
from gateway.settings.site_sinks import Sink

Why = Literal["internal", "not_kept", "drop", "level", "personal", "not_allowed"]
"""Why values of a point do not leave.

internal: it only serves other points; not_kept: the site keeps no values of it; drop: a transform
says so; level: it is above the sink's; personal: P2 or P3, and the allow list does not name it;
not_allowed: the allow list does not name it.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One point of one kind of device, the same for all of `devices`."""

    kind: str
    point: str
    personal: str
    level: str
    transform: str | None
    """`hash` or `mask`; None: as it is."""
    level_out: str
    """The level of what leaves."""
    basis: str | None
    owner: str | None
    retain_days: int | None
    why_not: Why | None
    """None: it leaves."""
    bare_events: tuple[str, ...]
    """Events of this point that leave though its values do not: the site keeps nothing but events
    of it, or life is in danger."""
    devices: tuple[DeviceId, ...]


@dataclass(frozen=True, slots=True)
class SinkReport:
    """One sink: its level and lists, and every point of the site."""

    sink: Sink
    rows: tuple[Row, ...]
    places: Literal["clear", "pseudonym", "drop"]
    """What becomes of rooms and other places of one home."""
    telling_ids: tuple[DeviceId, ...]
    """Devices whose id holds the name of their room, which every platform sees in its topics."""
    titled: tuple[DeviceId, ...]
    """Devices whose name for people leaves: a free text, into which the site may write anything."""

    @property
    def without_basis(self) -> tuple[Row, ...]:
        """Personal points that leave and for which nobody says why they may."""
        return tuple(
            row
            for row in self.rows
            if row.why_not is None and is_personal(row.personal) and row.basis is None
        )


def report_of(site: Site) -> tuple[SinkReport, ...]:
    """Return what leaves, sink by sink; databases are sinks too."""
    sinks = [*site.sinks.values(), *(one.as_sink() for one in site.historians.values())]
    return tuple(_of_sink(site, sink) for sink in sinks)


def _of_sink(site: Site, sink: Sink) -> SinkReport:
    found: dict[Row, list[DeviceId]] = {}
    for device in site.all_devices.values():
        for point in device.points:
            found.setdefault(_row(sink, device, point), []).append(device.id)
    rows = (
        replace(row, devices=tuple(sorted(devices)))
        for row, devices in sorted(found.items(), key=lambda item: (item[0].kind, item[0].point))
    )
    sees_rooms = sink.max_level >= ROOM_LEVEL
    telling = () if sees_rooms else tuple(_telling(site))
    places = "clear" if sees_rooms else site.privacy.places
    door = Door(sink)
    titled = tuple(device.id for device in site.all_devices.values() if door.title(device))
    return SinkReport(sink, tuple(rows), places, telling, titled)


def _row(sink: Sink, device: Device, point: Point) -> Row:
    transform = transform_of(sink, device, point)
    why_not = why_not_sent(sink, device, point)
    return Row(
        device.kind,
        point.id,
        point.personal,
        point.level,
        None if transform is None or transform.by == "drop" else transform.by,
        shown_level(transform, point),
        point.basis,
        device.owner,
        retain_days(point),
        why_not,
        () if why_not is None else _bare_events(sink, device, point),
        (),
    )


def why_not_sent(sink: Sink, device: Device, point: Point) -> Why | None:
    """Return why values of a point do not leave through a sink; None: they do."""
    if point.is_published and point.keep != "all":
        return "not_kept"
    return _why_shut(sink, device, point)


def _why_shut(sink: Sink, device: Device, point: Point) -> Why | None:
    """Return why the door of a sink is shut for a point, kept or not; None: it is open."""
    transform = transform_of(sink, device, point)
    is_allowed = is_let_out(sink, device, point)
    reasons: tuple[tuple[bool, Why], ...] = (
        (not point.is_published, "internal"),
        (transform is not None and transform.by == "drop", "drop"),
        (shown_level(transform, point) > sink.max_level, "level"),
        (not is_allowed and is_personal(point.personal), "personal"),
        (not is_allowed, "not_allowed"),
    )
    return next((why for is_so, why in reasons if is_so), None)


def _bare_events(sink: Sink, device: Device, point: Point) -> tuple[str, ...]:
    """Return which events of a point leave though its values do not."""
    if point.keep == "none":
        return ()
    is_open = _why_shut(sink, device, point) is None
    return tuple(one.type for one in point.events if is_open or one.severity >= LIFE_SAFETY)


def _telling(site: Site) -> Iterator[DeviceId]:
    for device in site.all_devices.values():
        homes = (text for part, text in device.location.parts.items() if part not in COARSE_PLACES)
        if any(len(text) > 1 and text.lower() in device.id for text in homes):
            yield device.id
