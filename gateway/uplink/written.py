"""Messages of QoS 0 on their way out: nobody answers them, so they end when their bytes have left.

paho calls such a message published when it has written it; into our pipe that is at once. It counts
when the pipe has given it to the system, so that a slow link slows the sender.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Piece:
    """Messages that were put into the pipe together, and where in its stream they end."""

    keys: tuple[int, ...]
    end: int


class Written:
    """Of one connection, in the order in which they were sent."""

    def __init__(self) -> None:
        """Know of none."""
        self._last_key = 0
        self._fresh: list[int] = []
        self._pieces: deque[_Piece] = deque()

    def sent(self) -> int:
        """Return the key of a message that paho was just given: below 0, as no packet id is."""
        self._last_key -= 1
        self._fresh.append(self._last_key)
        return self._last_key

    def in_pipe(self, end: int) -> None:
        """All that was sent is in the pipe, up to this byte of its stream."""
        if self._fresh:
            self._pieces.append(_Piece(tuple(self._fresh), end))
            self._fresh.clear()

    def gone(self, upto: int) -> Iterator[int]:
        """Yield the keys of messages that the system has, which took so many bytes."""
        while self._pieces and self._pieces[0].end <= upto:
            yield from self._pieces.popleft().keys
