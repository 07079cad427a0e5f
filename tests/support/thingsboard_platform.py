"""ThingsBoard by script: takes messages as its server does, and keeps what it would show.

As in github.com/thingsboard/thingsboard: AbstractGatewaySessionHandler.java (devices, rows),
JsonConverter.java (a whole number with a point is a double), MqttTransportHandler.java
(getSessionLimits).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.scripted_platform import Heard, Say, ScriptedPlatform

FILTERS = ("v1/gateway/#", "v1/devices/me/#")
TELEMETRY, ATTRIBUTES, RPC = "v1/gateway/telemetry", "v1/gateway/attributes", "v1/gateway/rpc"
REQUEST, RESPONSE = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"
OWN = ""
"""Name under which the gateway's own telemetry and attributes are kept."""
MAX_PAYLOAD = 4000
_RATES = {"messages": "", "telemetryMessages": "", "telemetryDataPoints": ""}
LIMITS = {
    "maxPayloadSize": MAX_PAYLOAD,
    "maxInflightMessages": 100,
    "rateLimits": _RATES,
    "gatewayRateLimits": _RATES,
}
"""What it answers to getSessionLimits (GatewaySessionLimits.java)."""


@dataclass
class Device:
    """What the platform has of one device."""

    profile: str
    is_connected: bool = True
    series: dict[str, dict[int, Any]] = field(default_factory=dict[str, dict[int, Any]])
    """Values by key and time: what comes twice is stored once."""
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])

    def latest(self, key: str) -> Any:
        """Return the value of the newest time; None where there is none."""
        found = self.series.get(key)
        return found[max(found)] if found else None


class ThingsBoardPlatform:
    """The script."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {OWN: Device("gateway")}
        self.made_by_default: set[str] = set()
        """Devices whose telemetry came before they were connected."""

    def __call__(self, heard: Heard) -> Iterator[Say]:
        """Take one message of the gateway; a wrong one would end its connection."""
        body: Any = heard.body
        match heard.topic:
            case "v1/gateway/connect":
                assert isinstance(body["type"], str)
                self._connect(body["device"], body["type"])
            case "v1/gateway/disconnect":
                self.devices[body["device"]].is_connected = False
            case "v1/gateway/telemetry" | "v1/devices/me/telemetry":
                self._take(body if heard.topic == TELEMETRY else {OWN: body})
            case "v1/gateway/attributes" | "v1/devices/me/attributes":
                for name, told in (body if heard.topic == ATTRIBUTES else {OWN: body}).items():
                    self._named(name).attributes.update(told)
            case topic:
                assert topic == RPC or topic.startswith((REQUEST, RESPONSE)), topic
                if body.get("method") == "getSessionLimits":
                    yield Say(RESPONSE + topic.removeprefix(REQUEST), LIMITS)

    def value(self, name: str, key: str) -> Any:
        """Return the newest value of a key."""
        return self.devices[name].latest(key) if name in self.devices else None

    def attribute(self, name: str, key: str) -> Any:
        """Return a client attribute."""
        return self.devices[name].attributes.get(key) if name in self.devices else None

    def _connect(self, name: str, profile: str) -> None:
        device = self.devices.setdefault(name, Device(profile))
        device.is_connected = True

    def _named(self, name: str) -> Device:
        """Return a device; its first message connects it, and makes it where it is not known."""
        if name not in self.devices:
            self.made_by_default.add(name)
        self._connect(name, "default")
        return self.devices[name]

    def _take(self, told: dict[str, list[dict[str, Any]]]) -> None:
        for name, rows in told.items():
            device = self._named(name)
            assert isinstance(rows, list)
            for row in rows:
                assert row.keys() == {"ts", "values"}
                assert type(row["ts"]) is int
                for key, value in row["values"].items():
                    assert value is not None
                    device.series.setdefault(key, {})[row["ts"]] = value


def call(
    platform: ScriptedPlatform, device: str, number: int, method: str, params: Any
) -> dict[str, Any]:
    """Send an RPC to a device as the platform does, and return the `data` of its reply."""
    after = len(platform.so_far())
    request = {"id": number, "method": method, "params": params}
    platform.say(Say(RPC, {"device": device, "data": request}))
    answer = platform.wait_for(
        lambda one: one.topic == RPC and one.body.get("id") == number,
        f"the reply to {method}",
        after=after,
    )
    assert answer.body["device"] == device
    return answer.body["data"]
