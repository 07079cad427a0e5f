"""For all tests: whoever leaves a task, a thread or an open socket behind has failed."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import shutil
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import tapped_payloads

PAYLOADS = Path(__file__).parents[1] / "build" / "payloads" / str(os.getpid())
"""Where every process of a run writes down what it says."""
THREAD_END_S = 2.0
ENDING_ROUNDS = 10
"""Rounds of the loop that a task may take to notice that its peer hung up."""


def pytest_configure() -> None:
    """Let children hear Ctrl-C, which whoever runs us in the background makes us ignore.

    And let them and us write down every payload of the native dialect.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    PAYLOADS.mkdir(parents=True, exist_ok=True)
    tapped_payloads.watch(PAYLOADS)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which any payload was against its schema."""
    judged = tapped_payloads.judge(PAYLOADS)
    shutil.rmtree(PAYLOADS)
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.write_line(f"\n{judged.payloads} payloads held against their schemas")
    for fault in judged.faults:
        reporter.write_line(f"against its schema: {fault}", red=True)
    if judged.faults and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every coroutine test look for tasks that it left behind."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _watched(item.obj)


def _watched(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., Coroutine[Any, Any, None]]:
    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> None:
        before = asyncio.all_tasks()
        await test(*args, **kwargs)
        for _ in range(ENDING_ROUNDS):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        names = sorted(task.get_name() for task in left if not task.done())
        assert not names, f"tasks left behind: {names}"

    return run


def _open_ports() -> dict[str, str]:
    """Return sockets, pipes and terminals that this process holds, by descriptor."""
    ports: dict[str, str] = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(("socket:", "/dev/pts", "/dev/ptmx")):
            ports[entry.name] = target
    return ports


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a socket or a terminal open."""
    threads = set(threading.enumerate())
    ports = _open_ports()
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(THREAD_END_S)
    left = [t.name for t in set(threading.enumerate()) - threads if t.is_alive()]
    assert not left, f"threads left behind: {left}"
    if _new(ports):
        gc.collect()
    assert not _new(ports), f"left open: {sorted(_new(ports).values())}"


def _new(before: dict[str, str]) -> dict[str, str]:
    return {fd: what for fd, what in _open_ports().items() if before.get(fd) != what}
