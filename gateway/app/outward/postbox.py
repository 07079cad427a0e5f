"""What sinks hear and the daemon works on: signed letters, and what platforms say of the time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from gateway.dialects.contract import Configuration
from gateway.model.ids import SinkName
from gateway.model.letter import Letter

MOST_LETTERS = 4
"""Letters that may wait; each has up to a quarter of a megabyte."""


@dataclass(frozen=True, slots=True)
class ToldTime:
    """A platform's clock against ours: ahead of it by `ahead_ms`, as it was at `at_ms`."""

    ahead_ms: int
    at_ms: int


class Postbox:
    """One for the gateway. Nothing here waits for a sink."""

    def __init__(self) -> None:
        """Begin empty."""
        self.configuration: Configuration | None = None
        """What runs, for births and status; None until it is known."""
        self.times: dict[SinkName, ToldTime] = {}
        """What each platform said last of the time: for people, no clock is set by it."""
        self._letters: deque[Letter] = deque()
        self._news = asyncio.Event()

    def put(self, letter: Letter) -> bool:
        """Take a letter; False where too many wait."""
        if len(self._letters) >= MOST_LETTERS:
            return False
        self._letters.append(letter)
        self._news.set()
        return True

    async def take(self) -> Letter:
        """Return the next letter, when there is one."""
        while not self._letters:
            self._news.clear()
            await self._news.wait()
        return self._letters.popleft()
