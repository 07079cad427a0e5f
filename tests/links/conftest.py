"""No test of this room leaves a descriptor, a task or a watched file behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest


def _open_files() -> dict[str, str]:
    found: dict[str, str] = {}
    for fd in Path("/proc/self/fd").iterdir():
        try:
            found[fd.name] = str(fd.readlink())
        except OSError:
            continue  # the one of the listing itself
    return found


@pytest.fixture(autouse=True)
async def nothing_is_left_open() -> AsyncIterator[None]:
    before = _open_files()
    tasks = asyncio.all_tasks()
    yield
    left = {fd: name for fd, name in _open_files().items() if before.get(fd) != name}
    assert not left, f"left open: {left}"
    assert asyncio.all_tasks() <= tasks | {asyncio.current_task()}
