"""The memory of a simulated device: four tables of registers and bits."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

ADDRESSES = 0x10000
Holes = Literal["zero", "refuse"]
"""What a device does with an address between its points that it does not have."""


@dataclass(slots=True)
class Table:
    """One table, dense between its first and last address. Bits are registers of 0 and 1.

    `marks` has bit 0 where an address exists and bit 1 where it may be written.
    """

    base: int
    words: array[int]
    marks: bytearray
    holes: Holes

    def covers(self, first: int, count: int) -> bool:
        """Whether all these addresses may be read."""
        start = first - self.base
        if start < 0 or start + count > len(self.words):
            return False
        return self.holes == "zero" or all(self.marks[start : start + count])

    def may_write(self, first: int, count: int) -> bool:
        """Whether all these addresses may be written."""
        start = first - self.base
        if start < 0 or start + count > len(self.words):
            return False
        return all(mark & 2 for mark in self.marks[start : start + count])

    def read(self, first: int, count: int) -> array[int]:
        """Return the words; the caller asked `covers` or `may_write` before."""
        start = first - self.base
        return self.words[start : start + count]

    def read_bytes(self, first: int, count: int) -> bytes:
        """Return the words as they go over the wire, high byte first."""
        words = self.read(first, count)
        if sys.byteorder == "little":
            words.byteswap()
        return words.tobytes()

    def write(self, first: int, words: Sequence[int]) -> None:
        """Set words that exist."""
        start = first - self.base
        self.words[start : start + len(words)] = array("H", words)


@dataclass(slots=True)
class Image:
    """The tables of a device; one that it does not have is absent."""

    tables: dict[str, Table] = field(default_factory=dict[str, Table])

    def table(self, name: str) -> Table | None:
        """Return a table or None."""
        return self.tables.get(name)


@dataclass(frozen=True, slots=True)
class Extent:
    """Addresses that one point needs."""

    table: str
    first: int
    count: int
    is_readable: bool
    is_writable: bool


def make_image(extents: Iterable[Extent], holes: Holes = "zero") -> Image:
    """Return an image of zeros that has all those addresses.

    Raises:
        ValueError: an address lies outside of what a PDU can say.
    """
    by_table: dict[str, list[Extent]] = {}
    for extent in extents:
        if extent.first < 0 or extent.first + extent.count > ADDRESSES:
            raise ValueError(f"no address {extent.first} of {extent.count} in a Modbus table")
        by_table.setdefault(extent.table, []).append(extent)
    return Image({name: _make_table(those, holes) for name, those in by_table.items()})


def _make_table(extents: Sequence[Extent], holes: Holes) -> Table:
    base = min(e.first for e in extents)
    size = max(e.first + e.count for e in extents) - base
    marks = bytearray(size)
    for extent in extents:
        mark = (1 if extent.is_readable else 0) | (2 if extent.is_writable else 0)
        for address in range(extent.first - base, extent.first - base + extent.count):
            marks[address] |= mark
    return Table(base, array("H", bytes(2 * size)), marks, holes)
