"""A meter whose every answer is scripted, a gateway on it, and the platform that sees all of it.

Each poll is one request, so a step of the script is what exactly one reading sees.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from tests.e2e.kit_gateway import WAIT_S, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.support.mosquitto import mosquitto

PROFILE = """\
version: 1
profile: e2e/values
vendor: test
model: values
title: {en: Test block, zh: 测试块}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 100ms}
defaults: {group: power, pii: P0, level: L1}
points:
  ep_imp: {register: 0, type: u32, scale: 0.01, rate: 36000/h, rollover: 1000000}
  serial: {register: 2, type: u32}
  u_a: {register: 4, scale: 0.1, stuck: 2s}
  freq: {register: 5, scale: 0.01, stuck: 2s}
  temp: {register: 6, type: s16, scale: 0.1, rate: 5/s}
  odd: {register: 8, type: f32, unit: V, value: float}
  wide: {register: 10, type: f64, scale: 1000, unit: V, value: float}
"""
"""The energy may grow by 10 kWh a second, the temperature change by 5 degrees a second."""

ENERGY, SERIAL, VOLTS, HERTZ, TEMP, ODD, WIDE = 0, 2, 4, 5, 6, 8, 10
Step = Mapping[int, Sequence[int]]
"""Registers to set before one answer."""


def energy(kwh: float) -> Step:
    """Return the registers of an energy."""
    return {ENERGY: struct.unpack(">HH", struct.pack(">I", round(kwh * 100)))}


def serial(number: int) -> Step:
    """Return the registers of a meter number."""
    return {SERIAL: struct.unpack(">HH", struct.pack(">I", number))}


def temp(degrees: float) -> Step:
    """Return the register of a temperature."""
    return {TEMP: struct.unpack(">H", struct.pack(">h", round(degrees * 10)))}


def odd(value: float) -> Step:
    """Return the registers of a 32-bit float."""
    return {ODD: struct.unpack(">HH", struct.pack(">f", value))}


def wide(value: float) -> Step:
    """Return the registers of a 64-bit float."""
    return {WIDE: struct.unpack(">HHHH", struct.pack(">d", value))}


@dataclass(slots=True)
class Meter:
    """What the slave answers: voltage and frequency move by themselves unless they are held."""

    slave: Slave
    steps: deque[Step] = field(default_factory=deque[Step])
    is_frozen: bool = False
    done: Event = field(default_factory=Event)
    energies: list[float] = field(default_factory=list[float])
    """Every energy that was served, in order."""
    polls: int = 0

    def before_read(self, unit: int) -> None:
        """Set the registers of the next answer."""
        self.polls += 1
        if not self.is_frozen:
            self.slave.put(unit, VOLTS, 2300 + self.polls % 7, 5000 + self.polls % 5)
        if self.steps:
            for register, values in self.steps.popleft().items():
                self.slave.put(unit, register, *values)
        else:
            self.done.set()
        high, low = self.slave.register(unit, ENERGY), self.slave.register(unit, ENERGY + 1)
        self.energies.append((high << 16 | low) / 100)

    def play(self, *steps: Step) -> None:
        """Serve these, one for each answer; return when the answer behind them is due."""
        self.done.clear()
        self.steps.extend(steps)
        assert self.done.wait(WAIT_S), "the gateway does not poll"


@dataclass(frozen=True, slots=True)
class ValuesStage:
    """A scripted meter, its platform, and the site of a gateway that is not started yet."""

    meter: Meter
    platform: Platform
    site: Path
    base: Path

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one type that have come."""
        return [m.body for m in self.platform.of("event", "em-1") if m.body["type"] == kind]

    def wait_for_event(
        self, kind: str, state: str, is_wanted: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Return the first event of a type and state like this."""
        return self.platform.wait_for(
            "event",
            lambda e: e["type"] == kind and e["st"] == state and is_wanted(e),
            device="em-1",
        ).body

    def wait_until_good(self, point: str, value: object) -> None:
        """Return when the newest entry of a point is this, and good."""
        self.platform.wait(
            lambda: any(
                e["p"] == point and e.get("v") == value and "q" not in e
                for message in self.platform.messages[-1:]
                for e in message.body.get("pts", ())
            ),
            f"{point} is {value} and good",
        )


@contextmanager
def values_stage(folder: Path) -> Generator[ValuesStage]:
    """Set up meter, broker, platform and site."""
    write_profile(folder, "e2e/values", PROFILE)
    with mosquitto(folder) as broker, Slave() as slave, Platform(broker.port) as platform:
        meter = Meter(slave)
        slave.before_read = meter.before_read
        for step in (energy(812.44), serial(4711), temp(20.0), odd(1.5), wide(2.5)):
            for register, values in step.items():
                slave.put(1, register, *values)
        site = write_site(
            folder,
            f"""\
version: 1
gateway: {{id: gw-05, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
  platform: {{dialect: native, url: "mqtt://127.0.0.1:{broker.port}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{slave.port}"}}
devices:
  - {{id: em-1, profile: e2e/values, bus: tcp, address: 1}}
""",
        )
        yield ValuesStage(meter, platform, site, folder)
