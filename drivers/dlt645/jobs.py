"""Jobs that read a meter: single items, blocks, and answers of several frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.contract import Job, Raw, Steps, Wanted
from drivers.dlt645.address import Dlt645Address, Dlt645Quirks
from drivers.dlt645.codec import MOST_DATA, Frame
from drivers.dlt645.edition import Edition, id_bytes
from drivers.dlt645.exchange import Question, takes_any_address
from drivers.dlt645.items import item_of, members
from drivers.dlt645.values import to_raw

MOST_FRAMES = 16
"""Frames of one answer; SEQ counts to 255, and no item is so long."""
MOST_TARIFFS = 64
"""Total and tariffs 01 to 3F of an energy block."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One wanted value: where its bytes begin behind the data id, and how they are read.

    `lengths` are those of a right answer: one for an item, whole values for a block.
    """

    key: int
    address: Dlt645Address
    start: int
    lengths: range


@dataclass(frozen=True, slots=True)
class ReadItem:
    """Reads one data id and takes all wanted values out of it."""

    edition: Edition
    unit: str
    di: str
    cells: tuple[Cell, ...]
    quirks: Dlt645Quirks

    @property
    def keys(self) -> tuple[int, ...]:
        """Keys of the wanted points."""
        return tuple(cell.key for cell in self.cells)

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self._question().request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of the answer."""
        return self._question().reply_chars

    @property
    def exchanges(self) -> int:
        """One; an answer of several frames needs more, and says so only then."""
        return 1

    def steps(self) -> Steps:
        """Read it once, with all frames that follow."""
        frame: Frame = yield self._question().exchange()
        content = frame.content[self.edition.id_bytes :]
        number = 0
        while frame.has_more and number < MOST_FRAMES:
            number += 1
            question = self._next(number)
            frame = yield question.exchange()
            end = len(frame.content) - len(question.tail)
            content += frame.content[self.edition.id_bytes : end]
        return read_cells(content, self.cells)

    def split(self) -> tuple[Job, ...]:
        """Return one job for each value of a block; () for an item."""
        if len(self.cells) < 2 or not members(self.di):  # noqa: PLR2004 - nothing to divide
            return ()
        return tuple(
            single(self.edition, self.unit, Wanted(cell.key, cell.address), self.quirks)
            for cell in self.cells
        )

    def describe(self) -> str:
        """Return function, data id and number of points."""
        return f"read {self.di} ({len(self.cells)} points)"

    def _question(self) -> Question:
        echoed = id_bytes(self.di)
        # Of an item the length that its answer must have; of a block the length of one value.
        ends = (max(cell.start + cell.address.size, cell.lengths[0]) for cell in self.cells)
        size = max(ends, default=0)
        block = sum(item.size for item in members(self.di))
        return Question(
            self.unit, self.edition.read, echoed, echoed,
            min(len(echoed) + max(size, block), MOST_DATA), self.quirks.preamble,
            takes_any_address(self.unit, wildcard_answers=self.edition.wildcard_answers),
        )  # fmt: skip

    def _next(self, number: int) -> Question:
        echoed = id_bytes(self.di)
        tail = bytes((number,)) if self.edition.numbers_frames else b""
        return Question(
            self.unit, self.edition.read_next, echoed + tail, echoed,
            MOST_DATA, self.quirks.preamble,
            takes_any_address(self.unit, wildcard_answers=self.edition.wildcard_answers),
            tail=tail,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OneQuestion:
    """One exchange of any function; `read` turns the answer into values in order of `keys`."""

    question: Question
    text: str
    keys: tuple[int, ...] = ()
    read: Callable[[Frame], tuple[Raw | None, ...]] = lambda _: ()

    @property
    def unit(self) -> str:
        """The meter asked."""
        return self.question.unit

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self.question.request_chars

    @property
    def reply_chars(self) -> int:
        """Characters of the answer."""
        return self.question.reply_chars

    @property
    def exchanges(self) -> int:
        """One."""
        return 1

    def steps(self) -> Steps:
        """Ask once."""
        frame: Frame = yield self.question.exchange()
        return self.read(frame)

    def split(self) -> tuple[Job, ...]:
        """Return (): it cannot be split."""
        return ()

    def describe(self) -> str:
        """Return what it does."""
        return self.text


def read_cells(content: bytes, cells: Sequence[Cell]) -> tuple[Raw | None, ...]:
    """Return the values of an answer; None for those that it does not carry.

    An answer that is longer or shorter than its data id's has a format that nobody knows (meters
    send 3 bytes for a voltage, 5 for an energy): it is not guessed at, nor is such a block.
    """
    return tuple(
        read_cell(content[cell.start :], cell.address) if len(content) in cell.lengths else None
        for cell in cells
    )


def read_cell(octets: bytes, address: Dlt645Address) -> Raw | None:
    """Return the value that begins here."""
    raw = to_raw(octets, address.how)
    if address.bit < 0 or not isinstance(raw, int):
        return raw
    return bool(raw >> address.bit & 1)


def plan_reads(
    edition: Edition, unit: str, wanted: Sequence[Wanted], quirks: Dlt645Quirks
) -> tuple[Job, ...]:
    """Return a read for each data id; a block where it serves at least two of them.

    Two reads of three bytes cost more line time than a block of twelve: each has 32 characters
    around its value.
    """
    by_id: dict[str, list[Wanted]] = {}
    for one in wanted:
        by_id.setdefault(_address(one).di, []).append(one)
    by_block: dict[str, list[str]] = {}
    for di, those in by_id.items():
        block = _block_of([_address(one) for one in those])
        if quirks.blocks and block is not None:
            by_block.setdefault(block, []).append(di)
    shared = {di: block for block, ids in by_block.items() if len(ids) > 1 for di in ids}
    jobs: dict[str, list[Cell]] = {}
    for di, those in by_id.items():
        cells = jobs.setdefault(shared.get(di, di), [])
        cells.extend(_cells(those, is_block=di in shared))
    return tuple(ReadItem(edition, unit, di, tuple(cells), quirks) for di, cells in jobs.items())


def single(edition: Edition, unit: str, wanted: Wanted, quirks: Dlt645Quirks) -> ReadItem:
    """Return the read of one value by its own data id."""
    cells = tuple(_cells([wanted], is_block=False))
    return ReadItem(edition, unit, _address(wanted).di, cells, quirks)


def cells_in(di: str, wanted: Sequence[Wanted]) -> tuple[Cell, ...]:
    """Return the wanted values that an answer to this data id carries, block or item."""
    own = [one for one in wanted if _address(one).di == di]
    blocked = [one for one in wanted if _block_of([_address(one)]) == di]
    return (*_cells(own, is_block=False), *_cells(blocked, is_block=True))


def _cells(wanted: Sequence[Wanted], *, is_block: bool) -> list[Cell]:
    """Return where the values of one data id lie in its own answer, or in its block's."""
    addresses = [_address(one) for one in wanted]
    sent = max((a.sent or a.at + a.size for a in addresses), default=0)
    own = range(sent, sent + 1)
    return [
        _cell_in_block(one.key, a) if is_block else Cell(one.key, a, a.at, own)
        for one, a in zip(wanted, addresses, strict=True)
    ]


def _cell_in_block(key: int, address: Dlt645Address) -> Cell:
    item = item_of(address.di)
    if item is None or item.block is None:
        raise TypeError(f"{address.di} is in no block")
    is_energy = not item.block.startswith("02")
    most = MOST_TARIFFS if is_energy else len(members(item.block))
    lengths = range(item.size, item.size * most + 1, item.size)
    return Cell(key, address, item.size * item.place, lengths)


def _block_of(addresses: Sequence[Dlt645Address]) -> str | None:
    """Return the block of a data id; None where a profile reads the id otherwise than the table."""
    item = item_of(addresses[0].di)
    if item is None:
        return None
    is_usual = all(a.size == item.size and not a.at and a.sent in (0, item.size) for a in addresses)
    return item.block if is_usual else None


def _address(wanted: Wanted) -> Dlt645Address:
    if not isinstance(wanted.address, Dlt645Address):
        raise TypeError(f"{wanted.address!r} is no address of DL/T 645")
    return wanted.address
