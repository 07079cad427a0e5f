"""The wire to a broker: a relay on a loopback port that keeps every byte which the caller says.

with Wire(broker.port) as wire:
    ... wire.port ... wire.said ...

What subscribers get is what a broker made of it; this is what left, with user names and wills.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

_PIECE_BYTES = 65536
_END_S = 10.0


class Wire:
    """Passes on what comes, for as long as its block lasts."""

    def __init__(self, to_port: int) -> None:
        """Take the port of the broker on this machine."""
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._said = bytearray()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """Where to connect."""
        return int(self._listener.getsockname()[1])

    @property
    def said(self) -> bytes:
        """All that was said so far, one connection after the other."""
        with self._lock:
            return bytes(self._said)

    def __enter__(self) -> Self:
        """Listen."""
        self._begin(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Cut all connections."""
        with self._lock:
            every = [self._listener, *self._sockets]
        for one in every:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_END_S)
        for one in every:
            one.close()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="wire")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._to_port))
                with self._lock:
                    self._sockets += (caller, broker)
                self._begin(self._keep, caller, broker)
                self._begin(_pass, broker, caller, _forgotten)

    def _keep(self, caller: socket.socket, broker: socket.socket) -> None:
        def keep(octets: bytes) -> None:
            with self._lock:
                self._said += octets

        _pass(caller, broker, keep)


def _pass(one: socket.socket, other: socket.socket, kept: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        while octets := one.recv(_PIECE_BYTES):
            kept(octets)
            other.sendall(octets)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


def _forgotten(_octets: bytes) -> None:
    """Keep nothing."""
