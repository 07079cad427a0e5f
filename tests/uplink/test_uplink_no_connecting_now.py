"""A platform may say that there is no connecting now: that is an outage with a reason, no crash."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.model.publication import ConnectSpec
from gateway.uplink.errors import UplinkDown
from tests.support.mosquitto import mosquitto
from tests.support.uplinks import SPEC, a_sink, down, running_uplink


async def test_what_keeps_it_from_connecting_is_said_and_it_is_asked_again(tmp_path: Path) -> None:
    may_connect = asyncio.Event()
    asked = 0

    def connect() -> ConnectSpec:
        nonlocal asked
        asked += 1
        if not may_connect.is_set():
            raise UplinkDown("waits for a synchronised clock")
        return SPEC

    with mosquitto(tmp_path) as broker:
        async with running_uplink(a_sink(broker.port), spec=connect) as uplink:
            await down(uplink, "waits for a synchronised clock")
            while asked < 3:
                await asyncio.sleep(0.01)
            assert not uplink.state.is_connected
            may_connect.set()
            state = await uplink.connected()
            assert state.is_connected
            assert uplink.counters.failures >= 3
