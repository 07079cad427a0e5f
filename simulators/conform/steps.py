"""What the checks of a broker do again and again: connect, subscribe, publish, take what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from simulators.conform.check import Bench, Missed
from simulators.mqtt5.connection import Connection, connected
from simulators.mqtt5.packets import Hello, Prop, Properties, Publish, Will

WAIT_S = 3.0
QUIET_S = 0.5
"""Nothing more comes when nothing has for so long."""
FAILURE = 0x80
"""Reason codes from here on are refusals (2.4)."""
KEPT: Properties = {int(Prop.SESSION_EXPIRY): 60}
"""Of a session that outlives its connection for the length of a check."""
ENDED: Properties = {int(Prop.SESSION_EXPIRY): 0}
"""Ends such a session with a goodbye."""


@asynccontextmanager
async def client(
    bench: Bench,
    name: str,
    *,
    is_clean: bool = True,
    properties: Properties | None = None,
    will: Will | None = None,
) -> AsyncGenerator[Connection]:
    """Yield a connection under a client id of its own."""
    hello = Hello(f"{bench.name}-{name}", 60, is_clean, properties or {}, will)
    async with connected(bench.broker, hello) as link:
        yield link


async def subscribed(link: Connection, *filters: str) -> None:
    """Subscribe; raises Missed when the broker refuses."""
    codes = await link.subscribe(*filters)
    if any(code >= FAILURE for code in codes):
        raise Missed(f"SUBACK {codes.hex(' ')} for {', '.join(filters)}")


async def everything(link: Connection, quiet_s: float = QUIET_S) -> list[Publish]:
    """Return all that comes until nothing does."""
    found: list[Publish] = []
    while (message := await link.next(quiet_s)) is not None:
        found.append(message)
    return found


async def some(link: Connection, count: int) -> list[Publish]:
    """Return so many messages, fewer when they do not come."""
    found: list[Publish] = []
    while len(found) < count and (message := await link.next(WAIT_S)) is not None:
        found.append(message)
    return found


def numbered(topic: str, count: int) -> list[Publish]:
    """Return so many messages; each says which one it is."""
    return [Publish(topic, str(number).encode(), 1) for number in range(count)]


async def published(link: Connection, messages: list[Publish], window: int = 20) -> None:
    """Publish, some at once; raises Missed when one is refused."""
    for at in range(0, len(messages), window):
        answers = [link.send(message) for message in messages[at : at + window]]
        async with asyncio.timeout(WAIT_S):
            for answer in answers:
                code = (await answer)[0]
                if code >= FAILURE:
                    raise Missed(f"a publish was refused with 0x{code:02x}")


def seen_in(messages: list[Publish]) -> list[int]:
    """Return which of the numbered messages came."""
    return [int(message.payload) for message in messages]
