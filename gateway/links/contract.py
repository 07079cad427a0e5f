"""The one shape of a byte pipe, and the one way in which it fails."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol


class LinkDown(Exception):
    """The pipe is not there: `why` says what happened, `remedy` what a person can do."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(f"{why}: {remedy}" if remedy else why)
        self.why = why
        self.remedy = remedy


class Link(Protocol):
    """A byte pipe with one owner: one task sends and receives.

    It never reopens by itself. After LinkDown it is closed; `open` may be called again, and looks
    names up anew each time.
    """

    @property
    def char_s(self) -> float:
        """Seconds of one character as configured; 0 on networks."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it was opened and has not been lost or closed since."""
        ...

    def describe(self) -> str:
        """Return the link as people name it, such as `serial port by-path/usb-1.2 (9600 8E1)`."""
        ...

    async def open(self) -> None:
        """Open it; nothing happens when it is open already.

        Raises:
            LinkDown: it cannot be opened now.
        """
        ...

    async def close(self) -> None:
        """Give everything back; may be called at any time, more than once."""
        ...

    def send(self, data: bytes, /) -> float:
        """Send without waiting; return the loop time at which the last bit will have left.

        Raises:
            LinkDown: the pipe is gone.
        """
        ...

    def receive(self, until: float, /) -> Coroutine[Any, Any, bytes]:
        """Await bytes as soon as any are there; b"" at loop time `until`.

        Raises:
            LinkDown: the pipe is gone, and all that had come before is taken.
        """
        ...

    def switch(self, setting: str | None, /) -> None:
        """Run on another serial setting such as `300 7E1` from now on; None: on its own.

        Nothing may be on its way out. Networks have no setting, and ignore it.

        Raises:
            LinkDown: the port is gone, or cannot be set so.
        """
        ...

    def drop_input(self) -> int:
        """Discard what has arrived and was not received; return how many bytes that were."""
        ...
