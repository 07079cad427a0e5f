"""Read what gateways say, each record once: `python consumer.py HOST PORT`.

For one that keeps what it reads, and shares the work, see receiver.md.
"""
# ruff: noqa: INP001, T201 - a sample to run, which prints

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import aiomqtt

EVERYTHING = "fc/1/+/+/up/+/+"


def records(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the records of a message: it is one itself, or holds several under `items`."""
    for item in message.get("items", [message]):
        yield {**message, **item}


async def consume(host: str, port: int) -> AsyncGenerator[dict[str, Any]]:
    """Yield every record once, however often it was sent. Keep `seen` in your database."""
    seen: set[tuple[str, str, int, int]] = set()
    async with aiomqtt.Client(host, port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe(EVERYTHING, qos=1)
        async for message in client.messages:
            if not message.payload:  # the retained topics of a removed device are cleared
                continue
            site, gateway = str(message.topic).split("/")[2:4]  # the payload could claim any
            for record in records(json.loads(str(message.payload, "utf-8"))):
                identity = (site, gateway, record["ep"], record["seq"])
                if record["seq"] is None or identity not in seen:  # births have no seq
                    seen.add(identity)
                    yield record


async def main() -> None:
    """Print every value with its quality."""
    async for record in consume(sys.argv[1], int(sys.argv[2])):
        for point in record.get("pts", ()):
            if "v" in point:  # the points of a birth have no value
                print(record["ts"], record["dev"], point["p"], point["v"], point.get("q", 192))


if __name__ == "__main__":
    asyncio.run(main())
