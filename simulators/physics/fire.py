"""Fire detectors and panels: quiet until it burns."""

from __future__ import annotations

from simulators.physics.quiet import Habits, Quiet
from simulators.physics.scene import Physics, Scene

HABITS = Habits(
    resting={"active": False, "status_code": 0},
    happenings={"fire": {"active": True, "status_code": 1}},
)


def make(scene: Scene) -> Physics:
    """Return the physics of a device of kind `fire.*`."""
    return Quiet(scene, HABITS)
