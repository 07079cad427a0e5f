"""Whether a broker can be reached at all."""

from __future__ import annotations

import asyncio

from gateway.settings.site_sinks import Broker

LOOK_S = 3.0
"""For the preferred broker to answer, before a working one is left for it."""


async def answers(broker: Broker) -> bool:
    """Return whether something listens there; what it is shows when we connect."""
    try:
        async with asyncio.timeout(LOOK_S):
            _, writer = await asyncio.open_connection(broker.host, broker.port)
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        return False
    writer.close()
    return True
