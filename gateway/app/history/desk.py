"""What the command line and the console may ask of the local history."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import Any

from gateway.app.history.local import HistoryTask
from gateway.app.outward.kept import is_kept
from gateway.historian.chunk import Sample, steps
from gateway.historian.store import Found, HistoryDamaged, PointName
from gateway.model.ids import PointId
from gateway.model.quality import Quality
from gateway.ops.control import Arguments, ControlError
from gateway.rules.report import point_of
from gateway.settings.site import Device

MOST_VALUES = 20_000
"""In one answer; more are summed up, or asked for in pieces."""
LONGEST_STEP_MS = 86_400_000


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
    from_ms, to_ms = int(arguments["from"]), int(arguments["to"])
    try:
        found = await history.read(PointName(device.id, point.id), from_ms, to_ms)
    except (HistoryDamaged, sqlite3.Error) as error:
        raise ControlError(f"the history cannot be read now: {error}") from error
    unit = found.unit or point.unit
    return {"dev": device.id, "p": point.id, "u": unit, **_shown(found, arguments.get("step"))}


async def history_status(history: HistoryTask | None) -> dict[str, Any] | None:
    """Return how the history is; None: the site keeps none."""
    return None if history is None else await history.status()


def _shown(found: Found, step: object) -> dict[str, Any]:
    if step is not None:
        step_ms = int(str(step))
        if not 0 < step_ms <= LONGEST_STEP_MS:
            raise ControlError("a step is between 1 ms and a day")
        shown = [asdict(one) for one in steps(found.samples, step_ms)]
        return {"step": step_ms, "steps": _bounded(shown)}
    return {"values": _bounded([_value(one) for one in found.samples])}


def _bounded(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(shown) > MOST_VALUES:
        raise ControlError(
            f"{len(shown)} values are too many for one answer: ask for less time, or with --step"
        )
    return shown


def _value(one: Sample) -> dict[str, Any]:
    shown: dict[str, Any] = {"ts": one.ts_ms, "v": one.value}
    if one.mark.quality is not Quality.GOOD:
        shown["q"] = int(one.mark.quality)
    if one.mark.reason is not None:
        shown["qr"] = one.mark.reason
    return shown
