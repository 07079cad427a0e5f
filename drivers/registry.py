"""Find drivers by name: the folders beside this file are the registry."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import drivers
from drivers.contract import DriverSpec


def names() -> tuple[str, ...]:
    """Return the names of all drivers, sorted: every package in this folder is one."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(drivers.__path__) if m.ispkg))


@cache
def load(name: str) -> DriverSpec:
    """Return the driver of that name.

    Raises:
        LookupError: there is no such driver; the message names those that exist.
    """
    if name not in names():
        raise LookupError(f"no driver {name!r}; there are: {', '.join(names())}")
    spec = importlib.import_module(f"drivers.{name}").DRIVER
    if not isinstance(spec, DriverSpec):
        raise TypeError(f"drivers.{name}.DRIVER is not a DriverSpec")
    return spec


@cache
def driver_of_protocol(protocol: str) -> DriverSpec:
    """Return the driver that speaks a protocol such as `modbus-rtu`.

    Raises:
        LookupError: nobody speaks it; the message names all protocols.
    """
    # Those first whose name is in the protocol's: what a gateway does not speak it need not carry.
    for name in sorted(names(), key=lambda name: name not in protocol):
        if protocol in load(name).speakers:
            return load(name)
    known = sorted(p for name in names() for p in load(name).speakers)
    raise LookupError(f"no protocol {protocol!r}; there are: {', '.join(known)}")
