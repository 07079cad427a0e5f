"""Tell the service manager how we are: sd_notify(3), by its datagram socket."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Mapping

SOCKET_FLAGS = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
"""Never waits: a manager that does not read must not hold up a gateway that works."""


class ServiceManager:
    """The socket that `NOTIFY_SOCKET` names; silent when there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read NOTIFY_SOCKET and WATCHDOG_USEC."""
        self._address = environment.get("NOTIFY_SOCKET")
        self._descriptor = None if self._address is None else _kept_descriptor(self)
        self.watchdog_s = int(environment.get("WATCHDOG_USEC", "0")) / 1e6
        """Seconds within which the watchdog must be fed; 0 when it is off."""

    def ready(self, status: str) -> None:
        """Say that the gateway does its job."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self, monotonic_s: float) -> None:
        """Say that a reload has begun; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(monotonic_s * 1e6)}")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={text}")

    def feed_watchdog(self) -> None:
        """Say that real progress was made since the last time."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None or self._descriptor is None:
            return
        # An abstract socket is written with @ in the environment and NUL in the address.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM, fileno=self._descriptor)
        try:
            sock.sendto("\n".join(lines).encode(), address)
        except OSError:
            return  # the manager may be gone or busy; a service does not stop for that
        finally:
            sock.detach()


def _kept_descriptor(owner: object) -> int:
    """Return a socket kept from the start: a gateway out of descriptors is still watched."""
    kept = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | SOCKET_FLAGS).detach()
    weakref.finalize(owner, os.close, kept)
    return kept
