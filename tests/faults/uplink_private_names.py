"""Runs the gateway with hosts of its own and no name server, in a mount namespace of its own.

    GatewayProcess(site, folders, module=PrivateNames.module, environment=names.environment())

The file may be rewritten while the gateway runs; the machine's own files are not touched.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path

CLONE_NEWNS = 0x0002_0000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x4_0000
_HOSTS, _RESOLVER = "LINLI_TEST_HOSTS", "LINLI_TEST_RESOLV"


class PrivateNames:
    """What names mean to one gateway."""

    module = "tests.faults.uplink_private_names"

    def __init__(self, folder: Path) -> None:
        """Make the files: no name is known but localhost, and no server answers."""
        self._hosts, self._resolver = folder / "hosts", folder / "resolv.conf"
        self._resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.know({})

    def know(self, addresses: Mapping[str, tuple[str, ...]]) -> None:
        """Let names mean these addresses, in this order, from now on."""
        lines = [f"{address} {name}" for name, all_ in addresses.items() for address in all_]
        # In place: the mount is of this very file, not of its name.
        self._hosts.write_text("\n".join(["127.0.0.1 localhost", *lines]) + "\n")

    def environment(self) -> dict[str, str]:
        """Return what tells the child where the files are."""
        return {_HOSTS: str(self._hosts), _RESOLVER: str(self._resolver)}


def _enter() -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def succeeded(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    succeeded(libc.unshare(CLONE_NEWNS))
    succeeded(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for variable, place in ((_HOSTS, b"/etc/hosts"), (_RESOLVER, b"/etc/resolv.conf")):
        succeeded(libc.mount(os.environ[variable].encode(), place, None, MS_BIND, None))


if __name__ == "__main__":
    _enter()
    from gateway.cli.main import main

    sys.exit(main())
