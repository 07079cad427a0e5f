"""Sinks, clocks and running uplinks for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from gateway.model.clock import TimeQuality
from gateway.model.ids import SinkName
from gateway.model.publication import ConnectSpec, Outcome, Publication, Subscription, Will
from gateway.model.record import Lane
from gateway.settings.site_sinks import Sink
from gateway.uplink.state import Pace
from gateway.uplink.uplink import Uplink
from tests.support.points import NOWHERE

NOW_MS = 1_790_000_000_000
QUICK = Pace(
    backoff_min=0.01,
    backoff_max=0.08,
    patient=0.08,
    connect=5.0,
    acknowledge=5.0,
    stable=0.0,
    goodbye=1.0,
)
WAIT_S = 10.0
SPEC = ConnectSpec(
    "gw-03",
    Will("fc/1/s/gw-03/up/state/_", b'{"online":false}'),
    (Subscription("fc/1/s/gw-03/dn/+/+"),),
)


class LoopClock:
    """Fixed wall clock; monotonic time is the loop's."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


def a_sink(port: int, **changes: Any) -> Sink:
    """Return a sink on the loopback, changed as told."""
    fields: dict[str, Any] = {
        "name": SinkName("province"),
        "dialect": "native",
        "host": "127.0.0.1",
        "port": port,
        "use_tls": False,
        "where": NOWHERE,
    }
    return Sink(**{**fields, **changes})


def a_message(
    number: int = 0, *, lane: Lane = Lane.TELEMETRY, payload: bytes = b"{}", **changes: Any
) -> Publication:
    """Return a message that covers the seq `number`."""
    topic = f"fc/1/s/gw-03/up/prop/em-{number:02}"
    fields: dict[str, Any] = {
        "topic": topic,
        "payload": payload,
        "lane": lane,
        "covers": (number,),
    }
    return Publication(**{**fields, **changes})


@asynccontextmanager
async def running_uplink(
    sink: Sink,
    *,
    spec: ConnectSpec | Callable[[], ConnectSpec] = SPEC,
    pace: Pace = QUICK,
    now_ms: int = NOW_MS,
) -> AsyncGenerator[Uplink]:
    """Yield an uplink whose `run` is a task; it is stopped in order at the end."""

    def connect() -> ConnectSpec:
        return spec() if callable(spec) else spec

    stop = asyncio.Event()
    async with (
        Uplink(sink, connect, LoopClock(now_ms), Random(1), pace=pace) as uplink,  # noqa: S311 - jitter
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(uplink.run(stop))
        try:
            yield uplink
        finally:
            stop.set()


async def gather(uplink: Uplink, count: int) -> list[Outcome]:
    """Wait for so many outcomes."""
    outcomes: list[Outcome] = []
    async with asyncio.timeout(WAIT_S):
        while len(outcomes) < count:
            outcomes += await uplink.outcomes()
    return outcomes


async def down(uplink: Uplink, text: str) -> str:
    """Wait until the uplink says something about why it is down."""
    async with asyncio.timeout(WAIT_S):
        while text not in uplink.state.why:
            await asyncio.sleep(0)
    return uplink.state.why
