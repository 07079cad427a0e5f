"""A simulated line on a real pty, read by masters that are not ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusSerialClient
from sim_points import meter, relays, units

from simulators.clock import WallClock
from simulators.device import SimDevice
from simulators.faults import Fault, FaultKind
from simulators.line import SerialLine
from simulators.units import Units
from simulators.wire import LineTiming

MBPOLL = shutil.which("mbpoll") or "mbpoll"
FAST = LineTiming(baud=115200, bits_per_char=11)


def bus(*devices: SimDevice) -> Units:
    made = units(*(devices or (meter(1), relays(2))), clock=WallClock())
    made.set_turnaround(0.002)
    return made


def mbpoll(port: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Read once with 1-based references off."""
    return subprocess.run(
        [MBPOLL, "-m", "rtu", "-P", "none", "-0", "-1", "-o", "0.5", *arguments, str(port)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def values(output: str) -> list[float]:
    return [float(found) for found in re.findall(r"^\[\d+\]:\s+(\S+)", output, re.MULTILINE)]


def test_mbpoll_reads_what_the_simulator_holds(tmp_path: Path) -> None:
    device = meter(1)
    with SerialLine(tmp_path / "meters", FAST, bus(device)) as line:
        read = mbpoll(
            line.path, "-b", "115200", "-a", "1", "-r", "0", "-c", "4", "-t", "4:float", "-B"
        )
    assert read.returncode == 0, read.stderr
    held = device.values()
    assert values(read.stdout) == pytest.approx(
        [float(held[name]) for name in ("u_a", "i_a", "p_tot", "pf")], rel=1e-4
    )
    assert line.books.requests == line.books.replies == 1


def test_mbpoll_writes_a_coil(tmp_path: Path) -> None:
    device = relays(2)
    with SerialLine(tmp_path / "io", FAST, bus(device)) as line:
        written = subprocess.run(
            [MBPOLL, "-m", "rtu", "-b", "115200", "-P", "none", "-0", "-a", "2", "-r", "1",
             "-t", "0", str(line.path), "1"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert written.returncode == 0, written.stderr
    assert device.values()["out_2"] is True


async def test_pymodbus_reads_the_line(tmp_path: Path) -> None:
    device = meter(7)
    with SerialLine(tmp_path / "meters", FAST, bus(device)) as line:
        client = AsyncModbusSerialClient(str(line.path), baudrate=115200, timeout=1, retries=0)
        assert await client.connect()
        try:
            reply = await client.read_holding_registers(0, count=10, device_id=7)
        finally:
            client.close()
    assert not reply.isError()
    volts = AsyncModbusSerialClient.convert_from_registers(
        reply.registers[:2], AsyncModbusSerialClient.DATATYPE.FLOAT32
    )
    assert volts == pytest.approx(float(device.values()["u_a"]))


def test_a_silent_unit_is_a_timeout_for_mbpoll(tmp_path: Path) -> None:
    made = bus()
    made.faults.set("em-01", Fault(FaultKind.SILENT))
    with SerialLine(tmp_path / "meters", FAST, made) as line:
        read = mbpoll(line.path, "-b", "115200", "-a", "1", "-r", "0", "-c", "1", "-o", "0.1")
    assert "timed out" in (read.stdout + read.stderr).lower()
    assert (line.books.requests, line.books.replies) == (1, 0)


def test_the_books_know_how_long_the_line_was_busy(tmp_path: Path) -> None:
    timing = LineTiming(baud=9600, bits_per_char=11)
    with SerialLine(tmp_path / "meters", timing, bus()) as line:
        mbpoll(line.path, "-b", "9600", "-a", "1", "-r", "0", "-c", "5", "-t", "4:float")
    assert line.books.busy_s == pytest.approx((8 + 5 + 20) * 11 / 9600)


def test_an_unplugged_port_comes_back_under_another_number(tmp_path: Path) -> None:
    with SerialLine(tmp_path / "meters", FAST, bus()) as line:
        first = line.path.readlink()
        master = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
        try:
            line.unplug()
            assert not line.path.is_symlink()
            with pytest.raises(OSError, match="Input/output error"):
                os.write(master, b"\x01")
        finally:
            os.close(master)
        line.plug()
        assert line.path.readlink() != first
        read = mbpoll(line.path, "-b", "115200", "-a", "1", "-r", "0", "-c", "1")
        assert read.returncode == 0, read.stderr
    assert not line.path.is_symlink()
