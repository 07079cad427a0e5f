"""TCP framing, and several requests in flight on one connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.contract import DeviceRefused, Exchange, Window, WireSettings
from drivers.modbus.framing import Prepared, Taken, ordinary_reply_length
from drivers.modbus.mbap import (
    HEADER,
    MAX_LENGTH,
    MIN_LENGTH,
    REMEMBERED,
    TcpExchange,
    TcpRequest,
    another_inside,
    frame_end,
)
from drivers.modbus.pdu import EXCEPTION_BIT, EXCEPTION_LENGTH, Request

_TRANSACTIONS = 0x10000


class TcpWindow:
    """Requests in flight, told apart by their transaction numbers.

    `late` counts replies to abandoned requests, `foreign` frames that nobody here asked for.
    """

    def __init__(self) -> None:
        self.late = 0
        self.foreign = 0
        self._buffer = bytearray()
        self._pending: dict[bytes, TcpExchange] = {}
        self._units: dict[bytes, int] = {}
        """Units of the newest pending and abandoned requests."""
        self._abandoned: set[bytes] = set()

    def admit(self, exchange: Exchange) -> bytes:
        """Return the frame to send, under a number that no pending or abandoned request has."""
        if not isinstance(exchange, TcpExchange):
            raise TypeError("a TCP window takes exchanges of the TCP framing only")
        if len(self._abandoned) >= _TRANSACTIONS // 2:
            self._abandoned.clear()
        number = int.from_bytes(exchange.transaction, "big")
        while exchange.transaction in self._pending or exchange.transaction in self._abandoned:
            number = (number + 1) % _TRANSACTIONS
            exchange.transaction = number.to_bytes(2, "big")
        self._pending[exchange.transaction] = exchange
        self._units[exchange.transaction] = exchange.unit
        if len(self._units) > REMEMBERED:
            del self._units[next(iter(self._units))]
        return exchange.request

    def feed(self, received: bytes) -> Sequence[tuple[Exchange, Any]]:
        """Return exchanges that are done, each with its payload or a DeviceRefused."""
        done: list[tuple[Exchange, Any]] = []
        buffer = self._buffer
        buffer += received
        while len(buffer) > HEADER.size:
            end = frame_end(buffer)
            exchange = self._pending.get(bytes(buffer[:2])) if end else None
            if exchange is None:
                if not self._skip(end):
                    break
                continue
            # Before the wait for the rest: the header itself may be made of two replies' bytes.
            if not exchange.may_begin(buffer) and self._next_head(end):
                continue
            if cut := another_inside(buffer, end, self._units):
                del buffer[:cut]
                self.foreign += 1
                continue
            if end > len(buffer):
                break
            frame = bytes(buffer[:end])
            del buffer[:end]
            reply = _reply(exchange, frame)
            if reply is None:  # its number, but not its reply: the exchange keeps the bytes
                self.foreign += 1
            else:
                del self._pending[exchange.transaction]
                self._units.pop(exchange.transaction, None)
                done.append((exchange, reply))
        return done

    def abandon(self, exchange: Exchange) -> None:
        """Forget one whose deadline passed; its late reply is skipped and counted."""
        if isinstance(exchange, TcpExchange) and self._pending.pop(exchange.transaction, None):
            self._abandoned.add(exchange.transaction)

    def _next_head(self, end: int) -> bool:
        """Drop all before the head of an awaited reply that stands inside the frame up to `end`.

        False when there is none; nothing is dropped then.
        """
        buffer = self._buffer
        heads = [head for exchange in self._pending.values() for head in exchange.heads]
        found = [at for at in (buffer.find(head, 1) for head in heads) if at > 0]
        if not found or min(found) >= (end or len(buffer)):
            return False
        del buffer[: min(found)]
        self.foreign += 1
        return True

    def _skip(self, end: int) -> bool:
        """Drop what stands at the front and is for nobody; False when more bytes must tell.

        The head of an awaited reply further on shows that the front is noise, even where it looks
        like a frame.
        """
        buffer = self._buffer
        if self._next_head(end):
            return True
        if not end:
            del buffer[:1]
        elif end > len(buffer):
            return False
        else:
            transaction = bytes(buffer[:2])
            self.late += transaction in self._abandoned
            self.foreign += transaction not in self._abandoned
            self._abandoned.discard(transaction)
            if transaction not in self._pending:
                self._units.pop(transaction, None)
            del buffer[:end]
        return True


class TcpFraming:
    """Modbus TCP, on TCP connections and in datagrams."""

    name = "modbus-tcp"
    wire = WireSettings(has_reply_ids=True)
    extra_units = frozenset({0, 255})
    """0 and 255 mean the TCP device itself (V1.0b, 4.4.2.1)."""

    def chars(self, pdu_length: int) -> int:
        """Return the characters of a frame around a PDU."""
        return pdu_length + HEADER.size

    def prepare(self, unit: int, request: Request) -> Prepared:
        """Return the request's frame without its transaction number."""
        length = request.reply_length
        reply_tail = b"\0\0" if length is None else _tail(length, unit) + request.reply_head
        return TcpRequest(
            unit,
            request,
            _tail(len(request.pdu), unit) + request.pdu,
            reply_tail,
            _tail(EXCEPTION_LENGTH, unit) + bytes((request.function | EXCEPTION_BIT,)),
            0 if length is None else self.chars(length),
            self.chars(ordinary_reply_length(request)),
        )

    def take_apart(self, frame: bytes) -> Sequence[Taken]:
        """Return the frames that end where the bytes end, longest first."""
        last = len(frame) - HEADER.size - 1
        starts = [at for at in range(last + 1) if frame_end(frame, at) == len(frame)]
        if not starts:
            return (_broken(frame),)
        return tuple(_taken(frame[at:]) for at in starts)

    def window(self) -> Window | None:
        """Return a window for one connection."""
        return TcpWindow()


def _reply(exchange: TcpExchange, frame: bytes) -> bytes | DeviceRefused | None:
    try:
        return exchange.feed(frame)
    except DeviceRefused as refusal:
        return refusal


def _tail(pdu_length: int, unit: int) -> bytes:
    return HEADER.pack(0, 0, pdu_length + 1, unit)[2:]


def _taken(frame: bytes) -> Taken:
    fields: dict[str, int | str] = {"transaction_id": int.from_bytes(frame[:2], "big")}
    return Taken(frame[6], frame[7:], None, fields)


def _broken(frame: bytes) -> Taken:
    if len(frame) <= HEADER.size:
        return Taken(0, b"", f"{len(frame)} bytes are shorter than any frame")
    transaction, protocol, length, unit = HEADER.unpack_from(frame)
    follow = len(frame) - HEADER.size + 1
    if protocol:
        error = f"protocol identifier {protocol} where Modbus has 0"
    elif MIN_LENGTH <= length <= MAX_LENGTH:
        error = f"the header says {length} bytes, {follow} follow"
    else:
        error = f"length {length} is outside {MIN_LENGTH}..{MAX_LENGTH}"
    return Taken(unit, frame[HEADER.size :], error, {"transaction_id": transaction})
