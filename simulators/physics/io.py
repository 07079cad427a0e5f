"""Input and relay modules: inputs rest until switched, relays do as they are told."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.model.reading import Value
from simulators.physics.quiet import Habits, Quiet
from simulators.physics.scene import Physics, Scene

INPUTS = 32
HABITS = Habits(
    resting={},
    happenings={f"in_{n}": {f"in_{n}": True} for n in range(1, INPUTS + 1)},
)
OUTPUT = re.compile(r"out_\d+")


def make(scene: Scene) -> Physics:
    """Return the physics of a module of kind `io.*`."""
    return Module(scene)


class Module:
    """As quiet things are; `out_all` switches every output."""

    def __init__(self, scene: Scene) -> None:
        self._quiet = Quiet(scene, HABITS)
        self._outputs = [name for name in scene.ids if OUTPUT.fullmatch(name)]

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return inputs and outputs."""
        return self._quiet.values(at_s)

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Switch."""
        for name in self._outputs if point == "out_all" else ():
            self._quiet.written(name, bool(value), at_s)
        self._quiet.written(point, value, at_s)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Switch an input on for a time."""
        return self._quiet.happen(what, at_s, for_s)
