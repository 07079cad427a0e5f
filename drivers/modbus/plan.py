"""Which registers to read together, so that the line is busy for the shortest time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.contract import LineCost, Wanted
from drivers.modbus.address import ModbusAddress, ModbusQuirks, Table
from drivers.modbus.block import Cell

_REQUEST_PDU = 5  # functions 1 to 4
_REPLY_PDU = 2


@dataclass(frozen=True, slots=True)
class Item:
    """Cells that must be read in one exchange; usually one alone."""

    start: int
    end: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One exchange: registers or bits of a table from `start` to before `end`."""

    table: Table
    start: int
    end: int
    items: tuple[Item, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, in the order of the table."""
        found = [cell for item in self.items for cell in item.cells]
        return tuple(sorted(found, key=lambda cell: (cell.start, cell.end, cell.key)))


@dataclass(frozen=True, slots=True)
class TableLimits:
    """What may be read together in one table, and what it costs in seconds."""

    max_count: int
    max_gap: int | None
    forbidden: tuple[range, ...]
    exchange_s: float
    count_s: float

    def seconds(self, count: int) -> float:
        """Return the line time of one exchange."""
        return self.exchange_s + self.count_s * count


def table_limits(
    table: Table, quirks: ModbusQuirks, cost: LineCost, chars: Callable[[int], int]
) -> TableLimits:
    """Return the limits of a table; `chars` tells the characters of a frame around a PDU."""
    bytes_each = 1 / 8 if table.is_bits else 2.0
    chars_per_byte = chars(_REPLY_PDU + 1) - chars(_REPLY_PDU)
    return TableLimits(
        max_count=quirks.max_bits if table.is_bits else quirks.max_registers,
        max_gap=quirks.max_gap,
        forbidden=() if table.is_bits else quirks.forbidden_ranges(),
        exchange_s=cost.exchange_s + cost.char_s * (chars(_REQUEST_PDU) + chars(_REPLY_PDU)),
        count_s=cost.char_s * bytes_each * chars_per_byte,
    )


def make_items(wanted: Sequence[Wanted], quirks: ModbusQuirks) -> Mapping[Table, tuple[Item, ...]]:
    """Return the wanted points by table, tied ones together, ascending.

    Raises:
        ValueError: points are tied that are not in one table, or to a key that is not wanted.
    """
    cells: dict[int, Cell] = {}
    for want in wanted:
        address = modbus_address(want.address)
        start = address.offset(quirks)
        cells[want.key] = Cell(want.key, address, start, start + address.width)
    tables: dict[Table, list[Item]] = {}
    for group in _tied(wanted):
        members = tuple(cells[key] for key in group)
        table = members[0].address.table
        if any(cell.address.table is not table for cell in members):
            raise ValueError(f"points at {_places(members)} are tied, but not in one table")
        span = Item(min(c.start for c in members), max(c.end for c in members), members)
        tables.setdefault(table, []).append(span)
    return {t: tuple(sorted(i, key=lambda x: (x.start, x.end))) for t, i in tables.items()}


def group(table: Table, items: Sequence[Item], limits: TableLimits) -> tuple[Block, ...]:
    """Return the blocks that carry all items at the least cost; at equal cost the fewest.

    Items must ascend. Some best grouping is contiguous in that order: an item that lies within the
    block of another group can move there for nothing. So one pass over the ends suffices.

    Raises:
        ValueError: an item alone is more than one exchange can carry.
    """
    best = [(0.0, 0)] + [(float("inf"), 0)] * len(items)
    last_start = [0] * (len(items) + 1)
    for first in range(len(items)):
        for stop, count in _runs(items, first, limits):
            seconds, exchanges = best[first]
            candidate = (seconds + limits.seconds(count), exchanges + 1)
            if _is_better(candidate, best[stop]):
                best[stop], last_start[stop] = candidate, first
    blocks: list[Block] = []
    stop = len(items)
    while stop:
        first = last_start[stop]
        blocks.append(block_of(table, items[first:stop]))
        stop = first
    return tuple(reversed(blocks))


def block_of(table: Table, items: Sequence[Item]) -> Block:
    """Return the block that spans the items."""
    return Block(table, min(i.start for i in items), max(i.end for i in items), tuple(items))


def halves(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]] | None:
    """Return the items on both sides of the widest gap, else of the middle; None for one item."""
    if len(items) < 2:  # noqa: PLR2004 - two halves need two
        return None
    reach = items[0].end
    gaps: list[int] = []
    for item in items[1:]:
        gaps.append(item.start - reach)
        reach = max(reach, item.end)
    widest = max(gaps)
    cut = gaps.index(widest) + 1 if widest > 0 else len(items) // 2
    return items[:cut], items[cut:]


def modbus_address(address: object) -> ModbusAddress:
    """Return it as what it must be.

    Raises:
        TypeError: another driver's address came here.
    """
    if not isinstance(address, ModbusAddress):
        raise TypeError(f"{type(address).__name__} is not a Modbus address")
    return address


def _is_better(candidate: tuple[float, int], best: tuple[float, int]) -> bool:
    margin = 1e-12 * max(1.0, candidate[0])  # sums of the same costs in another order
    if candidate[0] < best[0] - margin:
        return True
    return candidate[0] < best[0] + margin and candidate[1] < best[1]


def _runs(items: Sequence[Item], first: int, limits: TableLimits) -> list[tuple[int, int]]:
    """Return (stop, count) of all blocks that may begin with the item `first`."""
    start, reach = items[first].start, items[first].start
    runs: list[tuple[int, int]] = []
    for stop in range(first, len(items)):
        item = items[stop]
        if stop > first and not _may_read_over(reach, item.start, limits):
            break
        reach = max(reach, item.end)
        if reach - start > limits.max_count:
            break
        runs.append((stop + 1, reach - start))
    if not runs:
        cells = items[first].cells
        raise ValueError(
            f"points at {_places(cells)} need {reach - start} in one exchange, "
            f"the device gives {limits.max_count}"
        )
    return runs


def _may_read_over(start: int, end: int, limits: TableLimits) -> bool:
    if end <= start:
        return True
    if limits.max_gap is not None and end - start > limits.max_gap:
        return False
    return not any(r.start < end and start < r.stop for r in limits.forbidden)


def _tied(wanted: Sequence[Wanted]) -> Sequence[Sequence[int]]:
    """Return the keys in groups that are tied together, directly or by way of others."""
    groups: dict[int, list[int]] = {want.key: [want.key] for want in wanted}
    for want in wanted:
        if want.tied_to is None:
            continue
        if want.tied_to not in groups:
            raise ValueError(f"point {want.key} is tied to {want.tied_to}, which is not wanted")
        one, other = groups[want.key], groups[want.tied_to]
        if one is not other:
            one.extend(other)
            groups.update(dict.fromkeys(other, one))
    seen: dict[int, Sequence[int]] = {id(g): g for g in groups.values()}
    return tuple(seen.values())


def _places(cells: Sequence[Cell]) -> str:
    return ", ".join(str(cell.address.register) for cell in cells)
