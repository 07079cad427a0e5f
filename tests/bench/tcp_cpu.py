"""CPU per reading over TCP, and the loops of reference beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.parts import (
    compiled_c,
    counter,
    gateway_on,
    resident_mb,
    slave,
    spent,
    write_profile,
)
from tests.support.mosquitto import Mosquitto, mosquitto

UNITS = 32
VALUES = 20
WARM_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost."""

    readings: int
    cpu_s: float
    seconds: float
    resident_mb: float | None = None
    peak_mb: float | None = None

    @property
    def ms_per_1000(self) -> float:
        """CPU milliseconds for a thousand readings."""
        return self.cpu_s * 1e6 / max(self.readings, 1)

    @property
    def per_cpu_second(self) -> float:
        """Readings for each second of CPU."""
        return self.readings / max(self.cpu_s, 1e-9)

    @property
    def per_second(self) -> float:
        """Readings for each second that passed."""
        return self.readings / self.seconds


def run_ours(folder: Path, period: str, seconds: float, in_flight: int) -> Cost:
    """Run the gateway on 32 units of 20 floats with durable outbox and QoS 1."""
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto(folder) as broker, slave() as port:
        site = _site(folder, port, broker, (period, in_flight))
        with counter(broker) as count, gateway_on(site, folder) as gateway:
            time.sleep(WARM_UP_S)
            first, before = count(), spent(gateway)
            time.sleep(seconds)
            readings, after = count() - first, spent(gateway)
            return Cost(
                readings,
                after.cpu_s - before.cpu_s,
                after.at_s - before.at_s,
                resident_mb(gateway),
                resident_mb(gateway, "VmHWM"),
            )


def run_pymodbus(folder: Path, period_s: float, seconds: float) -> Cost:
    """Run the bare loop of pymodbus and paho."""
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto(folder) as broker, slave() as port:
        module = [sys.executable, "-m", "tests.bench.ref_pymodbus"]
        arguments = (port, broker.port, UNITS, period_s, seconds)
        done = subprocess.run([*module, *map(str, arguments)], capture_output=True, check=True)
    return _cost(done.stdout)


def run_c(folder: Path, period_s: float, seconds: float) -> Cost | None:
    """Run the loop of libmodbus and libmosquitto; None where it cannot be compiled."""
    program = compiled_c()
    if program is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto(folder) as broker, slave() as port:
        arguments = ("tcp", "127.0.0.1", port, UNITS, 40, period_s * 1000, seconds, broker.port)
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, check=True)
    return _cost(done.stdout)


def _cost(printed: bytes) -> Cost:
    result = json.loads(printed)
    return Cost(result["blocks"] * VALUES, result["cpu_s"], result["seconds"])


def _site(folder: Path, port: int, broker: Mosquitto, rest: tuple[str, int]) -> Path:
    period, in_flight = rest
    write_profile(folder, period, [2 * place for place in range(VALUES)])
    site = folder / "site.yaml"
    site.write_text(
        f"""\
version: 1
gateway: {{id: gw-bench, site: bench, clock: trusted}}
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
