"""What Huawei IoTDA asks: commands, properties to set and to get. Total: nothing raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from gateway.dialects.asked import (
    MAX_NAME,
    Wish,
    Wrong,
    is_request_id,
    read_object,
    read_one,
    read_service,
)
from gateway.dialects.by_name import Directory, PointNames
from gateway.dialects.contract import Dropped, Received
from gateway.dialects.huawei_iotda.options import HuaweiDeviceOptions
from gateway.model.command import BadCommand, Op
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival

REQUEST = "request_id="
SET, GET, COMMAND = "set", "get", "command"
"""First part of a `rid`, by which the response finds its topic again, also after a restart."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Reads the requests of one sink."""

    gateway_id: str
    directory: Directory[HuaweiDeviceOptions]
    service_of: Callable[[DeviceId], str]

    def read(self, arrival: Arrival, path: str, expires_ms: int) -> Received:
        """Return what a request below `sys/` means; `path` is the rest of its topic."""
        where, _, last = path.rpartition("/")
        kind = _KINDS.get(where)
        request_id = last.removeprefix(REQUEST)
        if kind is None or not last.startswith(REQUEST) or not is_request_id(request_id):
            return Received(dropped=(Dropped(arrival.topic, "not a request that is supported"),))
        rid = f"{kind}:{request_id}"
        device = GATEWAY_ITSELF
        try:
            fields = read_object(arrival.payload)
            rid += _name_in_rid(kind, fields)
            device = self._device(fields)
            wish = self._wish(kind, fields, device)
        except Wrong as error:
            bad = BadCommand(arrival.sink, rid, device, error.code, str(error))
            return Received(commands=(bad,))
        command = wish.command(arrival, rid, device, expires_ms)
        return Received(commands=(command,))

    def _device(self, fields: dict[str, Any]) -> DeviceId:
        """Return the device that is meant: without `object_device_id` the gateway itself."""
        theirs = fields.get("object_device_id")
        if theirs is None or theirs == self.gateway_id:
            return GATEWAY_ITSELF
        device = self.directory.ours(theirs) if isinstance(theirs, str) else None
        if device is None:
            raise Wrong("no_device", f"there is no device {str(theirs)[:64]!r}")
        return device

    def _wish(self, kind: str, fields: dict[str, Any], device: DeviceId) -> Wish:
        names = self.directory.entry(device).names
        if kind == GET:
            self._check_service(fields, device)
            return Wish(Op.READ)
        if kind == SET:
            return Wish(Op.SET, read_one(self._properties(fields, device), names))
        return _of_command(fields, names)

    def _properties(self, fields: dict[str, Any], device: DeviceId) -> object:
        services = fields.get("services")
        if not isinstance(services, list) or len(cast("list[object]", services)) != 1:
            raise Wrong("one_point", "one request sets exactly one point of one service")
        service = cast("list[object]", services)[0]
        if not isinstance(service, dict):
            raise Wrong("bad_json", "`services` must hold objects")
        plain = cast("dict[str, Any]", service)
        self._check_service(plain, device)
        return plain.get("properties")

    def _check_service(self, fields: dict[str, Any], device: DeviceId) -> None:
        wanted = fields.get("service_id")
        if wanted is not None and wanted != self.service_of(device):
            raise Wrong("no_service", f"{device} has no service {str(wanted)[:64]!r}")


def _name_in_rid(kind: str, fields: dict[str, Any]) -> str:
    name = fields.get("command_name")
    if kind != COMMAND or not isinstance(name, str):
        return ""
    return f":{name[:MAX_NAME]}"


def _of_command(fields: dict[str, Any], names: PointNames) -> Wish:
    paras = fields.get("paras")
    if paras is not None and not isinstance(paras, dict):
        raise Wrong("bad_json", "`paras` must be an object")
    return read_service(fields.get("command_name"), cast("dict[str, Any]", paras or {}), names)


_KINDS = {"commands": COMMAND, "properties/set": SET, "properties/get": GET}
