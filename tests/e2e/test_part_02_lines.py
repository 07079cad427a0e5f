"""Part 2, lines: the gateway reads the same meter over every kind of line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.settings.site import TcpListener
from simulators.tcp import DtuTraits, Endpoint, dial_out
from tests.e2e.support_stage import site_of, stage, units_on, until
from tests.support.mosquitto import free_port

ONE_METER = """\
devices:
  - {id: em-1, profile: e2e/meter, bus: field, address: 7}
"""
BUSES = {
    "a serial line with parity": "port: $PORTS/field, line: 9600 8E1",
    "a serial line with odd parity and 7 bits": (
        "port: $PORTS/field, line: 19200 7O1, protocol: modbus-ascii"
    ),
    "TCP": 'tcp: "127.0.0.1:$TCP"',
    "RTU over TCP": 'rtu-over-tcp: "127.0.0.1:$TCP"',
    "RTU over TCP by protocol": 'tcp: "127.0.0.1:$TCP", protocol: modbus-rtu',
    "ASCII over TCP": 'tcp: "127.0.0.1:$TCP", protocol: modbus-ascii',
    "UDP": 'udp: "127.0.0.1:$TCP"',
    "RTU over UDP": 'udp: "127.0.0.1:$TCP", protocol: modbus-rtu',
    "a DTU that dials in": 'listen: {host: 127.0.0.1, port: $TCP, registration: "dtu-7"}',
}


@pytest.mark.parametrize("bus", BUSES.values(), ids=BUSES.keys())
async def test_part_02_a_meter_is_read_over(bus: str, tmp_path: Path) -> None:
    text = f"$HEAD\nbuses:\n  field: {{{bus}}}\n{ONE_METER}"
    async with stage(tmp_path, text) as on:
        await on.platform.until_good("em-1", "ep_imp", count=3)
        on.platform.nothing_false()
        assert not on.platform.reasons("em-1") - {"timeout", "port_gone"}, "at most a late start"


async def test_part_02_an_adapter_comes_back_under_another_name_without_a_restart(
    tmp_path: Path,
) -> None:
    text = f"$HEAD\nbuses:\n  field: {{port: $PORTS/field, line: 19200 8E1}}\n{ONE_METER}"
    async with stage(tmp_path, text) as on:
        platform, line = on.platform, on.community.lines["field"]
        await platform.until_good("em-1", "u_a", count=2)
        first = line.path.readlink()
        await asyncio.to_thread(line.unplug)
        await platform.until_reason("em-1", "port_gone")
        assert (await on.lines())["field"]["is_up"] is False
        await asyncio.to_thread(line.plug)
        assert line.path.readlink() != first
        await platform.until_good("em-1", "u_a", count=2)
        assert (await on.lines())["field"]["is_up"] is True
        assert on.gateway.process.poll() is None
        said = [one.body["fields"] for one in platform.messages if one.kind == "log"]
        assert [one["up"] for one in said if "up" in one] == ["true", "false", "true"]
        platform.nothing_false()


async def test_part_02_a_port_belongs_to_the_gateway_alone(tmp_path: Path) -> None:
    text = f"$HEAD\nbuses:\n  field: {{port: $PORTS/field, line: 19200 8N1}}\n{ONE_METER}"
    async with stage(tmp_path, text) as on:
        await on.platform.until_good("em-1", "u_a")
        port = tmp_path / "ports" / "field"
        refused = await on.linli(
            "read", "--port", port, "--profile", "e2e/meter", "--address", 7, "u_a"
        )
        assert refused.status == 1
        assert "in use" in refused.err


async def test_part_02_a_cut_connection_is_made_anew(tmp_path: Path) -> None:
    text = f'$HEAD\nbuses:\n  field: {{tcp: "127.0.0.1:$TCP"}}\n{ONE_METER}'
    async with stage(tmp_path, text) as on:
        await on.platform.until_good("em-1", "u_a", count=2)
        server = on.community.servers["field"]
        server.cut()
        await on.platform.until_good("em-1", "u_a", count=2)
        await server.unplug()
        await on.platform.until_reason("em-1", "port_gone")
        await server.plug()
        await on.platform.until_good("em-1", "u_a", count=2)
        on.platform.nothing_false()


TWO_DTUS = """\
$HEAD
buses:
  north:
    listen: {host: 127.0.0.1, port: $TCP, registration: "hex:FE 01", heartbeat: "hex:00"}
  south:
    listen: {host: 127.0.0.1, port: $TCP, registration: "SOUTH-", prefix: true, heartbeat: "beat"}
devices:
  - {id: em-1, profile: e2e/meter, bus: north, address: 1}
  - {id: em-2, profile: e2e/meter, bus: south, address: 1}
"""


async def test_part_02_two_dtus_share_one_port_and_beat_their_hearts(tmp_path: Path) -> None:
    async with stage(tmp_path, TWO_DTUS, but=("north", "south")) as on:
        site = site_of(on.file)
        units = {str(name): units_on(site, line, on.community) for name, line in site.lines.items()}
        said = {"north": (b"\xfe\x01", b"\x00"), "south": (b"SOUTH-4711", b"beat")}
        async with asyncio.TaskGroup() as tasks:
            dialling = [
                tasks.create_task(
                    dial_out(units[name], DtuTraits(at(site.lines[name].link), *said[name], 0.02)),
                    name=f"dtu:{name}",
                )
                for name in site.lines
            ]
            for device in ("em-1", "em-2"):
                await on.platform.until_good(device, "p_tot", count=10)
            for task in dialling:
                task.cancel()
        on.platform.nothing_false()
        assert on.platform.reasons("em-1") | on.platform.reasons("em-2") <= {"timeout", "port_gone"}
        for asked in units.values():
            assert {one.unit for one in asked.asked} == {1}


async def test_part_02_a_dtu_that_nobody_expects_is_closed(tmp_path: Path) -> None:
    port = free_port()
    text = (
        f"$HEAD\nbuses:\n  field: {{listen: {{host: 127.0.0.1, port: {port}, registration: us}}}}\n"
    )
    async with stage(tmp_path, text + ONE_METER) as on:
        await on.platform.until_good("em-1", "u_a")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"somebody else")
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await until(lambda: "unknown caller" in on.gateway.log.read_text("utf-8"), "a warning")
        await on.platform.until_good("em-1", "u_a", count=2)


def at(link: object) -> Endpoint:
    """Return where a line listens."""
    assert isinstance(link, TcpListener)
    return Endpoint(link.host, link.port)
