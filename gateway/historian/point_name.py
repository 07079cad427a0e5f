"""What a series of the local history is of."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.ids import DeviceId, PointId


@dataclass(frozen=True, slots=True)
class PointName:
    """A point of a device."""

    device: DeviceId
    point: PointId
