"""The MBAP header (MODBUS Messaging on TCP/IP V1.0b, 3.1.3), and one request under it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from struct import Struct

from drivers.contract import DriverError, Exchange, NoAnswer
from drivers.modbus.ascii import reply_payload
from drivers.modbus.framing import KEPT, Foreign, verdict
from drivers.modbus.pdu import EXCEPTION_BIT, EXCEPTION_LENGTH, MAX_PDU, Request, refused

HEADER = Struct(">HHHB")
"""Transaction, protocol (0), length of all that follows it, unit."""
MIN_LENGTH = 2  # unit and function
MAX_LENGTH = MAX_PDU + 1
_COUNTED_FROM = 6  # the length counts from the unit on
_PROTOCOL = b"\0\0"

_HEAD_ZEROS = b"\0\0\0"  # protocol, and the high byte of any length that Modbus has
REMEMBERED = 256
"""Requests whose replies are looked for inside of others; more would be taken for values."""

# One counter for the process: a late reply never has the number of a request that came after it.
_transactions = count(1)
# Requests that got no reply, which may still come: their transaction numbers and units.
unanswered: dict[bytes, int] = {}


@dataclass(frozen=True, slots=True)
class MbapFrame:
    """A whole frame of a stream."""

    transaction: bytes
    unit: int
    pdu: bytes


@dataclass(frozen=True, slots=True)
class TcpRequest:
    """A request without its transaction number, and its reply's frame up to the payload."""

    unit: int
    request: Request
    tail: bytes
    reply_tail: bytes
    exception_tail: bytes
    length: int
    reply_chars: int

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return 2 + len(self.tail)

    def exchange(self) -> Exchange:
        """Start one exchange with the next transaction number."""
        return TcpExchange(self, next(_transactions))


class TcpExchange:
    """One request on a TCP connection; `transaction` is its two-byte number."""

    __slots__ = ("_buffer", "_prepared", "transaction")

    switch = None

    def __init__(self, prepared: TcpRequest, number: int) -> None:
        self._prepared = prepared
        self._buffer = bytearray()
        self.transaction = (number & 0xFFFF).to_bytes(2, "big")

    @property
    def request(self) -> bytes:
        """The request frame."""
        return self.transaction + self._prepared.tail

    @property
    def unit(self) -> int:
        """The unit asked."""
        return self._prepared.unit

    @property
    def shape(self) -> None:
        """None: replies carry the transaction number."""
        return

    @property
    def heads(self) -> tuple[bytes, bytes]:
        """How the frame of its reply begins, and how that of an exception does."""
        return (
            self.transaction + self._prepared.reply_tail,
            self.transaction + self._prepared.exception_tail,
        )

    def may_begin(self, octets: bytes | bytearray) -> bool:
        """Return whether its reply or exception begins so, as far as the bytes go."""
        return any(octets[: len(head)] == head[: len(octets)] for head in self.heads)

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary reply."""
        return self._prepared.reply_chars

    @property
    def reply_may_equal_request(self) -> bool:
        """True for functions 5, 6 and 22."""
        return self._prepared.request.may_be_echoed

    @property
    def foreign(self) -> int:
        """Well-formed frames among the bytes kept that are not the reply."""
        return sum(1 for _ in frames(bytes(self._buffer)))

    def feed(self, received: bytes) -> bytes | None:
        """Return the payload of the reply, or None for "more, please".

        Raises:
            DeviceRefused: the unit answered with an exception.
        """
        prepared = self._prepared
        if (
            len(received) == prepared.length
            and received.startswith(self.transaction)
            and received.startswith(prepared.reply_tail, 2)
            and not self._buffer
        ):
            return received[2 + len(prepared.reply_tail) :]
        self._buffer += received
        reply = self._search()
        del self._buffer[:-KEPT]
        return reply

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with the last bytes that came.

        Replies with another transaction number are late ones: they count as no answer.
        """
        unanswered[self.transaction] = self.unit
        if len(unanswered) > REMEMBERED:
            del unanswered[next(iter(unanswered))]
        received = bytes(self._buffer)
        came = list(frames(received))
        mine = [f for f in came if f.transaction == self.transaction]
        if came and not mine:
            return NoAnswer("only replies to other requests came", received)
        return verdict(
            self.unit,
            self._prepared.request,
            received,
            [Foreign(f.unit, f.pdu) for f in mine],
            is_whole=len(received) >= self._prepared.reply_chars,
        )

    def _search(self) -> bytes | None:
        """Try every place where this transaction's header may stand."""
        buffer, request = self._buffer, self._prepared.request
        head = self.transaction + _PROTOCOL
        start = buffer.find(head)
        while start >= 0:
            end = start + _COUNTED_FROM + int.from_bytes(buffer[start + 4 : start + 6], "big")
            pdu = bytes(buffer[start + HEADER.size : end])
            is_whole = end <= len(buffer) and not another_inside(
                buffer[start:], end - start, unanswered
            )
            if is_whole and pdu and buffer[start + 6] == self.unit:
                if pdu[0] == request.function | EXCEPTION_BIT and len(pdu) == EXCEPTION_LENGTH:
                    raise refused(pdu[1], bytes(buffer))
                payload = reply_payload(request, pdu)
                if payload is not None:
                    return payload
            start = buffer.find(head, start + 1)
        return None


def another_inside(octets: bytes | bytearray, end: int, units: Mapping[bytes, int]) -> int:
    """Return where in the frame up to `end` the header of another one begins, 0 when there is none.

    MBAP has no checksum: where a device cuts its reply off, the header's count is made up with the
    bytes of the next reply, and the values would be false. `units` are those of the transactions
    whose replies may come. What follows the frame is looked at too; of a frame that has not come
    whole, what is there.
    """
    last = end + len(_HEAD_ZEROS) + 1
    at = octets.find(_HEAD_ZEROS, HEADER.size + 2, last) if units else -1
    while at >= 0:
        unit = units.get(bytes(octets[at - 2 : at]))
        # Where the other header is not whole inside, only bytes behind the frame speak for it: the
        # last registers of a reply that is whole may well be such a number and zeros.
        is_inside = at + 4 < min(end, len(octets))
        is_there = octets[at + 4] == unit if is_inside else len(octets) > end
        if unit is not None and is_there:
            return at - 2
        at = octets.find(_HEAD_ZEROS, at + 1, last)
    return 0


def frame_end(octets: bytes | bytearray, start: int = 0) -> int:
    """Return where the frame that starts there ends; 0 when no header can stand there."""
    length = int.from_bytes(octets[start + 4 : start + _COUNTED_FROM], "big")
    is_header = octets[start + 2 : start + 4] == _PROTOCOL and MIN_LENGTH <= length <= MAX_LENGTH
    return start + _COUNTED_FROM + length if is_header else 0


def frames(received: bytes) -> Iterator[MbapFrame]:
    """Yield the whole frames among the bytes; what cannot be one is skipped byte by byte."""
    start = 0
    while start + HEADER.size < len(received):
        end = frame_end(received, start)
        if 0 < end <= len(received):
            pdu = received[start + HEADER.size : end]
            yield MbapFrame(received[start : start + 2], received[start + 6], pdu)
            start = end
        else:
            start += 1
