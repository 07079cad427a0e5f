"""An aiomqtt subscriber for tests, which leaves no task behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt


@asynccontextmanager
async def subscriber(port: int, *topics: str, **more: Any) -> AsyncGenerator[aiomqtt.Client]:
    """Yield a client of a loopback broker that has subscribed to these topics, QoS 1."""
    async with aiomqtt.Client("127.0.0.1", port, **more) as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield client
    # aiomqtt cancels a task of its own with call_soon_threadsafe and does not wait for it.
    for _ in range(3):
        await asyncio.sleep(0)


def body(message: aiomqtt.Message) -> bytes:
    """Return a message's payload as the bytes it came in."""
    assert isinstance(message.payload, bytes)
    return message.payload
