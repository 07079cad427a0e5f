"""The control socket answers requests, streams, and says what it cannot do."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.ops.control import Arguments, ControlError, ControlServer, ask


async def _echo(arguments: Arguments) -> Any:
    if arguments.get("text") == "":
        raise ControlError("nothing to echo: give `text`")
    return {"text": arguments.get("text")}


async def _count(_: Arguments) -> AsyncGenerator[Any, None]:
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
    async def forever(_: Arguments) -> AsyncGenerator[Any, None]:
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


async def test_a_value_of_the_wrong_shape_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    async def first(arguments: Arguments) -> Any:
        return int(arguments["from"])

    path, stop = tmp_path / "control.sock", asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        control = ControlServer(path, {"first": first}, {})
        tasks.create_task(control.run(stop), name="control")
        await control.listening.wait()
        wrongs: tuple[object, ...] = (None, [], "x")
        for wrong in wrongs:
            with pytest.raises(ControlError, match="wrong value"):
                await _first(path, "first", **{"from": wrong})
        assert await _first(path, "first", **{"from": 7}) == 7
        stop.set()


async def test_a_client_that_reads_nothing_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async def flood(_: Arguments) -> AsyncGenerator[Any, None]:
        while True:
            yield "x" * 100_000

    path, stop = tmp_path / "control.sock", asyncio.Event()
    with socket.socket(socket.AF_UNIX) as client:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            control = ControlServer(path, {}, {"flood": flood})
            tasks.create_task(control.run(stop), name="control")
            await control.listening.wait()
            client.connect(str(path))
            client.sendall(b'{"op": "flood"}\n')
            await asyncio.to_thread(client.recv, 1)
            stop.set()


async def test_a_stream_lets_go_when_its_client_hangs_up(tmp_path: Path) -> None:
    let_go = asyncio.Event()

    async def endless(_: Arguments) -> AsyncGenerator[Any, None]:
        try:
            while True:
                yield 0
                await asyncio.sleep(0)
        finally:
            let_go.set()

    path, stop = tmp_path / "control.sock", asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        control = ControlServer(path, {}, {"endless": endless})
        tasks.create_task(control.run(stop), name="control")
        await control.listening.wait()
        async with contextlib.aclosing(ask(path, "endless")) as answers:
            await anext(answers)
        await let_go.wait()
        stop.set()


async def test_a_gateway_that_goes_without_an_answer_is_told(tmp_path: Path) -> None:
    async def never(_: Arguments) -> Any:
        stop.set()
        await asyncio.Event().wait()

    path, stop = tmp_path / "control.sock", asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        control = ControlServer(path, {"never": never}, {})
        tasks.create_task(control.run(stop), name="control")
        await control.listening.wait()
        with pytest.raises(ControlError, match="stopped"):
            await _first(path, "never")
