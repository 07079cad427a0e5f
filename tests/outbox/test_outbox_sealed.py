"""A sealed store: no plain value on the disk, keys that change, and nothing lost without a key."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from outbox_support import (
    NORTH,
    InlineExecutor,
    ManualClock,
    deliver_all,
    event,
    event_types,
    gaps,
    take_all,
    values,
)

from gateway.app.keys.sealing import AesSeal, key_id_of, keys_in
from gateway.model.clock import TimeQuality
from gateway.model.record import GapBody, Lane, PropBody, Record, StateChange
from gateway.outbox.outbox import Outbox
from gateway.outbox.purge import EVERY_S, Retains
from gateway.outbox.salvage import Salvage, salvage
from gateway.outbox.seal import KeyMissing, Seal, closed, opened
from gateway.outbox.seams import Seams
from gateway.settings.problems import SettingsError
from gateway.settings.site import Store

CANARY = "浙A·CANARY7"
NEEDLE = b"CANARY7"
"""Its part that every encoding writes alike."""
ZLIB_HEAD = b"\x78\x01"
OLD, NEW, WRONG = (AesSeal([bytes([number]) * 32]) for number in (1, 2, 3))
BOTH = AesSeal([bytes([2]) * 32, bytes([1]) * 32])
DAY_S = 86400.0


def sealed(
    folder: Path,
    clock: ManualClock,
    seal: Seal | None,
    *,
    retains: Retains | None = None,
    quota_bytes: int = 16 << 20,
) -> Outbox:
    seams = Seams(executor=InlineExecutor(), seal=seal, retains=retains, recent_readings=1000)
    return Outbox.open(folder, Store(quota_bytes=quota_bytes), clock, (NORTH,), seams=seams)


def all_bytes(folder: Path) -> bytes:
    """Return everything that the disk has of the store."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def incompressible(number: int) -> Record:
    """Return a record whose canary zlib finds nothing before to point to."""
    return values(f"{number:x}{CANARY}")


def is_plain(folder: Path) -> bool:
    """Whether the canary can be read: in the bytes, or in any stream that zlib unpacks."""
    octets = all_bytes(folder)
    if NEEDLE in octets:
        return True
    at = octets.find(ZLIB_HEAD)
    while at >= 0:
        if NEEDLE in unpacked(octets[at : at + 4096]):
            return True
        at = octets.find(ZLIB_HEAD, at + 1)
    return False


def unpacked(octets: bytes) -> bytes:
    """Return what zlib makes of a stream that begins here, as far as it goes."""
    try:
        return zlib.decompressobj().decompress(octets, 1 << 20)
    except zlib.error:
        return b""


async def filled(folder: Path, seal: Seal | None) -> None:
    """Leave a store with a canary in rows, states, refused records and the log."""
    async with sealed(folder / "outbox", ManualClock(), seal) as outbox:
        for number in range(30):
            await outbox.append([incompressible(number)], [StateChange("room", "k", CANARY)])
        feed = outbox.feed(NORTH)
        batch = await take_all(feed)
        feed.refused(Lane.TELEMETRY, [batch[0].seq], "no")
        await outbox.flush()
        shutil.copytree(folder / "outbox", folder / "killed")  # with its log, as a kill leaves it


async def test_without_a_seal_the_search_finds_the_canary(tmp_path: Path) -> None:
    await filled(tmp_path, None)
    assert is_plain(tmp_path / "killed")
    assert is_plain(tmp_path / "outbox")


async def test_a_sealed_store_shows_nothing_in_database_or_log(tmp_path: Path) -> None:
    await filled(tmp_path, OLD)
    assert not is_plain(tmp_path / "killed")
    assert not is_plain(tmp_path / "outbox")
    assert len(all_bytes(tmp_path / "killed")) > 20_000


async def test_all_comes_back_with_the_key(tmp_path: Path) -> None:
    await filled(tmp_path, OLD)
    async with sealed(tmp_path / "killed", ManualClock(), OLD) as outbox:
        assert outbox.states("room") == {"k": CANARY}
        assert CANARY in (await outbox.refused_lines())[0]
        found = await take_all(outbox.feed(NORTH))
    bodies = [one.record.body for one in found if isinstance(one.record.body, PropBody)]
    assert [body.values for body in bodies] == [(f"{n:x}{CANARY}",) for n in range(1, 30)]


async def test_a_new_key_reads_what_the_old_one_sealed(tmp_path: Path) -> None:
    await filled(tmp_path, OLD)
    clock = ManualClock()
    async with sealed(tmp_path / "outbox", clock, BOTH) as outbox:
        await outbox.append([values("fresh")])
        assert len(await take_all(outbox.feed(NORTH))) == 30
    # The states are the new key's now; the rows still need the old one.
    async with sealed(tmp_path / "outbox", clock, NEW) as outbox:
        assert outbox.is_refusing


@pytest.mark.parametrize("seal", [WRONG, None])
async def test_a_wrong_key_is_told_and_nothing_is_lost(tmp_path: Path, seal: Seal | None) -> None:
    await filled(tmp_path, OLD)
    store, clock = tmp_path / "outbox", ManualClock()
    before = (store / "outbox.db").read_bytes()
    async with sealed(store, clock, seal) as outbox:
        refusing = (await outbox.stats()).refusing
        assert refusing is not None
        assert f"sealed with key {OLD.key_id.hex()}" in refusing
        await outbox.append([event("e1")])
        live = await deliver_all(outbox.feed(NORTH))
        assert "leak" in event_types(live), "what comes meanwhile still leaves, from memory"
    assert (store / "outbox.db").read_bytes() == before
    assert not list(store.glob("*.corrupt-*"))
    async with sealed(store, clock, OLD) as outbox:
        found = await take_all(outbox.feed(NORTH))
    assert sum(isinstance(one.record.body, PropBody) for one in found) == 29


async def test_a_key_that_nothing_needs_any_more_is_forgotten(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sealed(tmp_path, clock, OLD) as outbox:
        await outbox.append([], [StateChange("room", "k", 1)])
        await outbox.flush()
    async with sealed(tmp_path, clock, BOTH) as outbox:
        assert outbox.states("room") == {"k": 1}
    async with sealed(tmp_path, clock, NEW) as outbox:
        assert not outbox.is_refusing
        assert outbox.states("room") == {"k": 1}


async def test_a_store_from_before_the_seal_is_read_and_goes_on_sealed(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sealed(tmp_path, clock, None) as outbox:
        await outbox.append([values("open")], [StateChange("room", "k", "v")])
    async with sealed(tmp_path, clock, OLD) as outbox:
        assert outbox.states("room") == {"k": "v"}
        await outbox.append([values(CANARY)])
        assert len(await take_all(outbox.feed(NORTH))) == 2
    assert not is_plain(tmp_path)


async def test_salvage_counts_sealed_rows_and_reads_them_with_the_key(tmp_path: Path) -> None:
    await filled(tmp_path, OLD)
    file = tmp_path / "killed" / "outbox.db"
    without, with_key = Salvage(file), Salvage(file)
    assert list(salvage(without)) == []
    assert (without.sealed_rows, without.damaged_rows) == (30, 0)
    assert len(list(salvage(with_key, OLD))) == 30
    assert with_key.sealed_rows == 0


def test_a_sealed_row_does_not_open_in_the_place_of_another() -> None:
    stored = closed(OLD, b"plate", "row:telemetry:1:7")
    assert opened(OLD, stored, "row:telemetry:1:7") == b"plate"
    for about, seal in (("row:telemetry:1:8", OLD), ("row:telemetry:1:7", NEW)):
        with pytest.raises(Exception, match="seal") as refused:
            opened(seal, stored, about)
        assert isinstance(refused.value, KeyMissing) is (seal is NEW)
    assert opened(None, b"{}", "side") == b"{}"


def test_every_sealing_of_the_same_bytes_differs() -> None:
    assert closed(OLD, b"plate", "x") != closed(OLD, b"plate", "x")


def test_a_key_file_has_the_newest_key_first() -> None:
    keys = keys_in(f"{'ab' * 32}\n{'cd' * 32}\n", "test")
    assert AesSeal(keys).key_id == key_id_of(b"\xab" * 32)
    for wrong in ("", "ab" * 31, "not hex"):
        with pytest.raises(SettingsError, match="LG-STORE-02"):
            keys_in(wrong, "test")


# --- retention ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expires:
    """Texts may be kept a week; a record of nothing else goes, in a mixed one they become null."""

    policy: str = "a"

    def fingerprint(self) -> str:
        return self.policy

    def spans_s(self) -> Sequence[float]:
        return (7 * DAY_S,)

    def left(self, record: Record, age_s: float) -> Record | None:
        body = record.body
        if age_s < 7 * DAY_S or not isinstance(body, PropBody):
            return record
        kept = tuple(None if isinstance(value, str) else value for value in body.values)
        if kept == body.values:
            return record
        if set(kept) == {None}:
            return None
        fresh = PropBody(body.column, kept, body.marks)
        return Record(record.device, record.ts_ms, record.tq, fresh, record.sink)


async def a_week_later(outbox: Outbox, clock: ManualClock) -> None:
    clock.pass_s(7 * DAY_S + EVERY_S)
    await outbox.append([values(1.5)])


async def test_what_was_delivered_is_gone_from_the_disk_when_its_time_is_over(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with sealed(tmp_path, clock, None, retains=Expires()) as outbox:
        for number in range(300):
            await outbox.append([incompressible(number), values(number, CANARY)])
        await deliver_all(outbox.feed(NORTH))
        await outbox.flush()
        assert is_plain(tmp_path)
        clock.pass_s(6 * DAY_S)
        await outbox.append([values(1.0)])
        assert is_plain(tmp_path), "not before its time"
        clock.pass_s(DAY_S + EVERY_S)
        await outbox.append([values(2.0)])
        clock.pass_s(EVERY_S)
        await outbox.append([values(3.0)])
        assert not is_plain(tmp_path), "neither in the database nor in the log"
        lines = await outbox.export(Lane.TELEMETRY, most=10_000)
        assert len(lines) == 303, "the numbers beside them are kept"
        delivered = await deliver_all(outbox.feed(NORTH))
    assert gaps(delivered) == [], "who had them has lost nothing"


async def test_what_was_not_delivered_in_time_is_dropped_and_told(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        await outbox.append([values(CANARY)])
        await outbox.append([values(7, CANARY)])
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        await a_week_later(outbox, clock)
        delivered = await deliver_all(outbox.feed(NORTH))
    (gap,) = gaps(delivered)
    assert (gap.cause, gap.count, gap.lane) == ("retention", 1, Lane.TELEMETRY)
    props = [one.record.body for one in delivered if isinstance(one.record.body, PropBody)]
    assert {body.values for body in props} == {(7, None), (1.5,)}


async def test_states_survive_the_rows_that_carried_them(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        await outbox.append([values(CANARY)], [StateChange("room", "k", "v")])
        await a_week_later(outbox, clock)
    async with sealed(tmp_path, clock, OLD) as outbox:
        assert outbox.states("room") == {"k": "v"}


async def test_refused_records_expire_too(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        appended = await outbox.append([values(CANARY), values(3, CANARY)])
        await take_all(outbox.feed(NORTH))
        seqs = [seq for batch in appended.batches for seq, _ in batch.placed()]
        outbox.feed(NORTH).refused(Lane.TELEMETRY, seqs, "no")
        await outbox.flush()
        await a_week_later(outbox, clock)
        (left,) = await outbox.refused_lines()
    assert CANARY not in left
    assert '"v": 3' in left


async def test_new_rules_look_at_old_rows_again(tmp_path: Path) -> None:
    clock = ManualClock()

    @dataclass(frozen=True)
    class Nothing(Expires):
        def left(self, record: Record, age_s: float) -> Record | None:  # noqa: ARG002 - as Expires
            return record

    async with sealed(tmp_path, clock, None, retains=Nothing()) as outbox:
        await outbox.append([values(CANARY)])
        await deliver_all(outbox.feed(NORTH))
        await a_week_later(outbox, clock)
        assert is_plain(tmp_path)
    async with sealed(tmp_path, clock, None, retains=Expires("b")) as outbox:
        await outbox.append([values(2.5)])
        assert not is_plain(tmp_path)


async def test_what_a_clock_that_was_ahead_has_dated_expires_at_its_date(tmp_path: Path) -> None:
    """Rows behind it expire before: it must not be passed over for ever then."""
    clock = ManualClock()
    async with sealed(tmp_path, clock, None, retains=Expires()) as outbox:
        clock.pass_s(2 * DAY_S)
        await outbox.append([incompressible(1)])
        clock.at_ms -= int(2 * DAY_S * 1000)  # the time server says what day it is
        await outbox.append([values("harmless")])
        await deliver_all(outbox.feed(NORTH))
        await a_week_later(outbox, clock)
        assert is_plain(tmp_path), "it says of itself that it is younger"
        clock.pass_s(2 * DAY_S)
        await outbox.append([values(1.5)])
        await outbox.append([values(1.5)])
        assert not is_plain(tmp_path)


@dataclass
class UncertainClock(ManualClock):
    """Begins at a remembered time, in 2026, until somebody tells the right one."""

    is_known: bool = False

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC if self.is_known else TimeQuality.UNSYNC


async def test_what_was_committed_before_the_time_was_known_is_not_old_at_once(
    tmp_path: Path,
) -> None:
    """The box was off for a month: its clock went on from where it stood."""
    clock = UncertainClock()
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        for _ in range(3):
            clock.pass_s(60)
            await outbox.append([values(CANARY)])
        clock.at_ms += int(30 * DAY_S * 1000)
        clock.is_known = True
        await outbox.append([values(1.5)])
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        await a_week_later(outbox, clock)
        delivered = await deliver_all(outbox.feed(NORTH))
    (gap,) = gaps(delivered)
    assert (gap.cause, gap.count) == ("retention", 3), "after its week, not before"
    found = [one.record.body for one in delivered if isinstance(one.record.body, PropBody)]
    assert {body.values for body in found} == {(1.5,)}


async def test_what_was_committed_before_the_time_was_known_is_delivered(tmp_path: Path) -> None:
    clock = UncertainClock()
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        await outbox.append([values(CANARY)])
        clock.at_ms += int(30 * DAY_S * 1000)
        clock.is_known = True
        for _ in range(3):
            clock.pass_s(EVERY_S)
            await outbox.append([values(1.5)])
        clock.pass_s(6 * DAY_S)
        await outbox.append([values(1.5)])
    async with sealed(tmp_path, clock, OLD, retains=Expires()) as outbox:
        await outbox.append([values(1.5)])
        delivered = await deliver_all(outbox.feed(NORTH))
    assert gaps(delivered) == []
    assert any(b.values == (CANARY,) for d in delivered if isinstance(b := d.record.body, PropBody))


async def test_more_rows_than_one_run_looks_at_are_all_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbox.purge.MOST_ROWS", 2)
    clock = ManualClock()
    async with sealed(tmp_path, clock, None, retains=Expires()) as outbox:
        for number in range(7):
            clock.pass_s((1, -1)[number % 2] * DAY_S)
            await outbox.append([incompressible(number)])
        await deliver_all(outbox.feed(NORTH))
        clock.pass_s(9 * DAY_S)
        for _ in range(7):
            clock.pass_s(EVERY_S)
            await outbox.append([values(1.5)])
        assert not is_plain(tmp_path)
        assert len(await outbox.export(Lane.TELEMETRY, most=10_000)) == 7


async def test_a_store_that_holds_nothing_old_enough_is_not_read_through_every_hour(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    read: list[str] = []

    @dataclass(frozen=True)
    class Counting(Expires):
        def left(self, record: Record, age_s: float) -> Record | None:
            read.append(str(record.device))
            return super().left(record, age_s)

    async with sealed(tmp_path, clock, None, retains=Counting()) as outbox:
        for number in range(48):
            clock.pass_s(EVERY_S)
            await outbox.append([incompressible(number)])
        await deliver_all(outbox.feed(NORTH))
        clock.pass_s(7 * DAY_S)
        for _ in range(60):
            clock.pass_s(EVERY_S)
            await outbox.append([values(1.5)])
        assert not is_plain(tmp_path)
    assert len(read) <= 48 + 60, "each row is looked at once for each span"


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_done_to_the_clock_nothing_is_kept_beyond_its_span_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Steps of days to and fro, times without a time of day, few rows at a look."""
    monkeypatch.setattr("gateway.outbox.purge.MOST_ROWS", 3)
    chance = Random(seed)  # noqa: S311 - repeatable
    clock = UncertainClock()
    async with sealed(tmp_path, clock, None, retains=Expires()) as outbox:
        for number in range(60):
            clock.pass_s(chance.choice((60, EVERY_S, 6 * EVERY_S)))
            if chance.random() < 0.2:
                clock.at_ms += round(chance.uniform(-3, 3) * DAY_S * 1000)
            clock.is_known = chance.random() < 0.7
            await outbox.append([incompressible(number)])
        await deliver_all(outbox.feed(NORTH))
        clock.is_known = True
        await outbox.append([values(1.5)])
        clock.pass_s(90 * DAY_S)
        for _ in range(40):
            clock.pass_s(EVERY_S)
            await outbox.append([values(1.5)])
        assert not is_plain(tmp_path)


async def test_gap_records_are_never_taken_out(tmp_path: Path) -> None:
    clock = ManualClock()
    async with sealed(tmp_path, clock, None, retains=Expires()) as outbox:
        await outbox.append([values(CANARY)])
        await a_week_later(outbox, clock)
        await a_week_later(outbox, clock)
        events = await take_all(outbox.feed(NORTH), Lane.EVENT)
    assert [type(one.record.body) for one in events].count(GapBody) == 1
