"""Where a device is on the map, as a model: longitude and latitude with their reference system."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.settings.fields import Number, Strict


class PositionEntry(Strict):
    """A position. Maps of China use several systems, up to 700 m apart: none is guessed."""

    lon: Number = Field(ge=-180, le=180, description="Longitude in degrees, east positive.")
    lat: Number = Field(ge=-90, le=90, description="Latitude in degrees, north positive.")
    height: Number | None = Field(default=None, ge=-500, le=9000, description="Height in metres.")
    crs: Literal["EPSG:4490", "EPSG:4326", "GCJ-02", "BD-09"] = Field(
        description="Reference system: EPSG:4490 (CGCS2000), EPSG:4326 (WGS 84), GCJ-02 or BD-09."
    )
