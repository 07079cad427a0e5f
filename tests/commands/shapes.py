"""Messages of the right words in wrong shapes, for every topic that a dialect listens to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any, cast

from gateway.model.publication import Arrival
from tests.commands.hostile import SINK, Ask, Forms

WORDS = (
    *("pump-1", "gate-1", "speed", "_", "gw-03", "gw03", "gw001", "pkGw", "pkMeter", "x", "1", "0"),
    *("property", "properties", "set", "get", "event", "post_reply", "request_id=7", "response"),
    *("cmd", "ack", "cfg", "time", "ota", "state", "config", "9" * 5000, "", "é", "response/1"),
)
"""What stands where a filter has `+` or `#`."""
TEMPLATES: tuple[Any, ...] = (
    {"id": "1", "code": 200, "data": {}, "message": "ok", "method": "thing.topo.add"},
    {"id": "1", "code": 520, "data": {"productKey": "pkMeter", "deviceName": "pump-1"}},
    {"id": 7, "code": 460, "data": [{"productKey": "pkMeter", "deviceKey": "pump-1"}]},
    {"id": "7", "code": 200, "msg": "x", "data": {"failedList": [{"deviceName": "pump-1"}]}},
    {"deviceSendTime": "1", "serverRecvTime": "2", "serverSendTime": "3"},
    {"id": "1", "params": ["speed"], "version": "1.0"},
    {"id": "1", "method": "thing.service.property.set", "params": {"speed": 20}},
    {"id": "1", "params": {"identifier": "open", "inputParams": {"value": 1}}},
    {"id": "1", "params": {"productID": "pkMeter", "deviceName": "pump-1", "params": ["speed"]}},
    {"id": "1", "params": {"points": ["speed", "flow"]}, "identity": {"productKey": "pkMeter"}},
    {
        "object_device_id": "gw001",
        "services": [
            {
                "service_id": "$sub_device_manager",
                "event_type": "add_sub_device_notify",
                "event_time": "20260101T000000Z",
                "paras": {
                    "version": 1,
                    "devices": [{"device_id": "d", "node_id": "pump-1", "product_id": "p"}],
                },
            }
        ],
    },
    {
        "services": [
            {
                "service_id": "$sub_device_manager",
                "event_type": "sub_device_update_status_response",
                "paras": {
                    "successful_devices": [{"device_id": "pump-1"}],
                    "failed_devices": [{"device_id": "pump-1", "error_code": "IOTDA.014017"}],
                },
            },
            {
                "service_id": "$sub_device_manager",
                "event_type": "add_sub_device_response",
                "paras": {"successful_devices": [{"node_id": "pump-1", "device_id": "a_pump-1"}]},
            },
            {
                "service_id": "$time_sync",
                "event_type": "time_sync_response",
                "paras": {"device_send_time": 1, "server_recv_time": 2, "server_send_time": 3},
            },
        ]
    },
    {"object_device_id": "pump-1", "service_id": "Meter"},
    {"messageId": "1", "timestamp": 1_800_000_000_000},
    {"messageId": "1", "properties": ["speed"], "functionId": "read", "inputs": []},
    {"maxPayloadSize": 65536, "rateLimits": {"messages": "100:1"}, "gatewayRateLimits": {}},
    {"device": "pump-1", "data": {"id": 1, "method": "read", "params": "speed,flow"}},
    {"device": "pump-1", "id": 1, "data": {"success": True}},
    {"unique_id": "linli-gw-03-x", "state_topic": "linli/gw-03/pump-1/old/state"},
    {"online": True, "timestamp": 1_800_000_000_000},
    {"ep": 5129077341120511, "ranges": [[1, 5]], "resend": [[7, 9]]},
    {"rid": "r1", "op": "read", "p": ["speed"], "exp": 1_800_000_001_000, "by": "desk"},
    {"ts": 1, "t1": 1, "t2": 2, "t3": 3, "tp": 4, "rid": "t"},
    {"protected": "e30", "payload": "e30", "signature": "AA", "v": "1.0"},
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**53 - 1, "", "x" * 300, "pump-1", "speed", "NaN", "\u202e"),
    *([], {}, [[]], {"a": {}}, [None] * 50, [1, "a", {}], {"": ""}, {"value": None}, "9" * 5000),
)


def shapes(forms: Forms, filters: Sequence[str], rng: Random, count: int) -> Iterator[Arrival]:
    """Yield messages on topics that these filters match."""
    for number in range(count):
        good = forms.speak(Ask(number=number))
        if rng.random() < 0.3:
            yield Arrival(SINK, good.topic, _payload(_own(good, rng), rng), False)
            continue
        topic = _topic(rng.choice(filters), rng)
        root = rng.choice(TEMPLATES)
        yield Arrival(SINK, topic, _payload(root, rng), rng.random() < 0.3)


def _own(good: Arrival, rng: Random) -> Any:
    try:
        return json.loads(good.payload)
    except ValueError:
        return rng.choice(TEMPLATES)


def _topic(pattern: str, rng: Random) -> str:
    parts = (rng.choice(WORDS) if part in {"+", "#"} else part for part in pattern.split("/"))
    return "/".join(parts)


def _payload(root: Any, rng: Random) -> bytes:
    """Return the JSON of a shape with one to three of its parts replaced, left out or doubled."""
    changed: Any = [deepcopy(root)]
    for _ in range(rng.randrange(1, 4)):
        _change(changed, rng)
    return json.dumps(changed[0]).encode()


def _change(root: Any, rng: Random) -> None:
    inside, key = rng.choice(list(_places(root)))
    odd = deepcopy(rng.choice(ODD))
    if isinstance(inside, dict) and rng.random() < 0.2:
        del cast("dict[str, Any]", inside)[key]
    elif isinstance(inside, dict) and rng.random() < 0.2:
        cast("dict[str, Any]", inside)[rng.choice(("token", "id", "value", "code", "x"))] = odd
    else:
        inside[key] = odd


def _places(inside: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys."""
    if isinstance(inside, dict):
        pairs = list(cast("dict[Any, Any]", inside).items())
    else:
        pairs = list(enumerate(cast("list[Any]", inside)))
    for key, part in pairs:
        yield inside, key
        if isinstance(part, dict | list):
            yield from _places(part)
