"""The receiver's store keeps every identity once, and knows what is missing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.ledger import Ledger
from simulators.receiver.audit import audit, copies
from simulators.receiver.forget import BODIES_AT_ONCE, DAY_MS, forget
from simulators.receiver.gaps import COMING, Pacing, acknowledgements, requests
from simulators.receiver.message import Message, read
from simulators.receiver.store import KEPT_CONFLICTS, Spoilt, Store, Taken, ranges
from tests.simulators.test_receiver_message import fields

NOW = 1_000_000
AT_ONCE = Pacing(patience_s=0.0, repeat_s=10.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, "copy-1") as store:
        yield store


def message(kind: str = "prop", device: str = "em-01", **more: Any) -> Message:
    return read(f"fc/1/s1/g1/up/{kind}/{device}", json.dumps(fields(**more)).encode(), "fc")


def event(seq: int, pv: int | None) -> Message:
    return message("event", seq=seq, pv=pv, eid="e", type="leak", pts=[])


def gap(seq: int, pv: int | None, first: int, last: int, **more: Any) -> Message:
    told = {"lane": "telemetry", "of_ep": 42, "from": first, "to": last, "cause": "quota"}
    return message("gap", "_", seq=seq, pv=pv, count=last - first + 1, **{**told, **more})


def take(store: Store, *messages: Message | Spoilt, at: int = NOW) -> Taken:
    return store.take(messages, at)


def missing(store: Store) -> list[int]:
    return [seq for (seq,) in store.db.execute("SELECT seq FROM missing ORDER BY seq")]


def asked(store: Store, at: int, pacing: Pacing = AT_ONCE) -> list[list[int]]:
    found = [json.loads(r.payload) for r in requests(store, "fc", pacing, at)]
    assert all(one["ep"] == 42 for one in found)
    return [pair for one in found for pair in one["resend"]]


# --- each identity once


def test_a_record_is_kept_once_however_often_it_comes(store: Store, path: Path) -> None:
    first = take(store, message(seq=1, pv=None), message(seq=1, pv=None))
    again = take(store, message(seq=1, pv=None))
    assert [r.seq for r in first.fresh] == [1]
    assert again.fresh == []
    found = audit(path)
    assert (found.records, found.duplicates, found.conflicts, found.is_whole) == (1, 2, 0, True)


def test_the_same_seq_of_another_store_is_another_record(store: Store, path: Path) -> None:
    take(store, message(seq=1, pv=None), message(seq=1, pv=None, ep=43))
    assert (audit(path).records, audit(path).stores) == (2, 2)


def test_one_identity_with_two_contents_is_kept_as_a_conflict(store: Store, path: Path) -> None:
    take(store, message(seq=1, pv=None), message(seq=1, pv=None, pts=[]))
    assert audit(path).conflicts == 1
    assert not audit(path).is_whole
    assert store.db.execute("SELECT count(*) FROM conflict").fetchone() == (1,)


def test_two_copies_share_one_store(store: Store, path: Path) -> None:
    with Store(path, "copy-2") as other:
        take(store, message(seq=2, pv=1), message(seq=4, pv=3))
        take(other, message(seq=1, pv=None), message(seq=3, pv=2), message(seq=4, pv=3))
        assert missing(store) == []
    assert {name: row["records"] for name, row in copies(path).items()} == {
        "copy-1": 2,
        "copy-2": 2,
    }
    assert (audit(path).records, audit(path).duplicates) == (4, 1)


def test_two_sites_may_have_gateways_of_one_id(store: Store, path: Path) -> None:
    def elsewhere(kind: str, **more: Any) -> Message:
        device = "_" if kind == "state" else "em-01"
        payload = json.dumps(fields(**more)).encode()
        return read(f"fc/1/s2/g1/up/{kind}/{device}", payload, "fc")

    take(store, elsewhere("prop", seq=1, pv=None, pts=[]))  # even with the epoch of the other
    take(store, message(seq=1, pv=None), message(seq=3, pv=2))
    take(store, elsewhere("state", seq=None, pv=None, online=False, sess=9))
    found = audit(path)
    assert (found.stores, found.records, found.conflicts) == (2, 3, 0)
    (request,) = requests(store, "fc", AT_ONCE, NOW + 1)
    assert request.topic == "fc/1/s1/g1/dn/ack/_", "it is asked who missed it, and is online"


def test_conflicts_are_kept_in_a_ring(store: Store, path: Path) -> None:
    take(store, message(seq=1, pv=None))
    for value in range(3):
        pts = [{"p": "u_a", "v": value}]
        take(store, *[message(seq=1, pv=None, pts=pts)] * (KEPT_CONFLICTS // 2))
    assert store.db.execute("SELECT count(*) FROM conflict").fetchone() == (KEPT_CONFLICTS,)
    assert audit(path).conflicts == 3 * (KEPT_CONFLICTS // 2)


def test_a_file_of_another_form_is_refused_and_left_as_it_is(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE record (x)")
    db.close()
    with pytest.raises(sqlite3.DatabaseError, match="take another file"), Store(path, "copy-1"):
        pass
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    db.close()


def test_what_cannot_be_kept_is_not_kept_in_part(store: Store, path: Path) -> None:
    store.db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON record WHEN new.seq = 2 "
        "BEGIN SELECT raise(ABORT, 'disk full'); END"
    )
    with pytest.raises(sqlite3.Error):
        take(store, message(seq=1, pv=None), message(seq=2, pv=1))
    assert audit(path).records == 0
    store.db.execute("DROP TRIGGER full")
    take(store, message(seq=1, pv=None), message(seq=2, pv=1))
    assert audit(path).is_whole
    assert audit(path).records == 2


def test_what_cannot_be_read_is_set_aside(store: Store, path: Path) -> None:
    take(store, Spoilt("fc/1/x", b"{", "no JSON"), message(seq=1, pv=None))
    assert (audit(path).unreadable, audit(path).records) == (1, 1)
    assert audit(path).sentence().endswith("0 conflicts, 1 unreadable messages set aside")
    assert store.db.execute("SELECT topic, reason FROM unreadable").fetchall() == [
        ("fc/1/x", "no JSON")
    ]


# --- the gap ledger


def test_a_predecessor_that_does_not_come_is_missing_until_it_comes(store: Store) -> None:
    take(store, message(seq=1, pv=None), message(seq=3, pv=2))
    assert missing(store) == [2]
    late = take(store, message("hist", seq=2, pv=1))
    assert missing(store) == []
    assert late.tally.late == 1


def test_a_whole_hole_is_asked_for_by_one_range(store: Store) -> None:
    take(store, message(seq=1, pv=None), message(seq=10, pv=9))
    assert asked(store, NOW + 1) == [[2, 9]]


def test_lanes_have_chains_of_their_own(store: Store) -> None:
    take(store, message(seq=1, pv=None), event(2, None), message(seq=3, pv=1), event(4, 2))
    assert missing(store) == []


def test_nothing_is_asked_for_before_its_time_and_not_at_once_again(store: Store) -> None:
    pacing = Pacing(patience_s=60.0, repeat_s=10.0)
    take(store, message(seq=3, pv=2))
    assert asked(store, NOW + 59_000, pacing) == []
    assert asked(store, NOW + 60_000, pacing) == [[1, 2]]
    assert asked(store, NOW + 69_000, pacing) == []
    assert asked(store, NOW + 70_000, pacing) == [[1, 2]]
    assert asked(store, NOW + 89_000, pacing) == []
    assert asked(store, NOW + 90_000, pacing) == [[1, 2]], "it doubles"


def test_while_history_comes_nothing_of_that_store_is_asked_for(store: Store) -> None:
    pacing = Pacing(patience_s=60.0, repeat_s=10.0)
    take(store, message(seq=100, pv=99))
    take(store, message("hist", seq=1, pv=None), at=NOW + 50_000)
    assert asked(store, NOW + 61_000, pacing) == []
    assert asked(store, NOW + 111_000, pacing) == [[2, 99]]


def test_history_that_comes_for_ever_does_not_put_a_request_off_for_ever(store: Store) -> None:
    pacing = Pacing(patience_s=1.0, repeat_s=10.0)
    take(store, message(seq=1000, pv=999))
    for turn in range(COMING + 1):
        at = NOW + 1000 * turn
        take(store, message("hist", seq=turn + 1, pv=turn or None), at=at)
        assert bool(asked(store, at, pacing)) is (turn == COMING)


def test_live_records_that_overtake_each_other_put_no_request_off(store: Store) -> None:
    pacing = Pacing(patience_s=60.0, repeat_s=10.0)
    take(store, message(seq=3, pv=2))
    for turn in range(61):  # two copies share the work: this is what each commit looks like
        at, seq = NOW + 1000 * turn, 4 + 2 * turn
        take(store, message(seq=seq + 1, pv=seq), at=at)
        take(store, message(seq=seq, pv=seq - 1), at=at)
    assert asked(store, NOW + 60_000, pacing) == [[1, 2]]


def test_a_source_with_many_holes_leaves_room_for_the_others(store: Store) -> None:
    take(store, *(message(seq=3 * n + 3, pv=3 * n + 2, ep=1) for n in range(300)))
    take(store, message(seq=3, pv=2))
    found = [json.loads(r.payload) for r in requests(store, "fc", AT_ONCE, NOW + 1)]
    assert [(one["ep"], len(one["resend"])) for one in found] == [(1, 100), (42, 1)]
    few = Pacing(patience_s=0.0, repeat_s=10.0, most=1)
    again = [json.loads(r.payload) for r in requests(store, "fc", few, NOW + 2)]
    assert [one["resend"][0] for one in again] == [[301, 302]], "the next of its holes"


def test_a_gap_that_is_asked_for_by_one_copy_is_not_by_another(store: Store, path: Path) -> None:
    take(store, message(seq=3, pv=2))
    with Store(path, "copy-2") as other:
        assert asked(store, NOW + 1) == [[1, 2]]
        assert asked(other, NOW + 1) == []


def test_nothing_is_asked_of_a_gateway_that_is_offline(store: Store) -> None:
    def state(*, is_online: bool, session: int) -> Message:
        return message("state", "_", seq=None, pv=None, online=is_online, sess=session)

    take(store, message(seq=3, pv=2), state(is_online=False, session=7))
    assert asked(store, NOW + 1) == []
    take(store, state(is_online=True, session=9))
    take(store, state(is_online=False, session=7))  # the will of the connection before
    assert asked(store, NOW + 1) == [[1, 2]]


def test_a_gateway_that_is_back_is_asked_although_its_clock_went_back(store: Store) -> None:
    def state(*, is_online: bool, session: int) -> Message:
        return message("state", "_", seq=None, pv=None, online=is_online, sess=session)

    take(store, message(seq=3, pv=2))
    take(store, state(is_online=True, session=900), state(is_online=False, session=900))
    assert asked(store, NOW + 1) == []
    take(store, state(is_online=True, session=7))
    assert asked(store, NOW + 1) == [[1, 2]]


def test_what_is_told_to_be_gone_is_settled_whether_told_before_or_after(store: Store) -> None:
    take(store, message(seq=4, pv=3))
    assert missing(store) == [3]
    take(store, gap(5, None, 1, 3))
    assert missing(store) == []
    take(store, gap(6, 5, 7, 9), message(seq=10, pv=9))
    assert missing(store) == []
    assert asked(store, NOW + 1) == []


def test_a_gap_settles_its_own_lane_and_store_only(store: Store) -> None:
    take(store, message(seq=4, pv=3), gap(5, None, 1, 3, lane="event"))
    assert missing(store) == [3]
    take(store, gap(6, 5, 1, 3, of_ep=77))
    assert missing(store) == [3]


def test_the_audit_finds_a_hole_without_the_ledger(store: Store, path: Path) -> None:
    take(store, message(seq=1, pv=None), message(seq=3, pv=2))
    store.db.execute("DELETE FROM missing")
    found = audit(path)
    assert found.missing == 1
    assert not found.is_whole
    assert found.sentence().startswith("NOT every identity once")


def test_the_audit_finds_a_value_that_never_was(store: Store, path: Path) -> None:
    truth = Ledger()
    truth.put("em-01", "u_a", 230.1, 500)
    wrong = [{"p": "u_a", "v": 99.0, "u": "V"}]
    take(store, message(seq=1, pv=None), message(seq=2, pv=1, pts=wrong))
    assert audit(path, truth).false == 1
    assert not audit(path, truth).is_whole


def test_who_begins_now_misses_nothing_from_before(path: Path) -> None:
    with Store(path, "copy-1", begins_now=True) as store:
        take(store, message(seq=100, pv=99), message(seq=103, pv=102))
        assert missing(store) == [102]
    assert audit(path).missing == 1


def test_who_begins_now_misses_nothing_of_the_other_lane_from_before(path: Path) -> None:
    with Store(path, "copy-1", begins_now=True) as store:
        take(store, event(501, 12), message(seq=502, pv=500))
        assert missing(store) == []
        take(store, gap(503, 501, 1, 9, of_ep=41))
        take(store, message(seq=12, pv=11, ep=41))
        assert missing(store) == [11]
    assert audit(path).missing == 1


# --- how long bodies are kept


def test_an_old_body_is_forgotten_and_its_identity_is_not(store: Store, path: Path) -> None:
    take(store, message(seq=1, pv=None), message(seq=2, pv=1))
    assert forget(store, 1.0, NOW) == 0
    take(store, message(seq=3, pv=2))
    assert forget(store, 1.0, NOW + DAY_MS - 1) == 0
    assert forget(store, 1.0, NOW + DAY_MS) == 2
    again = take(store, message(seq=1, pv=None), message(seq=2, pv=1, pts=[]))
    assert again.fresh == []
    found = audit(path)
    assert (found.records, found.duplicates, found.conflicts, found.is_whole) == (3, 2, 0, True)
    assert forget(store, 1.0, NOW + DAY_MS) == 0
    bodies = store.db.execute("SELECT seq FROM record WHERE body = ''").fetchall()
    assert bodies == [(1,), (2,)]


def test_bodies_are_forgotten_some_at_a_time(store: Store) -> None:
    take(store, *(message(seq=n + 1, pv=n or None) for n in range(BODIES_AT_ONCE + 1)))
    assert forget(store, 1.0, NOW) == 0
    assert [forget(store, 1.0, NOW + DAY_MS) for _ in range(3)] == [BODIES_AT_ONCE, 1, 0]


def test_what_is_forgotten_makes_room_for_what_comes(store: Store, path: Path) -> None:
    def more(first: int) -> None:
        pts = [{"p": "note", "v": "x" * 900}]
        take(
            store, *(message(seq=n, pv=n - 1 or None, pts=pts) for n in range(first, first + 2000))
        )
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    more(1)
    size = path.stat().st_size
    forget(store, 1.0, NOW)
    assert forget(store, 1.0, NOW + DAY_MS) == 2000
    more(2001)
    assert path.stat().st_size < 1.2 * size
    assert audit(path).is_whole


def test_what_a_follower_still_has_to_read_is_not_forgotten(store: Store) -> None:
    take(store, message(seq=1, pv=None), message(seq=2, pv=1))
    forget(store, 1.0, NOW)
    follower = "INSERT INTO follower (name, upto, until_ms) VALUES ('influx', 1, ?)"
    store.db.execute(follower, (NOW + DAY_MS,))
    assert forget(store, 1.0, NOW + DAY_MS) == 1
    assert forget(store, 1.0, NOW + 2 * DAY_MS + 1) == 1, "nobody has run it for a day"


# --- confirmations


def test_confirmations_are_short_enough_to_be_read() -> None:
    top = 1 << 53
    parts = list(acknowledgements(top - 1, set(range(top - 4000, top, 2))))
    assert max(map(len, parts)) <= 16 * 1024
    found = [json.loads(part)["ranges"] for part in parts]
    assert max(map(len, found)) <= 1000
    assert sum(map(len, found)) == 2000


# --- births


def test_the_newest_birth_is_kept_and_a_cleared_one_is_gone(store: Store) -> None:
    def bodies() -> list[str]:
        return [json.loads(body)["hash"] for (body,) in store.db.execute("SELECT body FROM birth")]

    take(store, message("birth", seq=None, pv=None, hash="new", tp=200))
    take(store, message("birth", seq=None, pv=None, hash="old", tp=100))
    assert bodies() == ["new"]
    take(store, Message("s1", "g1", "birth", "em-01", {}))
    assert bodies() == []


def test_a_gateway_that_waits_for_confirmation_is_known_by_its_birth(store: Store) -> None:
    assert not store.wants_confirmation("s1", "g1")
    take(store, message("birth", "_", seq=None, pv=None, ack="app"))
    assert store.wants_confirmation("s1", "g1")
    assert not store.wants_confirmation("s2", "g1")


def test_a_birth_of_a_clock_that_was_wrong_does_not_hold_up_the_next(store: Store) -> None:
    take(store, message("birth", "_", seq=None, pv=None, ack="puback", tp=NOW + 10 * DAY_MS))
    take(store, message("birth", "_", seq=None, pv=None, ack="app", tp=NOW))
    assert store.wants_confirmation("s1", "g1")
    assert store.db.execute("SELECT tp FROM birth").fetchall() == [(NOW,)]


def test_numbers_are_told_as_ranges() -> None:
    assert ranges({7, 1, 2, 3, 9, 8}) == [[1, 3], [7, 9]]
    assert ranges(()) == []
