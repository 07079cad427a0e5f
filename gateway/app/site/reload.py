"""What a changed site changes: a pure diff, so that all that stayed the same notices nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.model.ids import DeviceId, LineName, SinkName
from gateway.privacy.retention import first_sealed
from gateway.settings.site import Device, Line, Site
from gateway.settings.site_historians import HISTORY, Historian, LocalHistory
from gateway.settings.site_sinks import Sink
from gateway.settings.where import Where

_K = TypeVar("_K")
_V = TypeVar("_V")

_NOWHERE = Where("", 0, 0)


@dataclass(frozen=True, slots=True)
class SiteDiff:
    """Names of what must be stopped, started or changed."""

    lines_gone: frozenset[LineName]
    lines_new: frozenset[LineName]
    """New ones, and those whose own settings changed: they are opened afresh."""
    lines_touched: frozenset[LineName]
    """Lines that stay open, with devices added, removed or changed."""
    devices_gone: frozenset[DeviceId]
    devices_new: frozenset[DeviceId]
    devices_changed: frozenset[DeviceId]
    sinks_gone: frozenset[SinkName]
    sinks_new: frozenset[SinkName]
    needs_restart: tuple[str, ...]
    """Settings that only a restart applies, by name."""
    historians_gone: frozenset[SinkName] = frozenset()
    historians_new: frozenset[SinkName] = frozenset()
    """Databases and the local history, as those of `app.historians`."""
    derived_changed: frozenset[DeviceId] = frozenset()
    """Derived devices that are gone, new or made otherwise."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed that matters at run time."""
        return not any(
            (
                self.lines_gone,
                self.lines_new,
                self.lines_touched,
                self.devices_gone,
                self.devices_new,
                self.devices_changed,
                self.sinks_gone,
                self.sinks_new,
                self.historians_gone,
                self.historians_new,
                self.derived_changed,
            )
        )


def diff(old: Site, new: Site) -> SiteDiff:
    """Return what changes between two sites. Moving a line in the file changes nothing."""
    old_lines, new_lines = _placeless_lines(old), _placeless_lines(new)
    old_devices, new_devices = _placeless_devices(old), _placeless_devices(new)
    lines_gone, lines_new = _gone(old_lines, new_lines), _new(old_lines, new_lines)
    devices_gone, devices_new = _gone(old_devices, new_devices), _new(old_devices, new_devices)
    touched = {old.devices[id_].line for id_ in devices_gone} | {
        new.devices[id_].line for id_ in devices_new
    }
    sinks_old = {name: _placeless_sink(sink) for name, sink in old.sinks.items()}
    sinks_new = {name: _placeless_sink(sink) for name, sink in new.sinks.items()}
    return SiteDiff(
        lines_gone,
        lines_new,
        frozenset(touched & new.lines.keys()) - lines_new,
        devices_gone - devices_new,
        devices_new - devices_gone,
        devices_gone & devices_new,
        _gone(sinks_old, sinks_new),
        _new(sinks_old, sinks_new),
        _restart_reasons(old, new),
        _gone(_databases(old), _databases(new)),
        _new(_databases(old), _databases(new)),
        _gone(_placeless_derived(old), _placeless_derived(new))
        | _new(_placeless_derived(old), _placeless_derived(new)),
    )


def _databases(site: Site) -> dict[SinkName, Historian | LocalHistory]:
    history = {} if site.history is None else {HISTORY: site.history}
    return {**site.historians, **history}


def _restart_reasons(old: Site, new: Site) -> tuple[str, ...]:
    reasons: list[str] = []
    if old.gateway.id != new.gateway.id:
        reasons.append("gateway.id")
    if old.gateway.site != new.gateway.site:
        reasons.append("gateway.site")
    if old.gateway.timezone != new.gateway.timezone:
        reasons.append("gateway.timezone")
    if old.gateway.clock != new.gateway.clock:
        reasons.append("gateway.clock")
    if old.store != new.store:
        reasons.append("store")
    if first_sealed(old.all_devices) is None and first_sealed(new.all_devices) is not None:
        reasons.append("store (personal values are not kept until then)")
    return tuple(reasons)


def _gone(old: Mapping[_K, _V], new: Mapping[_K, _V]) -> frozenset[_K]:
    return frozenset(key for key, value in old.items() if new.get(key) != value)


def _new(old: Mapping[_K, _V], new: Mapping[_K, _V]) -> frozenset[_K]:
    return frozenset(key for key, value in new.items() if old.get(key) != value)


def _placeless_sink(sink: Sink) -> Sink:
    return replace(sink, where=_NOWHERE, places={})


def _placeless_lines(site: Site) -> dict[LineName, Line]:
    return {name: replace(line, where=_NOWHERE) for name, line in site.lines.items()}


def _placeless_devices(site: Site) -> dict[DeviceId, Device]:
    points: dict[int, Device] = {}
    return {id_: _placeless(device, points) for id_, device in site.devices.items()}


def _placeless_derived(site: Site) -> dict[DeviceId, Device]:
    points: dict[int, Device] = {}
    return {id_: _placeless(device, points) for id_, device in site.derived.items()}


def _placeless(device: Device, seen: dict[int, Device]) -> Device:
    key = id(device.points)
    if key not in seen:
        seen[key] = replace(
            device, points=tuple(replace(point, where=_NOWHERE) for point in device.points)
        )
    return replace(device, where=_NOWHERE, points=seen[key].points)
