"""A wait ends inside the callback that ends it."""

import asyncio

import pytest

from gateway.links.waiter import Waiter


async def _wait(waiter: Waiter, log: list[str]) -> None:
    await waiter
    log.append("went on")


async def test_the_task_goes_on_inside_the_waking_callback() -> None:
    loop = asyncio.get_running_loop()
    waiter = Waiter(loop)
    log: list[str] = []

    def ring() -> None:
        waiter.wake()
        log.append("callback ends")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_wait(waiter, log))
        await asyncio.sleep(0)
        loop.call_soon(ring)
    assert log == ["went on", "callback ends"]


async def test_another_task_that_wakes_it_goes_on_first() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    log: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_wait(waiter, log))
        await asyncio.sleep(0)
        waiter.wake()
        waiter.wake()
        log.append("waker goes on")
    assert log == ["waker goes on", "went on"]


async def test_a_wait_that_ended_before_it_began_does_not_wait() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    waiter.wake()
    await waiter
    assert waiter.done()
    assert not waiter.cancelled()


async def test_cancellation_passes_through_it() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    log: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(_wait(waiter, log))
        await asyncio.sleep(0)
        task.cancel()
        waiter.wake()  # too late
        assert not waiter.cancel()
    assert task.cancelled()
    assert waiter.cancelled()
    assert log == []


async def test_a_timeout_ends_it() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await waiter


async def test_an_error_after_it_stays_in_the_task() -> None:
    loop = asyncio.get_running_loop()
    waiter = Waiter(loop)
    caught: list[ValueError] = []

    async def fail() -> None:
        await waiter
        raise ValueError("in the task")

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
            await asyncio.sleep(0)
            loop.call_soon(waiter.wake)
    except* ValueError as group:
        caught += [one for one in group.exceptions if isinstance(one, ValueError)]
    assert [str(one) for one in caught] == ["in the task"]


async def test_it_is_a_future_for_asyncio() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    assert asyncio.isfuture(waiter)
    assert waiter.get_loop() is asyncio.get_running_loop()
    calls: list[Waiter] = []
    waiter.add_done_callback(calls.append)
    assert waiter.remove_done_callback(calls.append) in (0, 1)
    waiter.wake()
