"""How far a configuration from afar may go: what is measured, not who gets it or commands it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from gateway.model.ids import DeviceId
from gateway.settings.problems import Problem, make_problem
from gateway.settings.site import Device, Point, Site
from gateway.settings.site_sinks import Sink
from gateway.settings.where import Where

_NOWHERE = Where("", 0, 0)
_KEPT = {"none": 0, "event_only": 1, "all": 2}
"""How much of a point's values the inner door lets through."""


def overreach(old: Site, new: Site, may: frozenset[str]) -> tuple[Problem, ...]:
    """Return what the new site changes and may not; `may` is what the old site lets change."""
    return (*_never(old, new), *_sections(old, new, may), *_lowered(old, new, may))


def _never(old: Site, new: Site) -> Iterator[Problem]:
    where = _start(new)
    if old.gateway != new.gateway:
        yield make_problem("LG-REM-04", where, "gateway", {"name": "gateway"})
    if old.store != new.store:
        yield make_problem("LG-REM-04", where, "store", {"name": "store"})
    if _remote(old) != _remote(new):
        place = where if new.remote is None else new.remote.where
        yield make_problem("LG-REM-04", place, "remote", {"name": "remote"})


def _sections(old: Site, new: Site, may: frozenset[str]) -> Iterator[Problem]:
    pairs = (
        ("commands", old.commands != new.commands),
        ("derived", _derived(old) != _derived(new)),
        ("historians", _historians(old) != _historians(new)),
        ("privacy", old.privacy != new.privacy),
        ("sinks", _sinks(old) != _sinks(new)),
    )
    for name, has_changed in pairs:
        if has_changed and name not in may:
            yield make_problem("LG-REM-03", _start(new), name, {"name": name})


def _lowered(old: Site, new: Site, may: frozenset[str]) -> Iterator[Problem]:
    """A device that becomes another one by its profile keeps what was said of its points."""
    if "privacy" in may:
        return
    for id_, device in new.all_devices.items():
        known = old.all_devices.get(id_)
        if known is None:
            continue
        # A place that names a home also holds back name and position (`privacy/door.py`).
        for part in sorted(known.location.parts.keys() - device.location.parts.keys()):
            facts = {"name": f"{id_}/location.{part}"}
            yield make_problem("LG-REM-05", device.where, f"devices.{id_}", facts)
        if known.points is device.points:
            continue
        before = {point.id: point for point in known.points}
        for point in device.points:
            was = before.get(point.id)
            if was is not None and _is_less_protected(was, point):
                name = f"{id_}/{point.id}"
                yield make_problem("LG-REM-05", device.where, f"devices.{id_}", {"name": name})


def _is_less_protected(was: Point, point: Point) -> bool:
    """Whether class or level is lower, or more of the values is kept, or for longer."""
    return (
        point.personal < was.personal
        or point.level < was.level
        or _KEPT[point.keep] > _KEPT[was.keep]
        or _days(point) > _days(was)
    )


def _days(point: Point) -> float:
    return math.inf if point.retain_days is None else point.retain_days


def _start(site: Site) -> Where:
    return Where(str(site.files[0]) if site.files else "", 1, 1)


def _remote(site: Site) -> object:
    return None if site.remote is None else replace(site.remote, where=_NOWHERE)


def _sinks(site: Site) -> dict[str, Sink]:
    return {name: replace(sink, where=_NOWHERE, places={}) for name, sink in site.sinks.items()}


def _historians(site: Site) -> dict[str, object]:
    return {name: replace(historian, where=_NOWHERE) for name, historian in site.historians.items()}


def _derived(site: Site) -> dict[DeviceId, Device]:
    return {
        id_: replace(
            device,
            where=_NOWHERE,
            points=tuple(replace(point, where=_NOWHERE) for point in device.points),
        )
        for id_, device in site.derived.items()
    }
