"""What is given up under the quota, in which order, and that all of it is told."""

from __future__ import annotations

import json
import sqlite3
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from outbox_support import (
    NORTH,
    ManualClock,
    an_outbox,
    deliver_all,
    event,
    gaps,
    noise,
    values,
)

from gateway.model.record import (
    EventBody,
    GapBody,
    Keep,
    Lane,
    LogBody,
    PropBody,
    Record,
    ReplyBody,
    StateBody,
)
from gateway.outbox import migrate, schema
from gateway.outbox.batch import Batch
from gateway.outbox.encoding import decode_records, encode_records
from gateway.outbox.outbox import Outbox
from gateway.outbox.schema import keep_sql
from gateway.outbox.thin import KEEP_EVERY, Thinner

SMALL_BYTES = 512 * 1024
COVERED = 0.9


def a_small(folder: Path, clock: ManualClock) -> Outbox:
    return an_outbox(folder, clock, quota_bytes=SMALL_BYTES, recent_readings=100)


def billing(number: int) -> Record:
    record = values(number, number / 4)
    assert isinstance(record.body, PropBody)
    return replace(record, body=replace(record.body, is_billing=True))


def log(number: int, topic: str = "line") -> Record:
    return replace(event("x"), body=LogBody(topic, (("why", str(noise(number))),)))


def note(number: int) -> Record:
    body = EventBody(f"n{number}", "door", 0, "raised", detail=str(noise(number)))
    return replace(event("x"), body=body)


@pytest.mark.parametrize(
    ("body", "keep"),
    [
        (LogBody("line", ()), Keep.DIAGNOSTIC),
        (LogBody("command", ()), Keep.ALARM),
        (LogBody("dropped", ()), Keep.ALARM),
        (StateBody(is_online=False, reason="timeout", since_ms=1), Keep.EVENT),
        (EventBody("e", "door", 1, "raised"), Keep.EVENT),
        (EventBody("e", "leak", 2, "raised"), Keep.ALARM),
        (ReplyBody("r", "done"), Keep.ALARM),
        (GapBody(Lane.EVENT, 1, 2, 2, "quota"), Keep.ALARM),
        (values(1).body, Keep.TELEMETRY),
        (billing(1).body, Keep.BILLING),
    ],
)
def test_the_class_of_a_record(body: Any, keep: Keep) -> None:
    record = replace(values(1), body=body)
    assert record.keep is keep
    assert keep.lane is record.lane


def test_billing_values_survive_the_block_and_older_blocks_are_still_read() -> None:
    records = (values(1), billing(2), billing(3))
    block = encode_records(records)
    assert decode_records(block) == records
    document = json.loads(zlib.decompress(block[1:]))
    del document["p"]["f"]
    old = b"\x01" + zlib.compress(json.dumps(document).encode())
    bodies = [each.body for each in decode_records(old)]
    assert [body.values for body in bodies if isinstance(body, PropBody)] == [
        body.values for body in (each.body for each in records) if isinstance(body, PropBody)
    ]
    assert not any(body.is_billing for body in bodies if isinstance(body, PropBody))


async def test_rows_are_of_one_class_and_chains_go_through_them(tmp_path: Path) -> None:
    async with an_outbox(tmp_path, ManualClock()) as outbox:
        await outbox.append([values(0), event("before")])
        mixed = [values(1), note(1), billing(2), log(3), event("e"), values(4)]
        batches = (await outbox.append(mixed)).batches
        assert [batch.keep for batch in batches] == [
            Keep.ALARM,
            Keep.EVENT,
            Keep.DIAGNOSTIC,
            Keep.BILLING,
            Keep.TELEMETRY,
        ]
        delivered = await deliver_all(outbox.feed(NORTH))
        for lane in Lane:
            chain = [(each.seq, each.pv) for each in delivered if each.record.lane is lane]
            assert [pv for _, pv in chain] == [None, *(seq for seq, _ in chain[:-1])]


async def fill(outbox: Outbox, rounds: int) -> dict[int, Record]:
    """Append much of all classes; return the records by seq."""
    given: dict[int, Record] = {}
    for number in range(rounds):
        records = [values(*noise(number)), log(number), note(number)]
        if number % 20 == 0:
            records += [billing(number), event(f"a{number}")]
        for batch in (await outbox.append(records)).batches:
            given |= dict(batch.placed())
    return given


async def test_nothing_but_what_may_be_given_up_is_and_all_of_it_is_told(tmp_path: Path) -> None:
    clock = ManualClock()
    async with a_small(tmp_path, clock) as outbox:
        given = await fill(outbox, 1500)
        assert (await outbox.stats()).refusing is None
    async with a_small(tmp_path, clock) as outbox:
        delivered = await deliver_all(outbox.feed(NORTH))
        await outbox.flush()  # a sink with many events waiting is told of losses behind them
        delivered += await deliver_all(outbox.feed(NORTH))
    got = {each.seq: each.record for each in delivered if each.seq in given}
    assert all(record == given[seq] for seq, record in got.items())
    of_keep: dict[Keep, list[int]] = {keep: [] for keep in Keep}
    lost: dict[Keep, list[int]] = {keep: [] for keep in Keep}
    for seq, record in given.items():
        (of_keep if seq in got else lost)[record.keep].append(seq)
    assert not lost[Keep.ALARM]
    assert not lost[Keep.BILLING]
    told = gaps(delivered)
    assert {each.cause for each in told} == {"quota", "thinned"}
    for lane in Lane:
        missing = [seq for keep in Keep if keep.lane is lane for seq in lost[keep]]
        of_lane = [each for each in told if each.lane is lane]
        assert sum(each.count for each in of_lane) == len(missing)
        for seq in missing:
            assert any((g.from_seq or 0) <= seq <= (g.to_seq or 0) for g in of_lane)
    # Diagnostics go before events, and telemetry before events too.
    assert len(lost[Keep.DIAGNOSTIC]) > COVERED * 1500
    assert len(lost[Keep.TELEMETRY]) > len(lost[Keep.EVENT])


async def test_old_telemetry_is_thinned_before_it_is_dropped(tmp_path: Path) -> None:
    async with a_small(tmp_path, ManualClock()) as outbox:
        number = 0
        given = [0]
        while (await outbox.stats()).lost == 0:
            given.append((await outbox.append([values(*noise(number))])).batches[0].first_seq)
            number += 1
        delivered = await deliver_all(outbox.feed(NORTH))
    assert {each.cause for each in gaps(delivered)} == {"thinned"}
    kept = [each for each in delivered if each.record.lane is Lane.TELEMETRY]
    old = [each.seq for each in kept if each.seq <= number // 8]
    assert {b - a for a, b in pairwise(old)} <= {1, KEEP_EVERY}
    # What stays still points to the record that was before it.
    before = dict(zip(given[1:], given, strict=False))
    assert all(each.pv == (before[each.seq] or None) for each in kept)


async def test_a_row_that_lost_some_records_is_read_again_from_disk(tmp_path: Path) -> None:
    clock = ManualClock()
    async with a_small(tmp_path, clock) as outbox:
        given: dict[int, Record] = {}
        number = 0
        while (await outbox.stats()).lost == 0:
            two = [values(*noise(number + step)) for step in range(2)]
            (batch,) = (await outbox.append(two)).batches
            given |= dict(batch.placed())
            number += 2
    async with a_small(tmp_path, clock) as outbox:
        delivered = [e for e in await deliver_all(outbox.feed(NORTH)) if e.seq in given]
        assert all(each.record == given[each.seq] for each in delivered)
        told = sum(each.count for each in gaps(await deliver_all(outbox.feed(NORTH))))
        assert told == 0
        assert 0 < len(delivered) < len(given)


def test_changes_of_status_and_the_last_value_stay() -> None:
    stretch = [
        Batch(Lane.TELEMETRY, 1, seq, 0, (values(seq, seq >= 6),), {}) for seq in range(1, 12)
    ]
    assert sorted(Thinner().to_keep(stretch)) == [1, 5, 6, 9, 11]


async def test_losses_stay_few_while_a_sink_takes_nothing(tmp_path: Path) -> None:
    async with a_small(tmp_path, ManualClock()) as outbox:
        for number in range(600):
            await outbox.append([event(f"e{number}")])
        given = 0
        for number in range(1800):
            await outbox.append([values(*noise(number))])
            given += 1
        waiting = (await outbox.stats()).depths
        assert {each.lane: each.depth for each in waiting}[Lane.EVENT] == 600
        delivered = await deliver_all(outbox.feed(NORTH))
        await outbox.flush()
        delivered += await deliver_all(outbox.feed(NORTH))
        told = gaps(delivered)
        assert 0 < len(told) <= 64
        got = sum(each.record.lane is Lane.TELEMETRY for each in delivered)
        assert got + sum(each.count for each in told) == given


# --- the migration ------------------------------------------------------------------------------


def an_old_database(folder: Path) -> None:
    """Make a database as version 1 left it."""
    folder.mkdir()
    connection = sqlite3.connect(folder / schema.DB_NAME, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    table = """CREATE TABLE {} (first_seq INTEGER PRIMARY KEY, ep INTEGER NOT NULL,
        count INTEGER NOT NULL, at_ms INTEGER NOT NULL, crc INTEGER NOT NULL, due BLOB NOT NULL,
        side BLOB, payload BLOB NOT NULL)"""
    connection.execute(table.format("event"))
    connection.execute(table.format("telemetry"))
    connection.execute(
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE state (room TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
        " PRIMARY KEY (room, key)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE refused (id INTEGER PRIMARY KEY, sink TEXT NOT NULL, ep INTEGER NOT NULL,"
        " seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL,"
        " payload BLOB NOT NULL)"
    )
    connection.execute("CREATE TABLE lost (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    connection.execute("INSERT INTO meta VALUES ('ep', ?)", (b"77",))
    seq = 0
    link = {"event": 0, "telemetry": 0}
    for number in range(8):
        for name, record in (
            ("event", event(f"e{number}") if number % 2 else note(number)),
            ("telemetry", values(number)),
        ):
            seq += 1
            payload = b"\x01" + encode_records((record,))[1:]
            pv = link[name] or None
            due = json.dumps({"north": [link[name], pv, 1, seq, []]}).encode()
            head = (seq, 77, 1, 1000)
            crc = zlib.crc32(payload, zlib.crc32(due, zlib.crc32(f"{name}:{head!r}".encode())))
            connection.execute(
                f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?, ?, NULL, ?)",  # noqa: S608 - constants
                (*head, crc, due, payload),
            )
            link[name] = seq
    side: dict[str, list[Any]] = {name: [at, at, 8, 0, []] for name, at in link.items()}
    folded: dict[str, Any] = {"seq": seq, "side": {"p": {"north": side}, "s": []}}
    connection.execute("INSERT INTO meta VALUES ('folded', ?)", (json.dumps(folded).encode(),))
    connection.execute("PRAGMA user_version=1")
    connection.close()


def tables_of(path: Path) -> dict[str, int]:
    connection = sqlite3.connect(path)
    listed = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    names = [row[0] for row in connection.execute(listed)]
    counted = {
        name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
        for name in names
        if not name.startswith("sqlite_")
    }
    counted["version"] = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return counted


async def test_a_database_of_version_1_goes_on_under_its_ep(tmp_path: Path) -> None:
    an_old_database(tmp_path / "old")
    async with an_outbox(tmp_path / "old", ManualClock()) as outbox:
        assert (outbox.ep, outbox.last_seq) == (77, 16)
        await outbox.append([billing(99)])
        delivered = await deliver_all(outbox.feed(NORTH))
        assert sorted(each.seq for each in delivered) == list(range(1, 18))
    counted = tables_of(tmp_path / "old" / schema.DB_NAME)
    assert (counted["alarm"], counted["event"], counted["billing"]) == (4, 4, 1)
    assert counted["version"] == schema.VERSION


class Cut(Exception):
    """The power goes here."""


async def test_a_migration_that_is_cut_at_any_statement_leaves_the_old_layout_whole(
    tmp_path: Path,
) -> None:
    an_old_database(tmp_path / "0")
    before = tables_of(tmp_path / "0" / schema.DB_NAME)
    statements: list[str] = []

    class Counting(sqlite3.Connection):
        """Runs so many statements and is then cut."""

        left = 1_000

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if self.left == 0:
                raise Cut
            self.left -= 1
            statements.append(sql)
            return super().execute(sql, *parameters)

    def migrate_cut(number: int, most: int) -> bool:
        folder = tmp_path / f"cut{number}"
        an_old_database(folder)
        path = folder / schema.DB_NAME
        connection = sqlite3.connect(path, isolation_level=None, factory=Counting)
        connection.execute("BEGIN EXCLUSIVE")
        connection.left = most
        try:
            migrate.migrate(connection, 1)
        except Cut:
            connection.close()  # without a commit, as a kill
            assert tables_of(path) == before
            return False
        connection.left = 1
        connection.execute("COMMIT")
        connection.close()
        return True

    number = 0
    while not migrate_cut(number, number):
        number += 1
    assert number > 20
    assert any(sql.startswith("INSERT INTO alarm") for sql in statements)
    assert tables_of(tmp_path / f"cut{number}" / schema.DB_NAME)["version"] == schema.VERSION


def test_a_table_for_each_class() -> None:
    assert {keep_sql("ROWS", keep) for keep in Keep} == {
        "diagnostic",
        "telemetry",
        "event",
        "billing",
        "alarm",
    }
