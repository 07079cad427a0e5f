"""What JetLinks asks: properties to read and to write, functions to invoke. Total: nothing raises.

Messages: jetlinks-official-protocol, TopicMessageCodec.java (readProperty, writeProperty,
functionInvoke).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from gateway.dialects.asked import (
    MAX_ID,
    MAX_NAME,
    Wish,
    Wrong,
    end_ms,
    is_name,
    read_object,
    read_one,
    read_points,
    read_service,
)
from gateway.dialects.by_name import Directory, PointNames
from gateway.dialects.contract import Dropped, Received
from gateway.dialects.jetlinks.options import JetLinksDeviceOptions
from gateway.model.command import BadCommand, Op
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival

READ, WRITE, INVOKE = "properties/read", "properties/write", "function/invoke"
REQUESTS = (READ, WRITE, INVOKE)
_MAX_INPUTS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """Reads the requests of one sink."""

    directory: Directory[JetLinksDeviceOptions]
    ttl_ms: int

    def read(self, arrival: Arrival, path: str, now_ms: int) -> Received:
        """Return what a request means; `path` is its topic behind the gateway's id."""
        child, what = _split(path)
        if what not in REQUESTS:
            return Received(dropped=(Dropped(arrival.topic, "not a request that is supported"),))
        rid: str | None = None
        device = GATEWAY_ITSELF
        try:
            fields = read_object(arrival.payload)
            function = _function(fields) if what == INVOKE else ""
            rid = f"{what}|{child}|{function}|{_message_id(fields)}"
            device = self._device(child)
            wish = _wish(what, fields, function, self.directory.entry(device).names)
        except Wrong as error:
            bad = BadCommand(arrival.sink, rid, device, error.code, str(error))
            return Received(commands=(bad,))
        expires_ms = end_ms(now_ms, _sent_ms(fields), self.ttl_ms)
        return Received(commands=(wish.command(arrival, rid, device, expires_ms),))

    def _device(self, child: str) -> DeviceId:
        if not child:
            return GATEWAY_ITSELF
        device = self.directory.ours(child)
        if device is None:
            raise Wrong("no_device", f"there is no device {child[:64]!r}")
        return device


def _split(path: str) -> tuple[str, str]:
    """Return the child, "" for the gateway itself, and what is asked."""
    if not path.startswith("child/"):
        return "", path
    child, _, what = path.removeprefix("child/").partition("/")
    return (child, what) if child and len(child) <= MAX_ID and "|" not in child else ("", "")


def _sent_ms(fields: dict[str, Any]) -> int | None:
    """Return when the platform made the message (`timestamp` of jetlinks-core's messages)."""
    found = fields.get("timestamp")
    return found if type(found) is int else None


def _message_id(fields: dict[str, Any]) -> str:
    found = fields.get("messageId")
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, str) or not 0 < len(found) <= MAX_ID or not found.isprintable():
        raise Wrong("no_rid", f"`messageId` must be a text of 1 to {MAX_ID} characters")
    return found


def _function(fields: dict[str, Any]) -> str:
    """Return the function's id; older documents of the platform call it `function`."""
    found = fields.get("functionId", fields.get("function"))
    if not isinstance(found, str) or not is_name(found) or "|" in found:
        raise Wrong(
            "unknown_op", f"`functionId` must be a plain text of 1 to {MAX_NAME} characters"
        )
    return found


def _wish(what: str, fields: dict[str, Any], function: str, names: PointNames) -> Wish:
    if what == READ:
        return Wish(Op.READ, points=read_points(fields.get("properties"), names))
    if what == WRITE:
        return Wish(Op.SET, read_one(fields.get("properties"), names))
    return read_service(function, _inputs(fields.get("inputs")), names)


def _inputs(found: object) -> dict[str, Any]:
    """Return `[{"name", "value"}, …]` as an object."""
    if found is None:
        return {}
    if not isinstance(found, list) or len(cast("list[object]", found)) > _MAX_INPUTS:
        raise Wrong("bad_json", f"`inputs` must be a list of at most {_MAX_INPUTS}")
    given: dict[str, Any] = {}
    for one in cast("list[object]", found):
        name = cast("dict[str, Any]", one).get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or name in given:
            raise Wrong("bad_json", "`inputs` must hold objects with different names")
        given[name] = cast("dict[str, Any]", one).get("value")
    return given
