"""Find rules by their folder: the modules beside this file that define `RULE`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import gateway.rules
from gateway.rules.contract import RuleSpec

_NO_RULES = frozenset({"registry", "chain", "contract"})


@cache
def specs() -> tuple[RuleSpec, ...]:
    """Return all rules in the order in which they see a batch: by stage, then by room."""
    found = [
        spec
        for module in pkgutil.iter_modules(gateway.rules.__path__)
        if (spec := _spec_of(module.name)) is not None
    ]
    return tuple(sorted(found, key=lambda spec: (spec.stage, spec.room)))


def _spec_of(name: str) -> RuleSpec | None:
    if name in _NO_RULES:
        return None
    spec = getattr(importlib.import_module(f"gateway.rules.{name}"), "RULE", None)
    return spec if isinstance(spec, RuleSpec) else None
