"""The queues between lines and pipeline: events first, and a line is never blocked.

When telemetry overflows, a newer value of the same points replaces the older one, and that is
counted and told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.record import Record, StateChange
from gateway.model.sample import DeviceState, LineState, Samples


@dataclass(frozen=True, slots=True)
class SnapshotWanted:
    """A sink has just connected: it gets every point's newest value once."""

    sink: SinkName


@dataclass(frozen=True, slots=True)
class Ready:
    """Records that are ready to be committed, with the state that belongs to them."""

    records: tuple[Record, ...]
    changes: tuple[StateChange, ...] = ()
    committed: asyncio.Future[None] | None = None
    """Set when they are safe."""


@dataclass(frozen=True, slots=True)
class Due:
    """Time has gone on: what is made at fixed times may be due."""


Item: TypeAlias = Samples | DeviceState | LineState | SnapshotWanted | Ready | Due

MAX_TELEMETRY = 20_000
"""Jobs' samples that may wait; beyond it newer ones replace older ones."""


class Inbox:
    """What the pipeline has to do. Lines and sinks put, the pipeline takes."""

    def __init__(
        self, is_urgent: Callable[[Samples], bool], enough: int, *, limit: int = MAX_TELEMETRY
    ) -> None:
        """Take what tells urgent samples, and the number of readings worth waking up for."""
        self._is_urgent = is_urgent
        self._enough = enough
        self._limit = limit
        self._urgent: deque[Item] = deque()
        self._after: deque[Item] = deque()
        self._telemetry: deque[Samples] = deque()
        self._newest: dict[tuple[DeviceId, tuple[PointId, ...]], Samples] = {}
        self._readings = 0
        self._wake = asyncio.Event()
        self.replaced = 0
        """Samples that were replaced by newer ones because the pipeline was behind."""

    def put_samples(self, samples: Samples) -> None:
        """Take the result of a job."""
        if samples.asked or samples.kept is not None or self._is_urgent(samples):
            self.put(samples)
            return
        if len(self._telemetry) < self._limit:
            self._telemetry.append(samples)
        else:
            key = (samples.device, samples.points)
            self.replaced += key in self._newest
            self._newest[key] = samples
        self._readings += len(samples.points)
        if self._readings >= self._enough:
            self._wake.set()

    def put_device_state(self, state: DeviceState) -> None:
        """Take a device's going or coming."""
        self.put(state)

    def put_line_state(self, state: LineState) -> None:
        """Take a line's going or coming."""
        self.put(state)

    def put_snapshot(self, sink: SinkName) -> None:
        """Take a sink's wish for every point's newest value, after what waits already."""
        self._after.append(SnapshotWanted(sink))
        self._wake.set()

    def put(self, item: Item) -> None:
        """Take something that does not wait for company."""
        self._urgent.append(item)
        self._wake.set()

    def wake(self) -> None:
        """Let the pipeline look up, at a stop."""
        self._wake.set()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self._urgent or self._telemetry or self._newest or self._after)

    async def take(self, until: float) -> list[Item]:
        """Return all there is, urgent items first.

        At once when some are urgent or enough came, else at loop time `until`.
        """
        if not self._wake.is_set():
            try:
                async with asyncio.timeout_at(until):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._wake.clear()
        return self.take_all()

    def take_all(self) -> list[Item]:
        """Return all there is now, urgent items first."""
        items: list[Item] = [
            *self._urgent,
            *self._telemetry,
            *self._newest.values(),
            *self._after,
        ]
        self._urgent.clear()
        self._after.clear()
        self._telemetry.clear()
        self._newest.clear()
        self._readings = 0
        return items
