"""How things behave in time: one module per kind of device, found by its name.

A module `meter_electricity` serves the kind `meter.electricity`; a kind without a module of its
own takes the one of its first word (`meter`), then `generic`. Each has `make(scene)`.
All values depend on the seed and on absolute time only, so that a run can be repeated.
"""

from __future__ import annotations

import importlib
import pkgutil

import simulators.physics
from simulators.physics.scene import Physics, Scene


def make(kind: str, scene: Scene) -> Physics:
    """Return the physics of a kind of device."""
    known = {m.name for m in pkgutil.iter_modules(simulators.physics.__path__)}
    words = kind.split(".")
    names = ["_".join(words[:n]) for n in range(len(words), 0, -1)]
    name = next((n for n in names if n in known), "generic")
    module = importlib.import_module(f"simulators.physics.{name}")
    return module.make(scene)
