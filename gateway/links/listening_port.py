"""One port on which DTUs dial in: who calls, and to which line the call belongs."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.links import sockets
from gateway.links.contract import LinkDown
from gateway.links.registration import LIMIT_BYTES, Identified, Undecided, identify
from gateway.model.link import TcpListener

SETTLED_AFTER_S = 0.3
"""Silence that ends a registration of which only the beginning is known."""
UNACKNOWLEDGED_S = 30.0
"""A mobile network may stall for so long and come back."""
CALLERS_LIMIT = 64
"""Callers of one port that have not said yet who they are."""
ACCEPT_AGAIN_S = 1.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnknownCaller:
    """Somebody whom no line expects, for the audit. `received` is what it said, cut short."""

    listener: str
    peer: str
    received: bytes
    why: str


def log_unknown(caller: UnknownCaller) -> None:
    """Write an unknown caller to the log."""
    _LOG.warning(
        "unknown caller closed listener=%s peer=%s why=%s received=%s",
        caller.listener, caller.peer, caller.why, caller.received[:32].hex(" "),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """An identified connection on its way to its line."""

    sock: socket.socket
    first: bytes
    registration: bytes


@dataclass(slots=True)
class Claim:
    """What a line wants of a port: its next call, and the one it has."""

    next_call: Call | None = None
    current: socket.socket | None = None
    is_replaced: bool = False
    has_call: asyncio.Event = field(default_factory=asyncio.Event)


class ListeningPort:
    """One listening port with the lines that share it."""

    def __init__(
        self,
        place: tuple[str, int],
        on_unknown: Callable[[UnknownCaller], None],
        register_within_s: float,
    ) -> None:
        self.name = f"{place[0]}:{place[1]}"
        self.claims: dict[TcpListener, Claim] = {}
        self.register_within_s = register_within_s
        self.callers: set[_Caller] = set()
        self._on_unknown = on_unknown
        self._loop = asyncio.get_running_loop()
        self._sock = _listening(place)
        self.number = int(self._sock.getsockname()[1])
        self._again: asyncio.TimerHandle | None = None
        self._watch()

    def close(self) -> None:
        """Close the port, who has not said its name yet, and all calls."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        for caller in tuple(self.callers):
            caller.close()
        for settings in tuple(self.claims):
            self.drop(settings)

    def drop(self, settings: TcpListener) -> None:
        """End the calls of one line, and expect it no longer."""
        claim = self.claims.pop(settings, None)
        if claim is None:
            return
        if claim.next_call is not None:
            claim.next_call.sock.close()
        _hang_up(claim.current)

    def hand_over(self, line: TcpListener, call: Call) -> None:
        """Give a call to its line; an older one ends."""
        claim = self.claims[line]
        if claim.next_call is not None:
            claim.next_call.sock.close()
        claim.is_replaced = claim.current is not None and claim.current.fileno() >= 0
        _hang_up(claim.current)
        claim.next_call = call
        claim.has_call.set()

    def refuse(self, peer: str, received: bytes, why: str) -> None:
        """Report somebody whom nobody expects."""
        self._on_unknown(UnknownCaller(self.name, peer, received[:LIMIT_BYTES], why))

    def _watch(self) -> None:
        self._again = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            sock, address = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # out of descriptors: asked again at once it would spin
            _LOG.warning("cannot accept listener=%s error=%s", self.name, error)
            self._loop.remove_reader(self._sock.fileno())
            self._again = self._loop.call_later(ACCEPT_AGAIN_S, self._watch)
            return
        peer = f"{address[0]}:{address[1]}"
        if len(self.callers) >= CALLERS_LIMIT:
            sock.close()
            self.refuse(peer, b"", "too many callers at once")
            return
        sockets.tune(sock, UNACKNOWLEDGED_S)
        self.callers.add(_Caller(self, sock, peer))


class _Caller:
    """A connection that has not said yet who it is."""

    def __init__(self, port: ListeningPort, sock: socket.socket, peer: str) -> None:
        self._port = port
        self._sock = sock
        self._peer = peer
        self._received = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._read)
        self._limit = self._loop.call_later(port.register_within_s, self._decide_late)
        self._quiet: asyncio.Handle | None = None
        if all(one.registration is None for one in port.claims):
            self._quiet = self._loop.call_soon(self._decide)  # nothing to tell apart

    def close(self) -> None:
        """Close the connection."""
        self._leave()
        self._sock.close()

    def _leave(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._limit.cancel()
        if self._quiet is not None:
            self._quiet.cancel()
        self._port.callers.discard(self)

    def _read(self) -> None:
        try:
            octets = self._sock.recv(LIMIT_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._refuse(sockets.reason(error))
            return
        if not octets:
            self._refuse("hung up before it said who it is")
            return
        self._received += octets
        if self._quiet is not None:
            self._quiet.cancel()
        self._decide()

    def _decide(self, *, is_settled: bool = False) -> None:
        verdict = identify(self._received, tuple(self._port.claims), is_settled=is_settled)
        if isinstance(verdict, Identified):
            self._leave()
            call = Call(self._sock, self._received[verdict.used :], verdict.registration)
            self._port.hand_over(verdict.line, call)
        elif verdict is Undecided.NOBODY:
            self._refuse("no line has this registration")
        else:
            self._quiet = self._loop.call_later(SETTLED_AFTER_S, self._decide_settled)

    def _decide_settled(self) -> None:
        """Decide now when a line fits; a registration that has only begun may still go on."""
        verdict = identify(self._received, tuple(self._port.claims), is_settled=True)
        if isinstance(verdict, Identified) and verdict.line.registration is not None:
            self._decide(is_settled=True)

    def _decide_late(self) -> None:
        if not self._received and not any(one.registration is None for one in self._port.claims):
            self._refuse("did not say who it is")
        else:
            self._decide(is_settled=True)

    def _refuse(self, why: str) -> None:
        self.close()
        self._port.refuse(self._peer, self._received, why)


def _listening(place: tuple[str, int]) -> socket.socket:
    host, port = place
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=CALLERS_LIMIT)
    except OSError as error:
        remedy = {
            errno.EADDRINUSE: "another program has it: choose another port, or end that program",
            errno.EADDRNOTAVAIL: "this machine has no such address: write 0.0.0.0 for all",
            errno.EACCES: "ports below 1024 need a right of their own: choose a higher one",
        }.get(error.errno or 0, "")
        raise LinkDown(
            f"cannot listen on {host}:{port}: {sockets.reason(error)}", remedy
        ) from error
    sock.settimeout(0)
    return sock


def is_alive(sock: socket.socket) -> bool:
    """Whether the other side has not hung up while the call waited for its line."""
    try:
        is_over = not sock.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return True
    except OSError:
        is_over = True
    if is_over:
        sock.close()
    return not is_over


def _hang_up(sock: socket.socket | None) -> None:
    """End a call that a link owns; the link sees the end and closes it."""
    if sock is None or sock.fileno() < 0:
        return
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was quicker
        return
