"""Set one point, in two steps where it is dangerous.

    python command.py HOST PORT fc/1/SITE/GATEWAY DEVICE POINT VALUE

The site file of the gateway must allow it. VALUE is JSON: 21.5, true, "open".
"""
# ruff: noqa: INP001, T201 - a sample to run, which prints

import asyncio
import json
import sys
import time
import uuid
from typing import Any

import aiomqtt

GOOD_FOR_S = 30
"""Until then the gateway may begin; its clock and yours must agree better than that."""
LATE_S = 10
"""What a reply may take beyond it."""


async def ask(
    client: aiomqtt.Client, base: str, device: str, command: dict[str, Any]
) -> dict[str, Any]:
    """Send a command and return its last reply. Subscribe to `up/reply` before.

    No answer is no refusal: ask again with the same `rid`, and it is done once.
    """
    await client.publish(f"{base}/dn/cmd/{device}", json.dumps(command), qos=1)
    async with asyncio.timeout(GOOD_FOR_S + LATE_S):
        async for message in client.messages:
            reply = json.loads(str(message.payload, "utf-8"))
            if reply["rid"] == command["rid"] and reply["st"] != "accepted":
                return reply
    raise ConnectionError("the broker ended the connection")


def command_of(op: str, point: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a command with an id that nobody else has, and a moment at which it ends."""
    now_ms = time.time_ns() // 1_000_000
    return {
        "rid": uuid.uuid4().hex,
        "op": op,
        "p": {point: value},
        "exp": now_ms + GOOD_FOR_S * 1000,
        "by": "sample",
    }


async def set_point(broker: tuple[str, int], base: str, device: str, **points: Any) -> Any:  # noqa: ANN401 - JSON
    """Set one point and return the reply; arm it first where its profile calls it dangerous."""
    ((point, value),) = points.items()
    async with aiomqtt.Client(*broker, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe(f"{base}/up/reply/{device}", qos=1)
        command = command_of("set", point, value)
        armed = await ask(client, base, device, command_of("arm", point, value))
        if armed["code"] == "armed":
            command["token"] = armed["val"]
        elif armed["code"] != "no_arm_needed":
            return armed
        return await ask(client, base, device, command)


async def main() -> None:
    """Print what became of it."""
    host, port, base, device, point, value = sys.argv[1:]
    reply = await set_point((host, int(port)), base, device, **{point: json.loads(value)})
    print(reply["st"], reply["code"], reply["msg"], reply.get("pts"))


if __name__ == "__main__":
    asyncio.run(main())
