"""Doors, smoke, gas, leaks and alarm inputs: quiet, until it burns, leaks or somebody comes."""

from __future__ import annotations

from simulators.physics.quiet import Habits, Quiet
from simulators.physics.scene import Physics, Scene

HABITS = Habits(
    resting={"door": "closed", "conc": 0.0, "lel": 0.0, "age": 3},
    happenings={
        "open": {"door": "open"},
        "smoke": {"smoke": True},
        "leak": {"wet": True, "wet_1": True, "latched": True},
        "gas": {"alarm": True, "lel": 32.0, "conc": 180.0},
        "alarm": {"in_1": True, "any_alarm": True, "group_1": True},
    },
)


def make(scene: Scene) -> Physics:
    """Return the physics of a device of kind `security.*`."""
    return Quiet(scene, HABITS)
