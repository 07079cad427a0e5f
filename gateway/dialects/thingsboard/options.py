"""ThingsBoard: settings of the sink and of its devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.dialects.by_name import Entry, PointNames
from gateway.dialects.options import command_ttl
from gateway.model.ids import DeviceId
from gateway.settings.problems import BadValue, shown
from gateway.settings.site_sinks import Secret

MAX_NAME = 128
"""Characters of a device's name there; the platform keeps 255 (schema-entities.sql: device.name),
and we keep it in the id of a command."""


@dataclass(frozen=True, slots=True)
class ThingsBoardOptions:
    """`options:` of the sink."""

    token: Secret | None = field(
        default=None,
        metadata={
            "description": "Access token of the gateway device, by name; it is the MQTT user name. "
            "Without it: `username` and `password` of the sink (MQTT Basic), or a certificate."
        },
    )
    quality: Literal["key", "omit"] = field(
        default="key",
        metadata={
            "description": "How quality is told: a key `NAME__q` beside the value when it changes, "
            "or not at all. Values that are not good are never sent. Default key."
        },
    )
    attributes: bool = field(
        default=True,
        metadata={
            "description": "Send kind, vendor, model, place and units of every device as client "
            "attributes at every connect. Default true."
        },
    )
    audit: bool = field(
        default=False,
        metadata={
            "description": "Send audit entries too, as telemetry `log` of the gateway. "
            "Default false."
        },
    )
    max_message: int = field(
        default=60_000,
        metadata={
            "description": "Longest payload in bytes; more is split. What the platform tells of "
            "itself (getSessionLimits) lowers it. Default 60000; its server takes 65536.",
            "ge": 1000,
            "le": 1_000_000,
        },
    )
    command_ttl: float = command_ttl()


@dataclass(frozen=True, slots=True)
class ThingsBoardDeviceOptions:
    """Each entry below `devices:`."""

    name: str | None = field(
        default=None,
        metadata={"description": "Name of the device on the platform. Default: our device id."},
    )
    type: str | None = field(
        default=None,
        metadata={
            "description": "Device profile with which it is made there. Default: the kind of the "
            "device, such as meter.electricity."
        },
    )
    names: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata={
            "description": "Telemetry keys of the platform by our point ids.",
            "are_names": True,
        },
    )

    def __post_init__(self) -> None:
        """Refuse names that are empty, long or hold control characters."""
        for given in (self.name, self.type):
            if given is not None and not (0 < len(given) <= MAX_NAME and given.isprintable()):
                raise BadValue("LG-VAL-05", found=shown(given), limit=f"1..{MAX_NAME}")


def entry_of(
    device: DeviceId, options: ThingsBoardDeviceOptions
) -> Entry[ThingsBoardDeviceOptions]:
    """Return a device as the platform knows it."""
    return Entry(options.name or str(device), options, PointNames(options.names))
