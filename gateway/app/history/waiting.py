"""How a worker with a cursor of its own waits for more."""

from __future__ import annotations

import asyncio

from gateway.outbox.feed import SinkFeed


async def has_news(feed: SinkFeed, until: float | None, stopping: asyncio.Event) -> bool:
    """Wait for more; False at loop time `until`, or when nothing will come any more.

    A feed that is closed sets `stopping`. `until` None: wait as long as it takes.
    """
    try:
        async with asyncio.timeout_at(until):
            is_open = await feed.news()
    except TimeoutError:
        return False
    if not is_open:
        stopping.set()
    return is_open
