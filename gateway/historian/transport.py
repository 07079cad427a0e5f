"""How lines reach a server: blocking, one request after the other, in a thread of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from gateway.historian.answer import Answer
from gateway.settings.site_sinks import Secret

ReadSecret: TypeAlias = Callable[[Secret], str]


class Transport(Protocol):
    """A connection to one server. Every method blocks and belongs to the writing thread."""

    def write(self, body: bytes) -> Answer:
        """Return what the server said to these lines.

        Raises:
            ServerAway: nobody answered in time.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
