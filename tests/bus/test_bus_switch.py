"""Exchanges that run on a serial setting of their own (IEC 62056-21 changes the rate)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from drivers.contract import DriverError, NoAnswer, Switch
from gateway.bus.echo import EchoFilter
from gateway.bus.exchange import Limits, SerialWire
from gateway.bus.quarantine import Quarantine
from gateway.bus.sleeper import make_sleeper
from gateway.settings.site import Echo
from tests.support.links import ScriptedLink
from tests.support.virtual_time import in_virtual_time

LIMITS = Limits(silence_s=0.0, timeout_s=0.2)


@dataclass
class Said:
    """An exchange whose reply is one byte."""

    switch: Switch | None
    request: bytes = b"?"
    unit: int = 1
    shape: int = 1
    reply_chars: int = 1
    reply_may_equal_request: bool = False

    def feed(self, received: bytes) -> bytes | None:
        return received or None

    def verdict(self) -> DriverError:
        return NoAnswer("silence")


@in_virtual_time
async def test_the_line_switches_for_request_and_reply_and_back_again() -> None:
    link = ScriptedLink(b"a", b"b", b"c", b"d", char_s=0.001)
    sleeper = make_sleeper()
    wire = SerialWire(link, sleeper, Quarantine(), EchoFilter(Echo.OFF))
    try:
        await link.open()
        wire.opened()
        for switch in (
            None,
            Switch("300 7E1", "300 7E1"),
            Switch("300 7E1", "9600 7E1"),
            None,
        ):
            assert await wire.transact(Said(switch), LIMITS) is not None
    finally:
        sleeper.close()
        await link.close()
    assert link.switched == ["300 7E1", "9600 7E1", None]
    assert asyncio.get_running_loop().time() > 0
