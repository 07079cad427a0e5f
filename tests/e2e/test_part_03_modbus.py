"""Part 3, Modbus: RTU, ASCII and TCP against a simulator whose replies go wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from drivers.contract import Job
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.identity import Access
from drivers.modbus.rtu import RtuFraming
from drivers.modbus.tcp import TcpFraming
from gateway.links.contract import Link
from gateway.links.make import make_link
from gateway.links.tcp_listener import ListenerHub
from gateway.ops.control import ControlError
from simulators.community import Options, simulated
from simulators.faults import Fault, FaultKind, parse_faults
from simulators.ledger import Ledger
from tests.e2e.support_stage import WAIT_S, site_of, stage, until, write_profile, write_site
from tests.support.mosquitto import free_port

THREE_FRAMINGS = """\
$HEAD
buses:
  rtu: {port: $PORTS/rtu, line: 38400 8N1}
  ascii: {port: $PORTS/ascii, line: 38400 8N1, protocol: modbus-ascii}
  tcp: {tcp: "127.0.0.1:$TCP"}
defaults: {timeout: 150ms, retries: 0, offline_after: 1000 polls}
devices:
  - {id: em-rtu, profile: e2e/meter, bus: rtu, address: 1}
  - {id: em-ascii, profile: e2e/meter, bus: ascii, address: 1}
  - {id: em-tcp, profile: e2e/meter, bus: tcp, address: 1}
"""
DEVICES = ("em-rtu", "em-ascii", "em-tcp")

NAMED = (
    (Fault(FaultKind.SILENT), "timeout"),
    (Fault(FaultKind.LATE, 300), "timeout"),
    (Fault(FaultKind.WRONG_UNIT), "wrong_unit"),
    (Fault(FaultKind.WRONG_COUNT), "short"),
    (Fault(FaultKind.TRUNCATED), "short"),
    (Fault(FaultKind.EXCEPTION, 4), "exception:4"),
    (Fault(FaultKind.EXCEPTION, 1), "exception:1"),
)
NOISE = (FaultKind.NOISE_BEFORE, FaultKind.NOISE_AFTER)
HARMLESS = (FaultKind.NOISE_BEFORE, FaultKind.NOISE_AFTER, FaultKind.ECHO)


async def test_part_03_every_fault_has_its_reason_and_ends_with_it(tmp_path: Path) -> None:
    async with stage(tmp_path, THREE_FRAMINGS) as on:
        for device in DEVICES:
            await on.platform.until_good(device)
        for fault, reason in NAMED:
            on.platform.values.clear()
            on.community.faults.set("*", fault)
            for device in DEVICES:
                await on.platform.until_reason(device, reason)
            on.community.faults.heal()
            for device in DEVICES:
                await on.platform.until_good(device)
        on.platform.nothing_false()


async def test_part_03_a_wrong_checksum_is_named_on_serial_lines(tmp_path: Path) -> None:
    async with stage(tmp_path, THREE_FRAMINGS) as on:
        on.community.faults.set("em-rtu", Fault(FaultKind.CRC))
        await on.platform.until_reason("em-rtu", "crc")
        on.community.faults.heal()
        await on.platform.until_good("em-rtu", count=4)
        on.platform.nothing_false()


async def test_part_03_noise_and_echo_cost_no_reading(tmp_path: Path) -> None:
    async with stage(tmp_path, THREE_FRAMINGS) as on:
        for device in DEVICES:
            await on.platform.until_good(device)
        for kind in HARMLESS:
            on.community.faults.set("*", Fault(kind))
            for device in DEVICES:
                await on.platform.until_good(device, "u_a", count=3)
        on.platform.nothing_false()


MANY = """\
$HEAD
buses:
  rtu: {port: $PORTS/rtu, line: 115200 8N1}
  ascii: {port: $PORTS/ascii, line: 115200 8N1, protocol: modbus-ascii}
  tcp: {tcp: "127.0.0.1:$TCP", in_flight: $FLIGHT}
defaults: {timeout: 60ms, retries: 0, offline_after: 1000 polls}
devices:
  - {id: "r-{n}", each: {n: 1..4}, profile: e2e/meter, bus: rtu, address: "{n}", poll: 100ms}
  - {id: "a-{n}", each: {n: 1..4}, profile: e2e/meter, bus: ascii, address: "{n}", poll: 100ms}
  - {id: "t-{n}", each: {n: 1..4}, profile: e2e/meter, bus: tcp, address: "{n}", poll: 100ms}
"""
MIXED = (
    "silent@0.02", "late=90@0.03", "noise_before@0.02", "noise_after@0.02", "truncated@0.02",
    "wrong_unit@0.02", "wrong_count@0.02", "echo@0.02", "exception=4@0.02",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [1, 4])
async def test_part_03_nothing_false_is_published_while_everything_goes_wrong(
    tmp_path: Path, in_flight: int
) -> None:
    async with stage(tmp_path, MANY.replace("$FLIGHT", str(in_flight))) as on:
        mixed = parse_faults(f"*:{one}" for one in MIXED)["*"]
        on.community.faults.set("*", *mixed)
        for number in range(1, 5):
            # TCP carries no noise of its own, and has no checksum to find any by.
            on.community.faults.set(f"t-{number}", *(one for one in mixed if one.kind not in NOISE))
        await until(lambda: sum(on.community.faults.counts.values()) >= 150, "many faults")
        assert len(on.community.faults.counts) == len(MIXED), on.community.faults.counts
        on.community.faults.heal()
        for line in ("r", "a", "t"):
            for number in range(1, 5):
                await on.platform.until_good(f"{line}-{number}")
        assert len(on.platform.good("r-1")) > len(on.platform.of("r-1")) / 2
        on.platform.nothing_false()


ONE_GATEWAY = """\
$HEAD
buses:
  safety: {tcp: "127.0.0.1:$TCP"}
defaults: {offline_after: 3 polls}
devices:
  - {id: "em-{n}", each: {n: 1..6}, profile: e2e/meter, bus: safety, address: "{n}"}
"""


@pytest.mark.slow
async def test_part_03_silent_units_do_not_close_the_connection_that_others_share(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, ONE_GATEWAY) as on:
        live, silent = (1, 2, 3), (4, 5, 6)
        for number in silent:
            on.community.faults.set(f"em-{number}", Fault(FaultKind.SILENT))
        for number in silent:
            await on.platform.until_reason(f"em-{number}", "timeout")
        units = on.heard["safety"]
        before = len(units.asked)
        for number in live:
            await on.platform.until_good(f"em-{number}", "u_a", count=12)
        asked = [one.unit for one in units.asked[before:]]
        rates = [asked.count(number) for number in live]
        assert min(rates) >= 12
        assert max(rates) - min(rates) <= 3, "the live ones are served alike"
        assert all(asked.count(number) < min(rates) / 2 for number in silent)
        log = on.gateway.log.read_text(encoding="utf-8")
        assert log.count("line up") == 1
        assert "line down" not in log
        assert on.community.servers["safety"].connections == 1
        assert not any(on.platform.reasons(f"em-{number}") for number in live)
        on.platform.nothing_false()


WRITABLE = """\
version: 1
profile: e2e/functions
vendor: Linli
model: all functions
title: {en: All functions, zh: 全部功能码}
kind: io.module
driver: modbus
verified: true
sources: [made for this test]
defaults: {pii: P0, level: L1, group: state}
points:
  coil: {table: coil, register: 3, value: bool, access: rw, write: {}}
  coils: {table: coil, register: 5, value: bool, access: rw, write: {}, write_function: 15}
  contact: {table: discrete, register: 2, value: bool}
  temp: {table: input, register: 9, type: s16, scale: 0.1, value: float, unit: Cel}
  setpoint: {register: 20, value: int, unit: "1", access: rw, write: {min: 0, max: 500}}
  wide:
    {register: 22, type: f32, value: float, unit: V, access: rw, write: {min: -1000, max: 1000}}
  flag: {register: 25, bit: 4, value: bool, access: rw, write: {}, write_function: 22}
"""
FUNCTIONS_SITE = """\
$HEAD
buses:
  rtu: {port: $PORTS/rtu, line: 38400 8N1}
  ascii: {port: $PORTS/ascii, line: 38400 8N1, protocol: modbus-ascii}
  tcp: {tcp: "127.0.0.1:$TCP"}
devices:
  - {id: io-rtu, profile: e2e/functions, bus: rtu, address: 1, poll: 300ms}
  - {id: io-ascii, profile: e2e/functions, bus: ascii, address: 1, poll: 300ms}
  - {id: io-tcp, profile: e2e/functions, bus: tcp, address: 1, poll: 300ms}
"""
WRITES = (
    ("coil", True, 5),
    ("coils", True, 15),
    ("setpoint", 321, 6),
    ("wide", -12.5, 16),
    ("flag", True, 22),
)


@pytest.mark.parametrize("line", ["rtu", "ascii", "tcp"])
async def test_part_03_functions_1_to_6_and_15_16_22_reach_the_device(
    line: str, tmp_path: Path
) -> None:
    async with stage(tmp_path, FUNCTIONS_SITE, profiles=[WRITABLE]) as on:
        device = f"io-{line}"
        for point in ("coil", "contact", "temp", "setpoint", "wide"):
            await on.platform.until_good(device, point)
        for point, value, function in WRITES:
            before = len(on.heard[line].asked)
            done = await on.ask("write", device=device, point=point, value=value)
            assert done["pts"][0]["v"] == value
            assert on.community.devices[device].values()[point] == value
            assert function in {one.pdu[0] for one in on.heard[line].asked[before:]}
        with pytest.raises(ControlError):
            await on.ask("write", device=device, point="setpoint", value=501)
        assert {1, 2, 3, 4} <= {one.pdu[0] for one in on.heard[line].asked}
        on.platform.nothing_false()


FRAMINGS = {"rtu": RtuFraming(), "tcp": TcpFraming()}


@pytest.mark.parametrize("line", FRAMINGS)
async def test_part_03_identity_and_write_and_read_go_over_a_real_link(
    line: str, tmp_path: Path
) -> None:
    write_profile(tmp_path, WRITABLE)
    site = site_of(write_site(tmp_path, FUNCTIONS_SITE, BROKER=1883, TCP=free_port()))
    driver = ModbusDriver(FRAMINGS[line])
    with Ledger() as ledger:
        async with (
            simulated(site, Options(tmp_path / "ports"), ledger) as community,
            ListenerHub() as hub,
        ):
            link = make_link(
                next(one.link for name, one in site.lines.items() if name == line), hub
            )
            await link.open()
            device = next(one for name, one in site.devices.items() if name == f"io-{line}")
            job = driver.identify(1, Access.BASIC)
            objects = dict(zip(job.keys, await run(job, link), strict=True))
            assert objects == {0: "Linli", 1: "all functions", 2: "1.0"}
            name, is_running = await run(driver.server_id(1), link)
            assert b"all functions" in bytes(name)
            assert is_running is True
            point = next(one for one in device.points if one.id == "setpoint")
            both = driver.plan_write_and_read(1, point.address, 77, device.quirks.driver)
            assert list(await run(both, link)) == [77]
            assert community.devices[device.id].values()["setpoint"] == 77
            fields = {"address": 20, "count": 1}
            (pdu,) = await run(driver.custom(1, "read_holding_registers", fields), link)
            assert bytes(pdu) == bytes((3, 2, 0, 77))
            await link.close()


async def run(job: Job, link: Link) -> list[Any]:
    """Run a job on a link of its own, one exchange after the other."""
    steps = job.steps()
    exchange = next(steps)
    loop = asyncio.get_running_loop()
    while True:
        # t3.5 at any rate: the line was silent while the last reply was looked at.
        await asyncio.sleep(0.01)
        link.send(exchange.request)
        reply: Any = None
        while reply is None:
            received = await link.receive(loop.time() + WAIT_S)
            assert received, "no answer"
            reply = exchange.feed(received)
        try:
            exchange = steps.send(reply)
        except StopIteration as done:
            return list(done.value)
