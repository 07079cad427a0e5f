"""Find dialects by name: the modules beside this file that define `DIALECT`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import gateway.dialects
from gateway.dialects.contract import DialectSpec


@cache
def names() -> tuple[str, ...]:
    """Return the names of all dialects, sorted."""
    modules = sorted(module.name for module in pkgutil.iter_modules(gateway.dialects.__path__))
    return tuple(name for name in modules if _spec_of(name) is not None)


@cache
def load(name: str) -> DialectSpec:
    """Return the dialect of that name.

    Raises:
        LookupError: there is no such dialect; the message names those that exist.
    """
    modules = {module.name for module in pkgutil.iter_modules(gateway.dialects.__path__)}
    spec = _spec_of(name) if name in modules else None
    if spec is None:
        raise LookupError(f"no dialect {name!r}; there are: {', '.join(names())}")
    return spec


def _spec_of(name: str) -> DialectSpec | None:
    if name == "registry":
        return None
    spec = getattr(importlib.import_module(f"gateway.dialects.{name}"), "DIALECT", None)
    return spec if isinstance(spec, DialectSpec) else None
