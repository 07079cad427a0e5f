"""A secret by its name: what stands in a site file in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by name; read when it is needed, never stored."""

    kind: Literal["credential", "env", "file"]
    name: str
