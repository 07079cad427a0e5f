"""Store and sinks are among the rooms whose progress feeds the watchdog."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from typing import Any

from gateway.app.last_resort import LastResort
from gateway.app.watchdog import STALL_S, Watchdog
from gateway.ops.notify import ServiceManager
from gateway.outbox.thread import StoreThread
from tests.support.virtual_time import in_virtual_time


class HangingDisk(Executor):
    """Takes jobs and ends none by itself."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        self.futures.append(Future())
        return self.futures[-1]


@in_virtual_time
async def test_a_store_thread_that_hangs_is_named_until_it_goes_on() -> None:
    disk, loop = HangingDisk(), asyncio.get_running_loop()
    thread = StoreThread(disk)
    watchdog = Watchdog(
        ServiceManager({}), {"store": lambda: thread.heartbeat(loop.time())}, loop.time
    )
    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(thread.run(int))
        await asyncio.sleep(STALL_S - 1)
        assert watchdog.stalled() == []
        await asyncio.sleep(2)
        assert watchdog.stalled() == ["store"]
        disk.futures[0].set_result(0)
        await asyncio.sleep(0.1)
        assert watchdog.stalled() == ["store"], "the second job is as old"
        disk.futures[1].set_result(0)
    await asyncio.sleep(2 * STALL_S)
    assert watchdog.stalled() == []


def test_a_stop_that_hangs_is_ended_from_outside_the_loop() -> None:
    ended: Future[str] = Future()
    LastResort(0.01, lambda: ended.set_result("ended")).begin(lambda: "sink:x")
    assert ended.result(30) == "ended"
