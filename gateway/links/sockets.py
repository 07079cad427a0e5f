"""What every TCP socket of the field gets, and what its errors mean to people."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.links.contract import LinkDown

KEEPALIVE_IDLE_S = 10
KEEPALIVE_EVERY_S = 5
KEEPALIVE_COUNT = 3
"""A peer that vanished without a word is found within 25 s, on an idle connection too."""

_REMEDIES = {
    errno.ECONNREFUSED: "nobody listens on that port: compare it with the device's setting",
    errno.EHOSTUNREACH: "look at cable and address of the device",
    errno.ENETUNREACH: "this machine has no route there: look at its own network",
    errno.ETIMEDOUT: "look at power and cable of the device",
    errno.ECONNRESET: "the device broke it off: many allow only one connection at a time",
    errno.EPIPE: "the device broke it off: many allow only one connection at a time",
    errno.EACCES: "a firewall of this machine forbids it",
}


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a name."""

    family: int
    host: str


async def addresses(host: str) -> Sequence[Address]:
    """Return the addresses of a name, or of an address in numbers without asking anybody.

    Raises:
        socket.gaierror: the name is not known.
    """
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    return tuple(dict.fromkeys(Address(one[0], str(one[4][0])) for one in found))


def tune(sock: socket.socket, unacknowledged_s: float) -> None:
    """Set a connected socket up: no Nagle, keepalive, and a limit for unacknowledged bytes."""
    sock.settimeout(0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_EVERY_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unacknowledged_s * 1000))


def explain(name: str, error: OSError | None) -> LinkDown:
    """Return what an error of an open socket means; None for the end of the stream."""
    if error is None:
        return LinkDown(
            f"{name} closed the connection",
            "many devices allow only one connection, or close idle ones",
        )
    return LinkDown(f"{name}: {reason(error)}", _REMEDIES.get(error.errno or 0, ""))


def reason(error: OSError) -> str:
    """Return the system's words for it; asyncio puts its own into `strerror`."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error) or type(error).__name__).lower()
