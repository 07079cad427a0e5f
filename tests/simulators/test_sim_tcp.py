"""Simulated devices on networks, read by clients that are not ours."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient, AsyncModbusUdpClient
from sim_points import meter, relays, units

from simulators.clock import WallClock
from simulators.faults import Fault, FaultKind
from simulators.frames import FRAMINGS, Asked
from simulators.tcp import DtuTraits, Endpoint, TcpServer, dial_out, udp_server
from simulators.units import Units

ANYWHERE = Endpoint("127.0.0.1", 0)
MBPOLL = shutil.which("mbpoll") or "mbpoll"


def bus(protocol: str = "modbus-tcp") -> Units:
    made = units(meter(1), relays(2), meter(3), protocol=protocol, clock=WallClock())
    made.set_turnaround(0.0)
    return made


@pytest.mark.parametrize(
    ("protocol", "framer"),
    [
        ("modbus-tcp", FramerType.SOCKET),
        ("modbus-rtu", FramerType.RTU),
        ("modbus-ascii", FramerType.ASCII),
    ],
)
async def test_pymodbus_reads_many_units_on_one_connection(
    protocol: str, framer: FramerType
) -> None:
    made = bus(protocol)
    async with TcpServer(made, ANYWHERE) as server:
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=server.at.port, framer=framer, timeout=2, retries=0
        )
        assert await client.connect()
        try:
            first = await client.read_holding_registers(0, count=10, device_id=1)
            third = await client.read_holding_registers(0, count=10, device_id=3)
            refused = await client.read_holding_registers(900, count=1, device_id=3)
            coil = await client.write_coil(0, value=True, device_id=2)
            coils = await client.read_coils(0, count=2, device_id=2)
        finally:
            client.close()
    assert len(first.registers) == len(third.registers) == 10
    assert first.registers != third.registers
    assert refused.exception_code == 2
    assert not coil.isError()
    assert coils.bits[:2] == [True, False]


async def test_mbpoll_reads_the_tcp_server() -> None:
    async with TcpServer(bus(), ANYWHERE) as server:
        process = await asyncio.create_subprocess_exec(
            MBPOLL, "-m", "tcp", "-p", str(server.at.port), "-0", "-1", "-a", "1", "-r", "0",
            "-c", "4", "-t", "4:float", "-B", "127.0.0.1",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert output.count(b"]:") == 4


async def test_udp_is_answered() -> None:
    async with udp_server(bus(), ANYWHERE) as at:
        client = AsyncModbusUdpClient("127.0.0.1", port=at.port, timeout=2, retries=0)
        assert await client.connect()
        try:
            reply = await client.read_holding_registers(0, count=2, device_id=1)
        finally:
            client.close()
            await asyncio.sleep(0)
    assert len(reply.registers) == 2


async def test_a_late_reply_keeps_its_number_and_others_pass_it() -> None:
    made = bus()
    made.faults.set("em-01", Fault(FaultKind.LATE, 50))
    framing = FRAMINGS["modbus-tcp"]
    pdu = bytes.fromhex("03 0000 0001")
    async with TcpServer(made, ANYWHERE) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.at.port)
        writer.write(framing.wrap(Asked(1, b"", b"", tag=11), 1, pdu))
        writer.write(framing.wrap(Asked(3, b"", b"", tag=12), 3, pdu))
        frames = [await reader.readexactly(11) for _ in range(2)]
        writer.close()
        await writer.wait_closed()
    assert [frame[1] for frame in frames] == [12, 11]


async def test_unplugging_cuts_connections_and_plugging_takes_them_again() -> None:
    async with TcpServer(bus(), ANYWHERE) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.at.port)
        await asyncio.sleep(0)
        await server.unplug()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", server.at.port)
        await server.plug()
        _, writer = await asyncio.open_connection("127.0.0.1", server.at.port)
        writer.close()
        await writer.wait_closed()


async def test_a_dtu_dials_registers_beats_and_answers() -> None:
    made = bus("modbus-rtu")
    framing = FRAMINGS["modbus-rtu"]
    came: asyncio.Queue[bytes] = asyncio.Queue()

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await came.put(await reader.readexactly(8))
        await came.put(await reader.readexactly(2))
        writer.write(framing.wrap(Asked(1, b"", b""), 1, bytes.fromhex("03 0000 0001")))
        frame = await reader.readexactly(7)
        await came.put(frame)
        writer.close()

    listener = await asyncio.start_server(gateway, "127.0.0.1", 0)
    to = Endpoint("127.0.0.1", listener.sockets[0].getsockname()[1])
    traits = DtuTraits(to, registration=b"dtu-0001", heartbeat=b"hb", heartbeat_s=0.02)
    async with listener, asyncio.TaskGroup() as tasks:
        dtu = tasks.create_task(dial_out(made, traits))
        async with asyncio.timeout(5):
            assert await came.get() == b"dtu-0001"
            assert await came.get() == b"hb"
            frame = await came.get()
        dtu.cancel()
    asked = framing.parse(frame)
    assert asked is not None
    assert (asked.unit, asked.pdu[:2]) == (1, bytes((3, 2)))
