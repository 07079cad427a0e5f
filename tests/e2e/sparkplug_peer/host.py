"""A host made of pysparkplug, run by the interpreter of build/sparkplug: JSON lines out and in.

    python host.py PORT GROUP NODE

What it decodes goes to stdout, one message a line; `{"write": [device, metric, type, value]}` or
`{"rebirth": true}` on stdin is sent.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

spb: Any = importlib.import_module("pysparkplug")


def shown(message: Any) -> dict[str, Any]:
    """Return what pysparkplug has understood."""
    payload, topic = message.payload, message.topic
    metrics = getattr(payload, "metrics", None)
    if metrics is None and hasattr(payload, "bd_seq_metric"):
        metrics = (payload.bd_seq_metric,)
    return {
        "kind": topic.message_type.value,
        "device": topic.device_id,
        "seq": getattr(payload, "seq", None),
        "metrics": {
            one.name: {"value": one.value, "type": one.datatype.name, "is_old": one.is_historical}
            for one in metrics or ()
        },
    }


def say(found: dict[str, Any]) -> None:
    """Put one line out."""
    sys.stdout.write(json.dumps(found, default=str) + "\n")
    sys.stdout.flush()


def heard(_client: object, message: Any) -> None:
    """Pass a message on."""
    say(shown(message))


def connected(_client: object) -> None:
    """Tell that the broker is there."""
    say({"kind": "connected"})


def command(kind: Any, payload_type: Any, name: str, datatype: str, value: Any) -> Any:
    """Return a command; pysparkplug sends names, not aliases."""
    now = int(time.time() * 1000)  # noqa: TID251 - a peer of its own, and no part of the gateway
    metric = spb.Metric(timestamp=now, name=name, datatype=spb.DataType[datatype], value=value)
    payload = payload_type(timestamp=now, metrics=(metric,))
    return spb.Message(topic=kind, payload=payload, qos=spb.QoS.AT_MOST_ONCE, retain=False)


def main() -> None:
    """Listen, and obey stdin until it ends."""
    port, group, node = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    client = spb.Client(client_id="pysparkplug")
    client.subscribe(
        spb.Topic(group_id=group, message_type="#"),
        spb.QoS.AT_LEAST_ONCE,
        heard,
    )
    client.connect("127.0.0.1", port=port, callback=connected)
    for line in sys.stdin:
        order = json.loads(line)
        if "write" in order:
            device, *write = order["write"]
            topic = spb.Topic(
                group_id=group,
                message_type=spb.MessageType.DCMD,
                edge_node_id=node,
                device_id=device,
            )
            client.publish(command(topic, spb.DCmd, *write), include_dtypes=True)
        else:
            topic = spb.Topic(group_id=group, message_type=spb.MessageType.NCMD, edge_node_id=node)
            rebirth = ("Node Control/Rebirth", "BOOLEAN", True)
            client.publish(command(topic, spb.NCmd, *rebirth), include_dtypes=True)
    client.disconnect()


if __name__ == "__main__":
    main()
