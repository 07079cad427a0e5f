"""Normalised readings: values with unit, quality and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark

Value: TypeAlias = int | float | bool | str


@dataclass(frozen=True, slots=True)
class PointColumn:
    """What is fixed about the readings of one job: point ids and UCUM units, in order."""

    points: tuple[PointId, ...]
    units: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings that were taken of one device at one moment, in columns of equal length.

    `marks` is None when all are good; a value is None where its mark is not good and nothing
    usable came. `asked` readings pass the dead-band.
    """

    device: DeviceId
    column: PointColumn
    values: tuple[Value | None, ...]
    marks: tuple[Mark, ...] | None
    ts_ms: int
    tq: TimeQuality
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading alone, where one is enough: read-back, the command line, `monitor`."""

    device: DeviceId
    point: PointId
    value: Value | None
    unit: str | None
    mark: Mark
    ts_ms: int
    tq: TimeQuality
