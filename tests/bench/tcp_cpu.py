"""CPU per reading over TCP, beside the loops of reference in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.mosquitto import Mosquitto, free_port, mosquitto

UNITS = 32
VALUES = 20
PROFILE = """\
version: 1
profile: bench/block20
vendor: bench
model: block20
title: {en: Bench block, zh: 测试块}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the bench]
groups: {power: PERIOD}
defaults: {table: holding, type: f32, group: power, unit: V, pii: P0, level: L1, value: float}
points:
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost."""

    readings: int
    cpu_s: float
    seconds: float
    resident_mb: float = 0.0

    @property
    def ms_per_1000(self) -> float:
        """CPU milliseconds for a thousand readings."""
        return self.cpu_s * 1e6 / self.readings

    @property
    def per_cpu_second(self) -> float:
        """Readings for each second of CPU."""
        return self.readings / self.cpu_s


def run_ours(folder: Path, period: str, seconds: float, in_flight: int) -> Cost:
    """Run the gateway on 32 units of 20 floats with durable outbox and QoS 1."""
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto(folder) as broker, slave() as port:
        site = _site(folder, port, broker, (period, in_flight))
        with counter(broker) as count, running_gateway(site, folder) as gateway:
            time.sleep(5.0)
            first, cpu, begun = count(), cpu_of(gateway), time.monotonic()
            time.sleep(seconds)
            readings = count() - first
            return Cost(
                readings, cpu_of(gateway) - cpu, time.monotonic() - begun, resident_mb(gateway)
            )


def run_pymodbus(folder: Path, period_s: float, seconds: float) -> Cost:
    """Run the bare loop of pymodbus and paho."""
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto(folder) as broker, slave() as port:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.bench.ref_pymodbus",
                *map(str, (port, broker.port, UNITS, period_s, seconds)),
            ],
            capture_output=True,
            check=True,
        )
    result = json.loads(done.stdout)
    return Cost(result["blocks"] * VALUES, result["cpu_s"], result["seconds"])


def run_c(folder: Path, period_s: float, seconds: float) -> Cost:
    """Run the loop of libmodbus and libmosquitto."""
    folder.mkdir(parents=True, exist_ok=True)
    program = compile_c(folder)
    with mosquitto(folder) as broker, slave() as port:
        arguments = ("tcp", "127.0.0.1", port, UNITS, 40, period_s * 1000, seconds, broker.port)
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, check=True)
    result = json.loads(done.stdout)
    return Cost(result["blocks"] * VALUES, result["cpu_s"], result["seconds"])


def compile_c(folder: Path) -> Path:
    """Compile the loop in C and return the program."""
    program, source = folder / "cloop", Path(__file__).with_name("cloop.c")
    subprocess.run(["gcc", "-O2", "-o", program, source, "-lmodbus", "-lmosquitto"], check=True)
    return program


@contextmanager
def slave() -> Generator[int]:
    """Run the lean Modbus server; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.modbus_server", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield port
        finally:
            process.terminate()


class _Count:
    """Readings that a subscriber of its own process has received so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def counter(broker: Mosquitto) -> Generator[_Count]:
    """Subscribe to everything that goes up."""
    command = [sys.executable, "-m", "tests.bench.count_readings", str(broker.port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield _Count(process)
        finally:
            process.terminate()


def cpu_of(gateway: GatewayProcess) -> float:
    """Return the CPU seconds that the gateway has used, all threads."""
    fields = Path(f"/proc/{gateway.process.pid}/stat").read_text(encoding="ascii")
    user, system = fields.rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def resident_mb(gateway: GatewayProcess) -> float:
    """Return the resident megabytes of the gateway, and its peak is not far above."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _site(folder: Path, port: int, broker: Mosquitto, rest: tuple[str, int]) -> Path:
    period, in_flight = rest
    profile = folder / "etc" / "profiles" / "bench" / "block20.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    points = "".join(f"  v{place:02}: {{register: {2 * place}}}\n" for place in range(VALUES))
    profile.write_text(PROFILE.replace("PERIOD", period) + points, encoding="utf-8")
    site = folder / "site.yaml"
    site.write_text(
        f"""\
version: 1
gateway: {{id: gw-bench, site: bench, clock: trusted}}
store: {{commit_readings: 1000}}
sinks:
  platform: {{dialect: native, url: "mqtt://127.0.0.1:{broker.port}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{port}", in_flight: {in_flight}}}
devices:
  - id: em-{{n:02}}
    each: {{n: 1..{UNITS}}}
    profile: bench/block20
    bus: tcp
    address: "{{n}}"
""",
        encoding="utf-8",
    )
    return site
