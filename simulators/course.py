"""The course of a device's values: what physics says, in steps, and what is held for a while."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.reading import Value
from simulators.physics.scene import Physics


@dataclass(frozen=True, slots=True)
class _Hold:
    """A value that is kept on a point until a moment (seconds since 1970)."""

    value: Value
    until_s: float


class Course:
    """Values stand still between two steps, so that what a reply carried can be told exactly."""

    def __init__(self, physics: Physics, step_s: float) -> None:
        """Take what moves the device, and the seconds of a step."""
        self.physics = physics
        self._step_s = step_s
        self._stepped_s = -1e18
        self._holds: dict[str, _Hold] = {}

    def step(self, now_s: float, *, is_forced: bool = False) -> dict[str, Value] | None:
        """Return the values from now on; None while the step that was taken last still lasts."""
        if not is_forced and now_s - self._stepped_s < self._step_s:
            return None
        self._stepped_s = now_s
        values = dict(self.physics.values(now_s))
        for name, hold in list(self._holds.items()):
            if now_s < hold.until_s:
                values[name] = hold.value
            else:
                del self._holds[name]
        return values

    def hold(self, point: str, value: Value, until_s: float) -> None:
        """Keep a value on a point until a moment, whatever physics says."""
        self._holds[point] = _Hold(value, until_s)

    def is_held(self, point: str) -> bool:
        """Whether a value is kept on a point."""
        return point in self._holds
