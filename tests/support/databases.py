"""Real time-series databases on free loopback ports: Debian's influxdb 1.6 and VictoriaMetrics.

with influxdb(tmp_path) as database:
    ... database.url ... database.values("meter.electricity") ...
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

from tests.support.mosquitto import HOST, free_port

START_S = 30.0
_TRY_S = 0.05
_INFLUX_CONFIG = """\
reporting-disabled = true
bind-address = "{host}:{rpc}"
[meta]
dir = "{folder}/meta"
logging-enabled = false
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "{host}:{port}"
log-enabled = false
auth-enabled = {auth}
max-body-size = {most_bytes}
[continuous_queries]
enabled = false
[logging]
level = "warn"
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One number as the database gives it back."""

    device: str
    point: str
    ts_ms: int
    value: float


class Server:
    """One process. Its port stays the same over restarts."""

    def __init__(self, folder: Path, command: Sequence[str], port: int, health: str) -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._command = command
        self._health = health
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        program = which(self._command[0], path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program is not None, f"{self._command[0]} is not installed"
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *self._command[1:]], stdout=log, stderr=log, cwd=self.folder
            )
        deadline = time.monotonic() + START_S
        while not self._is_well():
            assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"{self._command[0]} does not answer"
            time.sleep(_TRY_S)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL as a power cut would."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def get(self, path: str, **query: str) -> bytes:
        """Return the answer to a GET."""
        address = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address) as answer:  # noqa: S310 - our own loopback address
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{error}: {error.read()!r}") from None

    def _is_well(self) -> bool:
        try:
            self.get(self._health)
        except (AssertionError, OSError):
            return False
        return True


class Influx(Server):
    """influxd 1.6, with one database `lake`."""

    def query(self, text: str, **more: str) -> list[dict[str, Any]]:
        """Return the series of one query; SHOW and SELECT only."""
        answer = json.loads(self.get("/query", db="lake", epoch="ms", q=text, **more))
        (result,) = answer["results"]
        assert "error" not in result, result
        return result.get("series", [])

    def command(self, text: str, **more: str) -> None:
        """Do what changes something."""
        asked = urllib.parse.urlencode({"q": text, **more})
        with urllib.request.urlopen(f"{self.url}/query?{asked}", b"") as answer:  # noqa: S310 - our own loopback address
            assert b"error" not in answer.read()

    def rows(self, measurement: str, column: str = "value") -> list[Row]:
        """Return every number of a measurement, as often as it is there."""
        found = self.query(f'SELECT "{column}", device, point FROM "{measurement}"')  # noqa: S608 - our own words
        return [
            Row(device, point, ts, value)
            for series in found
            for ts, value, device, point in series["values"]
            if value is not None
        ]


class Victoria(Server):
    """VictoriaMetrics, told to keep one of equal samples."""

    def rows(self, measurement: str, column: str = "value") -> list[Row]:
        """Return every number of a measurement, as often as it is there."""
        self.get("/internal/force_flush")
        wanted = {"match[]": f'{{__name__="{measurement}_{column}"}}', "start": "0"}
        lines = self.get("/api/v1/export", **wanted).splitlines()
        return [
            Row(series["metric"]["device"], series["metric"]["point"], ts, value)
            for series in map(json.loads, lines)
            for ts, value in zip(series["timestamps"], series["values"], strict=True)
        ]


@contextmanager
def influxdb(
    folder: Path, *, auth: bool = False, most_bytes: int = 25_000_000
) -> Generator[Influx]:
    """Run influxd with a database `lake`; ends with the block."""
    place = folder / "influxdb"
    place.mkdir()
    port = free_port()
    config = place / "influxdb.conf"
    facts = {"host": HOST, "port": port, "rpc": free_port(), "folder": place}
    config.write_text(
        _INFLUX_CONFIG.format(**facts, auth=str(auth).lower(), most_bytes=most_bytes),
        encoding="utf-8",
    )
    server = Influx(place, ["influxd", "-config", str(config)], port, "/ping")
    server.start()
    try:
        if not auth:
            server.command("CREATE DATABASE lake")
        yield server
    finally:
        server.stop()


@contextmanager
def victoria(folder: Path, *, deduplicates: bool = True) -> Generator[Victoria]:
    """Run VictoriaMetrics; ends with the block."""
    place = folder / "victoria"
    place.mkdir()
    port = free_port()
    command = [
        "victoria-metrics",
        f"-storageDataPath={place}/data",
        f"-httpListenAddr={HOST}:{port}",
        "-loggerLevel=ERROR",
        "-memory.allowedBytes=64MB",
        "-retentionPeriod=100y",
        *(["-dedup.minScrapeInterval=1ms"] if deduplicates else []),
    ]
    server = Victoria(place, command, port, "/health")
    server.start()
    try:
        yield server
    finally:
        server.stop()
