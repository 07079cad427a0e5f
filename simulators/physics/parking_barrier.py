"""A gate: it moves at its speed, obeys commands, and lets cars pass."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.reading import Value
from simulators.physics.generic import Generic
from simulators.physics.scene import Physics, Scene

TRAVEL_S = 4.0
TRAVEL_STEPS = 15  # closed; 0 is open, as the gate motor's profile counts
ON_LOOP_S = 3.0
PEDESTRIAN = 0.4
TARGETS = {"open": 1.0, "close": 0.0, "hold": 1.0, "pedestrian": PEDESTRIAN}


def make(scene: Scene) -> Physics:
    """Return the physics of a gate."""
    return Gate(scene)


class Gate:
    """Position 0 is closed, 1 is open."""

    def __init__(self, scene: Scene) -> None:
        self._ids = frozenset(scene.ids)
        self._others = Generic(scene)
        self._from = 0.0
        self._target = 0.0
        self._since_s = -1e18
        self._loop_until_s = -1e18
        self._close_at_s: float | None = None
        self._cycles = 120 + scene.seed % 800
        self._is_stopped = False

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return where it is and what it does."""
        if self._close_at_s is not None and at_s >= self._close_at_s:
            self._move(0.0, self._close_at_s)
            self._close_at_s = None
        place = self._place(at_s)
        known: dict[str, Value] = {
            "pos": self._doing(place),
            "limit": "open" if place >= 1 else "closed" if place <= 0 else "between",
            "travel": round((1 - place) * TRAVEL_STEPS),
            "loop": at_s < self._loop_until_s,
            "cycles": self._cycles,
            "cmd_pending": 0,
        }
        return {
            **self._others.values(at_s),
            **{name: value for name, value in known.items() if name in self._ids},
        }

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Obey a command; other settings stay as written."""
        if point != "pos_cmd":
            self._others.written(point, value, at_s)
        elif value == "stop":
            self._stop(at_s)
        elif value in TARGETS:
            self._close_at_s = None
            self._move(TARGETS[str(value)], at_s)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Let a car pass: it stands on the loop, the gate opens and closes behind it."""
        if what not in {"car", "open"}:
            return False
        if what == "car":
            self._loop_until_s = at_s + min(ON_LOOP_S, for_s)
        self._move(1.0, at_s)
        self._close_at_s = at_s + for_s
        return True

    def _place(self, at_s: float) -> float:
        way = min(1.0, max(0.0, (at_s - self._since_s) / TRAVEL_S))
        if self._target >= self._from:
            return min(self._target, self._from + way)
        return max(self._target, self._from - way)

    def _move(self, target: float, at_s: float) -> None:
        self._from, self._since_s = self._place(at_s), at_s
        if target > self._from and self._from <= 0:
            self._cycles += 1
        self._target = target
        self._is_stopped = False

    def _stop(self, at_s: float) -> None:
        self._from = self._target = self._place(at_s)
        self._close_at_s = None
        self._is_stopped = True

    def _doing(self, place: float) -> str:
        if place < self._target:
            return "opening"
        if place > self._target:
            return "closing"
        if place in {0.0, 1.0}:
            return "open" if place else "closed"
        return "stopped"
