"""A serial line at its limit: what reaches the subscriber of what the line can carry.

The gateway runs as a user runs it, on a pty behind which a simulated line keeps true time. Counted
are the readings sampled within the time of the run, from the gateway's READY on, that reached
the subscriber; what the store holds back for a moment at the end is waited for.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.arrivals import Arrival, Arrivals, arrivals
from tests.bench.parts import child, compiled_c, gateway_on, resident_mb, spent, write_profile
from tests.bench.rtu_slave import BAUD, BITS_PER_CHAR, BLOCK_REGISTERS, BLOCKS
from tests.bench.stamp import stamp_of
from tests.support.mosquitto import mosquitto

UNITS = 32
TURNAROUND_S = 0.005
FIVE_TURNAROUND_S = 0.02
CHAR_S = BITS_PER_CHAR / BAUD
SILENCE_S = 3.5 * CHAR_S
REQUEST_CHARS = 8
REPLY_CHARS = 5 + 2 * BLOCK_REGISTERS
VALUES_PER_BLOCK = BLOCK_REGISTERS // 2
DEAD: dict[int, tuple[int, ...]] = {0: (), 1: (7,), 3: (7, 15, 23)}
TAIL_S = 3.0
"""What was sampled in time has arrived by then: the store waits for one second at most."""
TIMEOUT_S = 0.3
"""The longest wait for a unit that takes its time from others."""
LONGEST_GAP_S = 1.0 + SILENCE_S + REQUEST_CHARS * CHAR_S + TIMEOUT_S
"""One period and one timeout, which begins when the request has left."""

Books = dict[str, Any]


def limit_readings_per_s(turnaround_s: float = TURNAROUND_S) -> float:
    """Return what the line can carry: request, turnaround, reply, 3.5 characters of silence."""
    exchange_s = (REQUEST_CHARS + REPLY_CHARS) * CHAR_S + turnaround_s + SILENCE_S
    return VALUES_PER_BLOCK / exchange_s


@dataclass(frozen=True, slots=True)
class LineRun:
    """What came of one line at full rate."""

    who: str
    dead: int
    seconds: float
    readings: int
    wrong: int
    repeated: int
    cpu_ms_per_1000: float | None
    resident_mb: float | None
    books: Books

    @property
    def per_s(self) -> float:
        """Readings a second."""
        return self.readings / self.seconds

    @property
    def of_limit(self) -> float:
        """Part of the physical limit."""
        return self.per_s / limit_readings_per_s()


@dataclass(frozen=True, slots=True)
class Regularity:
    """How regularly one device was polled."""

    device: str
    polls: int
    per_minute: float
    worst_gap_s: float


@dataclass(frozen=True, slots=True)
class FiveMeters:
    """One dead meter among five at a period of a second, beside a second line."""

    seconds: float
    live: Sequence[Regularity]
    other: Sequence[Regularity]
    wrong: int
    books: Sequence[Books]


@dataclass(slots=True)
class _Tally:
    """Readings that came, each once."""

    seen: set[tuple[int, int, int, int]] = field(default_factory=set[tuple[int, int, int, int]])
    wrong: int = 0
    repeated: int = 0
    within: int = 0

    def take(self, row: Arrival, span: range) -> None:
        """Count the values of a record, those sampled within the span apart."""
        for point, value in row.values.items():
            said = stamp_of(value)
            prefix, unit = row.device.split("-")
            if said.unit != int(unit) or point != f"v{said.index:02}":
                self.wrong += 1
                continue
            key = (hash(prefix), said.unit, said.read, said.index)
            if key in self.seen:
                self.repeated += 1
                continue
            self.seen.add(key)
            self.within += row.ts_ms in span


def run_ours(folder: Path, dead: int, seconds: float) -> LineRun:
    """Run the gateway on 32 units at full rate."""
    folder.mkdir(parents=True)
    with (
        mosquitto(folder) as broker,
        arrivals(broker) as came,
        _line(folder / "tty", UNITS, DEAD[dead], TURNAROUND_S) as line,
    ):
        site = _site(folder, broker.port, {"em": (UNITS, TURNAROUND_S)}, {"em": folder / "tty"})
        with gateway_on(site, folder) as gateway:
            begin_ms, before = _now_ms(), spent(gateway)
            time.sleep(seconds)
            end_ms, after, mb = _now_ms(), spent(gateway), resident_mb(gateway)
            time.sleep(TAIL_S)
        tally = _tally(came, range(begin_ms, end_ms))
    return LineRun(
        who="ours",
        dead=dead,
        seconds=(end_ms - begin_ms) / 1000,
        readings=tally.within,
        wrong=tally.wrong,
        repeated=tally.repeated,
        cpu_ms_per_1000=(after.cpu_s - before.cpu_s) * 1e6 / max(tally.within, 1),
        resident_mb=mb,
        books=line.books,
    )


def run_c(folder: Path, seconds: float) -> LineRun | None:
    """Run the loop in C on the same line, nobody dead; it keeps the silence by itself."""
    program = compiled_c()
    if program is None:
        return None
    folder.mkdir(parents=True)
    with _line(folder / "tty", UNITS, (), TURNAROUND_S) as line:
        arguments = ("rtu", folder / "tty", BAUD, UNITS, 2 * BLOCK_REGISTERS, seconds)
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, check=True)
    result = json.loads(done.stdout)
    readings = result["blocks"] * VALUES_PER_BLOCK
    return LineRun(
        who="C loop",
        dead=0,
        seconds=result["seconds"],
        readings=readings,
        wrong=0,
        repeated=0,
        cpu_ms_per_1000=result["cpu_s"] * 1e6 / max(readings, 1),
        resident_mb=None,
        books=line.books,
    )


def run_five(folder: Path, seconds: float) -> FiveMeters:
    """Run five meters of which one is dead, and beside them a line where all live."""
    folder.mkdir(parents=True)
    paths = {"em": folder / "tty-em", "wm": folder / "tty-wm"}
    with (
        mosquitto(folder) as broker,
        arrivals(broker) as came,
        _line(paths["em"], 5, (3,), FIVE_TURNAROUND_S) as line,
        _line(paths["wm"], 5, (), FIVE_TURNAROUND_S) as other,
    ):
        buses = dict.fromkeys(paths, (5, FIVE_TURNAROUND_S))
        site = _site(folder, broker.port, buses, paths)
        with gateway_on(site, folder):
            begin_ms = _now_ms()
            time.sleep(seconds)
            end_ms = _now_ms()
            time.sleep(TAIL_S)
        span = range(begin_ms, end_ms)
        tally, polls = _tally(came, span), _polls(came.rows(), span)
    return FiveMeters(
        (end_ms - begin_ms) / 1000,
        [_regularity(name, polls.get(name, ()), span) for name in _names("em", (1, 2, 4, 5))],
        [_regularity(name, polls.get(name, ()), span) for name in _names("wm", range(1, 6))],
        tally.wrong,
        (line.books, other.books),
    )


class _Line:
    """A simulated line; its books are there when it has ended."""

    def __init__(self) -> None:
        self.books: Books = {}


@contextmanager
def _line(path: Path, units: int, dead: Iterable[int], turnaround_s: float) -> Generator[_Line]:
    dead_text = ",".join(map(str, dead)) or "-"
    line = _Line()
    with child("rtu_slave", path, units, dead_text, turnaround_s * 1000) as process:
        yield line
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        line.books.update(json.loads(process.stdout.readline()))
        process.wait()


def _site(
    folder: Path,
    broker_port: int,
    buses: Mapping[str, tuple[int, float]],
    paths: Mapping[str, Path],
) -> Path:
    registers = [block + offset for block in BLOCKS for offset in range(0, BLOCK_REGISTERS, 2)]
    write_profile(folder, "1s", registers)
    text = f"""\
version: 1
gateway: {{id: gw-bench, site: bench, clock: trusted}}
sinks:
  platform: {{dialect: native, url: "mqtt://127.0.0.1:{broker_port}"}}
buses:
"""
    for bus, (_, turnaround_s) in buses.items():
        text += f'  {bus}: {{port: "{paths[bus]}", line: 9600 8E1,'
        text += f" turnaround: {turnaround_s * 1000:g}ms}}\n"
    text += "devices:\n"
    for bus, (units, _) in buses.items():
        text += f"""\
  - id: {bus}-{{n:02}}
    each: {{n: 1..{units}}}
    profile: bench/block20
    bus: {bus}
    address: "{{n}}"
"""
    site = folder / "site.yaml"
    site.write_text(text, encoding="utf-8")
    return site


def _tally(came: Arrivals, span: range) -> _Tally:
    tally = _Tally()
    for row in came.rows():
        tally.take(row, span)
    return tally


def _polls(rows: Iterable[Arrival], span: range) -> dict[str, list[int]]:
    """Return when each device's first block was sampled."""
    found: dict[str, set[int]] = {}
    for row in rows:
        if "v00" in row.values and row.ts_ms in span:
            found.setdefault(row.device, set()).add(row.ts_ms)
    return {device: sorted(times) for device, times in found.items()}


def _regularity(device: str, polls: Sequence[int], span: range) -> Regularity:
    """The gap before the first poll and after the last one count as well."""
    moments = [span.start, *polls, span.stop]
    worst_ms = max(after - before for before, after in pairwise(moments))
    return Regularity(device, len(polls), len(polls) * 60_000 / len(span), worst_ms / 1000)


def _names(prefix: str, units: Iterable[int]) -> list[str]:
    return [f"{prefix}-{unit:02}" for unit in units]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
