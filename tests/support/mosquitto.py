"""A real mosquitto on a free loopback port, for as long as a `with` block.

    with mosquitto(tmp_path, "max_packet_size 2000") as broker:
        ... broker.port ...

`broker.kill()`, `broker.restart()` and `broker.freeze()` play the bad days of a broker.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

HOST = "127.0.0.1"
_START_S = 10.0
_TRY_S = 0.02


class Mosquitto:
    """One broker process. Its port stays the same over restarts."""

    def __init__(self, folder: Path, config: tuple[str, ...], port: int) -> None:
        """Take a folder of its own and lines of mosquitto.conf."""
        self.host = HOST
        self.port = port
        self.folder = folder
        self.log = folder / f"mosquitto-{port}.log"
        self._config = folder / f"mosquitto-{port}.conf"
        self._lines = config
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Return when it accepts connections; raises RuntimeError with its log when it ends."""
        program = which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert program is not None, "mosquitto is not installed"
        self._config.write_text("\n".join(self._all_lines()) + "\n", encoding="utf-8")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._config)], stdout=log, stderr=log
            )
        tries = int(_START_S / _TRY_S)
        for _ in range(tries):
            if self._is_listening():
                return
            try:
                self._process.wait(_TRY_S)
            except subprocess.TimeoutExpired:
                continue
            break
        self.kill()
        raise RuntimeError(f"mosquitto did not start:\n{self.read_log()}")

    def stop(self) -> None:
        """End it in order: clients are disconnected, persistence is written."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start it on the same port."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def read_log(self) -> str:
        """Return what it logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _all_lines(self) -> Iterator[str]:
        yield f"user {pwd.getpwuid(os.geteuid()).pw_name}"  # else root drops to `mosquitto`
        yield f"listener {self.port} {HOST}"
        if not any(line.startswith("allow_anonymous") for line in self._lines):
            yield "allow_anonymous true"
        if not any(line.startswith("max_queued_messages") for line in self._lines):
            # Its default of 1000 silently drops for slow subscribers; with 0 ("no limit") version
            # 2.0.11 ends the connection of a client whose publish the ACL denies.
            yield "max_queued_messages 1000000"
        yield from self._lines

    def _is_listening(self) -> bool:
        """Whether all its listeners are open: it opens them one after the other."""
        listeners = [line.split() for line in self._lines if line.startswith("listener ")]
        ports = [self.port, *(int(words[1]) for words in listeners)]
        return all(_accepts(port) for port in ports)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def mosquitto(folder: Path, *config: str) -> Generator[Mosquitto]:
    """Run a broker with these further lines of mosquitto.conf; ends with the block."""
    broker = Mosquitto(folder, config, free_port())
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
