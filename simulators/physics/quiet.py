"""Things that rest until something happens to them: detectors, contacts, inputs.

Not a kind of its own: other modules of this folder make a `Quiet` with what rests and what may
happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.model.reading import Value
from simulators.physics.generic import Generic
from simulators.physics.scene import Scene


@dataclass(frozen=True, slots=True)
class Habits:
    """`resting`: values in peace. `happenings`: by name, the values while it lasts."""

    resting: Mapping[str, Value]
    happenings: Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class _Episode:
    values: Mapping[str, Value]
    begin_s: float
    end_s: float


class Quiet:
    """Rests, but for episodes; points that the habits do not name are generic."""

    def __init__(self, scene: Scene, habits: Habits) -> None:
        self._others = Generic(scene)
        self._ids = frozenset(scene.ids)
        self._resting = {p: v for p, v in habits.resting.items() if p in self._ids}
        self._happenings = habits.happenings
        self._episodes: list[_Episode] = []

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return peace, or what happens."""
        self._episodes = [e for e in self._episodes if at_s < e.end_s]
        values = {**self._others.values(at_s), **self._resting}
        for episode in self._episodes:
            if episode.begin_s <= at_s:
                values.update(episode.values)
        return values

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Keep a written value."""
        self._resting.pop(point, None)
        self._others.written(point, value, at_s)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Let it happen for a time."""
        values = {p: v for p, v in self._happenings.get(what, {}).items() if p in self._ids}
        if not values:
            return False
        self._episodes.append(_Episode(values, at_s, at_s + for_s))
        return True
