"""The processes that a bench is made of, and what they cost."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from shutil import which
from tempfile import gettempdir
from threading import Thread

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.mosquitto import Mosquitto, free_port

LONGEST_RUN_S = 86_400.0

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


class Ask:
    """A child that answers a line on its input with a line on its output."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, line: str = "?") -> int:
        """Say a line, and return the number that answers it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def child(module: str, *arguments: object) -> Generator[subprocess.Popen[str]]:
    """Run a module of this folder until the block ends; begins when it has said `ready`."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", f"{module} did not start"
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def slave() -> Generator[int]:
    """Run the lean Modbus TCP server; yields its port."""
    port = free_port()
    with child("modbus_server", port):
        yield port


@contextmanager
def counter(broker: Mosquitto) -> Generator[Ask]:
    """Count the readings that go up, in a process of its own."""
    with child("count_readings", broker.port) as process:
        yield Ask(process)


@cache
def compiled_c() -> Path | None:
    """Compile the loop in C; None where its compiler or its libraries are missing."""
    if which("gcc") is None:
        return None
    source = Path(__file__).with_name("cloop.c")
    program = Path(gettempdir()) / f"linli-bench-cloop-{os.getpid()}"
    command = ["gcc", "-O2", "-o", program, source, "-lmodbus", "-lmosquitto"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(f"no loop in C, it needs libmodbus and libmosquitto:\n{done.stderr}")
        return None
    atexit.register(program.unlink)
    return program


@contextmanager
def gateway_on(site: Path, folder: Path) -> Generator[GatewayProcess]:
    """Run the gateway, and take what it tells its service manager, as a manager does.

    A socket that nobody reads is full after some fifty seconds.
    """
    with running_gateway(site, folder) as gateway:
        # It ends by itself when the gateway says that it stops.
        stops = partial(gateway.wait_for, b"STOPPING", within_s=LONGEST_RUN_S)
        Thread(target=stops, daemon=True).start()
        yield gateway


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process has used up to a moment."""

    cpu_s: float
    at_s: float


def spent(gateway: GatewayProcess) -> Spent:
    """Return the CPU seconds that the gateway has used, all its threads."""
    fields = Path(f"/proc/{gateway.process.pid}/stat").read_text(encoding="ascii")
    user, system = fields.rsplit(")", 1)[1].split()[11:13]
    return Spent((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), time.monotonic())


def resident_mb(gateway: GatewayProcess, field: str = "VmRSS") -> float:
    """Return the gateway's resident megabytes; VmHWM is the most it ever had."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def write_profile(folder: Path, period: str, registers: list[int]) -> None:
    """Write the profile `bench/block20`: a float at each of these registers."""
    profile = folder / "etc" / "profiles" / "bench" / "block20.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    points = "".join(
        f"  v{place:02}: {{register: {register}}}\n" for place, register in enumerate(registers)
    )
    profile.write_text(PROFILE.replace("PERIOD", period) + points, encoding="utf-8")
