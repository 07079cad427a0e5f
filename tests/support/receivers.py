"""The receiving end as a platform runs it: `linli-sim platform` as a child process, and a fleet.

with Receiver(folder, broker.port, "copy-1") as receiver:
    fleet(broker.port, "--gateways", "20", "--records", "50")
    receiver.until(lambda: receiver.count() == 1000, "all")
    summary = receiver.stop()
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WAIT_S = 60.0
"""Generous: it only ends tests that would fail anyway."""
LOOK_EVERY_S = 0.05
ROOM = Path(__file__).parents[2]
IMPATIENT = ("--patience", "0.3", "--repeat", "1")


class Receiver:
    """One copy; leaving the block ends it as systemd would."""

    def __init__(
        self, folder: Path, broker: int | str, name: str = "copy-1", *options: str
    ) -> None:
        """Start it on the store `records.db` of this folder, at a loopback port or a URL.

        With an empty name it gets no client id.
        """
        url = broker if isinstance(broker, str) else f"mqtt://127.0.0.1:{broker}"
        self.store = folder / "records.db"
        self.name = name
        self.said: list[str] = []
        self._is_ready = threading.Event()
        """It stands, or it has ended without."""
        self._has_begun = False
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "simulators.cli", "platform"),
                *("--broker", url, "--store", str(self.store)),
                *(("--client-id", name) if name else ()),
                *options,
            ],
            cwd=ROOM,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: list[str] = []
        self._threads = [
            threading.Thread(target=self._read_out, name=f"{name} stdout"),
            threading.Thread(target=self._read_err, name=f"{name} stderr"),
        ]

    def __enter__(self) -> Self:
        """Return when its subscriptions stand."""
        for thread in self._threads:
            thread.start()
        if not self._is_ready.wait(WAIT_S) or not self._has_begun:
            self.kill()
            raise AssertionError(f"{self.name} did not start: {self.said}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._join()
        if error is not None:
            sys.stderr.write("\n".join(self.said[-20:]) + "\n")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def kill(self) -> None:
        """Kill it without a word."""
        self._process.kill()
        self._join()

    def stop(self) -> dict[str, Any]:
        """Stop it in order and return its summary."""
        self._process.send_signal(signal.SIGTERM)
        self._join()
        assert self._process.returncode == 0, self.said
        return json.loads(self._lines[-1])

    @property
    def printed(self) -> list[str]:
        """The lines that it printed before its summary."""
        return self._lines[:-1]

    def count(self, table: str = "record") -> int:
        """Return how many rows a table of its store has."""
        return self.asked(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - names of ours

    def asked(self, question: str) -> list[Any]:
        """Return the rows of a question to its store."""
        db = sqlite3.connect(self.store, timeout=WAIT_S)
        try:
            return db.execute(question).fetchall()
        finally:
            db.close()

    def identities(self) -> list[tuple[str, int, int]]:
        """Return (gw, ep, seq) of all records, in order."""
        return self.asked(
            "SELECT s.gw, s.ep, r.seq FROM record r JOIN stream s ON s.id = r.stream "
            "ORDER BY 1, 2, 3"
        )

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Return when something holds."""
        deadline = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < deadline, f"never: {what}; {self.said[-5:]}"
            time.sleep(LOOK_EVERY_S)

    def _join(self) -> None:
        self._process.wait(WAIT_S)
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _read_out(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(line.rstrip("\n") for line in self._process.stdout)

    def _read_err(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said.append(line.rstrip("\n"))
            if " receives from " in line:
                self._has_begun = True
                self._is_ready.set()
        self._is_ready.set()


def started_fleet(broker: int | str, folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start a fleet; `landed` gives what it did."""
    url = broker if isinstance(broker, str) else f"mqtt://127.0.0.1:{broker}"
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "simulators.cli", "fleet"),
            *("--broker", url, "--books", str(folder / "books.json")),
            *options,
        ],
        cwd=ROOM,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def landed(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a fleet did, when it has ended."""
    out, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, out
    return json.loads(out)


def fleet(broker: int | str, folder: Path, *options: str) -> dict[str, Any]:
    """Run a fleet to its end and return what it did."""
    return landed(started_fleet(broker, folder, *options))


def committed(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Yield every identity that a fleet committed, in order."""
    books = json.loads((folder / "books.json").read_text(encoding="utf-8"))
    for name, book in sorted(books.items()):
        yield from ((name, book["ep"], seq) for seq in range(1, book["last_seq"] + 1))
