"""Huawei IoTDA by script: registers sub-devices, judges their status, tells the time.

Messages as on support.huaweicloud.com/api-iothub: iot_06_v5_30181 and 30182 (registration), 3022
and 30233 (status), 3040 and 3041 (time).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.scripted_platform import Heard, Say

GATEWAY = "gw001"
BASE = f"$oc/devices/{GATEWAY}/sys/"
REPORT = f"{BASE}gateway/sub_devices/properties/report"
EVENTS = f"{BASE}events/up"
MESSAGES = f"{BASE}messages/up"
SUB_DEVICES, TIME_SYNC = "$sub_device_manager", "$time_sync"


class HuaweiPlatform:
    """The script; it knows who is registered and who is online."""

    def __init__(self) -> None:
        self.registered: dict[str, str] = {}
        """Device id by node id."""
        self.online: dict[str, bool] = {}
        self.unknown: set[str] = set()
        """Device ids that belong to another gateway."""

    def __call__(self, heard: Heard) -> Iterator[Say]:
        """Answer one message of the gateway."""
        if heard.topic != EVENTS:
            return
        for service in heard.body["services"]:
            kind, paras = service["event_type"], service["paras"]
            match kind:
                case "add_sub_device_request":
                    yield _down(SUB_DEVICES, "add_sub_device_response", self._add(paras))
                case "sub_device_update_status":
                    yield _down(
                        SUB_DEVICES, "sub_device_update_status_response", self._judge(paras)
                    )
                case "time_sync_request":
                    yield _down(TIME_SYNC, "time_sync_response", _times(paras))
                case _:
                    raise AssertionError(f"the platform knows no {kind}")

    def _add(self, paras: dict[str, Any]) -> dict[str, Any]:
        added: list[dict[str, str]] = []
        for one in paras["devices"]:
            device_id = f"{one['product_id']}_{one['node_id']}"
            self.registered[one["node_id"]] = device_id
            added.append({"parent_device_id": GATEWAY, "device_id": device_id, **one})
        return {"successful_devices": added, "failed_devices": []}

    def _judge(self, paras: dict[str, Any]) -> dict[str, Any]:
        good: list[dict[str, str]] = []
        failed: list[dict[str, str]] = []
        for one in paras["device_statuses"]:
            if one["device_id"] in self.unknown:
                why = {"error_code": "IOTDA.014016", "error_msg": "not a device of this gateway"}
                failed.append({"device_id": one["device_id"], **why})
            else:
                self.online[one["device_id"]] = one["status"] == "ONLINE"
                good.append(one)
        return {"successful_devices": good, "failed_devices": failed}


def _times(paras: dict[str, Any]) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    return {**paras, "server_recv_time": now_ms, "server_send_time": now_ms}


def _down(service: str, kind: str, paras: dict[str, Any]) -> Say:
    one = {"service_id": service, "event_type": kind, "event_id": "1", "paras": paras}
    return Say(f"{BASE}events/down", {"object_device_id": GATEWAY, "services": [one]})


def readings(heard: Iterable[Heard], device_id: str) -> list[dict[str, Any]]:
    """Return the services of a sub-device in all reports, in order."""
    return [
        service
        for one in heard
        if one.topic == REPORT
        for device in one.body["devices"]
        if device["device_id"] == device_id
        for service in device["services"]
    ]


def command(name: str, paras: object, device_id: str, request_id: str) -> Say:
    """Return a command of the platform."""
    body = {
        "object_device_id": device_id,
        "service_id": "plant",
        "command_name": name,
        "paras": paras,
    }
    return Say(f"{BASE}commands/request_id={request_id}", body)
