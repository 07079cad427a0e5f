"""What waits for the task of a sink: outcomes of messages, and messages of the platform."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from gateway.model.publication import Arrival, Outcome

MAX_ARRIVALS = 1000
"""Messages from the platform that may wait; further ones are dropped."""


class Mailbox:
    """Put from the session's callbacks, taken by the sink's tasks, all at once."""

    def __init__(self) -> None:
        """Be empty."""
        self._outcomes: list[Outcome] = []
        self._has_outcomes = asyncio.Event()
        self._arrivals: deque[Arrival] = deque()
        self._has_arrivals = asyncio.Event()

    def put_outcome(self, outcome: Outcome) -> None:
        """Keep an outcome; they are bounded by the window."""
        self._outcomes.append(outcome)
        self._has_outcomes.set()

    def put_arrival(self, arrival: Arrival) -> bool:
        """Keep a message of the platform; False when too many wait."""
        if len(self._arrivals) >= MAX_ARRIVALS:
            return False
        self._arrivals.append(arrival)
        self._has_arrivals.set()
        return True

    async def outcomes(self) -> Sequence[Outcome]:
        """Wait for outcomes and return all there are."""
        await self._has_outcomes.wait()
        self._has_outcomes.clear()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    async def arrivals(self) -> Sequence[Arrival]:
        """Wait for messages of the platform and return all there are."""
        await self._has_arrivals.wait()
        self._has_arrivals.clear()
        arrivals = list(self._arrivals)
        self._arrivals.clear()
        return arrivals
