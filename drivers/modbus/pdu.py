"""PDUs: requests, the replies that they must get, and exceptions.

Clauses are those of the MODBUS Application Protocol Specification V1.1b3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import pack
from typing import TypeAlias

from drivers.contract import DeviceRefused

READ_COILS = 1
READ_DISCRETE = 2
READ_HOLDING = 3
READ_INPUT = 4
WRITE_COIL = 5
WRITE_REGISTER = 6
DIAGNOSTICS = 8
WRITE_COILS = 15
WRITE_REGISTERS = 16
SERVER_ID = 17
MASK_WRITE = 22
READ_WRITE = 23
READ_FIFO = 24
ENCAPSULATED = 43
DEVICE_IDENTIFICATION = 14  # the MEI type of function 43, 6.21
ONE_OBJECT = 4  # its highest access level: one object alone

READS = frozenset({READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT})
BIT_READS = frozenset({READ_COILS, READ_DISCRETE})
SINGLE_WRITES = frozenset({WRITE_COIL, WRITE_REGISTER})
BLOCK_WRITES = frozenset({WRITE_COILS, WRITE_REGISTERS})

MAX_PDU = 253
MAX_READ_BITS = 2000  # 6.1, 6.2
MAX_READ_REGISTERS = 125  # 6.3, 6.4
MAX_WRITE_BITS = 1968  # 6.11
MAX_WRITE_REGISTERS = 123  # 6.12
MAX_EXCHANGE_REGISTERS = 121  # 6.17, the written part
MAX_ADDRESS = 0xFFFF
COIL_ON = 0xFF00  # 6.5
COIL_OFF = 0x0000
EXCEPTION_BIT = 0x80
EXCEPTION_LENGTH = 2

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
"""Section 7; 7 is of older editions, and still sent."""
_BUSY = frozenset({5, 6})
_ILLEGAL_ADDRESS = 2

Measure: TypeAlias = Callable[[bytes], "int | None"]
"""Length of a reply PDU from its first bytes; None for "cannot tell yet", 0 for "is none"."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request PDU and how its reply is recognised.

    `reply_head` is how the reply must begin. What follows the head, the payload, is
    `reply_length - len(reply_head)` bytes; with a `reply_length` of None, `measure` says how long
    the reply is, and without `measure` any length is taken whose checksum is right.
    """

    pdu: bytes
    reply_head: bytes
    reply_length: int | None
    measure: Measure | None = None

    @property
    def function(self) -> int:
        """The function code."""
        return self.pdu[0]

    @property
    def may_be_echoed(self) -> bool:
        """Whether the reply is the request again (functions 5, 6, 22)."""
        return self.reply_head == self.pdu and self.reply_length == len(self.pdu)


def refused(code: int, received: bytes) -> DeviceRefused:
    """Return the error for an exception code; a code outside the standard is called so."""
    name = EXCEPTIONS.get(code, "code of the vendor")
    return DeviceRefused(
        code,
        f"exception {code}: {name}",
        received,
        is_busy=code in _BUSY,
        is_address=code == _ILLEGAL_ADDRESS,
    )


def read_request(function: int, address: int, quantity: int) -> Request:
    """Return the request of functions 1 to 4 (6.1 to 6.4).

    Raises:
        ValueError: the quantity is above the limit of the function, or runs past 65535.
    """
    limit = MAX_READ_BITS if function in BIT_READS else MAX_READ_REGISTERS
    _check(address, quantity, limit)
    count = (quantity + 7) // 8 if function in BIT_READS else 2 * quantity
    return Request(pack(">BHH", function, address, quantity), bytes((function, count)), 2 + count)


def write_coil_request(address: int, *, is_on: bool) -> Request:
    """Return the request of function 5 (6.5)."""
    _check(address, 1, 1)
    return _echoed(pack(">BHH", WRITE_COIL, address, COIL_ON if is_on else COIL_OFF))


def write_register_request(address: int, register: bytes) -> Request:
    """Return the request of function 6 (6.6); the register is two bytes as on the wire."""
    _check(address, len(register) // 2, 1)
    return _echoed(pack(">BH", WRITE_REGISTER, address) + register)


def write_coils_request(address: int, coils: Sequence[bool]) -> Request:
    """Return the request of function 15 (6.11)."""
    _check(address, len(coils), MAX_WRITE_BITS)
    octets = bits_to_bytes(coils)
    head = pack(">BHH", WRITE_COILS, address, len(coils))
    return Request(head + bytes((len(octets),)) + octets, head, len(head))


def write_registers_request(address: int, registers: bytes) -> Request:
    """Return the request of function 16 (6.12); registers are bytes as on the wire."""
    count = len(registers) // 2
    _check(address, count, MAX_WRITE_REGISTERS)
    head = pack(">BHH", WRITE_REGISTERS, address, count)
    return Request(head + bytes((len(registers),)) + registers, head, len(head))


def mask_write_request(address: int, and_mask: int, or_mask: int) -> Request:
    """Return the request of function 22 (6.16): register = (old & and) | (or & ~and)."""
    _check(address, 1, 1)
    return _echoed(pack(">BHHH", MASK_WRITE, address, and_mask, or_mask))


def read_write_request(read_address: int, quantity: int, address: int, registers: bytes) -> Request:
    """Return the request of function 23 (6.17): first writes, then reads."""
    count = len(registers) // 2
    _check(read_address, quantity, MAX_READ_REGISTERS)
    _check(address, count, MAX_EXCHANGE_REGISTERS)
    head = pack(">BHHHHB", READ_WRITE, read_address, quantity, address, count, len(registers))
    return Request(head + registers, bytes((READ_WRITE, 2 * quantity)), 2 + 2 * quantity)


def server_id_request() -> Request:
    """Return the request of function 17 (6.13); the reply's payload begins at its byte count."""
    return Request(bytes((SERVER_ID,)), bytes((SERVER_ID,)), None, reply_length)


def identification_request(level: int, first_object: int) -> Request:
    """Return the request of function 43/14 (6.21).

    `level` is 1 basic, 2 regular, 3 extended, 4 one object alone. The reply's payload begins at
    its conformity level.
    """
    head = bytes((ENCAPSULATED, DEVICE_IDENTIFICATION, level))
    return Request(head + bytes((first_object,)), head, None, reply_length)


_BITS = tuple(tuple(bool(octet >> i & 1) for i in range(8)) for octet in range(256))


def bits_to_bytes(bits: Sequence[bool]) -> bytes:
    """Return bits packed as in 6.1: the first one is the lowest bit of the first byte."""
    packed = sum(1 << position for position, bit in enumerate(bits) if bit)
    return packed.to_bytes((len(bits) + 7) // 8, "little")


def bytes_to_bits(octets: bytes) -> list[bool]:
    """Return all bits of the bytes, lowest of the first byte first (6.1)."""
    return [bit for octet in octets for bit in _BITS[octet]]


_COUNTED_REPLIES = READS | {12, SERVER_ID, 20, 21, READ_WRITE}  # a byte count follows the function
_FIXED_REPLIES = {5: 5, 6: 5, 7: 2, DIAGNOSTICS: 5, 11: 5, 15: 5, 16: 5, MASK_WRITE: 7}
_OBJECTS_AT = 7  # of a reply to 43/14: where the first object begins


def reply_length(pdu: bytes) -> int | None:
    """Return the length of a reply PDU from its first bytes.

    None when more bytes are needed; 0 when the function is not one of the standard.
    """
    if not pdu:
        return None
    function = pdu[0]
    if function & EXCEPTION_BIT:
        return EXCEPTION_LENGTH
    if function in _COUNTED_REPLIES:
        return 2 + pdu[1] if len(pdu) > 1 else None
    if function in _MEASURED_REPLIES:
        return _MEASURED_REPLIES[function](pdu)
    return _FIXED_REPLIES.get(function, 0)


def _fifo_length(pdu: bytes) -> int | None:
    at = 3  # after a byte count of two bytes, 6.18
    return at + int.from_bytes(pdu[1:at], "big") if len(pdu) >= at else None


def _identification_length(pdu: bytes) -> int | None:
    if len(pdu) > 1 and pdu[1] != DEVICE_IDENTIFICATION:
        return 0
    if len(pdu) < _OBJECTS_AT:
        return None
    position = _OBJECTS_AT
    for _ in range(pdu[6]):
        if position > MAX_PDU:
            return 0
        if len(pdu) < position + 2:
            return None
        position += 2 + pdu[position + 1]
    return position if position <= MAX_PDU else 0


_MEASURED_REPLIES: Mapping[int, Measure] = {
    READ_FIFO: _fifo_length,
    ENCAPSULATED: _identification_length,
}
_COUNTED_REQUESTS = {WRITE_COILS: 5, WRITE_REGISTERS: 5, READ_WRITE: 9}  # where the byte count is
_FIXED_REQUESTS = dict.fromkeys(range(1, 7), 5) | {
    7: 1,
    8: 5,
    11: 1,
    12: 1,
    SERVER_ID: 1,
    MASK_WRITE: 7,
    24: 3,
    ENCAPSULATED: 4,
}


def request_length(pdu: bytes) -> int | None:
    """Return the length of a request PDU from its first bytes; None and 0 as `reply_length`."""
    function = pdu[0] if pdu else 0
    if function in _FIXED_REQUESTS:
        return _FIXED_REQUESTS[function]
    if function in _COUNTED_REQUESTS:
        at = _COUNTED_REQUESTS[function]
        return at + 1 + pdu[at] if len(pdu) > at else None
    return None if not pdu else 0


def _echoed(pdu: bytes) -> Request:
    return Request(pdu, pdu, len(pdu))


def _check(address: int, quantity: int, limit: int) -> None:
    if not 1 <= quantity <= limit:
        raise ValueError(f"quantity {quantity} is outside 1..{limit}")
    if not 0 <= address <= MAX_ADDRESS + 1 - quantity:
        raise ValueError(f"address {address} with quantity {quantity} runs past 65535")
