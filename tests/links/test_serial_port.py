"""Serial ports, over ptys."""

import asyncio
import os
import pty
import termios
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.links.contract import LinkDown
from gateway.links.serial_names import port_path
from gateway.links.serial_port import serial_link, set_low_latency
from gateway.settings.site import SerialPort

REQUEST = bytes.fromhex("01 03 00 00 00 02 C4 0B")
REPLY = bytes.fromhex("01 03 04 00 E6 00 32 DB D4")


class Adapter:
    """The far side of a pty; it can be pulled out."""

    def __init__(self, name: Path) -> None:
        self.fd, slave = pty.openpty()
        self.path = os.ttyname(slave)
        name.parent.mkdir(parents=True, exist_ok=True)
        name.symlink_to(self.path)
        self._name = name
        self._slave = slave
        os.set_blocking(self.fd, False)

    def let_go(self) -> None:
        """Close our own copy of the near side, so that only the link has it open."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def pull_out(self) -> None:
        self.let_go()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self._name.unlink()


@contextmanager
def adapter(name: Path) -> Generator[Adapter]:
    one = Adapter(name)
    try:
        yield one
    finally:
        one.pull_out()


def soon() -> float:
    return asyncio.get_running_loop().time() + 5.0


@pytest.fixture
def meters(tmp_path: Path) -> Iterator[Adapter]:
    with adapter(tmp_path / "by-path" / "usb-1.2") as one:
        yield one


BY_PATH = SerialPort("by-path/usb-1.2", 9600, 8, "E", 1)


async def test_bytes_go_out_and_come_back(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(BY_PATH, serial_root=tmp_path)
    await link.open()
    before = asyncio.get_running_loop().time()
    ends_at = link.send(REQUEST)
    assert os.read(meters.fd, 100) == REQUEST
    assert ends_at >= before + len(REQUEST) * link.char_s
    os.write(meters.fd, REPLY)
    assert await link.receive(soon()) == REPLY
    await link.close()
    assert not link.is_open


@pytest.mark.parametrize("setting", ["7E1", "8E1", "8O2", "8N2"])
async def test_a_pty_that_holds_no_parity_keeps_the_time_of_the_setting(
    meters: Adapter, tmp_path: Path, setting: str
) -> None:
    data, parity, stop = setting
    settings = SerialPort("by-path/usb-1.2", 2400, int(data), parity, int(stop))  # type: ignore[arg-type]
    for _ in range(2):
        link = serial_link(settings, serial_root=tmp_path)
        await link.open()
        assert link.char_s == pytest.approx(settings.char_s)
        attributes = termios.tcgetattr(meters.fd)
        assert attributes[4] == termios.B2400
        await link.close()


async def test_rs485_on_a_pty_does_not_stop_it(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(SerialPort("by-path/usb-1.2", rs485=True), serial_root=tmp_path)
    await link.open()
    assert not set_low_latency(meters.fd)
    await link.close()


async def test_an_unplugged_adapter_is_followed_to_its_new_name(tmp_path: Path) -> None:
    link = serial_link(BY_PATH, serial_root=tmp_path)
    name = tmp_path / "by-path" / "usb-1.2"
    with adapter(name) as first, adapter(tmp_path / "other"):
        await link.open()
        first.let_go()
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(_fate(link.receive(soon())))
            await asyncio.sleep(0)
            first.pull_out()
        assert waiting.result() == (
            "port by-path/usb-1.2 is not there: plug the adapter in, "
            f"or list the ports with `ls {tmp_path}/by-path`"
        )
        assert not link.is_open
        with pytest.raises(LinkDown, match="is not there"):
            link.send(REQUEST)
        with pytest.raises(LinkDown, match="is not there"):
            await link.open()
        with adapter(name) as second:
            await link.open()
            os.write(second.fd, REPLY)
            assert await link.receive(soon()) == REPLY
            await link.close()


async def _fate(receiving: object) -> str:
    with pytest.raises(LinkDown) as caught:
        await receiving  # type: ignore[misc]
    return str(caught.value)


async def test_what_came_before_the_end_is_still_received(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(BY_PATH, serial_root=tmp_path)
    await link.open()
    os.write(meters.fd, REPLY)
    assert await link.receive(soon()) == REPLY
    meters.pull_out()
    with pytest.raises(LinkDown):
        await link.receive(soon())
    await link.close()


async def test_a_port_that_another_has_says_so(meters: Adapter, tmp_path: Path) -> None:
    first = serial_link(BY_PATH, serial_root=tmp_path)
    second = serial_link(BY_PATH, serial_root=tmp_path)
    await first.open()
    with pytest.raises(LinkDown, match="in use by another program: find it with `fuser"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()
    assert meters.fd >= 0


async def test_a_file_that_is_no_port_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no port")
    link = serial_link(SerialPort(str(tmp_path / "notes.txt")))
    with pytest.raises(LinkDown, match=r"notes.txt is not a serial port"):
        await link.open()


async def test_the_deadline_ends_a_receive(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(BY_PATH, serial_root=tmp_path)
    await link.open()
    now = asyncio.get_running_loop().time()
    assert await link.receive(now + 0.01) == b""
    assert asyncio.get_running_loop().time() >= now + 0.009
    os.write(meters.fd, REPLY)  # in the kernel, and the deadline is over
    assert await link.receive(now) == REPLY
    assert await link.receive(now) == b""
    await link.close()


async def test_drop_input_reaches_into_the_kernel(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(BY_PATH, serial_root=tmp_path)
    await link.open()
    os.write(meters.fd, REPLY)
    assert link.drop_input() == len(REPLY)
    assert link.drop_input() == 0
    await link.close()


async def test_sends_follow_each_other_on_the_wire(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(SerialPort("by-path/usb-1.2", 115200), serial_root=tmp_path)
    await link.open()
    first = link.send(REQUEST)
    second = link.send(REQUEST)
    assert second == pytest.approx(first + len(REQUEST) * link.char_s)
    await link.close()
    assert os.read(meters.fd, 100) == REQUEST * 2


async def test_a_write_that_does_not_fit_is_finished_later(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(SerialPort("by-path/usb-1.2", 4_000_000), serial_root=tmp_path)
    await link.open()
    sent = bytes(range(256)) * 60
    half = len(sent) // 2
    link.send(sent[:half])
    link.send(sent[half:])
    got = bytearray()
    async with asyncio.timeout(5):
        while len(got) < len(sent):
            await asyncio.sleep(0)
            try:
                got += os.read(meters.fd, 4096)
            except BlockingIOError:
                continue
    assert got == sent
    link.send(sent)  # some of it fits into the kernel, the rest waits
    with pytest.raises(LinkDown, match="takes no bytes any more"):
        link.send(sent)
    assert not link.is_open


async def test_two_tasks_cannot_receive_on_one_link(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(BY_PATH, serial_root=tmp_path)
    await link.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.receive(soon()))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="two tasks"):
            await link.receive(soon())
        os.write(meters.fd, REPLY)
    await link.close()


async def test_a_cancelled_receive_loses_no_byte(meters: Adapter, tmp_path: Path) -> None:
    link = serial_link(BY_PATH, serial_root=tmp_path)
    await link.open()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await link.receive(soon())
    os.write(meters.fd, REPLY)
    assert await link.receive(soon()) == REPLY
    await link.close()


def test_names_below_dev_and_dev_serial_are_understood() -> None:
    assert port_path("by-id/x") == Path("/dev/serial/by-id/x")
    assert port_path("by-path/x", Path("/tmp/s")) == Path("/tmp/s/by-path/x")  # noqa: S108
    assert port_path("/dev/ttyS1") == Path("/dev/ttyS1")
    assert port_path("ttyUSB0") == Path("/dev/ttyUSB0")
