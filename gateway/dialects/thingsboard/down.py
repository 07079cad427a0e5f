"""What ThingsBoard asks: RPC to devices and to the gateway itself. Total: nothing raises.

Messages: thingsboard.io, docs/reference/gateway-api/rpc and docs/reference/mqtt-api/rpc.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, cast

from gateway.dialects.asked import Wish, Wrong, read_object, read_service
from gateway.dialects.by_name import Directory, PointNames
from gateway.dialects.contract import Dropped, Received
from gateway.dialects.thingsboard.options import MAX_NAME, ThingsBoardDeviceOptions
from gateway.dialects.thingsboard.up import OWN, OWN_REQUEST
from gateway.model.command import BadCommand
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival

MAX_REQUEST_ID = 2**31 - 1
"""It is a Java int."""
SAME_FOR_MS = 600_000
"""The platform counts requests by device from 0, anew whenever its actor of the device starts
(DeviceActorMessageProcessor.java: rpcSeq), while it sends what is not answered again with the same
id after every connect (sendPendingRequests). So an id and what is asked name a request only for a
while: longer than a power cut and the start after it, shorter than the platform needs to be started
and to be asked the same again."""
_NUMBER = re.compile(r"[0-9]{1,10}")
_NEED_NAMES = frozenset({"set", "arm", "event_ack"})


@dataclass(frozen=True, slots=True)
class Asked:
    """Reads the requests of one sink."""

    directory: Directory[ThingsBoardDeviceOptions]
    ttl_ms: int

    def of_device(self, arrival: Arrival, now_ms: int) -> Received:
        """Return what `{"device", "data": {"id", "method", "params"}}` means.

        Replies go to the same topic: a broker that returns them to us is not answered.
        """
        rid: str | None = None
        device = GATEWAY_ITSELF
        try:
            fields = read_object(arrival.payload)
            if "id" in fields and "data" in fields:
                return Received()  # what we have said ourselves
            name = _name(fields.get("device"))
            request = _data(fields.get("data"))
            request_id = _request_id(request.get("id"))
            rid = f"rpc|{request_id}|{_digest(arrival)}|{name}"
            device = self._device(name)
            wish = _wish(request, self.directory.entry(device).names)
        except Wrong as error:
            return _bad(arrival, rid, device, error)
        return Received(commands=(wish.command(arrival, rid, device, now_ms + self.ttl_ms),))

    def of_gateway(self, arrival: Arrival, now_ms: int) -> Received:
        """Return what `{"method", "params"}` means that the gateway itself is asked."""
        digits = arrival.topic.removeprefix(OWN_REQUEST)
        if not _NUMBER.fullmatch(digits) or int(digits) > MAX_REQUEST_ID:
            return Received(dropped=(Dropped(arrival.topic, "no number of a request"),))
        rid = f"{OWN}|{int(digits)}|{_digest(arrival)}|"
        try:
            names = self.directory.entry(GATEWAY_ITSELF).names
            wish = _wish(read_object(arrival.payload), names)
        except Wrong as error:
            return _bad(arrival, rid, GATEWAY_ITSELF, error)
        command = wish.command(arrival, rid, GATEWAY_ITSELF, now_ms + self.ttl_ms)
        return Received(commands=(command,))

    def _device(self, name: str) -> DeviceId:
        device = self.directory.ours(name)
        if device is None:
            raise Wrong("no_device", f"there is no device {name[:64]!r}")
        return device


def _digest(arrival: Arrival) -> str:
    return sha256(arrival.payload).hexdigest()[:16]


def _bad(arrival: Arrival, rid: str | None, device: DeviceId, error: Wrong) -> Received:
    return Received(commands=(BadCommand(arrival.sink, rid, device, error.code, str(error)),))


def _data(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Wrong("bad_json", "`data` must be an object")
    return cast("dict[str, Any]", found)


def _name(found: object) -> str:
    if not isinstance(found, str) or not 0 < len(found) <= MAX_NAME or not found.isprintable():
        raise Wrong("no_device", f"`device` must be a text of 1 to {MAX_NAME} characters")
    return found


def _request_id(found: object) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= MAX_REQUEST_ID:
        raise Wrong("no_rid", "`id` must be a whole number from 0")
    return found


def _wish(request: Mapping[str, Any], names: PointNames) -> Wish:
    """Return what is asked, and for how long its number names it."""
    return replace(_asked_for(request, names), same_for_ms=SAME_FOR_MS)


def _asked_for(request: Mapping[str, Any], names: PointNames) -> Wish:
    """Return what a method means; a parameter that is no object is the value of a call.

    So a switch of the platform, whose method has the name of a point, sends `true` or `false`.
    """
    params = request.get("params")
    method = request.get("method")
    if params is None:
        return read_service(method, {}, names)
    if isinstance(params, dict):
        return read_service(method, cast("dict[str, Any]", params), names)
    if method == "read":
        return read_service(method, {"points": params}, names)
    if isinstance(method, str) and method in _NEED_NAMES:
        raise Wrong("bad_args", f"`params` of {method} must be an object")
    return read_service(method, {"value": params}, names)
