"""Jobs that read points: compiled when the plan is made, run at every poll."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.contract import Job, Raw, Steps
from drivers.modbus.address import Table
from drivers.modbus.block import Decoder, block_decoder
from drivers.modbus.framing import Framing, Prepared
from drivers.modbus.pdu import (
    READ_COILS,
    READ_DISCRETE,
    READ_HOLDING,
    READ_INPUT,
    Request,
    read_request,
)
from drivers.modbus.plan import Block, block_of, halves

FUNCTIONS = {
    Table.COIL: READ_COILS,
    Table.DISCRETE: READ_DISCRETE,
    Table.HOLDING: READ_HOLDING,
    Table.INPUT: READ_INPUT,
}
"""Function codes that read the tables."""


class ReadBlock:
    """One exchange that reads a block of a table and decodes all its points."""

    __slots__ = ("_decode", "_prepared", "block", "framing", "keys", "unit")

    exchanges = 1

    def __init__(self, framing: Framing, unit: int, block: Block) -> None:
        cells = block.cells
        self.framing = framing
        self.unit = unit
        self.block = block
        self.keys = tuple(cell.key for cell in cells)
        self._prepared = framing.prepare(unit, block_request(block))
        self._decode: Decoder = block_decoder(cells, block.start)

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self._prepared.request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of the reply."""
        return self._prepared.reply_chars

    def steps(self) -> Steps:
        """Read the block once."""
        payload = yield self._prepared.exchange()
        return self._decode(payload)

    def split(self) -> tuple[Job, ...]:
        """Return two jobs, cut at the widest gap, else in the middle; () for one item."""
        parts = halves(self.block.items)
        if parts is None:
            return ()
        blocks = (block_of(self.block.table, part) for part in parts)
        return tuple(ReadBlock(self.framing, self.unit, block) for block in blocks)

    def describe(self) -> str:
        """Return function, first and last address, count and number of points."""
        block = self.block
        what = "bits" if block.table.is_bits else "registers"
        return (
            f"function {FUNCTIONS[block.table]}: {block.table} {block.start}..{block.end - 1} "
            f"({block.end - block.start} {what}, {len(self.keys)} points)"
        )


@dataclass(frozen=True, slots=True)
class SingleJob:
    """One exchange of any function; `read` turns the payload into values in order of `keys`."""

    prepared: Prepared
    text: str
    keys: tuple[int, ...] = ()
    read: Callable[[bytes], tuple[Raw | None, ...]] = lambda _: ()

    @property
    def unit(self) -> int:
        """Whom it asks."""
        return self.prepared.unit

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self.prepared.request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of the reply."""
        return self.prepared.reply_chars

    @property
    def exchanges(self) -> int:
        """One."""
        return 1

    def steps(self) -> Steps:
        """Do the exchange once."""
        payload = yield self.prepared.exchange()
        return self.read(payload)

    def split(self) -> tuple[Job, ...]:
        """Return (): nothing can be split."""
        return ()

    def describe(self) -> str:
        """Return what it does."""
        return self.text


def block_request(block: Block) -> Request:
    """Return the request that reads a block."""
    return read_request(FUNCTIONS[block.table], block.start, block.end - block.start)


def probe_job(framing: Framing, unit: int, table: Table, address: int) -> SingleJob:
    """Return the shortest read there is: one register or bit.

    A device that refuses to give half a value has answered, too.
    """
    request = read_request(FUNCTIONS[table], address, 1)
    text = f"function {request.function}: {table} {address} (probe)"
    return SingleJob(framing.prepare(unit, request), text)
