"""The files of a site: gateway.yaml and conf.d/*.yaml, checked one by one and put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from gateway.settings.catalogue import Catalogue
from gateway.settings.checking import Spot, check
from gateway.settings.models.derived import DerivedEntry
from gateway.settings.models.historian import HistorianEntry, HistoryEntry
from gateway.settings.models.privacy import PrivacyEntry
from gateway.settings.models.remote import RemoteEntry
from gateway.settings.models.sink import SinkEntry
from gateway.settings.models.site import (
    BusEntry,
    CommandsEntry,
    DefaultsEntry,
    DeviceEntry,
    GatewayEntry,
    SiteFile,
    StoreEntry,
)
from gateway.settings.problems import Problems
from gateway.settings.salvage import Rest, sound_rest, whole

E = TypeVar("E", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Placed(Generic[E]):
    """An entry and its place."""

    entry: E
    spot: Spot


@dataclass(slots=True)
class SiteParts:
    """All that the files of a site say."""

    gateway: Placed[GatewayEntry] | None = None
    defaults: Placed[DefaultsEntry] | None = None
    commands: Placed[CommandsEntry] | None = None
    store: Placed[StoreEntry] | None = None
    buses: dict[str, Placed[BusEntry]] = field(default_factory=dict[str, Placed[BusEntry]])
    sinks: dict[str, Placed[SinkEntry]] = field(default_factory=dict[str, Placed[SinkEntry]])
    historians: dict[str, Placed[HistorianEntry]] = field(
        default_factory=dict[str, Placed[HistorianEntry]]
    )
    history: Placed[HistoryEntry] | None = None
    privacy: Placed[PrivacyEntry] | None = None
    remote: Placed[RemoteEntry] | None = None
    devices: list[Placed[DeviceEntry]] = field(default_factory=list[Placed[DeviceEntry]])
    derived: list[Placed[DerivedEntry]] = field(default_factory=list[Placed[DerivedEntry]])


def read_parts(files: Iterable[Path], catalogue: Catalogue, problems: Problems) -> SiteParts:
    """Return what all files say together; what stands in two of them is reported."""
    parts = SiteParts()
    for path in files:
        spot = catalogue.tree(path)
        if spot is None:
            continue
        entry = check(SiteFile, spot, problems)
        rest = sound_rest(spot) if entry is None else whole(entry)
        if rest is not None:
            _add(parts, rest, spot, problems)
    return parts


def _add(parts: SiteParts, rest: Rest, spot: Spot, problems: Problems) -> None:
    entry = rest.entry
    parts.gateway = _once(parts.gateway, entry.gateway, spot.at("gateway"), problems)
    parts.defaults = _once(parts.defaults, entry.defaults, spot.at("defaults"), problems)
    parts.commands = _once(parts.commands, entry.commands, spot.at("commands"), problems)
    parts.store = _once(parts.store, entry.store, spot.at("store"), problems)
    parts.history = _once(parts.history, entry.history, spot.at("history"), problems)
    parts.privacy = _once(parts.privacy, entry.privacy, spot.at("privacy"), problems)
    parts.remote = _once(parts.remote, entry.remote, spot.at("remote"), problems)
    for name, historian in entry.historians.items():
        place = spot.at("historians", name)
        known = _once(parts.historians.get(name), historian, place, problems)
        parts.historians[name] = known or Placed(historian, place)
    for name, bus in entry.buses.items():
        place = spot.at("buses", name)
        parts.buses[name] = _once(parts.buses.get(name), bus, place, problems) or Placed(bus, place)
    for name, sink in entry.sinks.items():
        place = spot.at("sinks", name)
        parts.sinks[name] = _once(parts.sinks.get(name), sink, place, problems) or Placed(
            sink, place
        )
    for index, device in zip(rest.devices, entry.devices, strict=True):
        parts.devices.append(Placed(device, spot.at("devices", index)))
    for index, derived in enumerate(entry.derived):
        parts.derived.append(Placed(derived, spot.at("derived", index)))


def _once(
    before: Placed[E] | None, entry: E | None, spot: Spot, problems: Problems
) -> Placed[E] | None:
    if entry is None:
        return before
    if before is not None:
        other = f"{before.spot.file}:{before.spot.node.line}"
        problems.add("LG-SITE-02", spot.where, spot.text, key=spot.text, other=other)
        return before
    return Placed(entry, spot)
