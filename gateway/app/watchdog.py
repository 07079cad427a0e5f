"""Feed the service manager's watchdog, but only while the gateway really makes progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.ops.notify import ServiceManager

STALL_S = 30.0
"""A pipeline or store that has not moved for this long has stopped."""
LINE_STALL_S = 180.0
"""A line may rest for a minute, and its longest job takes less than another."""
SINK_STALL_S = 300.0
"""A sink that is connected, has records and a free window, and yet sends none for so long."""


class Watchdog:
    """Watches the heartbeats of the rooms that must never stop."""

    def __init__(
        self,
        manager: ServiceManager,
        heartbeats: Mapping[str, Callable[[], float]],
        now: Callable[[], float],
        *,
        patience_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Take what returns the loop time at which each room last moved.

        `patience_s` is how long ago that may be, where STALL_S is too short.
        """
        self._manager = manager
        self._heartbeats = heartbeats
        self._patience_s = patience_s
        self._now = now

    def stalled(self) -> list[str]:
        """Return the names of rooms that have stopped."""
        now = self._now()
        return [
            name
            for name, beat in self._heartbeats.items()
            if now - beat() > self._patience_s.get(name, STALL_S)
        ]

    async def run(self, stop: asyncio.Event, status: Callable[[], str]) -> None:
        """Feed while nothing is stalled; show one line of status."""
        period = self._manager.watchdog_s / 3 or 10.0
        while not stop.is_set():
            stalled = self.stalled()
            if stalled:
                self._manager.status(f"stalled: {', '.join(stalled)}")
            else:
                self._manager.status(status())
                self._manager.feed_watchdog()
            try:
                async with asyncio.timeout(period):
                    await stop.wait()
            except TimeoutError:
                continue
