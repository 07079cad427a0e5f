"""Frames as a slave sees them: RTU, ASCII and TCP, from bytes to (unit, PDU) and back.

MODBUS over Serial Line V1.02 (2.5.1 RTU, 2.5.2 ASCII), MODBUS Messaging on TCP/IP V1.0b (3.1.3).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

RTU_MIN = 4
RTU_MAX = 256
MBAP_SIZE = 7
TCP_MIN_LENGTH = 2
TCP_MAX_LENGTH = 254
FIXED_REQUEST_SIZES = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 17: 4, 22: 10, 43: 7}
COUNTED_REQUESTS = {15: 6, 16: 6, 23: 10}
"""Offset of the byte count in requests of variable size."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was taken from the wire; `tag` is the MBAP transaction number."""

    unit: int
    pdu: bytes
    frame: bytes
    tag: int = 0


class Framing(Protocol):
    """One way to put PDUs on a wire."""

    @property
    def is_timed(self) -> bool:
        """Whether a frame on a serial line ends by silence."""
        ...

    @property
    def is_broadcasting(self) -> bool:
        """Whether unit 0 means everybody."""
        ...

    def parse(self, frame: bytes) -> Asked | None:
        """Return the request of one whole frame, None when it is damaged."""
        ...

    def take(self, buffer: bytearray) -> Asked | None:
        """Take the next whole request out of a stream, skipping what is none."""
        ...

    def wrap(self, asked: Asked, unit: int, pdu: bytes) -> bytes:
        """Return the reply frame."""
        ...


class RtuFraming:
    """Modbus RTU."""

    is_timed = True
    is_broadcasting = True

    def parse(self, frame: bytes) -> Asked | None:
        """Return the request of one whole frame, None when its CRC is wrong."""
        if not RTU_MIN <= len(frame) <= RTU_MAX or crc16(frame):
            return None
        return Asked(frame[0], bytes(frame[1:-2]), bytes(frame))

    def take(self, buffer: bytearray) -> Asked | None:
        """Take the next request by the length that its function says."""
        while len(buffer) >= RTU_MIN:
            size = _rtu_request_size(buffer)
            if size is None or len(buffer) < size:
                if size is None or size > RTU_MAX:
                    del buffer[0]
                    continue
                return None
            asked = self.parse(bytes(buffer[:size]))
            if asked is None:
                del buffer[0]
                continue
            del buffer[:size]
            return asked
        return None

    def wrap(self, asked: Asked, unit: int, pdu: bytes) -> bytes:  # noqa: ARG002 - Framing
        """Return unit, PDU and CRC."""
        body = bytes((unit,)) + pdu
        return body + crc16(body).to_bytes(2, "little")


class AsciiFraming:
    """Modbus ASCII."""

    is_timed = False
    is_broadcasting = True

    def parse(self, frame: bytes) -> Asked | None:
        """Return the request of one line from colon to CR LF."""
        start = frame.rfind(b":")
        try:
            content = bytes.fromhex(frame[start + 1 :].decode("ascii").strip())
        except (ValueError, UnicodeDecodeError):
            return None
        if start < 0 or len(content) < RTU_MIN - 1 or sum(content) & 0xFF:
            return None
        return Asked(content[0], content[1:-1], bytes(frame))

    def take(self, buffer: bytearray) -> Asked | None:
        """Take the next sound line."""
        while (end := buffer.find(b"\r\n")) >= 0:
            line = bytes(buffer[: end + 2])
            del buffer[: end + 2]
            asked = self.parse(line)
            if asked is not None:
                return asked
        return None

    def wrap(self, asked: Asked, unit: int, pdu: bytes) -> bytes:  # noqa: ARG002 - Framing
        """Return colon, hex digits with LRC, CR LF."""
        body = bytes((unit,)) + pdu
        checked = body + bytes((-sum(body) & 0xFF,))
        return b":" + checked.hex().upper().encode() + b"\r\n"


class TcpFraming:
    """Modbus TCP (MBAP)."""

    is_timed = False
    is_broadcasting = False

    def parse(self, frame: bytes) -> Asked | None:
        """Return the request of one datagram."""
        return self.take(bytearray(frame))

    def take(self, buffer: bytearray) -> Asked | None:
        """Take the next request; a header that cannot be one throws the buffer away."""
        if len(buffer) < MBAP_SIZE + 1:
            return None
        tag, protocol, length, unit = struct.unpack(">HHHB", buffer[:MBAP_SIZE])
        if protocol or not TCP_MIN_LENGTH <= length <= TCP_MAX_LENGTH:
            buffer.clear()
            return None
        if len(buffer) < 6 + length:
            return None
        frame = bytes(buffer[: 6 + length])
        del buffer[: 6 + length]
        return Asked(unit, frame[MBAP_SIZE:], frame, tag)

    def wrap(self, asked: Asked, unit: int, pdu: bytes) -> bytes:
        """Return MBAP header and PDU."""
        return struct.pack(">HHHB", asked.tag, 0, len(pdu) + 1, unit) + pdu


FRAMINGS: dict[str, Framing] = {
    "modbus-rtu": RtuFraming(),
    "modbus-ascii": AsciiFraming(),
    "modbus-tcp": TcpFraming(),
}


def crc16(frame: bytes | bytearray) -> int:
    """Return the CRC of V1.02 6.2.2; over a frame with its own CRC it is 0."""
    crc = 0xFFFF
    for byte in frame:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC_TABLE = tuple(_crc_of_byte(byte) for byte in range(256))


def _rtu_request_size(buffer: bytearray) -> int | None:
    """Return the size that a request beginning here has; 11 when its count is still to come."""
    function = buffer[1]
    if function in FIXED_REQUEST_SIZES:
        return FIXED_REQUEST_SIZES[function]
    at = COUNTED_REQUESTS.get(function)
    if at is None:
        return None
    return at + 1 + buffer[at] + 2 if len(buffer) > at else at + 3
