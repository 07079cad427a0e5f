"""Home Assistant: settings of the sink and of its devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.dialects.by_name import Entry, PointNames
from gateway.dialects.options import command_ttl
from gateway.model.ids import DeviceId
from gateway.settings.problems import BadValue, shown

_TOPIC = re.compile(r"[^+#\s/]+(/[^+#\s/]+)*")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class HomeAssistantOptions:
    """`options:` of the sink."""

    discovery_prefix: str = field(
        default="homeassistant",
        metadata={
            "description": "Prefix of discovery, as the MQTT integration has it. "
            "Default homeassistant."
        },
    )
    base_topic: str = field(
        default="linli",
        metadata={
            "description": "What states and commands begin with; the gateway's id follows. "
            "Default linli."
        },
    )
    language: Literal["en", "zh"] = field(
        default="en",
        metadata={"description": "Language of the names of points. Default en."},
    )
    command_ttl: float = command_ttl()

    def __post_init__(self) -> None:
        """Refuse what cannot begin a topic."""
        for given in (self.discovery_prefix, self.base_topic):
            if not _TOPIC.fullmatch(given):
                raise BadValue("LG-VAL-05", found=shown(given), limit="a/b, no + # or space")


@dataclass(frozen=True, slots=True)
class HomeAssistantDeviceOptions:
    """Each entry below `devices:`."""

    name: str | None = field(
        default=None,
        metadata={"description": "Name of the device. Default: its title and its id."},
    )
    area: str | None = field(
        default=None,
        metadata={"description": "Area that is suggested for it. Default: none."},
    )
    ranges: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata={
            "description": "Range of a number that can be set, by point: `setpoint: 5..30`. It is "
            "for the slider; what may be set is decided by the gateway."
        },
    )

    def __post_init__(self) -> None:
        """Refuse what is no range."""
        for given in self.ranges.values():
            range_of(given)


def range_of(given: str) -> tuple[float, float]:
    """Return least and most of `5..30`.

    Raises:
        BadValue: it is no range.
    """
    found = _RANGE.fullmatch(given)
    if found is None or float(found[1]) >= float(found[2]):
        raise BadValue("LG-VAL-05", found=shown(given), limit="5..30")
    return float(found[1]), float(found[2])


def entry_of(
    device: DeviceId, options: HomeAssistantDeviceOptions
) -> Entry[HomeAssistantDeviceOptions]:
    """Return a device; it has the names that it has here."""
    return Entry(str(device), options, PointNames({}))
