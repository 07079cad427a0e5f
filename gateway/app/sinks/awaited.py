"""What the broker has, and the platform has not confirmed yet (`ack: app`). Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.model.publication import Publication

CONFIRM_S = 30.0
"""A platform that has not confirmed a record for so long gets it again, under its identity."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One message, and the loop time from which it counts as unconfirmed."""

    publication: Publication
    until: float


class Awaited:
    """Of one sink and connection."""

    def __init__(self) -> None:
        """Wait for nothing."""
        self._waiting: deque[_Waiting] = deque()

    def clear(self) -> None:
        """A connection begins: all that was not settled is handed out again anyway."""
        self._waiting.clear()

    def delivered(self, publication: Publication, now: float) -> None:
        """Note that the broker has taken a message."""
        if publication.covers:
            self._waiting.append(_Waiting(publication, now + CONFIRM_S))

    def late(self, now: float) -> Iterator[Publication]:
        """Yield what has had its time, each once; the feed knows what was confirmed meanwhile."""
        while self._waiting and self._waiting[0].until <= now:
            yield self._waiting.popleft().publication
