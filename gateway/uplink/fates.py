"""Reason codes of MQTT 5 folded into fates, and the size a message has on the wire."""

from __future__ import annotations

from gateway.model.publication import TAIL_BYTES, Fate, Publication

SUCCESS = 0x00
NO_SUBSCRIBERS = 0x10
UNSUPPORTED_PROTOCOL = 0x84
SESSION_TAKEN_OVER = 0x8E
RECEIVE_MAXIMUM_EXCEEDED = 0x93
PACKET_TOO_LARGE = 0x95
BUSY_CODES = frozenset({0x88, 0x89, 0x97, 0x9F})
"""CONNACK and DISCONNECT: unavailable, busy, quota exceeded, connection rate exceeded."""

_FATES = {
    SUCCESS: Fate.DELIVERED,
    NO_SUBSCRIBERS: Fate.NOBODY_LISTENS,
    0x87: Fate.REFUSED,
    0x90: Fate.REFUSED,
    0x99: Fate.REFUSED,
    PACKET_TOO_LARGE: Fate.TOO_LARGE,
}


def fate_of(code: int) -> Fate:
    """Return what a PUBACK reason code means; codes that say nothing final mean "again later"."""
    return _FATES.get(code, Fate.BUSY)


def packet_size(publication: Publication, properties_bytes: int) -> int:
    """Return the bytes of its PUBLISH packet (MQTT 5.0, 3.3); one too many for 3.1.1 and QoS 0.

    `properties_bytes` includes their length; 0 when there are none.
    """
    topic = publication.topic
    remaining = (
        (len(topic) if topic.isascii() else len(topic.encode()))
        + 4  # length of the topic, packet identifier
        + (properties_bytes or 1)
        + len(publication.payload)
        + (0 if publication.tail is None else TAIL_BYTES)
    )
    return remaining + 2 + (remaining > 127) + (remaining > 16_383) + (remaining > 2_097_151)  # noqa: PLR2004 - steps of the variable byte integer
