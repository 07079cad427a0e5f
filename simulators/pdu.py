"""The slave's side of the Modbus application protocol: from a request PDU to its answer.

MODBUS Application Protocol V1.1b3, clause 6 (functions) and 7 (exceptions).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from simulators.image import Image, Table

MAX_REGISTERS = 125
MAX_WRITE_REGISTERS = 123
MAX_READ_WRITE_REGISTERS = 121
MAX_BITS = 2000
MAX_WRITE_BITS = 1968
ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
MEI_IDENTITY = 14
READ_SINGLE_OBJECT = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What this device takes in one request."""

    registers: int = MAX_REGISTERS
    bits: int = MAX_BITS


@dataclass(frozen=True, slots=True)
class Written:
    """A stretch of a table that a request has changed."""

    table: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply PDU, and what the request changed."""

    pdu: bytes
    written: tuple[Written, ...] = ()


class Refusal(Exception):
    """The device says no, with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Slave:
    """All that an answer depends on."""

    image: Image
    limits: Limits
    identity: Sequence[str]
    """Vendor, product code, revision: the objects 0, 1, 2 of function 43/14."""
    unit: int = 1


def answer(slave: Slave, pdu: bytes) -> Answer:
    """Return what the device says to a request PDU; never raises for any bytes."""
    if not pdu:
        return Answer(b"")
    function = _FUNCTIONS.get(pdu[0])
    if function is None:
        return Answer(bytes((pdu[0] | 0x80, ILLEGAL_FUNCTION)))
    try:
        return function(slave, pdu)
    except Refusal as refusal:
        return Answer(bytes((pdu[0] | 0x80, refusal.code)))
    except struct.error:
        return Answer(bytes((pdu[0] | 0x80, ILLEGAL_VALUE)))


def _table(slave: Slave, name: str) -> Table:
    table = slave.image.table(name)
    if table is None:
        raise Refusal(ILLEGAL_ADDRESS)
    return table


def _read_bits(slave: Slave, pdu: bytes) -> Answer:
    first, count = struct.unpack(">HH", pdu[1:])
    if not 1 <= count <= slave.limits.bits:
        raise Refusal(ILLEGAL_VALUE)
    table = _table(slave, "coil" if pdu[0] == 1 else "discrete")
    if not table.covers(first, count):
        raise Refusal(ILLEGAL_ADDRESS)
    packed = bytearray((count + 7) // 8)
    for i, bit in enumerate(table.read(first, count)):
        packed[i // 8] |= (bit & 1) << (i % 8)
    return Answer(bytes((pdu[0], len(packed))) + packed)


def _read_registers(slave: Slave, pdu: bytes) -> Answer:
    first, count = struct.unpack(">HH", pdu[1:])
    if not 1 <= count <= min(MAX_REGISTERS, slave.limits.registers):
        raise Refusal(ILLEGAL_VALUE)
    table = _table(slave, "holding" if pdu[0] == 3 else "input")  # noqa: PLR2004 - function 3
    if not table.covers(first, count):
        raise Refusal(ILLEGAL_ADDRESS)
    return Answer(bytes((pdu[0], 2 * count)) + table.read_bytes(first, count))


def _write_coil(slave: Slave, pdu: bytes) -> Answer:
    address, value = struct.unpack(">HH", pdu[1:])
    if value not in {0, 0xFF00}:
        raise Refusal(ILLEGAL_VALUE)
    written = _set(slave, "coil", address, [int(value != 0)])
    return Answer(pdu, (written,))


def _write_register(slave: Slave, pdu: bytes) -> Answer:
    address, value = struct.unpack(">HH", pdu[1:])
    return Answer(pdu, (_set(slave, "holding", address, [value]),))


def _write_coils(slave: Slave, pdu: bytes) -> Answer:
    first, count, size = struct.unpack(">HHB", pdu[1:6])
    bits = pdu[6:]
    if not 1 <= count <= MAX_WRITE_BITS or size != (count + 7) // 8 or len(bits) != size:
        raise Refusal(ILLEGAL_VALUE)
    values = [bits[i // 8] >> (i % 8) & 1 for i in range(count)]
    return Answer(pdu[:5], (_set(slave, "coil", first, values),))


def _write_registers(slave: Slave, pdu: bytes) -> Answer:
    first, count, size = struct.unpack(">HHB", pdu[1:6])
    if not 1 <= count <= MAX_WRITE_REGISTERS or size != 2 * count or len(pdu) != 6 + size:
        raise Refusal(ILLEGAL_VALUE)
    words = struct.unpack(f">{count}H", pdu[6:])
    return Answer(pdu[:5], (_set(slave, "holding", first, words),))


def _mask_register(slave: Slave, pdu: bytes) -> Answer:
    address, and_mask, or_mask = struct.unpack(">HHH", pdu[1:])
    table = _table(slave, "holding")
    if not table.may_write(address, 1):
        raise Refusal(ILLEGAL_ADDRESS)
    present = table.read(address, 1)[0]
    changed = (present & and_mask) | (or_mask & ~and_mask & 0xFFFF)
    return Answer(pdu, (_set(slave, "holding", address, [changed]),))


def _read_write_registers(slave: Slave, pdu: bytes) -> Answer:
    first, count, to, write_count, size = struct.unpack(">HHHHB", pdu[1:10])
    is_sound = size == 2 * write_count and len(pdu) == 10 + size
    if not (is_sound and 1 <= count <= MAX_REGISTERS):
        raise Refusal(ILLEGAL_VALUE)
    if not 1 <= write_count <= MAX_READ_WRITE_REGISTERS:
        raise Refusal(ILLEGAL_VALUE)
    table = _table(slave, "holding")
    if not table.covers(first, count):
        raise Refusal(ILLEGAL_ADDRESS)
    written = _set(slave, "holding", to, struct.unpack(f">{write_count}H", pdu[10:]))
    return Answer(bytes((pdu[0], 2 * count)) + table.read_bytes(first, count), (written,))


def _server_id(slave: Slave, pdu: bytes) -> Answer:
    name = " ".join(part for part in slave.identity if part).encode("ascii", "replace")[:200]
    content = bytes((slave.unit & 0xFF,)) + name + b"\xff"  # 0xff: run indicator on
    return Answer(bytes((pdu[0], len(content))) + content)


def _identity(slave: Slave, pdu: bytes) -> Answer:
    mei, read_code, first = struct.unpack(">BBB", pdu[1:4])
    if mei != MEI_IDENTITY:
        raise Refusal(ILLEGAL_FUNCTION)
    if not 1 <= read_code <= READ_SINGLE_OBJECT:
        raise Refusal(ILLEGAL_VALUE)
    if first >= len(slave.identity) and read_code == READ_SINGLE_OBJECT:
        raise Refusal(ILLEGAL_ADDRESS)
    first = first if first < len(slave.identity) else 0  # 6.21: unknown ids restart at 0
    last = first + 1 if read_code == READ_SINGLE_OBJECT else len(slave.identity)
    objects = b"".join(
        bytes((i, len(text))) + text
        for i, text in (
            (i, slave.identity[i].encode("ascii", "replace")[:64]) for i in range(first, last)
        )
    )
    head = bytes((pdu[0], mei, read_code, 0x81, 0, 0, last - first))
    return Answer(head + objects)


def _set(slave: Slave, name: str, first: int, words: Sequence[int]) -> Written:
    table = _table(slave, name)
    if not table.may_write(first, len(words)):
        raise Refusal(ILLEGAL_ADDRESS)
    table.write(first, words)
    return Written(name, first, len(words))


_Function: TypeAlias = Callable[[Slave, bytes], Answer]
_FUNCTIONS: Mapping[int, _Function] = {
    1: _read_bits,
    2: _read_bits,
    3: _read_registers,
    4: _read_registers,
    5: _write_coil,
    6: _write_register,
    15: _write_coils,
    16: _write_registers,
    17: _server_id,
    22: _mask_register,
    23: _read_write_registers,
    43: _identity,
}
