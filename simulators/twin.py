"""The twin of a device: what its points are at a moment, whatever protocol carries them.

Values move in steps (`step_s`), only when somebody asks or time is told; what a reply carried is
noted in the ledger by the simulator that encoded it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from gateway.model.reading import Value
from gateway.settings.site import Point
from simulators import physics
from simulators.course import Course
from simulators.ledger import Ledger
from simulators.physics.scene import Scene


class Twin:
    """Safe to use from several threads."""

    def __init__(  # noqa: PLR0913 - what a device is, of which half has a usual value
        self,
        device: str,
        kind: str,
        points: Sequence[Point],
        ledger: Ledger | None = None,
        *,
        seed: int = 0,
        step_s: float = 0.2,
    ) -> None:
        """Take what the device is; `kind` chooses its physics."""
        self.id = device
        self.points = {str(point.id): point for point in points}
        self._course = Course(physics.make(kind, Scene(points, seed)), step_s)
        self._ledger = ledger
        self._values: dict[str, Value] = {}
        self._lock = threading.RLock()

    def values(self, now_ms: int) -> Mapping[str, Value]:
        """Return what the points are at this moment, in the units of the profile, not rounded."""
        with self._lock:
            self._step(now_ms)
            return dict(self._values)

    def serve(self, point: str, value: Value | None, now_ms: int) -> None:
        """Note in the ledger what a reply carried, as its encoding rounds it; None for no value."""
        if self._ledger is not None:
            self._ledger.put(self.id, point, value, now_ms)

    def step(self, now_ms: int) -> None:
        """Let time pass without a request."""
        with self._lock:
            self._step(now_ms)

    def hold(self, point: str, value: Value, now_ms: int, for_s: float = 1e12) -> None:
        """Keep a value on a point for a time, whatever physics says.

        Raises:
            KeyError: the device has no such point.
        """
        with self._lock:
            if point not in self.points:
                raise KeyError(f"{self.id} has no point {point}")
            self._course.hold(point, value, now_ms / 1000 + for_s)
            self._step(now_ms, is_forced=True)

    def happen(self, what: str, now_ms: int, for_s: float) -> bool:
        """Let something happen to it; False when this kind of thing cannot do it."""
        with self._lock:
            has_happened = self._course.physics.happen(what, now_ms / 1000, for_s)
            self._step(now_ms, is_forced=True)
            return has_happened

    def write(self, point: str, value: Value, now_ms: int) -> None:
        """Set a point as a command would."""
        with self._lock:
            self._course.physics.written(point, value, now_ms / 1000)
            self._step(now_ms, is_forced=True)

    def _step(self, now_ms: int, *, is_forced: bool = False) -> None:
        values = self._course.step(now_ms / 1000, is_forced=is_forced)
        if values is None:
            return
        self._values = {name: value for name, value in values.items() if name in self.points}
