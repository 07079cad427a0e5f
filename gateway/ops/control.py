"""The control socket: JSON lines on a Unix socket, for the command line and the console.

A request is `{"id": …, "op": …, …}`; the answer `{"id": …, "ok": true, "result": …}` or
`{"id": …, "ok": false, "error": …}`. A stream answers many times with `"more": true` until the
client hangs up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

Arguments: TypeAlias = Mapping[str, Any]
Ask: TypeAlias = Callable[[Arguments], Awaitable[Any]]
Watch: TypeAlias = Callable[[Arguments], AsyncGenerator[Any, None]]

_log = logging.getLogger("linli.control")

MAX_REQUEST = 64 * 1024
LAST_WORDS_S = 1.0
"""How long a client that reads nothing may hold up the closing of its connection."""
SOCKET_MODE = 0o660
ACCEPT_AGAIN_S = 1.0
"""Pause when no descriptor is left for a client: asked again at once it would spin."""


class ControlError(Exception):
    """What the operator asked for cannot be done; the text says why and what to do."""


class ControlServer:
    """Serves `asks` (one answer) and `watches` (a stream of answers) until it is closed."""

    def __init__(self, path: Path, asks: Mapping[str, Ask], watches: Mapping[str, Watch]) -> None:
        """Take the socket's path and what can be asked."""
        self._path = path
        self._asks = asks
        self._watches = watches
        self._clients: set[asyncio.Task[None]] = set()
        self.listening = asyncio.Event()
        """Set once clients can come."""

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; the socket file is removed at the end."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
            listener.bind(str(self._path))
            self._path.chmod(SOCKET_MODE)
            listener.listen()
            self.listening.set()
            try:
                async with asyncio.TaskGroup() as tasks:
                    accepting = tasks.create_task(self._accept(listener, tasks), name="control:in")
                    await stop.wait()
                    accepting.cancel()
                    for client in self._clients:
                        client.cancel()  # one that watches would wait for its next reading
            finally:
                self._path.unlink(missing_ok=True)

    async def _accept(self, listener: socket.socket, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:  # out of descriptors, or the client is gone already
                _log.warning("the control socket cannot accept: %s", error)
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            client = tasks.create_task(self._serve(connection), name="control:client")
            self._clients.add(client)
            client.add_done_callback(self._clients.discard)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=MAX_REQUEST)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, ValueError):
            pass  # hung up, or a line longer than MAX_REQUEST
        finally:
            await _close(writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            # Closed at once when the client hangs up, so that a stream lets go of what it watches.
            async with contextlib.aclosing(self._answers(line)) as answers:
                async for answer in answers:
                    writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                    await writer.drain()

    async def _answers(self, line: bytes) -> AsyncGenerator[dict[str, Any], None]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            yield {"id": None, "ok": False, "error": "a request is one JSON object on a line"}
            return
        arguments: dict[str, Any] = {str(key): value for key, value in request.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        number = arguments.get("id")
        try:
            async with contextlib.aclosing(
                self._results(str(arguments.get("op")), arguments)
            ) as results:
                async for result in results:
                    yield {"id": number, "ok": True, **result}
        except ControlError as exc:
            yield {"id": number, "ok": False, "error": str(exc)}
        except (ValueError, TypeError) as exc:  # JSON of another shape than the operation takes
            yield {"id": number, "ok": False, "error": f"the request has a wrong value: {exc}"}

    async def _results(self, op: str, arguments: Arguments) -> AsyncGenerator[dict[str, Any], None]:
        if op in self._asks:
            yield {"result": await self._asks[op](arguments)}
        elif op in self._watches:
            async with contextlib.aclosing(self._watches[op](arguments)) as results:
                async for result in results:
                    yield {"result": result, "more": True}
        else:
            known = ", ".join(sorted([*self._asks, *self._watches]))
            raise ControlError(f"no operation {op!r}; there are: {known}")


async def ask(path: Path, op: str, **arguments: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401 - JSON
    """Yield the results of one request to a running daemon.

    Raises:
        ControlError: the daemon refused, with its reason, or it stopped before it had answered.
        OSError: no daemon listens there.
    """
    reader, writer = await asyncio.open_unix_connection(path, limit=16 * 1024 * 1024)
    try:
        writer.write(json.dumps({"id": 1, "op": op, **arguments}).encode() + b"\n")
        has_answered = False
        while line := await _next_line(reader):
            answer = json.loads(line)
            has_answered = True
            if not answer["ok"]:
                raise ControlError(answer["error"])
            yield answer["result"]
            if not answer.get("more"):
                return
        if not has_answered:
            raise ControlError("the gateway stopped before it had answered")
    finally:
        await _close(writer)


async def _next_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close, without waiting for a peer that does not read what it was sent."""
    writer.close()
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except ConnectionError:
        return
