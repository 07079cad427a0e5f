"""One decoder for all points of a block, compiled once, so that a poll costs microseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from struct import Struct
from typing import Any, TypeAlias

from drivers.contract import Raw
from drivers.modbus.address import ModbusAddress, Order
from drivers.modbus.pdu import bytes_to_bits
from drivers.modbus.single import shortest, shortest_all
from drivers.modbus.values import Post, Unpacking, unpacking

Decoder: TypeAlias = Callable[[bytes], "Sequence[Raw | None]"]
"""Turns the payload of a reply into raw values in the order of the block's cells."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A point within its table: registers (or bits) from `start` to before `end`."""

    key: int
    address: ModbusAddress
    start: int
    end: int


def block_decoder(cells: Sequence[Cell], start: int) -> Decoder:
    """Return the decoder for a reply whose first register or bit is `start`."""
    if cells[0].address.table.is_bits:
        return _bit_decoder([cell.start - start for cell in cells])
    unpackings = [unpacking(cell.address) for cell in cells]
    layout = _layout(cells, unpackings, start)
    if layout is not None:
        return _with_posts(Struct(layout).unpack_from, unpackings)
    gather = _gatherer([i for cell in cells for i in _wire_positions(cell, start)])
    unpack = Struct(">" + "".join(u.code for u in unpackings)).unpack
    return _with_posts(lambda payload: unpack(gather(payload)), unpackings)


def in_wire_order(address: ModbusAddress, octets: bytes) -> bytes:
    """Return bytes in the order ABCD as they stand in the registers; and the other way round."""
    positions = _ordered_positions(address.order, len(octets) // 2)
    return bytes(octets[i] for i in positions)


def _layout(cells: Sequence[Cell], unpackings: Sequence[Unpacking], start: int) -> str | None:
    """Return a struct format for the payload as it is, or None when bytes must be moved first."""
    parts, at = [">"], start
    for cell, how in zip(cells, unpackings, strict=True):
        is_plain = cell.address.order is Order.ABCD or (
            cell.end - cell.start == 1 and not cell.address.order.swaps_bytes
        )
        if cell.start < at or not is_plain:
            return None
        parts.append("x" * (2 * (cell.start - at)))
        parts.append(how.code)
        at = cell.end
    return "".join(parts)


def _with_posts(
    unpack: Callable[[bytes], tuple[Any, ...]], unpackings: Sequence[Unpacking]
) -> Decoder:
    posts = [(i, u.post) for i, u in enumerate(unpackings) if u.post is not None]
    if not posts:
        return unpack
    if len(posts) == len(unpackings) and all(post is shortest for _, post in posts):
        return lambda payload: shortest_all(unpack(payload))
    return _mixed(unpack, posts)


def _mixed(
    unpack: Callable[[bytes], tuple[Any, ...]], posts: Sequence[tuple[int, Post]]
) -> Decoder:
    def decode(payload: bytes) -> Sequence[Raw | None]:
        values = list(unpack(payload))
        for i, post in posts:
            values[i] = post(values[i])
        return values

    return decode


def _wire_positions(cell: Cell, start: int) -> list[int]:
    first = 2 * (cell.start - start)
    ordered = _ordered_positions(cell.address.order, cell.end - cell.start)
    return [first + i for i in ordered]


def _ordered_positions(order: Order, registers: int) -> list[int]:
    """Return for each byte, most significant first, where it stands on the wire."""
    words = range(registers - 1, -1, -1) if order.swaps_words else range(registers)
    pair = (1, 0) if order.swaps_bytes else (0, 1)
    return [2 * word + half for word in words for half in pair]


def _gatherer(positions: Sequence[int]) -> Callable[[bytes], bytes]:
    pick = itemgetter(*positions)  # at least the two positions of a register: gives a tuple
    return lambda payload: bytes(pick(payload))


def _bit_decoder(offsets: Sequence[int]) -> Decoder:
    if len(offsets) == 1:
        at, mask = offsets[0] // 8, 1 << offsets[0] % 8
        return lambda payload: (bool(payload[at] & mask),)
    pick = itemgetter(*offsets)
    return lambda payload: pick(bytes_to_bits(payload))
