"""The control socket answers requests, streams, and says what it cannot do."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.ops.control import Arguments, ControlError, ControlServer, ask


async def _echo(arguments: Arguments) -> Any:
    if arguments.get("text") == "":
        raise ControlError("nothing to echo: give `text`")
    return {"text": arguments.get("text")}


async def _count(_: Arguments) -> AsyncIterator[Any]:
    for number in range(3):
        yield number


async def _first(path: Path, op: str, **arguments: Any) -> Any:
    async for result in ask(path, op, **arguments):
        return result
    return None


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Path]:
    path, stop = tmp_path / "run" / "control.sock", asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        control = ControlServer(path, {"echo": _echo}, {"count": _count})
        tasks.create_task(control.run(stop), name="control")
        while not path.exists():
            await asyncio.sleep(0)
        yield path
        stop.set()
    assert not path.exists()


async def test_a_request_gets_its_result(server: Path) -> None:
    assert await _first(server, "echo", text="现在") == {"text": "现在"}


async def test_a_refusal_carries_its_reason(server: Path) -> None:
    with pytest.raises(ControlError, match="give `text`"):
        await _first(server, "echo", text="")


async def test_an_unknown_operation_names_those_that_exist(server: Path) -> None:
    with pytest.raises(ControlError, match="count, echo"):
        await _first(server, "sing")


async def test_a_stream_answers_many_times(server: Path) -> None:
    seen: list[Any] = []
    async for number in ask(server, "count"):
        seen.append(number)
        if len(seen) == 3:
            break
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("line", [b"{", b"[]", b'"x"', b"[" * 2000 + b"\n", b"\xff\xfe"])
async def test_what_is_no_request_is_answered_with_an_error(server: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(server)
    writer.write(line + b"\n")
    assert b'"ok": false' in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_watches_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async def forever(_: Arguments) -> AsyncIterator[Any]:
        yield 0
        await asyncio.Event().wait()

    path, stop = tmp_path / "control.sock", asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        control = ControlServer(path, {}, {"forever": forever})
        tasks.create_task(control.run(stop), name="control")
        while not path.exists():
            await asyncio.sleep(0)
        async for _ in ask(path, "forever"):
            stop.set()


async def test_only_owner_and_group_may_speak(server: Path) -> None:
    assert stat.S_IMODE(server.stat().st_mode) == 0o660
