"""A loaded site, where things are: opaque parts of a place, and a position on the map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Position:
    """Degrees (east and north positive) and metres, in the named reference system.

    `crs`: EPSG:4490 (CGCS2000), EPSG:4326 (WGS 84), GCJ-02 or BD-09; never converted.
    """

    lon: float
    lat: float
    height: float | None
    crs: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where a device is; all parts are opaque text, `position` is a point on the map."""

    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    position: Position | None = None


NOWHERE = Location()
"""Nothing is said of the place."""
