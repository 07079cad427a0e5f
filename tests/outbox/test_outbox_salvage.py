"""What is left of a damaged database is read, and what is not there is said."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest
from outbox_support import NORTH, ManualClock, an_outbox, event, noise, values

from gateway.cli.main import main
from gateway.model.record import Record
from gateway.outbox.salvage import Salvage, databases_in, salvage

ROWS = 400


async def a_store(folder: Path) -> dict[int, Record]:
    """Leave the files as a kill would; return the records by seq."""
    given: dict[int, Record] = {}
    async with an_outbox(folder / "live", ManualClock(), (NORTH,)) as outbox:
        for number in range(ROWS):
            appended = await outbox.append([values(*noise(number)), event(f"e{number}")])
            for batch in appended.batches:
                given |= dict(batch.placed())
        shutil.copytree(folder / "live", folder / "killed")
    return given


def saved(file: Path) -> tuple[Salvage, dict[int, Record]]:
    found = Salvage(file)
    records = {one.seq: one.record for _, one in salvage(found)}
    return found, records


async def test_a_whole_store_is_saved_whole_with_its_log_and_is_not_changed(tmp_path: Path) -> None:
    given = await a_store(tmp_path)
    file = tmp_path / "killed" / "outbox.db"
    before = {path.name: path.read_bytes() for path in sorted((tmp_path / "killed").glob("*db*"))}
    found, records = saved(file)
    assert records == given
    assert (found.records, found.damaged_rows, found.broken) == (len(given), 0, [])
    assert found.missing() == {next(iter(found.missing())): []}
    for name in ("outbox.db", "outbox.db-wal"):
        assert (tmp_path / "killed" / name).read_bytes() == before[name]


async def test_behind_broken_pages_the_rest_is_found(tmp_path: Path) -> None:
    given = await a_store(tmp_path)
    file = tmp_path / "killed" / "outbox.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(file.read_bytes())
    chance = Random(3)  # noqa: S311 - repeatable
    for _ in range(8):
        page = chance.randrange(20, len(content) // 4096)
        content[page * 4096 : (page + 1) * 4096] = chance.randbytes(4096)
    file.write_bytes(content)
    found, records = saved(file)
    assert found.broken or found.damaged_rows
    assert all(given[seq] == record for seq, record in records.items())
    assert 0.5 * len(given) < len(records) < len(given)
    (spans,) = found.missing().values()
    absent = {seq for first, last in spans for seq in range(first, last + 1)}
    assert absent == {seq for seq in given if min(records) < seq < max(records)} - set(records)


async def test_no_flipped_bit_gives_a_false_record(tmp_path: Path) -> None:
    given = await a_store(tmp_path)
    chance = Random(5)  # noqa: S311 - repeatable
    with sqlite3.connect(tmp_path / "killed" / "outbox.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = (tmp_path / "killed" / "outbox.db").read_bytes()
    for number in range(20):
        content = bytearray(whole)
        for _ in range(8):
            content[chance.randrange(4096, len(content))] ^= 1 << chance.randrange(8)
        file = tmp_path / f"flipped{number}.db"
        file.write_bytes(content)
        _, records = saved(file)
        assert all(given[seq] == record for seq, record in records.items())
        assert len(records) > 0.5 * len(given)


async def test_the_command_writes_records_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = await a_store(tmp_path)
    folder = tmp_path / "killed"
    with sqlite3.connect(folder / "outbox.db") as connection:
        connection.execute("DELETE FROM telemetry WHERE first_seq BETWEEN 100 AND 109")
    connection.close()
    shutil.copy(folder / "outbox.db", folder / "outbox.db.corrupt-1790000000000")
    assert [path.name for path in databases_in(folder)] == [
        "outbox.db.corrupt-1790000000000",
        "outbox.db",
    ]
    out = tmp_path / "records.jsonl"
    file = folder / "outbox.db.corrupt-1790000000000"
    status = main(["outbox", "salvage", str(file), "--json", "--output", str(out)])
    assert status == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["records"], summary["damaged_rows"]) == (len(given) - 5, 0)
    assert [(each["from"], each["to"]) for each in summary["missing"]] == [
        (seq, seq) for seq in range(100, 109, 2)
    ]
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    gone = {seq for seq in given if 100 <= seq <= 109 and given[seq].lane == "telemetry"}
    assert {line["seq"] for line in lines} == set(given) - gone


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "outbox.db"
    file.write_bytes(b"not a database" * 1000)
    assert main(["outbox", "salvage", str(file)]) == 1
    assert main(["outbox", "salvage", str(tmp_path / "nothing")]) == 1
