"""Fills a store with readings of the past, through the outbox itself, before a gateway starts."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import PointColumn
from gateway.model.record import PropBody, Record
from gateway.ops.clock import SystemClock
from gateway.outbox.outbox import Outbox
from gateway.settings.site import Store
from tests.faults.uplink_stage import SINK

DAY_MS = 86_400_000
BATCH = 1000
COLUMN = PointColumn((PointId("old"),), ("V",))
"""A point that is read once an hour: these values are held against the store alone."""


def backlog(state: Path, *, records: int, devices: int, span_ms: int = DAY_MS) -> int:
    """Commit so many records of one value, spread over `span_ms` until now; return how many."""
    asyncio.run(_fill(state / "outbox", records, devices, span_ms))
    return records


async def _fill(folder: Path, count: int, devices: int, span_ms: int) -> None:
    began_ms = time.time_ns() // 1_000_000 - span_ms
    names = [DeviceId(f"em-{n}") for n in range(1, devices + 1)]
    clock = SystemClock(lambda: True)
    async with Outbox.open(folder, Store(), clock, (SinkName(SINK),)) as outbox:
        for first in range(0, count, BATCH):
            records = [
                Record(
                    names[number % devices],
                    began_ms + number * span_ms // count,
                    TimeQuality.SYNC,
                    PropBody(COLUMN, (number,), None),
                )
                for number in range(first, min(first + BATCH, count))
            ]
            appended = await outbox.append(records)
            assert appended.is_durable


def oversize(state: Path, text: str) -> None:
    """Commit one record that no broker with a limit below its length takes."""

    async def fill() -> None:
        clock = SystemClock(lambda: True)
        async with Outbox.open(state / "outbox", Store(), clock, (SinkName(SINK),)) as outbox:
            body = PropBody(COLUMN, (text,), None)
            at_ms = clock.now_ms() - DAY_MS
            await outbox.append([Record(DeviceId("em-1"), at_ms, TimeQuality.SYNC, body)])

    asyncio.run(fill())
