"""The main job on slaves and masters that are not ours.

The gateway reads pymodbus over TCP and over a serial line and publishes to mosquitto, and a
subscriber checks every value; mbpoll reads the simulator.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from simulators.community import Options, simulated
from simulators.ledger import Ledger
from tests.e2e.support_mbpoll import SERIAL, mbpoll
from tests.e2e.support_stage import (
    METER,
    Platform,
    gateway_at,
    platform_at,
    site_of,
    until,
    write_profile,
    write_site,
)
from tests.support.mosquitto import free_port, mosquitto
from tests.support.payloads import checked
from tests.support.pty_pair import pty_pair
from tests.support.pymodbus_server import COUNT, UNITS, float_of, integer_of

FOREIGN = """\
version: 1
profile: e2e/foreign
vendor: pymodbus
model: server
title: {en: Foreign slave, zh: 外部从站}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for this test]
groups: {power: 300ms, state: 300ms}
defaults: {value: float, pii: P0, level: L1}
points:
  "v_{n}": {each: 0..9, register: "{2*n}", type: f32, unit: V, group: power}
  "c_{n}": {each: 0..9, register: "{100+n}", type: u16, scale: 0.1, unit: A, group: state}
"""

DEVICES = """\
devices:
  - id: em-{n}
    each: {n: 1..3}
    profile: e2e/foreign
    bus: field
    address: "{n}"
"""


@contextlib.contextmanager
def slave(kind: str, where: object) -> Generator[None]:
    """Run pymodbus as a slave."""
    command = [sys.executable, "-m", "tests.support.pymodbus_server", kind, str(where)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.terminate()


def expected() -> dict[tuple[str, str], tuple[float, str]]:
    """Return what every point must be, with its unit."""
    return {
        (f"em-{unit}", f"{letter}_{place}"): known
        for unit in UNITS
        for place in range(COUNT)
        for letter, known in (
            ("v", (float_of(unit, place), "V")),
            ("c", (integer_of(unit, place) / 10, "A")),
        )
    }


async def serve_the_main_job(folder: Path, bus: str) -> None:
    """Run the gateway on that bus until every point came three times, and check all that came."""
    write_profile(folder, FOREIGN)
    began_ms = time.time_ns() // 1_000_000
    with mosquitto(folder) as broker:
        file = write_site(
            folder, f"$HEAD\nbuses:\n  field: {{{bus}}}\n{DEVICES}", BROKER=broker.port
        )
        async with platform_at(broker.port) as platform:
            async with gateway_at(file):
                await until(
                    lambda: all(len(platform.of(*key)) >= 3 for key in expected()),
                    "every point three times",
                )
            await until(lambda: platform.auditor.lost == 0, "the records that are still on the way")
            is_utc = (began_ms, time.time_ns() // 1_000_000)
            check_all(platform, is_utc)


def check_all(platform: Platform, span: tuple[int, int]) -> None:
    """Hold every value, unit, time and identity that came against the truth."""
    known = expected()
    assert {(seen.device, seen.point) for seen in platform.values} == known.keys()
    for seen in platform.values:
        assert (seen.value, seen.unit) == known[seen.device, seen.point]
        assert (seen.quality, seen.reason) == (192, None)
        assert span[0] <= seen.ts_ms <= span[1], "ts is milliseconds of UTC"
    identities: set[tuple[int, int]] = set()
    for message in platform.messages:
        found = checked(message.topic, message.payload)
        assert message.topic.startswith("fc/1/e2e/gw-1/up/")
        assert found["tq"] == "sync"
        if message.kind == "prop":
            identities.add((found["ep"], found["seq"]))
    auditor = platform.auditor
    assert len({ep for ep, _ in identities}) == 1
    assert len(identities) == sum(message.kind == "prop" for message in platform.messages)
    assert (auditor.lost, auditor.duplicates, auditor.unreadable) == (0, 0, 0)


async def test_main_job_reads_a_foreign_slave_over_tcp_and_publishes_every_value(
    tmp_path: Path,
) -> None:
    port = free_port()
    with slave("tcp", port):
        await serve_the_main_job(tmp_path, f'tcp: "127.0.0.1:{port}"')


async def test_main_job_reads_a_foreign_slave_over_a_serial_line_and_publishes_every_value(
    tmp_path: Path,
) -> None:
    with pty_pair() as pair, slave("serial", pair.theirs):
        await serve_the_main_job(tmp_path, f"port: {pair.ours}, line: 19200 8N1")


SIMULATED = """\
$HEAD
buses:
  net: {tcp: "127.0.0.1:$TCP"}
  wire: {port: $PORTS/wire, line: 19200 8N1}
devices:
  - {id: em-1, profile: e2e/meter, bus: net, address: 1}
  - {id: em-2, profile: e2e/meter, bus: wire, address: 2}
"""


async def test_main_job_mbpoll_reads_from_the_simulator_what_the_ledger_says(
    tmp_path: Path,
) -> None:
    write_profile(tmp_path, METER)
    site = site_of(write_site(tmp_path, SIMULATED, BROKER=1883, TCP=free_port()))
    with Ledger() as ledger:
        async with simulated(site, Options(tmp_path / "ports"), ledger) as community:
            port = community.servers["net"].at.port
            floats = ("-r", 0, "-c", 4, "-t", "4:float", "-B")
            for device, words in (
                ("em-1", ("-m", "tcp", "-p", port, "-a", 1, *floats, "127.0.0.1")),
                ("em-2", (*SERIAL, "-b", 19200, "-a", 2, *floats, tmp_path / "ports" / "wire")),
            ):
                began_ms = community.clock.now_ms()
                found = await mbpoll(*words)
                span = (began_ms, community.clock.now_ms())
                assert len(found) == 4
                for point, value in zip(("u_a", "i_a", "p_tot", "ep_imp"), found, strict=True):
                    # mbpoll prints six digits.
                    held = ledger.values_between(device, point, *span)
                    assert any(value == pytest.approx(one, rel=1e-5) for one in held), (point, held)
    await asyncio.sleep(0)
