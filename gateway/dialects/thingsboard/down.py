"""What ThingsBoard asks: RPC to devices and to the gateway itself. Total: nothing raises.

Messages: thingsboard.io, docs/reference/gateway-api/rpc and docs/reference/mqtt-api/rpc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
_MAX_SEEN = 1000
_NEED_NAMES = frozenset({"set", "arm", "event_ack"})


@dataclass(slots=True)
class Requests:
    """Tells a request that comes again from a new one with the same id.

    The platform counts requests by device from 0, anew whenever its actor of the device starts
    (DeviceActorMessageProcessor.java: rpcSeq), while it sends what is not answered again with the
    same id after every connect (sendPendingRequests). So an id names a request only for a while.
    """

    ttl_ms: int
    _seen: dict[tuple[str, int], tuple[bytes, int]] = field(
        default_factory=dict[tuple[str, int], tuple[bytes, int]]
    )

    def since(self, name: str, request_id: int, payload: bytes, now_ms: int) -> int:
        """Return when this request came first; now, for one that is new."""
        digest = sha256(payload).digest()
        known = self._seen.pop((name, request_id), None)
        if known is None or known[0] != digest or now_ms - known[1] > self.ttl_ms:
            known = (digest, now_ms)
        self._seen[name, request_id] = known
        if len(self._seen) > _MAX_SEEN:
            del self._seen[next(iter(self._seen))]
        return known[1]


@dataclass(frozen=True, slots=True)
class Asked:
    """Reads the requests of one sink."""

    directory: Directory[ThingsBoardDeviceOptions]
    requests: Requests

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
            since_ms = self.requests.since(name, request_id, arrival.payload, now_ms)
            rid = f"rpc|{request_id}|{since_ms}|{name}"
            device = self._device(name)
            wish = _wish(request, self.directory.entry(device).names)
        except Wrong as error:
            return _bad(arrival, rid, device, error)
        return Received(commands=(wish.command(arrival, rid, device, self._expires(since_ms)),))

    def of_gateway(self, arrival: Arrival, now_ms: int) -> Received:
        """Return what `{"method", "params"}` means that the gateway itself is asked."""
        digits = arrival.topic.removeprefix(OWN_REQUEST)
        if not digits.isdecimal() or not digits.isascii() or int(digits) > MAX_REQUEST_ID:
            return Received(dropped=(Dropped(arrival.topic, "no number of a request"),))
        since_ms = self.requests.since("", int(digits), arrival.payload, now_ms)
        rid = f"{OWN}|{int(digits)}|{since_ms}|"
        try:
            names = self.directory.entry(GATEWAY_ITSELF).names
            wish = _wish(read_object(arrival.payload), names)
        except Wrong as error:
            return _bad(arrival, rid, GATEWAY_ITSELF, error)
        command = wish.command(arrival, rid, GATEWAY_ITSELF, self._expires(since_ms))
        return Received(commands=(command,))

    def _expires(self, since_ms: int) -> int:
        return since_ms + self.requests.ttl_ms

    def _device(self, name: str) -> DeviceId:
        device = self.directory.ours(name)
        if device is None:
            raise Wrong("no_device", f"there is no device {name[:64]!r}")
        return device


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
    if method in _NEED_NAMES:
        raise Wrong("bad_args", f"`params` of {method} must be an object")
    return read_service(method, {"value": params}, names)
