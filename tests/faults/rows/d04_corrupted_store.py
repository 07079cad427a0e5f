"""D4: a store with flipped bits, a damaged or missing log, an empty or missing database.

The known book is what `append` returned. Each image is a copy of the files as a kill leaves them,
damaged by a seed. Then the store is opened as a start of the gateway opens it, and everything that
a sink gets is held against the book.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import PointColumn
from gateway.model.record import Committed, EventBody, GapBody, PropBody, Record
from gateway.outbox.feed import Room
from gateway.outbox.outbox import Outbox
from gateway.settings.site import Store
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.support.virtual_time import EPOCH_MS

SINK = SinkName("platform")
COMMITS = 400
START_S = 5.0
PLENTY = Room(1000, 1000, 1000)
COLUMN = PointColumn((PointId("u_a"), PointId("ep_imp"), PointId("note")), ("V", "kW.h", None))
Damage = Callable[[Path, Random], None]
Book = dict[tuple[int, int], Record]


class _Clock:
    """Real loop time and a wall clock that is right."""

    def now_ms(self) -> int:
        return EPOCH_MS + round(time.monotonic() * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


def _database(folder: Path) -> Path:
    return folder / "outbox.db"


def _log(folder: Path) -> Path:
    return folder / "outbox.db-wal"


def _flip(file: Path, chance: Random, bits: int = 8) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(bits if content else 0):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def flip_database(folder: Path, chance: Random) -> None:
    """Flip eight bits of the database."""
    _flip(_database(folder), chance)


def flip_log(folder: Path, chance: Random) -> None:
    """Flip eight bits of the write-ahead log."""
    _flip(_log(folder), chance)


def flip_both(folder: Path, chance: Random) -> None:
    """Flip eight bits of each."""
    _flip(_database(folder), chance)
    _flip(_log(folder), chance)


def truncate_log(folder: Path, chance: Random) -> None:
    """Cut the log somewhere."""
    with _log(folder).open("r+b") as file:
        file.truncate(chance.randrange(_log(folder).stat().st_size))


def truncate_database(folder: Path, chance: Random) -> None:
    """Cut the database somewhere."""
    with _database(folder).open("r+b") as file:
        file.truncate(chance.randrange(_database(folder).stat().st_size))


def garbage_in_log(folder: Path, chance: Random) -> None:
    """Write noise over a page of the log."""
    with _log(folder).open("r+b") as file:
        file.seek(chance.randrange(_log(folder).stat().st_size))
        file.write(chance.randbytes(4096))


def garbage_in_database(folder: Path, chance: Random) -> None:
    """Write noise over a page of the database."""
    with _database(folder).open("r+b") as file:
        file.seek(chance.randrange(_database(folder).stat().st_size))
        file.write(chance.randbytes(4096))


def no_log(folder: Path, chance: Random) -> None:  # noqa: ARG001 - one shape
    """Lose the log."""
    _log(folder).unlink()


def empty_database(folder: Path, chance: Random) -> None:  # noqa: ARG001 - one shape
    """Leave the database with no byte, and the log or not."""
    _database(folder).write_bytes(b"")
    _log(folder).unlink()


def nothing_left(folder: Path, chance: Random) -> None:  # noqa: ARG001 - one shape
    """Lose both."""
    _database(folder).unlink()
    _log(folder).unlink()


DAMAGES: tuple[Damage, ...] = (
    flip_database,
    flip_log,
    truncate_log,
    garbage_in_database,
    flip_both,
    no_log,
    garbage_in_log,
    truncate_database,
    empty_database,
    nothing_left,
)


@dataclass(slots=True)
class Tally:
    """What the images came to."""

    images: int = 0
    wrong: list[str] = field(default_factory=list[str])
    untold: list[str] = field(default_factory=list[str])
    delivered: int = 0
    told: int = 0
    anew: int = 0
    """Images after which the store went on under a new `ep`."""
    slowest_s: float = 0.0


def _record(number: int, chance: Random) -> Record:
    if number % 25 == 0:
        body = EventBody(f"e{number}", "leak", 3, "raised", value=number)
        return Record(DeviceId("leak-1"), EPOCH_MS + number, TimeQuality.SYNC, body)
    said = (round(chance.uniform(200, 250), 1), number, chance.randbytes(8).hex())
    return Record(
        DeviceId(f"em-{number % 20}"),
        EPOCH_MS + number,
        TimeQuality.SYNC,
        PropBody(COLUMN, said, None),
    )


def _open(folder: Path) -> Outbox:
    return Outbox.open(folder, Store(), _Clock(), (SINK,))


async def make_store(live: Path, killed: Path, chance: Random) -> Book:
    """Fill a store, copy its files while it is open, and return what `append` promised."""
    book: Book = {}
    async with _open(live) as outbox:
        feed = outbox.feed(SINK)
        for number in range(COMMITS):
            records = [_record(3 * number + place, chance) for place in range(3)]
            appended = await outbox.append(records)
            for batch in appended.batches:
                for place, record in enumerate(batch.records):
                    book[batch.ep, batch.first_seq + place] = record
            if number < COMMITS // 4:  # some of it was delivered before
                while (part := await feed.take(PLENTY)) is not None:
                    feed.done(part.lane, [each.seq for each in part.items])
                    for each in part.items:
                        del book[each.ep, each.seq]
        await outbox.flush()
        shutil.copytree(live, killed)
    return book


async def look_at(folder: Path, name: str, book: Book, tally: Tally) -> None:
    """Open a damaged image as a start does, take everything, and hold it against the book."""
    began = time.monotonic()
    async with _open(folder) as outbox:
        await outbox.append([_record(1, Random(0))])  # noqa: S311 - repeatable
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)
        tally.anew += outbox.previous_ep is not None
        taken: list[Committed] = []
        feed = outbox.feed(SINK)
        for _ in range(2):  # what is found damaged on the way is told behind it
            while (part := await feed.take(PLENTY)) is not None:
                feed.done(part.lane, [each.seq for each in part.items])
                taken += part.items
            await outbox.flush()
    _hold(taken, name, book, tally)


def _hold(taken: list[Committed], name: str, book: Book, tally: Tally) -> None:
    got = {(each.ep, each.seq): each.record for each in taken}
    old_ep = next(iter(book))[0]
    last = max(seq for _, seq in book)
    for identity, record in got.items():
        known = book.get(identity)
        if known is not None and known != record:
            tally.wrong.append(f"{name}: {identity} says something else")
        if known is None and identity[0] == old_ep and identity[1] <= last:
            tally.wrong.append(f"{name}: {identity} was given twice, or was delivered before")
    gaps = [each.record.body for each in taken if isinstance(each.record.body, GapBody)]
    missing = [identity for identity in book if identity not in got]
    for identity in missing:
        if not any(_covers(gap, identity) for gap in gaps):
            tally.untold.append(f"{name}: {identity}")
    tally.delivered += len(book) - len(missing)
    tally.told += len(missing)
    tally.images += 1


def _covers(gap: GapBody, identity: tuple[int, int]) -> bool:
    ep, seq = identity
    return (
        gap.ep in (None, ep)
        and (gap.from_seq is None or gap.from_seq <= seq)
        and (gap.to_seq is None or seq <= gap.to_seq)
    )


def run(stage: Stage) -> Verdict:
    """Damage one store in many ways."""
    chance, tally = Random(stage.seed), Tally()  # noqa: S311 - repeatable
    killed = stage.folder / "killed"
    book = asyncio.run(make_store(stage.folder / "live", killed, chance))
    for number in range(stage.times(200, 20)):
        damage = DAMAGES[number % len(DAMAGES)]
        image = stage.folder / "image"
        shutil.copytree(killed, image)
        damage(image, chance)
        name = f"image {number}, {damage.__name__}"
        asyncio.run(look_at(image, name, book, tally))
        shutil.rmtree(image)
    assert not tally.wrong, f"{len(tally.wrong)} wrong, first: {tally.wrong[0]}"
    assert not tally.untold, f"{len(tally.untold)} untold, first: {tally.untold[0]}"
    limit_s = START_S * (3 if stage.is_short else 1)
    assert tally.slowest_s <= limit_s, f"a start took {tally.slowest_s:.1f} s"
    return holds(
        f"{tally.images} images of {len(book)} records: {tally.delivered} delivered, "
        f"{tally.told} lost and told, 0 wrong, 0 untold; slowest start {tally.slowest_s:.2f} s",
        images=tally.images,
        delivered=tally.delivered,
        told=tally.told,
        anew=tally.anew,
        slowest_s=round(tally.slowest_s, 3),
    )


ROW = Row(
    id="D4",
    fault="corrupted outbox: flipped bits; cut, garbled or missing log; empty or missing database",
    tool="damage to copies of the files, by seed",
    must_hold="bad rows are skipped and told by range; the start is never blocked",
    goal="start <= 5 s; silent wrong rows 0 of 200 images",
    run=run,
)
