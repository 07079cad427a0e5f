"""A clock that stands still, an executor inside the loop, and short ways to make records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import PointColumn, Value
from gateway.model.record import Committed, EventBody, GapBody, Lane, PropBody, Record
from gateway.outbox.feed import Room, SinkFeed
from gateway.outbox.outbox import Outbox
from gateway.outbox.seams import Seams
from gateway.settings.site import Store

T = TypeVar("T")
NORTH, SOUTH = SinkName("north"), SinkName("south")
QUOTA_BYTES = 16 * 1024 * 1024
PLENTY = Room(1000, 1000, 1000)
COLUMN = PointColumn((PointId("u_a"), PointId("i_a")), ("V", "A"))


class InlineExecutor(Executor):
    """Runs each job at once, in the thread that submits it, as the simulation does."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - an executor hands every error over
            future.set_exception(error)
        return future


@dataclass
class ManualClock:
    """Time that moves when the test says so."""

    at_ms: int = 1_790_000_000_000
    at_s: float = 1000.0

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic(self) -> float:
        return self.at_s

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False

    def pass_s(self, seconds: float) -> None:
        self.at_s += seconds
        self.at_ms += int(seconds * 1000)


def an_outbox(
    folder: Path,
    clock: ManualClock,
    sinks: Iterable[SinkName] = (NORTH,),
    *,
    quota_bytes: int = QUOTA_BYTES,
    recent_readings: int = 1000,
) -> Outbox:
    seams = Seams(executor=InlineExecutor(), recent_readings=recent_readings)
    return Outbox.open(folder, Store(quota_bytes=quota_bytes), clock, tuple(sinks), seams=seams)


def values(*numbers: Value | None, sink: SinkName | None = None, ts_ms: int = 5) -> Record:
    points = tuple(PointId(f"p{index}") for index in range(len(numbers)))
    body = PropBody(PointColumn(points, (None,) * len(numbers)), numbers, None)
    return Record(DeviceId("em-1"), ts_ms, TimeQuality.SYNC, body, sink)


def event(eid: str, sink: SinkName | None = None) -> Record:
    body = EventBody(eid, "leak", 3, "raised")
    return Record(DeviceId("leak-1"), 7, TimeQuality.SYNC, body, sink)


def noise(number: int) -> list[float]:
    """Values that hardly compress, so that few rows fill much."""
    return [((number * 7919 + index * 104_729) % 1_000_003) / 1000 for index in range(120)]


async def take_all(feed: SinkFeed, lane: Lane | None = None) -> list[Committed]:
    """Hand out everything that is there, without settling it."""
    taken: list[Committed] = []
    while (batch := await feed.take(PLENTY)) is not None:
        if lane in (None, batch.lane):
            taken += batch.items
    return taken


async def deliver_all(feed: SinkFeed) -> list[Committed]:
    """Hand out everything and settle it."""
    delivered: list[Committed] = []
    while (batch := await feed.take(PLENTY)) is not None:
        delivered += batch.items
        feed.done(batch.lane, [each.seq for each in batch.items])
    return delivered


def seqs(records: Iterable[Committed]) -> list[int]:
    return [each.seq for each in records]


def gaps(records: Iterable[Committed]) -> list[GapBody]:
    return [each.record.body for each in records if isinstance(each.record.body, GapBody)]


def event_types(records: Iterable[Committed]) -> list[str]:
    return [each.record.body.type for each in records if isinstance(each.record.body, EventBody)]
