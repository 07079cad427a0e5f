"""Identifiers of the contract: `[a-z0-9][a-z0-9_-]{0,31}`; display names are never among them."""

from __future__ import annotations

import re
from typing import NewType

GatewayId = NewType("GatewayId", str)
SiteId = NewType("SiteId", str)
DeviceId = NewType("DeviceId", str)
PointId = NewType("PointId", str)
LineName = NewType("LineName", str)
SinkName = NewType("SinkName", str)

GATEWAY_ITSELF = DeviceId("_")
"""The device id under which a gateway speaks of itself."""

ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def is_id(text: str) -> bool:
    """Whether the text may stand as an id in a topic."""
    return ID_PATTERN.fullmatch(text) is not None
