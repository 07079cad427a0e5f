"""The twin of a device: what its points are at a moment, whatever protocol carries them.

Values move in steps (`step_s`), only when somebody asks or time is told; what a reply carried is
noted in the ledger by the simulator that encoded it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.model.reading import Value
from gateway.settings.site import Point
from simulators import physics
from simulators.ledger import Ledger
from simulators.physics.scene import Scene


@dataclass(frozen=True, slots=True)
class _Hold:
    """A value that is kept on a point until a moment (seconds since 1970)."""

    value: Value
    until_s: float


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
        self._physics = physics.make(kind, Scene(points, seed))
        self._ledger = ledger
        self._step_s = step_s
        self._stepped_s = -1e18
        self._values: dict[str, Value] = {}
        self._holds: dict[str, _Hold] = {}
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
            self._holds[point] = _Hold(value, now_ms / 1000 + for_s)
            self._step(now_ms, is_forced=True)

    def happen(self, what: str, now_ms: int, for_s: float) -> bool:
        """Let something happen to it; False when this kind of thing cannot do it."""
        with self._lock:
            has_happened = self._physics.happen(what, now_ms / 1000, for_s)
            self._step(now_ms, is_forced=True)
            return has_happened

    def write(self, point: str, value: Value, now_ms: int) -> None:
        """Set a point as a command would."""
        with self._lock:
            self._physics.written(point, value, now_ms / 1000)
            self._step(now_ms, is_forced=True)

    def _step(self, now_ms: int, *, is_forced: bool = False) -> None:
        now_s = now_ms / 1000
        if not is_forced and now_s - self._stepped_s < self._step_s:
            return
        self._stepped_s = now_s
        values = dict(self._physics.values(now_s))
        for name, hold in list(self._holds.items()):
            if now_s < hold.until_s:
                values[name] = hold.value
            else:
                del self._holds[name]
        self._values = {name: value for name, value in values.items() if name in self.points}
