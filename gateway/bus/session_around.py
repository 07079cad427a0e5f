"""What a line is given whose devices speak by themselves: where they call, and secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.links.contract import Link
from gateway.settings.site import Device


@runtime_checkable
class Door(Protocol):
    """A listening port: every call is a link."""

    def open(self) -> None:
        """Listen; LinkDown when it cannot."""
        ...

    def close(self) -> None:
        """Listen no longer."""
        ...

    async def call(self, within_s: float) -> Link | None:
        """Return the next call, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the house does with secrets: `key_of` reads a device's key, `hide` makes a pseudonym."""

    key_of: Callable[[Device], bytes | None]
    hide: Callable[[str], str]
