"""A whole site simulated, read by masters that are not ours."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from sim_points import ManualClock

from gateway.model.ids import LineName
from gateway.settings.load import load_site
from gateway.settings.site import Site, TcpListener
from simulators import cli
from simulators.community import Options, simulated
from simulators.demo.broker import free_port
from simulators.ledger import Ledger
from simulators.script import Happening, Script

SITE = """\
version: 1
gateway: {{id: g1, site: s1}}
sinks:
  p: {{dialect: native, url: mqtt://127.0.0.1:1883}}
buses:
  meters: {{port: {ports}/meters, line: 115200 8N1, simulated: true}}
  safety: {{tcp: 127.0.0.1:{tcp}, simulated: true}}
  dtu: {{listen: {{port: {listen}, host: 127.0.0.1, registration: dtu-7}}, simulated: true}}
  real: {{tcp: 192.0.2.1:502}}
devices:
  - {{id: em-01, profile: eastron/sdm120, bus: meters, address: 1}}
  - id: smoke-{{n}}
    each: {{n: 1..3}}
    profile: generic/smoke-contact
    bus: safety
    address: 9
    set: {{input: "{{n}}"}}
  - {{id: em-02, profile: eastron/sdm120, bus: dtu, address: 2}}
  - {{id: em-03, profile: eastron/sdm120, bus: real, address: 3}}
"""


def write_site(folder: Path) -> Path:
    path = folder / "gateway.yaml"
    listen = free_port()
    path.write_text(SITE.format(ports=folder, tcp=free_port(), listen=listen), encoding="utf-8")
    return path


def site(folder: Path) -> Site:
    loaded = load_site(write_site(folder))
    assert loaded.site is not None, loaded.problems
    return loaded.site


async def test_every_simulated_bus_is_there(tmp_path: Path) -> None:
    made = site(tmp_path)
    async with simulated(made, Options(tmp_path), Ledger()) as community:
        assert set(community.where) == {"meters", "safety", "dtu"}
        assert set(community.devices) == {"em-01", "em-02", "smoke-1", "smoke-2", "smoke-3"}
        assert community.where["meters"] == str(tmp_path / "meters")
        client = AsyncModbusSerialClient(community.where["meters"], baudrate=115200, timeout=1)
        assert await client.connect()
        try:
            reply = await client.read_input_registers(0, count=2, device_id=1)
        finally:
            client.close()
        volts = client.convert_from_registers(reply.registers, client.DATATYPE.FLOAT32)
        assert volts == pytest.approx(float(community.devices["em-01"].values()["u_a"]))
    assert not (tmp_path / "meters").is_symlink()


async def test_what_happens_is_seen_on_the_wire_and_in_the_ledger(tmp_path: Path) -> None:
    clock = ManualClock()
    ledger = Ledger()
    async with simulated(site(tmp_path), Options(tmp_path, clock=clock), ledger) as community:
        assert await community.happen(Happening(0, 10, device="smoke-2", what="smoke"))
        assert not await community.happen(Happening(0, 10, device="smoke-2", what="flood"))
        assert not await community.happen(Happening(0, 10, device="nobody", what="smoke"))
        host, port = community.where["safety"].split(":")
        client = AsyncModbusTcpClient(host, port=int(port), timeout=2)
        assert await client.connect()
        try:
            reply = await client.read_discrete_inputs(0, count=3, device_id=9)
        finally:
            client.close()
    assert reply.bits[:3] == [False, True, False]
    assert ledger.holds("smoke-2", "smoke", value=True, span=(clock.ms, clock.ms))


async def test_a_dtu_registers_at_the_gateways_listener(tmp_path: Path) -> None:
    made = site(tmp_path)
    link = made.lines[LineName("dtu")].link
    assert isinstance(link, TcpListener)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard.put(await reader.readexactly(5))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", link.port)
    async with server, simulated(made, Options(tmp_path), Ledger()):
        async with asyncio.timeout(5):
            assert await heard.get() == b"dtu-7"


async def test_a_script_plays_in_its_time_and_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    script = Script(
        happenings=(
            Happening(0, 1, device="smoke-1", what="smoke", say="Smoke."),
            Happening(0, 1, bus="safety", what="unplug"),
            Happening(0, 1, bus="safety", what="plug"),
            Happening(0, 1, bus="meters", what="unplug"),
            Happening(0, 1, device="smoke-1", what="flood"),
        )
    )
    options = Options(tmp_path, script=script)
    async with simulated(site(tmp_path), options, Ledger()) as community:
        await community.play(script.happenings, told.append)
        assert not community.lines["meters"].is_plugged
    assert told == ["Smoke.", "safety: unplug", "safety: plug", "meters: unplug"]


async def test_run_says_where_and_ends_on_a_signal(tmp_path: Path) -> None:
    path = write_site(tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators.cli", "run", str(path), "--json",
        "--ledger", str(tmp_path / "ledger.jsonl"), "--books", str(tmp_path / "books.json"),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(20):
        where = json.loads(await process.stdout.readline())
        assert Path(where["buses"]["meters"]).is_symlink()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert json.loads((tmp_path / "books.json").read_text())["meters"]["requests"] == 0
    assert (tmp_path / "ledger.jsonl").is_file()


def test_a_bad_site_or_fault_is_refused_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nbuses: {a: {tcp: nowhere}}\n")
    assert cli.main(["run", str(bad)]) == 78
    assert "bad.yaml" in capsys.readouterr().err
    assert cli.main(["run", str(write_site(tmp_path)), "--faults", "em-01:asleep"]) == 2
    assert "em-01:asleep" in capsys.readouterr().err
