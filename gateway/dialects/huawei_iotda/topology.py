"""Huawei IoTDA: which sub-devices the platform knows, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from gateway.dialects.by_name import Directory
from gateway.dialects.contract import Dropped, Now, Received
from gateway.dialects.huawei_iotda.messages import Topics, add_messages, status_messages
from gateway.dialects.huawei_iotda.options import HuaweiDeviceOptions
from gateway.model.ids import DeviceId
from gateway.model.publication import Publication

GREETING_MS = 10_000
"""Records wait so long for the answer to a registration; the platform promises one in 30 s
(iot_06_v5_30182.html), but an alarm shall not wait for that."""
AGAIN_MS = 60_000
"""How often a sub-device is tried again that the platform did not take."""
NOT_AUTHORISED = "(0x87)"
"""Reason code of MQTT 5 for what is not allowed. Records that are refused with it are tried again
every minute, and all go once one is taken: a device may still be added on the platform."""


class SubDevices:
    """The topology of one sink."""

    def __init__(
        self, topics: Topics, directory: Directory[HuaweiDeviceOptions], *, may_add: bool
    ) -> None:
        """Take where to say it, who is who, and whether devices are to be registered."""
        self._topics = topics
        self._directory = directory
        self._may_add = may_add
        self._offline: set[DeviceId] = set()
        self._added: set[DeviceId] = set()
        """Those that the platform has registered for us."""
        self._adding: dict[str, DeviceId] = {}
        """Node ids that wait for the answer."""
        self._late: dict[str, DeviceId] = {}
        """Those that wait no more; an answer that still comes tells the id of the platform."""
        self._adding_since_ms = 0
        self._denied: dict[DeviceId, str] = {}
        """Those that the platform does not take, and why."""
        self._tried_ms = 0

    # --- what is said

    def begin(self, now: Now) -> tuple[Publication, ...]:
        """Return registrations where they are wanted, and the status of all others.

        A device that is being registered gets its status with the answer.
        """
        self._denied.clear()
        self._adding.clear()
        self._late.clear()
        return self.come(self._directory.devices, now)

    def come(self, devices: Iterable[DeviceId], now: Now) -> tuple[Publication, ...]:
        """Return the same for devices that came."""
        here = tuple(devices)
        return (*self._add(here, now), *self._say(here, now))

    def go(self, devices: Iterable[DeviceId], now: Now) -> tuple[Publication, ...]:
        """Return that devices are offline: the platform leaves their status as it was."""
        statuses = [
            (self._directory.entry(device).id, False) for device in self._named_well(devices)
        ]
        return status_messages(self._topics, statuses, now.ms)

    def is_settled(self, now: Now) -> bool:
        """Return whether no registration is waited for."""
        return not self._adding or not 0 <= now.ms - self._adding_since_ms < GREETING_MS

    def due(self, now: Now) -> tuple[Publication, ...]:
        """Return the status of devices whose registration was not answered, or that were denied."""
        said: tuple[Publication, ...] = ()
        if self._adding and self.is_settled(now):
            devices = tuple(self._adding.values())
            self._late.update(self._adding)
            self._adding.clear()
            said = self._say(devices, now)
        if self._denied and not 0 <= now.ms - self._tried_ms < AGAIN_MS:
            self._tried_ms = now.ms
            said += self._say(self._denied, now)
        return said

    def note(self, device: DeviceId, *, is_online: bool) -> None:
        """Remember the state of a device for the next connection."""
        if is_online:
            self._offline.discard(device)
        else:
            self._offline.add(device)

    def why_denied(self, device: DeviceId) -> str | None:
        """Return why the platform does not take a device, None when it does."""
        return self._denied.get(device)

    def _say(self, devices: Iterable[DeviceId], now: Now) -> tuple[Publication, ...]:
        waiting = set(self._adding.values())
        statuses = [
            (self._directory.entry(device).id, device not in self._offline)
            for device in self._named_well(devices)
            if device not in waiting
        ]
        return status_messages(self._topics, statuses, now.ms)

    def _named_well(self, devices: Iterable[DeviceId]) -> Iterator[DeviceId]:
        """Yield those whose id on the platform is no other's."""
        return (one for one in devices if self._directory.why_not_alone(one) is None)

    def _add(self, devices: Iterable[DeviceId], now: Now) -> tuple[Publication, ...]:
        if not self._may_add:
            return ()
        wanted: list[tuple[str, str]] = []
        for device in self._named_well(devices):
            options = self._directory.entry(device).options
            if device not in self._added and options.product_id is not None:
                node = options.node_id or str(device)
                wanted.append((node, options.product_id))
                self._adding[node] = device
        if wanted:
            self._adding_since_ms = now.ms
        return add_messages(self._topics, wanted, now.ms)

    # --- what the platform says

    def registered(self, topic: str, paras: dict[str, Any], now: Now) -> Received:
        """Take the ids of devices that were registered; then all of them are said online.

        Whether a device that is there already counts as failed is not documented: the answer to
        its status tells whether it is ours.
        """
        answered: list[DeviceId] = []
        remarks: list[Dropped] = []
        for one in objects(paras.get("successful_devices")):
            device = self._answered(one)
            if device is not None:
                answered.append(device)
                self._added.add(device)
                if isinstance(theirs := one.get("device_id"), str) and theirs:
                    self._directory.rename(device, theirs)
        for one in objects(paras.get("failed_devices")):
            device = self._answered(one)
            if device is not None:
                answered.append(device)
                remarks.append(Dropped(topic, f"add {device}: {_why(one)}"))
        return Received(publications=self._say(answered, now), remarks=tuple(remarks))

    def _answered(self, one: dict[str, Any]) -> DeviceId | None:
        """Return which device an answer to a registration is about, None for none of ours."""
        node = str(one.get("node_id"))
        late = self._late.pop(node, None)
        return self._adding.pop(node, late)

    def judged(self, topic: str, paras: dict[str, Any], now: Now) -> Received:
        """Take the answer to a status: what failed is none of ours for the platform."""
        for device in self._named(paras.get("successful_devices")):
            self._denied.pop(device, None)
        remarks: list[Dropped] = []
        for one in objects(paras.get("failed_devices")):
            for device in self._named([one]):
                if device not in self._denied:
                    remarks.append(Dropped(topic, f"status of {device}: {_why(one)}"))
                self._deny(device, _why(one), now)
        return Received(remarks=tuple(remarks))

    def told_of_new(self, _topic: str, paras: dict[str, Any], now: Now) -> Received:
        """Say devices online that were added on the platform."""
        devices = self._named(paras.get("devices"))
        for device in devices:
            self._denied.pop(device, None)
        return Received(publications=self._say(devices, now))

    def told_of_deleted(self, topic: str, paras: dict[str, Any], now: Now) -> Received:
        """Send nothing of devices that were deleted on the platform, until it takes them again."""
        devices = self._named(paras.get("devices"))
        for device in devices:
            self._deny(device, "deleted there", now)
            self._added.discard(device)
        told = (Dropped(topic, f"{device} was deleted on the platform") for device in devices)
        return Received(remarks=tuple(told))

    def _deny(self, device: DeviceId, why: str, now: Now) -> None:
        self._denied[device] = f"the platform: {why} {NOT_AUTHORISED}"
        self._tried_ms = now.ms

    def _named(self, listed: object) -> list[DeviceId]:
        """Return those of the listed devices that are ours."""
        theirs = [str(one.get("device_id")) for one in objects(listed)]
        found = [self._directory.ours(one) for one in theirs]
        return [device for device in found if device is not None]


def objects(found: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; nothing when it is none."""
    if not isinstance(found, list):
        return []
    listed = cast("list[object]", found)
    return [cast("dict[str, Any]", one) for one in listed if isinstance(one, dict)]


def _why(failed: dict[str, Any]) -> str:
    return f"{str(failed.get('error_msg'))[:100]} [{str(failed.get('error_code'))[:40]}]"
