"""Platforms of the Alink family: the modules beside this file, each with its `PROFILE`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from gateway.dialects.alink.profile import AlinkProfile


@cache
def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def load(name: str) -> AlinkProfile:
    """Return the profile of that name.

    Raises:
        LookupError: there is no such profile; the message names those that exist.
    """
    if name not in names():
        raise LookupError(f"no Alink profile {name!r}; there are: {', '.join(names())}")
    profile = importlib.import_module(f"{__name__}.{name}").PROFILE
    if not isinstance(profile, AlinkProfile):
        raise TypeError(f"{name}: PROFILE is no AlinkProfile")
    return profile
