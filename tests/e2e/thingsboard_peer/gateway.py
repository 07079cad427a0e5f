"""A gateway made of tb-mqtt-client, run by the interpreter of build/thingsboard.

    python gateway.py PORT TOKEN

Orders come as JSON lines on stdin, what it hears goes to stdout: `connect` and `telemetry` and
`attributes` are sent by the library's own calls; `count` is answered with how many data points the
library sees in a message of ours. Requests are answered by the library, with what was asked.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
from typing import Any

tb: Any = importlib.import_module("tb_gateway_mqtt")
WAIT_S = 30.0


def say(found: dict[str, Any]) -> None:
    """Put one line out."""
    sys.stdout.write(json.dumps(found, default=str) + "\n")
    sys.stdout.flush()


def asked(client: Any, content: dict[str, Any]) -> None:
    """Answer what the library has understood as a request."""
    if "data" not in content or "method" not in content["data"]:
        return  # a reply that the broker returned
    device, data = content["device"], content["data"]
    say({"kind": "rpc", "device": device, "method": data["method"], "params": data["params"]})
    client.gw_send_rpc_reply(device, data["id"], {"success": True, "asked": data["params"]})


def obey(client: Any, order: dict[str, Any]) -> None:
    """Do one order."""
    if "connect" in order:
        client.gw_connect_device(*order["connect"])
    elif "telemetry" in order:
        client.gw_send_telemetry(*order["telemetry"])
    elif "attributes" in order:
        client.gw_send_attributes(*order["attributes"])
    elif "count" in order:
        counts = {
            name: client._count_datapoints_in_message(order["count"], device=name)
            for name in order["count"]
        }
        say({"kind": "count", "counts": counts})


def main() -> None:
    """Connect, and obey stdin until it ends."""
    client = tb.TBGatewayMqttClient("127.0.0.1", int(sys.argv[1]), sys.argv[2])
    client.gw_set_server_side_rpc_request_handler(asked)
    client.connect()
    told = threading.Event()
    while not client.rate_limits_received:
        told.wait(0.05)  # the library tells it by a flag only
    say({"kind": "connected", "max_payload": client.max_payload_size})
    for line in sys.stdin:
        obey(client, json.loads(line))
    client.stop()
    client.disconnect()


if __name__ == "__main__":
    main()
