"""MQTT 5.0 packets as far as a client needs them: bytes and back. Pure, incremental, total.

Standard: OASIS MQTT Version 5.0, 2019-03-07; the clauses are named at each part. QoS 0 and 1 only.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

PROTOCOL = b"\x00\x04MQTT\x05"
_OLD_CONNACK = 2
"""Bytes of a CONNACK of 3.1.1, with which a broker without MQTT 5 refuses us."""


class Kind(IntEnum):
    """Packet types (2.1.2)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Prop(IntEnum):
    """Property identifiers (2.2.2.2) that we send or look at."""

    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    MAXIMUM_PACKET_SIZE = 0x27
    WILDCARD_AVAILABLE = 0x28
    SUBSCRIPTION_IDS_AVAILABLE = 0x29
    SHARED_AVAILABLE = 0x2A


_BYTE = (0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A)
_TWO = (0x13, 0x21, 0x22, 0x23)
_FOUR = (0x02, 0x11, 0x18, 0x27)
_FIXED = {
    **dict.fromkeys(_BYTE, ">B"),
    **dict.fromkeys(_TWO, ">H"),
    **dict.fromkeys(_FOUR, ">I"),
}
_VARIABLE = frozenset({0x0B})
_PAIR = frozenset({0x26})
Value: TypeAlias = int | bytes
Properties: TypeAlias = Mapping[int, Value]
NONE: Properties = {}


class Malformed(Exception):
    """What came is no MQTT 5 packet."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it came."""

    kind: Kind
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Connack:
    """The answer to CONNECT (3.2)."""

    is_present: bool
    """Whether the broker knew the session."""
    code: int
    properties: Properties


@dataclass(frozen=True, slots=True)
class Publish:
    """A message (3.3)."""

    topic: str
    payload: bytes
    qos: int = 0
    is_retained: bool = False
    is_duplicate: bool = False
    mid: int = 0
    properties: Properties = field(default_factory=dict[int, Value])


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says when we go without a word (3.1.2.5)."""

    topic: str
    payload: bytes
    is_retained: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """What CONNECT says (3.1)."""

    client_id: str
    keepalive_s: int = 60
    is_clean: bool = True
    properties: Properties = field(default_factory=dict[int, Value])
    will: Will | None = None
    username: str | None = None
    password: str | None = None


# --- to bytes


def connect_packet(hello: Hello) -> bytes:
    """Return CONNECT (3.1)."""
    flags = 0x02 if hello.is_clean else 0
    parts = [_text(hello.client_id)]
    if hello.will is not None:
        flags |= 0x04 | 0x08 | (0x20 if hello.will.is_retained else 0)
        parts += [b"\0", _text(hello.will.topic), _binary(hello.will.payload)]
    if hello.username is not None:
        flags |= 0x80
        parts.append(_text(hello.username))
    if hello.password is not None:
        flags |= 0x40
        parts.append(_text(hello.password))
    head = PROTOCOL + struct.pack(">BH", flags, hello.keepalive_s)
    return _packet(Kind.CONNECT, 0, head + properties_bytes(hello.properties) + b"".join(parts))


def publish_packet(message: Publish) -> bytes:
    """Return PUBLISH (3.3)."""
    flags = message.is_duplicate << 3 | message.qos << 1 | message.is_retained
    mid = struct.pack(">H", message.mid) if message.qos else b""
    body = _text(message.topic) + mid + properties_bytes(message.properties) + message.payload
    return _packet(Kind.PUBLISH, flags, body)


def puback_packet(mid: int) -> bytes:
    """Return PUBACK with success (3.4)."""
    return _packet(Kind.PUBACK, 0, struct.pack(">H", mid))


def subscribe_packet(mid: int, filters: list[str], qos: int = 1) -> bytes:
    """Return SUBSCRIBE; retained messages come at once (3.8)."""
    wanted = b"".join(_text(one) + bytes([qos]) for one in filters)
    return _packet(Kind.SUBSCRIBE, 2, struct.pack(">H", mid) + b"\0" + wanted)


def ping_packet() -> bytes:
    """Return PINGREQ (3.12)."""
    return _packet(Kind.PINGREQ, 0, b"")


def disconnect_packet(code: int = 0, properties: Properties = NONE) -> bytes:
    """Return DISCONNECT (3.14)."""
    return _packet(Kind.DISCONNECT, 0, bytes([code]) + properties_bytes(properties))


def properties_bytes(properties: Properties) -> bytes:
    """Return properties with their length before them (2.2.2)."""
    parts: list[bytes] = []
    for name, value in properties.items():
        parts.append(bytes([name]))
        if isinstance(value, bytes):
            parts.append(_binary(value))
        else:
            parts.append(struct.pack(_FIXED[name], value))
    body = b"".join(parts)
    return _variable(len(body)) + body


# --- from bytes


class Reader:
    """Takes bytes in any pieces and gives whole packets."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, received: bytes) -> list[Packet]:
        """Return the packets that are whole now.

        Raises:
            Malformed: the stream cannot be MQTT.
        """
        self._held += received
        found: list[Packet] = []
        at = 0
        while (end := _end_of(self._held, at)) is not None:
            begin, stop = end
            first = self._held[at]
            try:
                kind = Kind(first >> 4)
            except ValueError as error:
                raise Malformed(f"packet type {first >> 4}") from error
            found.append(Packet(kind, first & 15, bytes(self._held[begin:stop])))
            at = stop
        del self._held[:at]
        return found


def connack(packet: Packet) -> Connack:
    """Return what a CONNACK says; raises Malformed."""
    try:
        is_old = len(packet.body) == _OLD_CONNACK  # 3.1.1 has no properties
        properties = {} if is_old else _properties(packet.body, 2)[0]
        return Connack(bool(packet.body[0] & 1), packet.body[1], properties)
    except (IndexError, struct.error) as error:
        raise Malformed("CONNACK") from error


def publish(packet: Packet) -> Publish:
    """Return the message of a PUBLISH; raises Malformed."""
    body, qos = packet.body, packet.flags >> 1 & 3
    try:
        topic, at = _read_binary(body, 0)
        mid = 0
        if qos:
            (mid,) = struct.unpack_from(">H", body, at)
            at += 2
        properties, at = _properties(body, at)
        is_retained, is_duplicate = bool(packet.flags & 1), bool(packet.flags & 8)
        return Publish(topic.decode(), body[at:], qos, is_retained, is_duplicate, mid, properties)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Malformed("PUBLISH") from error


def mid_and_codes(packet: Packet) -> tuple[int, bytes]:
    """Return id and reason codes of PUBACK, SUBACK or UNSUBACK; raises Malformed."""
    body = packet.body
    try:
        (mid,) = struct.unpack_from(">H", body, 0)
        if packet.kind is Kind.PUBACK:
            return mid, body[2:3] or b"\0"
        _, at = _properties(body, 2)
        return mid, body[at:]
    except (IndexError, struct.error) as error:
        raise Malformed(packet.kind.name) from error


def disconnect_code(packet: Packet) -> int:
    """Return the reason of a DISCONNECT (3.14.2.1)."""
    return packet.body[0] if packet.body else 0


def _end_of(held: bytearray, at: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `at` begins and ends; None when it is not whole."""
    length = 0
    for place in range(4):
        if at + 1 + place >= len(held):
            return None
        byte = held[at + 1 + place]
        length |= (byte & 127) << 7 * place
        if not byte & 128:
            begin = at + 2 + place
            return (begin, begin + length) if begin + length <= len(held) else None
    raise Malformed("remaining length")


def _properties(body: bytes, at: int) -> tuple[dict[int, Value], int]:
    length, at = _read_variable(body, at)
    end = at + length
    found: dict[int, Value] = {}
    while at < end:
        name = body[at]
        found[name], at = _value(name, body, at + 1)
    return found, end


def _value(name: int, body: bytes, at: int) -> tuple[Value, int]:
    if name in _FIXED:
        form = _FIXED[name]
        return struct.unpack_from(form, body, at)[0], at + struct.calcsize(form)
    if name in _VARIABLE:
        return _read_variable(body, at)
    key, at = _read_binary(body, at)
    if name not in _PAIR:
        return key, at
    value, at = _read_binary(body, at)
    return key + b"=" + value, at


def _read_variable(body: bytes, at: int) -> tuple[int, int]:
    found = 0
    for place in range(4):
        byte = body[at + place]
        found |= (byte & 127) << 7 * place
        if not byte & 128:
            return found, at + place + 1
    raise Malformed("variable byte integer")


def _read_binary(body: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">H", body, at)
    end = at + 2 + length
    if end > len(body):
        raise Malformed("a text is longer than its packet")
    return body[at + 2 : end], end


def _packet(kind: Kind, flags: int, body: bytes) -> bytes:
    return bytes([kind << 4 | flags]) + _variable(len(body)) + body


def _variable(number: int) -> bytes:
    found = bytearray()
    while True:
        number, low = number >> 7, number & 127
        found.append(low | (128 if number else 0))
        if not number:
            return bytes(found)


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value
