"""Count good readings at the broker, `python -m tests.bench.count_readings PORT`.

For every line on its input it prints the count so far.
"""

from __future__ import annotations

import sys
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def main(port: int) -> None:
    """Subscribe, say `ready`, and answer every line on stdin with the readings so far."""
    count = 0

    def received(_: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        nonlocal count
        payload = message.payload
        count += payload.count(b'"p":') - payload.count(b'"q":')  # only bad values carry a `q`

    def connected(client: mqtt.Client, *_: Any) -> None:
        client.subscribe([("fc/1/+/+/up/prop/+", 0), ("fc/1/+/+/up/hist/+", 0)])

    def subscribed(*_: Any) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = received
    client.on_connect = connected
    client.on_subscribe = subscribed
    client.connect("127.0.0.1", port)
    client.loop_start()
    for _ in sys.stdin:
        sys.stdout.write(f"{count}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
