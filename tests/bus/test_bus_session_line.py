"""A line of a toy session: a device that speaks by itself and wants an answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from drivers.contract import Moment, SessionDevice, SessionOutput, SessionSample
from gateway.bus.around import Around
from gateway.bus.asks import ReadNow
from gateway.bus.session_around import Secrets
from gateway.bus.session_line import MOST_CALLS, SessionLine
from gateway.bus.sleeper import TimerfdSleeper, make_sleeper
from gateway.links.callers import CallersDoor
from gateway.model.ids import DeviceId
from gateway.model.link import CallersPort
from gateway.settings.site import Point
from tests.bus.modbus_line import ZONE, Output, device, point, serial_line
from tests.support.links import Answer, WireLink
from tests.support.virtual_time import ManualClock, in_virtual_time


class ToySession:
    """Three bytes a message: unit, point, value.

    Every message is acknowledged by its value, and after ten seconds of silence we ask whether
    the other end is there.
    """

    def __init__(self) -> None:
        self.wake_at: float | None = None
        self._kept = b""

    def received(self, data: bytes, now: Moment) -> SessionOutput:
        self._kept += data
        self.wake_at = now.at_s + 10.0
        whole = len(self._kept) // 3 * 3
        messages, self._kept = self._kept[:whole], self._kept[whole:]
        samples = tuple(
            SessionSample(messages[at], messages[at + 1], messages[at + 2])
            for at in range(0, whole, 3)
        )
        return SessionOutput(bytes(messages[2::3]), samples)

    def wake(self, now: Moment) -> SessionOutput:
        self.wake_at = now.at_s + 10.0
        return SessionOutput(b"?")


class ToyDriver:
    """Starts toy sessions, and keeps what they were told of the devices."""

    def __init__(self, session: type[Any] = ToySession) -> None:
        self.started: list[Sequence[SessionDevice]] = []
        self._session = session
        self.patience_s: float | None = None

    def start(self, devices: Sequence[SessionDevice], now: Moment) -> Any:
        self.started.append(devices)
        assert now.local_offset_s == 8 * 3600
        return self._session()

    def silent_after_s(self, quirks: object) -> float | None:  # noqa: ARG002
        return self.patience_s


def toy_point(number: int) -> Point:
    return replace(point(number), address=number)


def toy_line(link: Any, output: Output, driver: Any = None, secrets: Any = None) -> SessionLine:
    devices = [device(1, [toy_point(0), toy_point(1)])]
    around = Around(ManualClock(), output, ZONE)
    keep = secrets or Secrets(lambda _: None, lambda text: f"~{text}")
    speech: Any = (driver or ToyDriver(), keep)
    return SessionLine(serial_line(), devices, link, around, speech)


def good(output: Output) -> list[object]:
    return [value for s in output.samples if s.fault is None for value in s.raw]


@in_virtual_time
async def test_a_session_is_fed_woken_and_answered() -> None:
    link, output = WireLink(0.0), Output()
    line = toy_line(link, output)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run(stop), name="line")
        link.transmit(1001.0, Answer(0.0, bytes((1, 0, 42, 1, 1, 43))))
        link.transmit(1002.0, Answer(0.0, bytes((1, 0, 44, 9, 0, 45, 1, 7, 46))))
        await asyncio.sleep(25.0)
        link.unplug()
        await asyncio.sleep(1.0)
        link.is_plugged = True
        await asyncio.sleep(5.0)
        stop.set()
    assert good(output) == [42, 43, 44]
    sent = b"".join(s.frame for s in link.stats.sent)
    assert sent == bytes((42, 43, 44, 45, 46)) + b"??"
    assert [s.is_up for s in output.lines] == [True, False, True]
    assert [s.is_online for s in output.states] == [True, False]
    assert [s.fault for s in output.samples if s.fault] == ["port_gone"]
    assert line.stats().readings == 5


@in_virtual_time
async def test_what_is_told_is_confirmed_only_when_it_is_committed() -> None:
    link, output = WireLink(0.0), Output(commits=False)
    line = toy_line(link, output)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run(stop), name="line")
        link.transmit(1001.0, Answer(0.0, bytes((1, 0, 42))))
        await asyncio.sleep(3.0)
        assert good(output) == [42]
        assert not link.stats.sent, "the disk is slow: the panel must not forget its alarm"
        for samples in output.samples:
            if samples.kept is not None:
                samples.kept()
        await asyncio.sleep(0.5)
        assert [s.frame for s in link.stats.sent] == [b"\x2a"]
        stop.set()


@in_virtual_time
async def test_what_cannot_be_committed_is_never_confirmed() -> None:
    link, output = WireLink(0.0), Output(commits=False)
    line = toy_line(link, output)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run(stop), name="line")
        link.transmit(1001.0, Answer(0.0, bytes((1, 0, 42))))
        await asyncio.sleep(7.5)
        stop.set()
    assert not link.stats.sent
    assert [s.is_up for s in output.lines][:3] == [True, False, True], "hung up, and back"
    assert output.lines[1].why == "not committed within 5 s, so not confirmed"


@in_virtual_time
async def test_a_secret_leaves_the_line_as_a_pseudonym_only() -> None:
    class Cards(ToySession):
        def received(self, data: bytes, now: Moment) -> SessionOutput:  # noqa: ARG002
            return SessionOutput(samples=(SessionSample(1, 0, data.hex(), is_secret=True),))

    link, output = WireLink(0.0), Output()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        line = toy_line(link, output, ToyDriver(Cards))
        tasks.create_task(line.run(stop), name="line")
        link.transmit(1001.0, Answer(0.0, b"\x12\x34"))
        await asyncio.sleep(2.0)
        stop.set()
    assert good(output) == ["~1234"]


@in_virtual_time
async def test_a_driver_that_fails_costs_its_connection_and_not_the_line() -> None:
    class Broken(ToySession):
        def received(self, data: bytes, now: Moment) -> SessionOutput:
            if data == b"bad":
                raise ZeroDivisionError
            return super().received(data, now)

    link, output = WireLink(0.0), Output()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        line = toy_line(link, output, ToyDriver(Broken))
        tasks.create_task(line.run(stop), name="line")
        link.transmit(1001.0, Answer(0.0, bytes((1, 0, 42))))
        link.transmit(1002.0, Answer(0.0, b"bad"))
        link.transmit(1005.0, Answer(0.0, bytes((1, 0, 43))))
        await asyncio.sleep(8.0)
        stop.set()
    assert good(output) == [42, 43]
    assert [s.fault for s in output.samples if s.fault] == ["config"]  # and no port_gone behind it


@in_virtual_time
async def test_silence_is_told_once_and_a_reload_begins_the_session_anew() -> None:
    class Sleepy(ToySession):
        def wake(self, now: Moment) -> SessionOutput:
            self.wake_at = now.at_s + 10.0
            return SessionOutput(silent=(1,), unknown=("stranger",))

    link, output, driver = WireLink(0.0), Output(), ToyDriver(Sleepy)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        line = toy_line(link, output, driver)
        tasks.create_task(line.run(stop), name="line")
        link.transmit(1001.0, Answer(0.0, bytes((1, 0, 42))))
        await asyncio.sleep(35.0)
        line.update([device(1, [toy_point(0)])])
        await asyncio.sleep(2.0)
        stop.set()
    assert [s.fault for s in output.samples if s.fault][:1] == ["timeout"]
    assert [s.is_online for s in output.states] == [True, False]
    assert [len(devices[0].points) for devices in driver.started] == [2, 1]
    with pytest.raises(LookupError, match="speaks by itself"):
        await line.submit(ReadNow(DeviceId("em-01")))


async def test_calls_of_tcp_and_udp_are_dialogues_of_their_own() -> None:
    for transport in ("tcp", "udp"):
        output, stop = Output(), asyncio.Event()
        door = CallersDoor(CallersPort("127.0.0.1", 0, transport))
        line = toy_line(door, output)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(line.run(stop), name="line")
            while not door.is_open:
                await asyncio.sleep(0.01)
            kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
            with (
                socket.socket(socket.AF_INET, kind) as one,
                socket.socket(socket.AF_INET, kind) as other,
            ):
                for number, caller in enumerate((one, other)):
                    caller.connect(("127.0.0.1", door.number))
                    caller.setblocking(False)
                    await asyncio.get_running_loop().sock_sendall(
                        caller, bytes((1, number, 50 + number))
                    )
                loop = asyncio.get_running_loop()
                async with asyncio.timeout(20):
                    assert await loop.sock_recv(one, 9) == b"\x32"
                    assert await loop.sock_recv(other, 9) == b"\x33"
            if transport == "tcp":
                async with asyncio.timeout(20):
                    while not any(s.fault for s in output.samples):
                        await asyncio.sleep(0.01)
            stop.set()
        assert sorted(good(output)) == [50, 51]  # type: ignore[type-var]
        assert output.states[0].is_online


class Calls:
    """A port on which these links call, one after the other."""

    def __init__(self, links: Sequence[WireLink]) -> None:
        self.waiting = list(links)

    def open(self) -> None: ...

    def close(self) -> None: ...

    async def call(self, within_s: float) -> WireLink | None:
        await asyncio.sleep(0.001 if self.waiting else within_s)
        return self.waiting.pop(0) if self.waiting else None


@in_virtual_time
async def test_a_reload_begins_the_session_of_every_call_anew() -> None:
    driver, stop = ToyDriver(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        line = toy_line(Calls([WireLink(0.0), WireLink(0.0), WireLink(0.0)]), Output(), driver)
        tasks.create_task(line.run(stop), name="line")
        await asyncio.sleep(2.0)
        line.update([device(1, [toy_point(0)])])
        await asyncio.sleep(2.0)
        stop.set()
    assert [len(devices[0].points) for devices in driver.started] == [2, 2, 2, 1, 1, 1]


@in_virtual_time
async def test_of_too_many_calls_the_oldest_mute_one_makes_room() -> None:
    links = [WireLink(0.0) for _ in range(MOST_CALLS + 1)]
    links[0].transmit(1000.05, Answer(0.0, bytes((1, 0, 42))))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        line = toy_line(Calls(links), Output())
        tasks.create_task(line.run(stop), name="line")
        await asyncio.sleep(3.0)
        assert [link.is_open for link in links[:3]] == [True, False, True]
        assert all(link.is_open for link in links[2:])
        stop.set()


async def test_a_device_that_calls_for_each_message_is_given_up_by_its_silence() -> None:
    output, stop, driver = Output(), asyncio.Event(), ToyDriver()
    driver.patience_s = 1.0
    door = CallersDoor(CallersPort("127.0.0.1", 0))
    line = toy_line(door, output, driver)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run(stop), name="line")
        while not door.is_open:
            await asyncio.sleep(0.01)
        for value in (50, 51):
            with socket.socket() as caller:
                caller.setblocking(False)
                await loop.sock_connect(caller, ("127.0.0.1", door.number))
                await loop.sock_sendall(caller, bytes((1, 0, value)))
                async with asyncio.timeout(20):
                    assert await loop.sock_recv(caller, 9) == bytes((value,))
        assert [s.is_online for s in output.states] == [True]
        async with asyncio.timeout(20):
            while not any(s.fault for s in output.samples):
                await asyncio.sleep(0.01)
        stop.set()
    assert good(output) == [50, 51]
    assert [s.fault for s in output.samples if s.fault] == ["timeout"]


async def test_the_kernel_timer_never_rings_early() -> None:
    loop = asyncio.get_running_loop()
    sleeper = make_sleeper()
    assert isinstance(sleeper, TimerfdSleeper)
    try:
        for wait_s in (0.0, 0.0001, 0.0011, 0.004, -1.0):
            when = loop.time() + wait_s
            await sleeper.until(when)
            assert loop.time() >= when
    finally:
        sleeper.close()
