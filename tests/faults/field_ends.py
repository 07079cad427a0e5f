"""Far ends that fail, in front of a Modbus field of `uplink_stage`: an adapter and TCP servers."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.modbus.crc import with_crc
from tests.e2e.kit_slave import Slave

REQUEST_CHARS = 8
LOOK_S = 0.05
HEAD_BYTES = 7


class PtyAdapter:
    """A USB adapter as a pty behind a stable name, with an RTU field at its other end."""

    def __init__(self, field: Slave, name: Path) -> None:
        """Take the field and the link that udev would keep."""
        self._field, self._name = field, name
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.ports: list[str] = []
        """The names it has had so far."""

    def plug(self) -> None:
        """Come under a new name; the stable one leads to it."""
        master, slave = os.openpty()
        tty.setraw(slave)
        self.ports.append(os.ttyname(slave))
        fresh = self._name.with_suffix(".new")
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self._name)
        self._stop.clear()
        self._thread = threading.Thread(target=self._serve, args=(master, slave), name="adapter")
        self._thread.start()

    def unplug(self) -> None:
        """Go away: the port hangs up, and its name leads nowhere."""
        if self._thread is not None:
            self._name.unlink()
            self._stop.set()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.unplug()

    def _serve(self, master: int, slave: int) -> None:
        received = b""
        try:
            while not self._stop.is_set():
                if select.select([master], [], [], LOOK_S)[0]:
                    received += os.read(master, 256)
                    while len(received) >= REQUEST_CHARS:
                        request, received = received[:REQUEST_CHARS], received[REQUEST_CHARS:]
                        reply = self._field.answer(request[0], request[1:-2])
                        if reply is not None:
                            os.write(master, with_crc(request[:1] + reply))
        finally:
            os.close(slave)
            os.close(master)


Misdeed = Callable[[bytes, bytes], Iterator[bytes]]
"""From a request and its right answer to what is sent; ending by ConnectionError resets."""


def reset(_request: bytes, _answer: bytes) -> Iterator[bytes]:
    """Reset the connection in place of an answer."""
    raise ConnectionResetError
    yield b""


def slow_loris(_request: bytes, answer: bytes) -> Iterator[bytes]:
    """Send the answer byte by byte, and never the last one."""
    for at in range(len(answer) - 1):
        yield answer[at : at + 1]


def wrong_transaction(_request: bytes, answer: bytes) -> Iterator[bytes]:
    """Answer another request."""
    yield (int.from_bytes(answer[:2], "big") ^ 0x0101).to_bytes(2, "big") + answer[2:]


def wrong_protocol(_request: bytes, answer: bytes) -> Iterator[bytes]:
    """Say that it is not Modbus."""
    yield answer[:2] + b"\x00\x01" + answer[4:]


def length_65535(_request: bytes, answer: bytes) -> Iterator[bytes]:
    """Announce more than can be, and go on sending."""
    yield answer[:4] + b"\xff\xff" + answer[6:] + bytes(2000)


def garbage(_request: bytes, answer: bytes) -> Iterator[bytes]:
    """Send 800 bytes of nothing before the answer."""
    yield bytes(range(200)) * 4 + answer


def short_count(_request: bytes, answer: bytes) -> Iterator[bytes]:
    """Lie about the byte count."""
    yield answer[:8] + bytes((answer[8] - 1,)) + answer[9:]


MISDEEDS: tuple[Misdeed, ...] = (
    reset,
    slow_loris,
    wrong_transaction,
    wrong_protocol,
    length_65535,
    garbage,
    short_count,
)


class BadServer:
    """A Modbus TCP server that misbehaves in one way until it is healed."""

    def __init__(self, field: Slave, misdeed: Misdeed) -> None:
        """Take the field behind it, and what it does."""
        self._field, self._misdeed = field, misdeed
        self.name = getattr(misdeed, "__name__", "misdeed")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LOOK_S)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=self.name)
        self.is_healed = False
        self.misdeeds = 0
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(LOOK_S)
                with contextlib.suppress(ConnectionError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        received = b""
        while not self._stop.is_set():
            try:
                fresh = connection.recv(4096)
            except TimeoutError:
                continue
            if not fresh:
                return
            received += fresh
            while len(received) > HEAD_BYTES:
                size = 6 + int.from_bytes(received[4:6], "big")
                request, received = received[:size], received[size:]
                self._reply(connection, request)

    def _reply(self, connection: socket.socket, request: bytes) -> None:
        pdu = self._field.answer(request[6], request[HEAD_BYTES:])
        if pdu is None:
            return
        answer = request[:4] + (len(pdu) + 1).to_bytes(2, "big") + request[6:7] + pdu
        if self.is_healed:
            connection.sendall(answer)
            return
        self.misdeeds += 1
        for piece in self._misdeed(request, answer):
            connection.sendall(piece)
            self._stop.wait(0.02 if len(piece) == 1 else 0.0)
