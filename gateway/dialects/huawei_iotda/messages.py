"""Huawei IoTDA: the forms of what goes up, and how records share messages within its limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.dialects.huawei_iotda.options import event_time
from gateway.dialects.json_text import text
from gateway.model.publication import Publication
from gateway.model.record import Lane

MOST_DEVICES = 100
"""Sub-devices in one report or status update (iot_06_v5_3006.html, iot_06_v5_3022.html)."""
MOST_ADDED = 50
"""Sub-devices in one request to register them. The page of the request names no number that we
have seen; 50 is what that of the deletion says."""
MOST_BYTES = 60_000
"""Of one report: the platform takes 64 KB of properties in a request
(support.huaweicloud.com/usermanual-iothub/iot_01_0045_2.html)."""
DEVICE_BYTES = 32
"""That `{"device_id":"","services":[]},` adds to the services of a device."""
SUB_DEVICES = "$sub_device_manager"
TIME_SYNC = "$time_sync"


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """An event of the platform's own services."""

    service: str
    type: str


UPDATE_STATUS = SystemEvent(SUB_DEVICES, "sub_device_update_status")
ADD = SystemEvent(SUB_DEVICES, "add_sub_device_request")
ASK_TIME = SystemEvent(TIME_SYNC, "time_sync_request")


class Topics:
    """What the gateway publishes to, `$oc/devices/{gateway}/sys/…`."""

    def __init__(self, device_id: str) -> None:
        """Take the gateway's device id on the platform."""
        self.base = f"$oc/devices/{device_id}/sys/"
        self.own_report = f"{self.base}properties/report"
        self.report = f"{self.base}gateway/sub_devices/properties/report"
        self.events = f"{self.base}events/up"
        self.messages = f"{self.base}messages/up"

    def response(self, kind: str, request_id: str) -> str:
        """Return where a request of that kind is answered."""
        return f"{self.base}{kind}/response/request_id={request_id}"


def event_message(topics: Topics, event: SystemEvent, paras: str, at_ms: int) -> Publication:
    """Return an event of the platform's own services; `paras` is a JSON object."""
    payload = (
        f'{{"services":[{{"service_id":{text(event.service)},"event_type":{text(event.type)},'
        f'"event_time":"{event_time(at_ms)}","paras":{paras}}}]}}'
    )
    return Publication(topics.events, payload.encode(), Lane.EVENT)


def status_messages(
    topics: Topics, statuses: Iterable[tuple[str, bool]], at_ms: int
) -> tuple[Publication, ...]:
    """Return updates of the status of sub-devices, a hundred in one message."""
    found = list(statuses)
    return tuple(
        event_message(
            topics,
            UPDATE_STATUS,
            _statuses(found[first : first + MOST_DEVICES]),
            at_ms,
        )
        for first in range(0, len(found), MOST_DEVICES)
    )


def _statuses(found: Sequence[tuple[str, bool]]) -> str:
    listed = ",".join(
        f'{{"device_id":{text(theirs)},"status":"{"ONLINE" if is_online else "OFFLINE"}"}}'
        for theirs, is_online in found
    )
    return f'{{"device_statuses":[{listed}]}}'


def add_messages(
    topics: Topics, devices: Sequence[tuple[str, str]], at_ms: int
) -> tuple[Publication, ...]:
    """Return requests to register sub-devices, given as node id and product id."""
    return tuple(
        event_message(
            topics,
            ADD,
            json.dumps(
                {
                    "devices": [
                        {"node_id": node, "product_id": product, "name": node}
                        for node, product in devices[first : first + MOST_ADDED]
                    ]
                },
                separators=(",", ":"),
            ),
            at_ms,
        )
        for first in range(0, len(devices), MOST_ADDED)
    )


class Gathered:
    """Messages under construction: consecutive reports and statuses share one each."""

    def __init__(self, topics: Topics) -> None:
        """Begin with nothing."""
        self._topics = topics
        self._done: list[Publication] = []
        self._services: dict[str, list[str]] = {}
        self._statuses: dict[str, bool] = {}
        self._status_ms = 0
        self._covers: list[int] = []
        self._lane = Lane.TELEMETRY
        self._size = 0

    def report(self, device: str, services: Sequence[str], seq: int, lane: Lane) -> None:
        """Add services of a sub-device."""
        size = sum(len(service.encode()) for service in services)
        if device not in self._services:
            size += len(device) + DEVICE_BYTES
        is_full = self._size + size > MOST_BYTES or (
            device not in self._services and len(self._services) >= MOST_DEVICES
        )
        if self._statuses or lane is not self._lane or (self._services and is_full):
            self.close()
        self._lane = lane
        self._services.setdefault(device, []).extend(services)
        self._covers.append(seq)
        self._size += size

    def status(self, device: str, seq: int, at_ms: int, *, is_online: bool) -> None:
        """Add the status of a sub-device; two of one device stay two messages, in order."""
        is_full = device in self._statuses or len(self._statuses) >= MOST_DEVICES
        if self._services or is_full:
            self.close()
        self._lane = Lane.EVENT
        self._statuses[device] = is_online
        self._status_ms = at_ms
        self._covers.append(seq)

    def message(self, publication: Publication) -> None:
        """Add a message that shares with nothing; what was begun goes before it."""
        self.close()
        self._done.append(publication)

    def ahead(self, publication: Publication) -> None:
        """Add a message that covers no record, before what is under construction."""
        self._done.append(publication)

    def close(self) -> None:
        """Finish what is under construction."""
        covers = tuple(self._covers)
        if self._services:
            listed = ",".join(
                f'{{"device_id":{text(device)},"services":[{",".join(services)}]}}'
                for device, services in self._services.items()
            )
            payload = f'{{"devices":[{listed}]}}'
            self._done.append(
                Publication(self._topics.report, payload.encode(), self._lane, covers)
            )
        if self._statuses:
            paras = _statuses(list(self._statuses.items()))
            sent = event_message(self._topics, UPDATE_STATUS, paras, self._status_ms)
            self._done.append(Publication(sent.topic, sent.payload, sent.lane, covers))
        self._services, self._statuses, self._covers, self._size = {}, {}, [], 0

    def take(self) -> tuple[Publication, ...]:
        """Return all messages."""
        self.close()
        return tuple(self._done)
