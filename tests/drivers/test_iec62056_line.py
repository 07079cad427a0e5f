"""Read-outs over the line's own exchange, with a meter that speaks at one rate at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from drivers.contract import FrameError, LineCost, Raw, Wanted
from drivers.iec62056 import DRIVER, PROTOCOL
from drivers.iec62056.address import Iec62056Address, Iec62056Quirks
from drivers.iec62056.codec import data_message
from gateway.bus.echo import EchoFilter
from gateway.bus.exchange import Limits, SerialWire
from gateway.bus.quarantine import Quarantine
from gateway.bus.sleeper import make_sleeper
from gateway.links.memory import MemoryWire, Sent, memory_link
from gateway.settings.site import Echo
from tests.support.virtual_time import in_virtual_time

ENERGY = Iec62056Address("1.8.0", raw_unit="kWh")
BODY = b"".join(b"1.8.%d(%08d*kWh)\r\n" % (line, line) for line in range(40)) + b"!\r\n"
DATA = data_message(BODY)
OWN = "9600 8N1"
REACTION_S = 0.2


class RateLine:
    """A line in memory that has a serial setting; what comes at another one is rubbish."""

    def __init__(self, wire: MemoryWire) -> None:
        self.link: Any = memory_link(wire)
        self.wire = wire
        self.settings = [OWN]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)

    def switch(self, setting: str | None) -> None:
        self.settings.append(setting or OWN)
        self.wire.char_s = 10 / int(self.settings[-1].split()[0])


class Meter:
    """Signs on at 300 and goes on at `then`; `selects` says whether it waits for an ACK."""

    def __init__(self, line: RateLine, identification: bytes, then: str, *, selects: bool) -> None:
        self.line, self.identification, self.then, self.selects = (
            line,
            identification,
            then,
            selects,
        )
        line.wire.listen(self.hear)

    def hear(self, sent: Sent) -> None:
        now = asyncio.get_running_loop().time()
        at_300 = self.line.settings[-1] == "300 7E1"
        if sent.data.startswith(b"/?") and at_300:
            ended_at = self.say(self.identification, "300 7E1", now + REACTION_S)
            if not self.selects:
                self.say(DATA, self.then, ended_at + REACTION_S)
        elif sent.data.startswith(b"\x06") and at_300:
            self.say(DATA, self.then, now + REACTION_S)

    def say(self, octets: bytes, setting: str, at: float) -> float:
        char_s = 10 / int(setting.split(maxsplit=1)[0])
        loop = asyncio.get_running_loop()
        for octet in octets:
            at += char_s
            loop.call_at(at, self.arrive, bytes((octet,)), setting)
        return at

    def arrive(self, octet: bytes, setting: str) -> None:
        good = self.line.settings[-1] == setting
        self.line.link.arrived(octet if good else bytes((octet[0] | 0xF0,)))


async def read_out(
    identification: bytes, then: str, *, selects: bool = True, **quirks: Any
) -> tuple[Sequence[Raw | None], list[str]]:
    """Return the values of a read-out and the settings that the line had."""
    driver = DRIVER.protocols[PROTOCOL]
    cost = LineCost(char_s=10 / 300, exchange_s=0.3)
    wanted = [Wanted(0, ENERGY)]
    (job,) = driver.plan("-", wanted, Iec62056Quirks(block_chars=len(DATA), **quirks), cost)
    line, sleeper = RateLine(MemoryWire("head")), make_sleeper()
    Meter(line, identification, then, selects=selects)
    bus: Any = line
    wire = SerialWire(bus, sleeper, Quarantine(), EchoFilter(Echo.OFF))
    limits = Limits(driver.wire.silence_min_s, driver.wire.longest_response_s)
    try:
        await line.link.open()
        wire.opened()
        steps = job.steps()
        exchange = next(steps)
        while True:
            try:
                exchange = steps.send(await wire.transact(exchange, limits))
            except StopIteration as finished:
                return finished.value, line.settings
    finally:
        sleeper.close()
        await line.link.close()


@in_virtual_time
async def test_the_line_signs_on_at_300_and_hears_the_data_at_the_agreed_rate() -> None:
    values, settings = await read_out(b"/ABC5meter\r\n", "9600 7E1")
    assert values == (0,)
    assert settings == [OWN, "300 7E1", "9600 7E1"]


@in_virtual_time
async def test_mode_b_is_heard_at_the_rate_that_the_meter_named() -> None:
    values, settings = await read_out(b"/ABCDmeter\r\n", "4800 7E1", selects=False)
    assert values == (0,)
    assert settings == [OWN, "300 7E1", "4800 7E1"]


@in_virtual_time
async def test_a_meter_that_stays_at_300_is_named_and_mended_by_its_quirk() -> None:
    with pytest.raises(FrameError, match="may have stayed at 300 7E1"):
        await read_out(b"/ABC5meter\r\n", "300 7E1")
    values, settings = await read_out(b"/ABC5meter\r\n", "300 7E1", max_baud=300)
    assert values == (0,)
    assert settings == [OWN, "300 7E1"]
