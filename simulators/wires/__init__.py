"""Simulators of protocols beside Modbus: one module a driver, found by the driver's name."""

from __future__ import annotations

import importlib
import pkgutil

import simulators.wires
from simulators.contract import Simulator


def names() -> tuple[str, ...]:
    """Return the names of drivers that have a simulator here, sorted."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(simulators.wires.__path__)))


def load(driver: str) -> Simulator:
    """Return the simulator for a driver.

    Raises:
        LookupError: there is none; the message names those that exist.
    """
    if driver not in names():
        raise LookupError(f"there is no simulator for {driver}; there are: {', '.join(names())}")
    return importlib.import_module(f"simulators.wires.{driver}").SIMULATOR
