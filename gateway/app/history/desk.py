"""What the command line and the console may ask of the local history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from gateway.app.history.local import HistoryTask
from gateway.app.outward.kept import is_kept
from gateway.historian.chunk import Sample, steps
from gateway.historian.point_name import PointName
from gateway.historian.store import HistoryDamaged
from gateway.model.ids import PointId
from gateway.model.quality import Quality
from gateway.ops.control import Arguments, ControlError
from gateway.rules.report import point_of
from gateway.settings.site import Device

MOST_VALUES = 20_000
"""In one answer; more are summed up, or asked for in pieces."""
LONGEST_STEP_MS = 86_400_000
PIECE_MS = 6 * 3_600_000
"""Of time that is read at once: of a point of 200 ms that is 20 MB."""
MOST_PIECES = 200
"""Where a clock was once years ahead, the pieces are longer: there is little in them."""


async def history_of(
    history: HistoryTask | None, device: Device, arguments: Arguments
) -> dict[str, Any]:
    """Return the values of one point from `from` to before `to` (ms), by `step` ms when given.

    Raises:
        ControlError: there is no history, no such point, or too much of it.
    """
    if history is None:
        raise ControlError("this site keeps no local history: write `history: {}` into its file")
    point = point_of(device, PointId(str(arguments.get("point"))))
    if point is None:
        raise ControlError(f"{device.id} has no point {arguments.get('point')}")
    if not is_kept(point):
        raise ControlError(f"{device.id}/{point.id} is personal ({point.personal}): it is not kept")
    if arguments.get("from") is None or arguments.get("to") is None:
        raise ControlError("`from` and `to` are needed, in milliseconds of UTC")
    span = range(int(arguments["from"]), int(arguments["to"]))
    step_ms = None if arguments.get("step") is None else int(arguments["step"])
    if step_ms is not None and not 0 < step_ms <= LONGEST_STEP_MS:
        raise ControlError("a step is between 1 ms and a day")
    name = PointName(device.id, point.id)
    try:
        shown, unit = await _shown(history, name, span, step_ms)
    except (HistoryDamaged, sqlite3.Error) as error:
        raise ControlError(f"the history cannot be read now: {error}") from error
    what = {"values": shown} if step_ms is None else {"step": step_ms, "steps": shown}
    return {"dev": device.id, "p": point.id, "u": unit or point.unit, **what}


async def _shown(
    history: HistoryTask, name: PointName, span: range, step_ms: int | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return values or steps, and the unit; never more than a piece of the span is in memory."""
    shown: list[dict[str, Any]] = []
    unit: str | None = None
    kept = await history.span()
    there = range(max(span.start, kept.start), min(span.stop, kept.stop))
    for piece in _pieces(there, step_ms):
        found = await history.read(name, piece.start, piece.stop)
        unit = found.unit or unit
        if step_ms is None:
            shown += map(_value, found.samples)
        else:
            shown += map(asdict, steps(found.samples, step_ms))
        if len(shown) > MOST_VALUES:
            text = f"more than {MOST_VALUES} values are too many for one answer"
            raise ControlError(f"{text}: ask for less time, or with a longer --step")
    return shown, unit


def _pieces(span: range, step_ms: int | None) -> Iterator[range]:
    """Yield the span cut at ends of steps."""
    wanted_ms = max(PIECE_MS, len(span) // MOST_PIECES)
    unit_ms = step_ms or wanted_ms
    size_ms = unit_ms * max(1, wanted_ms // unit_ms)
    start = span.start
    while start < span.stop:
        stop = min((start // size_ms + 1) * size_ms, span.stop)
        yield range(start, stop)
        start = stop


def _value(one: Sample) -> dict[str, Any]:
    shown: dict[str, Any] = {"ts": one.ts_ms, "v": one.value}
    if one.mark.quality is not Quality.GOOD:
        shown["q"] = int(one.mark.quality)
    if one.mark.reason is not None:
        shown["qr"] = one.mark.reason
    return shown
