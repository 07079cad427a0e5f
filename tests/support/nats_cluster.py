"""Three nats-servers that speak MQTT 3.1.1 over a replicated JetStream, on loopback.

with nats_cluster(tmp_path) as cluster:
    ... cluster.nodes[0].mqtt_port ...
    cluster.nodes[0].kill()
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

from tests.support.mosquitto import HOST, free_port

START_S = 30.0
LOOK_S = 0.1


class Node:
    """One server."""

    def __init__(self, folder: Path, number: int, routes: list[int]) -> None:
        """Write its configuration; `routes` are the cluster ports of all, its own at `number`."""
        self.name = f"n{number}"
        self.mqtt_port, self._client_port, self.http_port = free_port(), free_port(), free_port()
        self._folder = folder / self.name
        self._folder.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None
        urls = ", ".join(f'"nats://{HOST}:{port}"' for port in routes)
        self._config = self._folder / "nats.conf"
        self._config.write_text(
            f"""\
server_name: {self.name}
listen: "{HOST}:{self._client_port}"
http: "{HOST}:{self.http_port}"
jetstream {{ store_dir: "{self._folder / "js"}" }}
cluster {{ name: linli, listen: "{HOST}:{routes[number]}", routes: [{urls}] }}
mqtt {{ listen: "{HOST}:{self.mqtt_port}", ack_wait: "5s", max_ack_pending: 1000 }}
""",
            encoding="utf-8",
        )

    def start(self) -> None:
        """Begin."""
        program = which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program is not None, "nats-server is not installed"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._config)], stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def read_log(self) -> str:
        """Return what it logged."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def is_ready(self) -> bool:
        """Whether it takes MQTT clients and its cluster has a leader."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.http_port}/jsz", timeout=1) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except OSError:
            return False
        meta = found.get("meta_cluster", {})
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            return bool(meta.get("leader")) and probe.connect_ex((HOST, self.mqtt_port)) == 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """All nodes."""

    nodes: tuple[Node, ...]


@contextmanager
def nats_cluster(folder: Path, size: int = 3) -> Generator[Cluster]:
    """Run a cluster until the block ends."""
    routes = [free_port() for _ in range(size)]
    nodes = tuple(Node(folder, number, routes) for number in range(size))
    try:
        for node in nodes:
            node.start()
        deadline = time.monotonic() + START_S
        while not all(node.is_ready() for node in nodes):
            assert time.monotonic() < deadline, nodes[0].read_log()[-3000:]
            time.sleep(LOOK_S)
        yield Cluster(nodes)
    finally:
        for node in nodes:
            node.kill()
