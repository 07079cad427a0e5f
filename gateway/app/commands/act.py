"""Do what a command asks of a device: read, or write and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

from gateway.app.commands.asking import LineFailed, Lines
from gateway.app.commands.judge import ReadPlan, WritePlan
from gateway.model.ids import PointId
from gateway.model.quality import GOOD, Quality
from gateway.model.reading import PointColumn, Reading, Value
from gateway.model.record import PropBody
from gateway.rules.report import point_of
from gateway.settings.site import Device, Point

ACT_WITHIN_S = 30.0
"""The longest a line may take to carry one command out."""
FLOAT32_STEP = 2.0**-23
"""A register of single precision shows 0.1 as a neighbour that differs by this part at most."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command."""

    status: str
    code: str | None = None
    message: str | None = None
    point: PointId | None = None
    value: Value | None = None
    readback: PropBody | None = None


async def read(lines: Lines, plan: ReadPlan, within_s: float) -> Done:
    """Return what the device shows now; that nothing could be read is no success."""
    try:
        readings = await lines.read(plan.device.id, plan.points, within_s=within_s)
    except LineFailed as failed:
        return Done("failed", failed.reason, str(failed))
    if readings and all(one.mark.quality is Quality.BAD for one in readings):
        text = "nothing could be read"
        return Done("failed", readings[0].mark.reason, text, readback=_body(readings))
    return Done("done", readback=_body(readings))


async def write(lines: Lines, plan: WritePlan, within_s: float) -> Done:
    """Write a value, read it back, and return whether the device holds it."""
    write = plan.write
    try:
        await lines.write(write.device.id, write.point.id, plan.raw, within_s=within_s)
    except LineFailed as failed:
        return Done("failed", failed.reason, str(failed))
    return await _read_back(lines, write.device, write.point, write.value)


async def _read_back(lines: Lines, device: Device, point: Point, value: Value) -> Done:
    rule = point.write
    target = point.id if rule is None or rule.readback is None else rule.readback
    shown = point_of(device, target)
    if shown is None or not shown.is_readable:
        text = "written; the point cannot be read"
        return Done("done", "no_readback", text, point.id, value)
    try:
        readings = await lines.read(device.id, (target,), within_s=ACT_WITHIN_S)
    except LineFailed as failed:
        text = f"written, but reading it back failed: {failed}"
        return Done("failed", "readback", text, point.id, value)
    body = _body(readings)
    if target == point.id and not _holds(readings, value):
        text = "written, but the device shows another value"
        return Done("failed", "readback", text, point.id, value, body)
    return Done("done", None, None, point.id, value, body)


def _holds(readings: Sequence[Reading], value: Value) -> bool:
    return any(
        reading.mark.quality is Quality.GOOD and _is_same(reading.value, value)
        for reading in readings
    )


def _is_same(shown: Value | None, wanted: Value) -> bool:
    if isinstance(shown, float) and isinstance(wanted, int | float):
        return isclose(shown, wanted, rel_tol=FLOAT32_STEP)
    return shown == wanted


def _body(readings: Sequence[Reading]) -> PropBody:
    column = PointColumn(
        tuple(reading.point for reading in readings), tuple(reading.unit for reading in readings)
    )
    marks = tuple(reading.mark for reading in readings)
    is_plain = all(mark == GOOD for mark in marks)
    return PropBody(
        column, tuple(reading.value for reading in readings), None if is_plain else marks
    )
