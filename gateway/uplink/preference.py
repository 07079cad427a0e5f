"""Whether the preferred broker of a list is there again, while another one is in use."""

from __future__ import annotations

import asyncio

from gateway.uplink.brokers import Brokers
from gateway.uplink.reach import answers


async def is_preferred_back(brokers: Brokers, gone: asyncio.Event, within_s: float) -> bool:
    """Wait so long and return whether it answers; False once this connection is gone."""
    try:
        async with asyncio.timeout(within_s):
            await gone.wait()
    except TimeoutError:
        return not brokers.is_preferred and await answers(brokers.preferred)
    return False
