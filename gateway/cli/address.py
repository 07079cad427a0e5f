"""A driver's address as people read it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from drivers.contract import Address


def address_keys(address: Address) -> dict[str, Any]:
    """Return the keys of an address that differ from their defaults."""
    if not is_dataclass(address):
        return {}
    values = {
        field.name: (getattr(address, field.name), field.default) for field in fields(address)
    }
    return {name: value for name, (value, default) in values.items() if value != default}
