"""A line of a toy session: a device that speaks by itself and wants an answer."""

from __future__ import annotations

import asyncio

from drivers.contract import SessionOutput, SessionSample
from gateway.bus.around import Around
from gateway.bus.session_line import SessionLine
from gateway.bus.sleeper import TimerfdSleeper, make_sleeper
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

    def received(self, data: bytes, now: float) -> SessionOutput:
        self._kept += data
        self.wake_at = now + 10.0
        whole = len(self._kept) // 3 * 3
        messages, self._kept = self._kept[:whole], self._kept[whole:]
        samples = tuple(
            SessionSample(messages[at], f"p{messages[at + 1]}", messages[at + 2])
            for at in range(0, whole, 3)
        )
        return SessionOutput(bytes(messages[2::3]), samples)

    def wake(self, now: float) -> SessionOutput:
        self.wake_at = now + 10.0
        return SessionOutput(b"?")


@in_virtual_time
async def test_a_session_is_fed_woken_and_answered() -> None:
    link, output, clock = WireLink(0.0), Output(), ManualClock()
    line = SessionLine(serial_line(), link, Around(clock, output, ZONE), start=ToySession)
    names = {0: "p0", 1: "p1"}
    line.serve(
        [device(1, [point(0), point(1)])],
        lambda p: names[int(p.id[1:])],
    )
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
    good = [(s.points, s.raw) for s in output.samples if s.fault is None]
    assert [value for _, row in good for value in row] == [42, 43, 44]
    assert line.unknown == 2
    sent = b"".join(s.frame for s in link.stats.sent)
    assert sent == bytes((42, 43, 44, 45, 46)) + b"??"
    assert [s.is_up for s in output.lines] == [True, False, True]
    assert [s.is_online for s in output.states] == [True, False]
    assert [s.fault for s in output.samples if s.fault] == ["port_gone"]


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
