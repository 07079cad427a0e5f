"""What is sound of a site file whose shape is wrong in places, so that the rest is checked too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from gateway.settings.checking import Spot
from gateway.settings.models.site import SiteFile
from gateway.settings.yaml_source import plain

_NAMED = ("buses", "sinks", "historians")


@dataclass(frozen=True, slots=True)
class Rest:
    """A file without its wrong entries; `devices` are the places of those that are left."""

    entry: SiteFile
    devices: Sequence[int]


def whole(entry: SiteFile) -> Rest:
    """Return a file that has no wrong entries."""
    return Rest(entry, range(len(entry.devices)))


def sound_rest(spot: Spot) -> Rest | None:
    """Return what is left without the entries that are wrong; None when that is of no use.

    Devices of a bus that is left out go with it, and so does the allow-list, which speaks of
    devices and sinks: what would be said of them follows from what was said already.
    """
    tree = plain(spot.node)
    if not isinstance(tree, dict):
        return None
    sections = cast("dict[str, Any]", tree)  # the keys of a YAML mapping are texts here
    wrong = _wrong_places(sections)
    if ("version",) in wrong:
        return None  # another format: nothing in it can be judged
    for place in wrong | {("commands",)}:
        if len(place) == 1:
            sections.pop(str(place[0]), None)
        elif place[0] in _NAMED:
            sections[str(place[0])].pop(place[1], None)
    devices = sections.get("devices", [])
    kept = _kept_devices(devices, wrong)
    sections["devices"] = [devices[index] for index in kept]
    try:
        return Rest(SiteFile.model_validate(sections), kept)
    except ValidationError:
        return None


def _wrong_places(tree: Any) -> set[tuple[str | int, ...]]:  # noqa: ANN401 - YAML
    """Return the sections that are wrong, or the entries where a section has some."""
    try:
        SiteFile.model_validate(tree)
    except ValidationError as exc:
        return {
            error["loc"][: 2 if error["loc"][0] in {*_NAMED, "devices"} else 1]
            for error in exc.errors(include_url=False)
            if error["loc"]
        }
    return set()


def _kept_devices(devices: Sequence[Any], wrong: Iterable[tuple[str | int, ...]]) -> Sequence[int]:
    gone = {place[1] for place in wrong if len(place) > 1 and place[0] == "devices"}
    buses = {place[1] for place in wrong if len(place) > 1 and place[0] == "buses"}
    return [
        index
        for index, device in enumerate(devices)
        if index not in gone and device.get("bus") not in buses
    ]
