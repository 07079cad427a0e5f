"""The gateway as a user runs it: a child process with folders of its own, told ready by itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Folders:
    """State, runtime and configuration below one temporary folder."""

    base: Path

    def environment(self) -> Mapping[str, str]:
        """Return what systemd would set."""
        return {
            "STATE_DIRECTORY": str(self.base / "state"),
            "RUNTIME_DIRECTORY": str(self.base / "run"),
            "CONFIGURATION_DIRECTORY": str(self.base / "etc"),
            "CREDENTIALS_DIRECTORY": str(self.base / "credentials"),
            "NOTIFY_SOCKET": str(self.base / "notify"),
        }

    @property
    def control_socket(self) -> Path:
        """Where `linli status` asks."""
        return self.base / "run" / "control.sock"


class GatewayProcess:
    """One run of `linli run`. Leaving the block stops it as systemd would, with SIGTERM."""

    def __init__(
        self,
        site: Path,
        folders: Folders,
        *options: str,
        module: str = "gateway.cli.main",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it. `module` may stand around the command line, to watch or to limit it."""
        self.folders = folders
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        (folders.base / "notify").unlink(missing_ok=True)
        self._notify.bind(str(folders.base / "notify"))
        self._notify.settimeout(START_TIMEOUT_S)
        self.log = folders.base / "gateway.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "run", "-c", str(site), *options],
                stderr=log,
                stdout=log,
                env={**os.environ, **folders.environment(), **(environment or {})},
            )

    def wait_ready(self) -> None:
        """Return when it says READY=1."""
        while b"READY=1" not in self._notify.recv(4096):
            pass

    def wait_for(self, word: bytes, *, within_s: float = START_TIMEOUT_S) -> bytes:
        """Return the next notification that holds this word; TimeoutError when none comes."""
        deadline = time.monotonic() + within_s
        try:
            while True:
                self._notify.settimeout(max(0.001, deadline - time.monotonic()))
                message = self._notify.recv(4096)
                if word in message:
                    return message
        finally:
            self._notify.settimeout(START_TIMEOUT_S)

    def stop(self) -> int:
        """Stop it as systemd would, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Kill it without a word."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self._notify.close()
            if error is not None:
                sys.stderr.write(self.log.read_text(encoding="utf-8")[-4000:])


@contextmanager
def running_gateway(site: Path, base: Path, *options: str) -> Generator[GatewayProcess]:
    """Run the gateway on this site file until the block ends."""
    with GatewayProcess(site, Folders(base), *options) as process:
        process.wait_ready()
        yield process
