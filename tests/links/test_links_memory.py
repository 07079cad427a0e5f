"""Lines in memory keep the time of the wire, in virtual time."""

import asyncio
from pathlib import Path

import pytest
from links_virtual_time import in_virtual_time

from gateway.links.contract import LinkDown
from gateway.links.make import Surroundings, make_link, open_link
from gateway.links.memory import MemoryWires, Sent
from gateway.links.tcp_listener import ListenerHub
from gateway.settings.site import (
    MemoryPort,
    SerialPort,
    TcpClient,
    TcpListener,
    UdpPeer,
)

CHAR_S = 0.001


def test_the_far_end_hears_with_the_last_bit_and_answers_after_its_turnaround() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        wires = MemoryWires()
        wire = wires.wire("a", CHAR_S)
        wire.listen(lambda sent: void(wire.deliver(b"answer", sent.ended_at + 0.020)))
        link = wires.link("a")
        await link.open()
        assert link.send(b"ask") == pytest.approx(0.003)
        assert await link.receive(1.0) == b"answer"
        assert loop.time() == pytest.approx(0.003 + 0.020 + 0.006)
        assert wire.sent == [Sent(b"ask", 0.0, 0.003)]
        assert await link.receive(0.5) == b""
        assert loop.time() == pytest.approx(0.5)
        await link.close()

    in_virtual_time(main())


def void(_: object) -> None:
    """Drop a result."""


def test_bytes_keep_their_order_on_the_wire() -> None:
    async def main() -> None:
        wires = MemoryWires()
        wire = wires.wire("a", CHAR_S)
        link = wires.link("a")
        await link.open()
        assert link.send(b"12345") == pytest.approx(0.005)
        assert link.send(b"678") == pytest.approx(0.008)
        assert wire.deliver(b"ab", at=0.010) == pytest.approx(0.012)
        assert wire.deliver(b"cd", at=0.010) == pytest.approx(0.014)
        assert await link.receive(1.0) == b"ab"
        assert await link.receive(1.0) == b"cd"
        assert [one.data for one in wire.sent] == [b"12345", b"678"]
        assert link.drop_input() == 0
        await link.close()

    in_virtual_time(main())


def test_a_line_without_timing_answers_at_once() -> None:
    async def main() -> None:
        wires = MemoryWires()
        wire = wires.wire("a")
        wire.listen(lambda sent: void(wire.deliver(sent.data)))
        link = wires.link("a")
        await link.open()
        link.send(b"echo")
        assert await link.receive(1.0) == b"echo"
        assert asyncio.get_running_loop().time() == 0.0
        await link.close()

    in_virtual_time(main())


def test_an_unplugged_line_is_down_until_it_is_plugged_in() -> None:
    async def main() -> None:
        wires = MemoryWires()
        wire = wires.wire("a")
        link = wires.link("a")
        await link.open()
        asyncio.get_running_loop().call_at(2.0, wire.unplug)
        with pytest.raises(LinkDown, match="memory line a was unplugged: plug it in"):
            await link.receive(10.0)
        assert asyncio.get_running_loop().time() == pytest.approx(2.0)
        with pytest.raises(LinkDown, match="is not there"):
            await link.open()
        wire.plug()
        await link.open()
        wire.deliver(b"back")
        assert await link.receive(10.0) == b"back"
        await link.close()

    in_virtual_time(main())


async def test_every_kind_of_settings_has_its_link(tmp_path: Path) -> None:
    async with ListenerHub() as hub:
        names = [
            make_link(settings, hub, Surroundings(serial_root=tmp_path)).describe()
            for settings in (
                SerialPort("by-path/usb-1.2", 9600, parity="E"),
                TcpClient("192.168.30.20", 502),
                TcpListener("127.0.0.1", 9000, b"\x01\x02"),
                UdpPeer("192.168.30.20", 502),
                MemoryPort("a"),
            )
        ]
        assert names == [
            "serial port by-path/usb-1.2 (9600 8E1)",
            "tcp 192.168.30.20:502",
            "the DTU 01 02 on 127.0.0.1:9000",
            "udp 192.168.30.20:502",
            "memory a",
        ]
        link = await open_link(MemoryPort("a"), hub)
        assert link.is_open
        await link.close()
