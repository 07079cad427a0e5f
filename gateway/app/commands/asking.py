"""What commands need of the house: the way to a device, and a safe place for records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.model.ids import DeviceId, PointId
from gateway.model.reading import Reading
from gateway.model.record import Record, StateChange
from gateway.model.sample import Raw


class LineFailed(Exception):
    """The device did not do it, or did not answer; `reason` is a `qr` word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Lines(Protocol):
    """The way to a device over its live line."""

    async def read(
        self, device: DeviceId, points: tuple[PointId, ...], *, within_s: float
    ) -> Sequence[Reading]:
        """Read now, before everything else. Raises LineFailed."""
        ...

    async def write(self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float) -> None:
        """Write now, before everything else. Raises LineFailed."""
        ...


class Keeps(Protocol):
    """The pipeline, as far as receipts and audit need it."""

    async def commit(self, records: Sequence[Record], changes: Sequence[StateChange] = ()) -> None:
        """Return when the records are safe."""
        ...
