"""A network namespace on the way to the broker, in which packets can be lost, dropped or slowed.

    with Namespace(stage.seed) as space, Proxy(broker.port, space.listener()) as proxy:
        url = f"mqtt://{space.address}:{proxy.port}"
        space.drop()           # half-open: every packet vanishes, nobody is told
        space.lose(10)         # percent of the packets
        space.shape(16)        # kbit/s each way, by a token bucket
        space.heal()

The gateway reaches the listening socket over a veth pair; only that socket lives in the namespace,
so that field, broker and subscriber need nothing of it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Self

CLONE_NEWNET = 0x4000_0000
START_S = 10.0
_TABLE = "inet linli"


def why_not() -> str | None:
    """Return why no namespace can be made here, None when one can."""
    if os.geteuid() != 0:
        return "network namespaces and nftables need root"
    missing = [tool for tool in ("ip", "nft", "tc") if which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True)
    return None if done.returncode == 0 else "this kernel makes no network namespaces"


class Namespace:
    """Two ends of a veth pair: ours in the ordinary network, the broker's in the namespace."""

    def __init__(self) -> None:
        """Choose names that no other process uses."""
        number = os.getpid() % 16_000
        self._name = f"linli-{number}"
        self._ours, self._theirs = f"lg{number}a", f"lg{number}b"
        # 10.203.0.0/16 in pieces of four addresses.
        low = number * 4
        self._our_address = f"10.203.{low >> 8}.{(low & 255) + 1}"
        self.address = f"10.203.{low >> 8}.{(low & 255) + 2}"

    def __enter__(self) -> Self:
        """Make it."""
        _run("ip", "netns", "add", self._name)
        try:
            _run(*f"ip link add {self._ours} type veth peer name {self._theirs}".split())
            _run("ip", "link", "set", self._theirs, "netns", self._name)
            _run("ip", "addr", "add", f"{self._our_address}/30", "dev", self._ours)
            _run("ip", "link", "set", self._ours, "up")
            self._inside("ip", "addr", "add", f"{self.address}/30", "dev", self._theirs)
            self._inside("ip", "link", "set", self._theirs, "up")
            self._inside("ip", "link", "set", "lo", "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it."""
        self._remove()

    def listener(self) -> socket.socket:
        """Return a bound socket whose home is the namespace, whoever uses it."""
        made: list[socket.socket] = []

        def make() -> None:  # in a thread of its own: the others stay where they are
            with (Path("/run/netns") / self._name).open() as space:
                libc = ctypes.CDLL(None, use_errno=True)
                assert libc.setns(space.fileno(), CLONE_NEWNET) == 0, os.strerror(
                    ctypes.get_errno()
                )
            found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            found.bind((self.address, 0))
            made.append(found)

        worker = threading.Thread(target=make)
        worker.start()
        worker.join(START_S)
        assert made, "no socket in the namespace"
        return made[0]

    def drop(self) -> None:
        """Let every packet vanish, both ways."""
        self._rule("drop")

    def lose(self, percent: int) -> None:
        """Let this share of the packets vanish, both ways."""
        self._rule(f"numgen random mod 100 < {percent} drop")

    def shape(self, kbit: int) -> None:
        """Let so many kbit/s through, each way; what comes faster waits in the bucket's queue."""
        bucket = f"root tbf rate {kbit}kbit burst 1600 latency 20s"
        _run(*f"tc qdisc replace dev {self._ours} {bucket}".split())
        self._inside(*f"tc qdisc replace dev {self._theirs} {bucket}".split())

    def heal(self) -> None:
        """Let everything pass again."""
        self._nft(f"add table {_TABLE}\ndelete table {_TABLE}\n")

    def _rule(self, verdict: str) -> None:
        self.heal()
        self._nft(
            f"table {_TABLE} {{\n"
            f" chain in {{ type filter hook input priority 0; {verdict}; }}\n"
            f" chain out {{ type filter hook output priority 0; {verdict}; }}\n}}\n"
        )

    def _nft(self, rules: str) -> None:
        command = ["ip", "netns", "exec", self._name, "nft", "-f", "-"]
        done = subprocess.run(command, input=rules, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _inside(self, *command: str) -> None:
        _run("ip", "netns", "exec", self._name, *command)

    def _remove(self) -> None:
        # The pair goes with the namespace, but only once its last socket is closed.
        subprocess.run(["ip", "link", "del", self._ours], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self._name], check=False, capture_output=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
