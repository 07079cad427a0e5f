"""PUBLISH properties, packed once: paho would build the same bytes anew for every message."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from gateway.model.publication import Publication

_TEXT = 1
"""Payload Format Indicator: UTF-8 (MQTT 5.0, 3.3.2.3.2)."""


class PackedProperties(Properties):
    """Properties that remember their bytes. Not changed after they were made."""

    def __init__(
        self, expiry_s: int | None, content_type: str | None, correlation: bytes | None = None
    ) -> None:
        """Take message expiry in seconds, the content type, and correlation data."""
        super().__init__(PacketTypes.PUBLISH)
        if expiry_s is not None:
            self.MessageExpiryInterval = expiry_s
        if content_type is not None:
            self.PayloadFormatIndicator = _TEXT
            self.ContentType = content_type
        if correlation is not None:
            self.CorrelationData = correlation
        object.__setattr__(self, "packed", super().pack())

    def pack(self) -> bytes:
        """Return the bytes with their length in front."""
        return object.__getattribute__(self, "packed")


@lru_cache(maxsize=256)
def _packed(expiry_s: int | None, content_type: str | None) -> PackedProperties:
    return PackedProperties(expiry_s, content_type)


def properties_of(publication: Publication) -> PackedProperties | None:
    """Return the properties of a message, None when it has none."""
    if publication.correlation is not None:  # each its own: not worth remembering
        return PackedProperties(
            publication.expiry_s, publication.content_type, publication.correlation
        )
    if publication.expiry_s is None and publication.content_type is None:
        return None
    return _packed(publication.expiry_s, publication.content_type)
