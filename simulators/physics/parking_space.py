"""A parking space: cars come and go by chance, or when the script says so."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.reading import Value
from simulators.physics.quiet import Habits, Quiet
from simulators.physics.scene import Physics, Scene, between, chance

FREE_MM, CAR_MM = 2400.0, 620.0
BUSY_PART = 0.45
CAR: Mapping[str, Value] = {"status": "occupied", "dist": CAR_MM}
NO_CAR: Mapping[str, Value] = {"status": "free", "dist": FREE_MM}
HABITS = Habits(resting={**NO_CAR, "batt": 3.6}, happenings={"car": CAR, "leave": NO_CAR})


def make(scene: Scene) -> Physics:
    """Return the physics of a space."""
    return Space(scene)


class Space:
    """In each spell of a few minutes there is a car or there is none."""

    def __init__(self, scene: Scene) -> None:
        self._seed = scene.seed
        self._ids = frozenset(scene.ids)
        self._quiet = Quiet(scene, HABITS)
        self._spell_s = between(120, 400, chance(scene.seed, "spell"))
        self._until_s = -1e18

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return whether a car stands there, and what the sensor measures."""
        values = dict(self._quiet.values(at_s))
        if at_s >= self._until_s:  # nothing of the script lasts
            spell = int(at_s // self._spell_s)
            here = CAR if chance(self._seed, "car", spell) < BUSY_PART else NO_CAR
            values.update({p: v for p, v in here.items() if p in self._ids})
        return values

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Settings of the sensor stay as written."""
        self._quiet.written(point, value, at_s)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Let a car come, or leave, for a time."""
        has_happened = self._quiet.happen(what, at_s, for_s)
        if has_happened:
            self._until_s = max(self._until_s, at_s + for_s)
        return has_happened
