"""Huawei IoTDA: settings of the sink and of its devices, how it logs in, how it writes times."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from gateway.dialects.by_name import Entry, PointNames
from gateway.dialects.options import command_ttl
from gateway.model.ids import DeviceId
from gateway.settings.problems import BadValue, shown
from gateway.settings.site_sinks import Secret

_DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""support.huaweicloud.com/api-iothub/iot_06_v5_7011.html: `device_id`."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HuaweiOptions:
    """`options:` of the sink."""

    device_id: str = field(
        metadata={"description": "Device id of this gateway, as the console shows it."}
    )
    secret: Secret = field(metadata={"description": "Device secret of this gateway, by name."})
    check_timestamp: bool = field(
        default=False,
        metadata={
            "description": "Let the platform check the hour of the login (signature type 1). "
            "The gateway then waits for a synchronised clock. Default false."
        },
    )
    add_sub_devices: bool = field(
        default=False,
        metadata={
            "description": "Register devices that have a `product_id` on the platform. "
            "Default false: they are registered there by hand."
        },
    )
    service_id: str | None = field(
        default=None,
        metadata={"description": "Service of the product model. Default: the kind of the device."},
    )
    events: Literal["message", "property"] = field(
        default="message",
        metadata={
            "description": "Events as device messages, or as properties of `event_service`. "
            "Default message."
        },
    )
    event_service: str = field(
        default="event",
        metadata={"description": "Service for `events: property`. Default event."},
    )
    bad_values: Literal["message", "property", "omit"] = field(
        default="message",
        metadata={
            "description": "How values that are not good are told: a message `quality`, a property "
            "`_q`, or not at all. They are never sent as values. Default message."
        },
    )
    audit: bool = field(
        default=False,
        metadata={"description": "Send audit entries too, as messages `log`. Default false."},
    )
    sequence: bool = field(
        default=False,
        metadata={
            "description": "Add a property `_seq` with the identity of the record. Default false."
        },
    )
    sync_time: bool = field(
        default=True,
        metadata={"description": "Ask the platform for the time every hour. Default true."},
    )
    command_ttl: float = command_ttl()

    def __post_init__(self) -> None:
        """Refuse what cannot be a device id: it becomes part of every topic."""
        _check_id(self.device_id)


@dataclass(frozen=True, slots=True)
class HuaweiDeviceOptions:
    """Each entry below `devices:`."""

    device_id: str | None = field(
        default=None,
        metadata={"description": "Device id on the platform. Default: {product_id}_{node_id}."},
    )
    product_id: str | None = field(
        default=None, metadata={"description": "Product of the device on the platform."}
    )
    node_id: str | None = field(
        default=None, metadata={"description": "Node id on the platform. Default: our device id."}
    )
    service_id: str | None = field(
        default=None, metadata={"description": "Service, where it is not that of the sink."}
    )
    names: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata={
            "description": "Property names of the product model by our point ids.",
            "are_names": True,
        },
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be an id."""
        for given in (self.device_id, self.product_id, self.node_id):
            if given is not None:
                _check_id(given)


def entry_of(device: DeviceId, options: HuaweiDeviceOptions) -> Entry[HuaweiDeviceOptions]:
    """Return a device as the platform knows it.

    An id that the platform makes is product id and node id, joined by `_`
    (support.huaweicloud.com/api-iothub/iot_06_v5_7011.html).
    """
    theirs = options.device_id
    if theirs is None:
        node = options.node_id or str(device)
        theirs = node if options.product_id is None else f"{options.product_id}_{node}"
    return Entry(theirs, options, PointNames(options.names))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an MQTT CONNECT carries."""

    client_id: str
    username: str
    password: str

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"Credentials({self.client_id!r}, …)"


def credentials(device_id: str, secret: str, now_ms: int, *, is_checked: bool) -> Credentials:
    """Return the login of this hour.

    Client id `{device}_0_{0|1}_{yyyyMMddHH, UTC}`, password HMAC-SHA256 of the secret with that
    hour as the key (support.huaweicloud.com/api-iothub/iot_06_v5_3009.html;
    huaweicloud-iot-device-sdk-python, utils/iot_util.py).
    """
    hour = _at(now_ms).strftime("%Y%m%d%H")
    password = hmac.new(hour.encode(), secret.encode(), "sha256").hexdigest()
    return Credentials(f"{device_id}_0_{int(is_checked)}_{hour}", device_id, password)


def sample_time(ts_ms: int) -> str:
    """Return the `event_time` of a property report: UTC with milliseconds and a `Z`.

    `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'` (support.huaweicloud.com/api-iothub/iot_06_v5_3006.html); a time
    of another form makes the platform put its own.
    """
    at = _at(ts_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def event_time(ts_ms: int) -> str:
    """Return the `event_time` of an event: UTC, `yyyyMMdd'T'HHmmss'Z'` (iot_06_v5_3022.html)."""
    return f"{_at(ts_ms):%Y%m%dT%H%M%SZ}"


def _at(ms: int) -> datetime:
    """Return a moment in UTC; never by way of local time, which the SDK of the vendor takes."""
    return _EPOCH + timedelta(milliseconds=ms)


def _check_id(given: str) -> None:
    if not _DEVICE_ID.fullmatch(given):
        raise BadValue("LG-VAL-05", found=shown(given), limit="A-Z a-z 0-9 _ -, 1..128")
