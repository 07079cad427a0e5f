"""A thing of which nothing is known but the types and ranges of its points.

Hints of the profile (`sim:`) are followed: `value` pins a point, `low` and `high` bound its
unrest, `step` lets it count up by so much a second. What is written stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.physics.scene import Physics, Scene, between, chance, wobble

# Typical spans of a quantity by its UCUM unit, where the profile gives no range.
SPANS: Mapping[str, tuple[float, float]] = {
    "Cel": (18.0, 26.0), "%": (40.0, 60.0), "V": (225.0, 235.0), "A": (0.5, 3.0),
    "W": (200.0, 900.0), "kW": (0.2, 0.9), "Hz": (49.95, 50.05), "kPa": (95.0, 105.0),
    "MPa": (0.3, 0.5), "[ppm]": (420.0, 700.0), "ug/m3": (10.0, 40.0), "lx": (50.0, 400.0),
    "mm": (1500.0, 1900.0), "m": (0.4, 0.8), "m3/h": (0.1, 0.6), "deg": (0.0, 3.0),
    "dB{A}": (38.0, 55.0), "mA": (5.0, 15.0),
}  # fmt: skip
DEFAULT_SPAN = (10.0, 20.0)
COUNT_PER_S = 1e-4

Course: TypeAlias = Callable[[float], Value]


def make(scene: Scene) -> Physics:
    """Return the physics of anything."""
    return Generic(scene)


class Generic:
    """Every point on its own; what is written stays."""

    def __init__(self, scene: Scene) -> None:
        self._courses = {str(p.id): _course(scene, p) for p in scene.points}
        self._points = {str(p.id): p for p in scene.points}

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return the values of all points."""
        return {name: course(at_s) for name, course in self._courses.items()}

    def written(self, point: str, value: Value, at_s: float) -> None:  # noqa: ARG002 - Physics
        """Keep a written value."""
        if point in self._courses:
            self._courses[point] = _steady(value)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:  # noqa: ARG002 - Physics
        """Return False: nothing is known that could happen."""
        return False


def _steady(value: Value) -> Course:
    return lambda _: value


def _course(scene: Scene, point: Point) -> Course:
    if "value" in point.sim:
        return _steady(_typed(point, point.sim["value"]))
    match point.type:
        case ValueType.BOOL:
            return _steady(value=False)
        case ValueType.ENUM:
            return _steady(next(iter(point.enum.values()), ""))
        case ValueType.TEXT:
            return _steady(f"SIM{scene.seed % 10000:04d}")
        case ValueType.FLOAT | ValueType.INT:
            return _number(scene, point)


def _typed(point: Point, value: float | str) -> Value:
    return bool(value) if point.type is ValueType.BOOL else value


def _number(scene: Scene, point: Point) -> Course:
    if point.write is not None:
        return _steady(point.write.minimum or 0)
    if point.is_cumulative:
        start = between(100, 9000, chance(scene.seed, point.id))
        step = float(point.sim.get("step", COUNT_PER_S))
        return _counted(start, step, is_whole=point.type is ValueType.INT)
    low, high = _span(point)
    unrest = wobble(scene, point.id, (high - low) / 2)
    middle = (low + high) / 2
    if point.type is ValueType.INT:
        return lambda at_s: round(middle + unrest.at(at_s))
    return lambda at_s: middle + unrest.at(at_s)


def _counted(start: float, per_s: float, *, is_whole: bool) -> Course:
    def course(at_s: float) -> Value:
        count = start + (at_s % 1e8) * per_s
        return int(count) if is_whole else count

    return course


def _span(point: Point) -> tuple[float, float]:
    low, high = SPANS.get(point.unit or "", DEFAULT_SPAN)
    if "low" in point.sim or "high" in point.sim:
        return float(point.sim.get("low", low)), float(point.sim.get("high", high))
    least = point.minimum if point.minimum is not None else low
    most = point.maximum if point.maximum is not None else high
    low, high = max(low, least), min(high, most)
    return (low, high) if low <= high else (least, least + (most - least) / 2)
