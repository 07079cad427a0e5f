"""The reference loop: pymodbus reads a block, paho publishes it, nothing else.

`python -m tests.bench.ref_pymodbus MODBUS_PORT BROKER_PORT UNITS PERIOD_S SECONDS`; prints one JSON
object with blocks read and its CPU seconds. No store, no quality, no schedule, no retry: what is
left when everything that makes a gateway is taken away.
"""

from __future__ import annotations

import asyncio
import json
import resource
import struct
import sys
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import AsyncModbusTcpClient

WINDOW = 20


async def _run(modbus_port: int, broker_port: int, units: int, rest: tuple[float, float]) -> None:
    period, seconds = rest
    loop = asyncio.get_running_loop()
    window = asyncio.Semaphore(WINDOW)
    publisher = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

    def acknowledged(*_: Any) -> None:
        loop.call_soon_threadsafe(window.release)

    publisher.on_publish = acknowledged
    publisher.max_inflight_messages_set(WINDOW)
    publisher.connect("127.0.0.1", broker_port)
    publisher.loop_start()
    client = AsyncModbusTcpClient("127.0.0.1", port=modbus_port)
    await client.connect()
    blocks, begun = 0, time.monotonic()
    following = begun
    cpu = _cpu_s()
    while time.monotonic() - begun < seconds:
        for unit in range(1, units + 1):
            reply = await client.read_holding_registers(0, count=40, device_id=unit)
            values = struct.unpack(">20f", struct.pack(">40H", *reply.registers))
            points = [
                {"p": f"v{place:02}", "v": value, "u": "V"} for place, value in enumerate(values)
            ]
            body = {"dev": f"em-{unit:02}", "ts": time.time_ns() // 1_000_000, "pts": points}
            await window.acquire()
            publisher.publish(f"bench/{unit}", json.dumps(body), qos=1)
            blocks += 1
        following += period
        await asyncio.sleep(max(0.0, following - time.monotonic()))
    elapsed = time.monotonic() - begun
    await asyncio.sleep(0.5)
    spent = _cpu_s() - cpu
    publisher.disconnect()
    publisher.loop_stop()
    client.close()
    sys.stdout.write(json.dumps({"blocks": blocks, "cpu_s": spent, "seconds": elapsed}) + "\n")


def _cpu_s() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


if __name__ == "__main__":
    asyncio.run(
        _run(
            int(sys.argv[1]),
            int(sys.argv[2]),
            int(sys.argv[3]),
            (float(sys.argv[4]), float(sys.argv[5])),
        )
    )
