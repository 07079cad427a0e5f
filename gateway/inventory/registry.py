"""Find forms of inventory by name: the modules beside this file that define `FORM`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import gateway.inventory
from gateway.inventory.contract import Form


@cache
def forms() -> dict[str, Form]:
    """Return all forms by name, sorted."""
    found: dict[str, Form] = {}
    for module in sorted(pkgutil.iter_modules(gateway.inventory.__path__), key=lambda m: m.name):
        form = (
            None
            if module.name == "registry"
            else getattr(importlib.import_module(f"gateway.inventory.{module.name}"), "FORM", None)
        )
        if isinstance(form, Form):
            found[module.name] = form
    return found
