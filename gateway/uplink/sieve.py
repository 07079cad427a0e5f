"""Lets a flood of QoS 0 messages fall before it costs anything; all else passes, byte for byte.

Our acknowledgements come behind whatever the broker sends us, in one stream: to read a flood slowly
would keep them, and with them our alarms, waiting for as long as the buffers between hold. So it is
read at full speed, and what is too much is cut out of the stream: a packet header each, no parser.
Only QoS 0 can be cut out, which promises nothing (MQTT 5.0, 4.3.1). Of QoS 1 a broker sends no more
than its window ahead of our acknowledgements: there a rest in reading holds the flood (`intake`).
"""

from __future__ import annotations

from collections.abc import Callable

PER_S = 500.0
BURST = 500
"""Messages of QoS 0 that pass: at once after a quiet while, and in each second."""
_PUBLISH, _PUBLISH_QOS = 0x30, 0xF6
"""Packet type and QoS of a fixed header (MQTT 5.0, 3.3.1)."""
_MORE = 0x80
_MOST_LENGTH_BYTES = 4
"""Of the remaining length (MQTT 5.0, 2.1.4)."""


class Sieve:
    """Of one connection; begins at the first byte of its stream."""

    def __init__(
        self, now: Callable[[], float], dropped: Callable[[int], None], spared: bytes | None = None
    ) -> None:
        """Take monotonic seconds, whom to tell how many fell, and a topic that always passes."""
        self._now = now
        self._dropped = dropped
        self._spared = spared
        self._head = b""
        """Of a packet, when less than its fixed header has come."""
        self._left: int = 0
        """Bytes of a packet that are still to come."""
        self._is_falling = False
        """Whether those fall too."""
        self._is_open = False
        """Whether the stream is no MQTT: all passes, and the client ends it."""
        self._allowed = float(BURST)
        self._at = now()

    def through(self, piece: bytes) -> bytes:
        """Return what of a piece of the stream passes."""
        if self._is_open:
            return piece
        self._refill()
        if self._head:
            piece = self._head + piece
        at = min(self._left, len(piece))  # the rest of a packet that had begun
        self._left -= at
        if self._left:
            self._head = b""
            return b"" if self._is_falling else piece
        return self._packets(piece, at, at if self._is_falling else 0)

    def _packets(self, piece: bytes, at: int, begin: int) -> bytes:
        """Return what passes of packets that begin at `at`, and what stands from `begin` on."""
        kept: list[bytes] = []
        fell, size = 0, len(piece)
        while at < size:
            end = _end_of(piece, at)
            if end <= 0:
                self._is_open = end < 0
                break
            self._is_falling = piece[at] & _PUBLISH_QOS == _PUBLISH and self._falls(piece, at)
            if self._is_falling:
                fell += 1
                if begin < at:
                    kept.append(piece[begin:at])
                begin = end
            at = end
        if self._is_open:
            at = size
        self._left = max(0, at - size)
        self._head = piece[at:]
        if fell:
            self._dropped(fell)
        kept.append(piece[begin:at])
        return b"".join(kept)

    def _falls(self, piece: bytes, at: int) -> bool:
        if self._allowed >= 1:
            self._allowed -= 1
            return False
        if self._spared is None:
            return True
        body = at + 2
        while piece[body - 1] & _MORE:
            body += 1
        topic = piece[body + 2 : body + 2 + int.from_bytes(piece[body : body + 2], "big")]
        return not self._spared.startswith(topic)

    def _refill(self) -> None:
        now = self._now()
        self._allowed = min(BURST, self._allowed + (now - self._at) * PER_S)
        self._at = now


def _end_of(piece: bytes, at: int) -> int:
    """Return where a packet ends; 0 when its header is not whole, -1 when it is none."""
    length = shift = 0
    place = at
    for byte in piece[at + 1 : at + 1 + _MOST_LENGTH_BYTES]:
        place += 1
        length |= (byte & 0x7F) << shift
        if not byte & _MORE:
            return place + 1 + length
        shift += 7
    return -1 if shift == 7 * _MOST_LENGTH_BYTES else 0
