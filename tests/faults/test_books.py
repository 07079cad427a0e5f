"""The audit, held against books made by hand: every fault is counted in exactly its place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.model.clock import TimeQuality
from gateway.model.quality import GOOD, bad
from gateway.model.record import (
    Body,
    Committed,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    Record,
    ReplyBody,
    StateBody,
)
from simulators.ledger import Ledger
from tests.faults.audit import Audit, audit
from tests.faults.books import CommittedBook, Counters, Identity, ReceivedBook
from tests.support.natives import EP, METER, NOW, native, prop


def stored(seq: int, count: int | None = None, *, device: str = "em-1") -> dict[str, Any]:
    """Return a record as the store shows it."""
    quality = {"q": 0, "qr": "timeout"} if count is None else {}
    return {
        "ep": EP,
        "seq": seq,
        "lane": "telemetry",
        "dev": device,
        "ts": 1000 * seq,
        "tq": "sync",
        "kind": "prop",
        "pts": {"count": {"v": count, **quality}},
    }


def stored_event(seq: int) -> dict[str, Any]:
    """Return an event as the store shows it."""
    body = {"eid": f"e{seq}", "type": "odd", "severity": 2, "state": "raised"}
    head = {"ep": EP, "seq": seq, "lane": "event", "dev": "em-1", "ts": 1000 * seq, "tq": "sync"}
    return {**head, "kind": "event", "body": body}


def wire(shown: dict[str, Any], pv: int | None) -> tuple[str, dict[str, Any]]:
    """Return a stored record as it is on the wire."""
    head = {name: shown[name] for name in ("ep", "seq", "ts", "tq", "dev")} | {"pv": pv}
    if "pts" in shown:
        points = [{"p": point, **entry} for point, entry in shown["pts"].items()]
        return "prop", {**head, "pts": points}
    body = shown["body"]
    said = {"eid": body["eid"], "type": body["type"], "sev": body["severity"], "st": body["state"]}
    return "event", {**head, **said}


def gap(seq: int, first: int, last: int, count: int, lane: str = "telemetry") -> dict[str, Any]:
    """Return a gap record on the wire."""
    span = {"lane": lane, "of_ep": EP, "from": first, "to": last, "count": count, "cause": "quota"}
    return {"ep": EP, "seq": seq, "ts": 1000 * seq, "tq": "sync", "dev": "_", "pv": None, **span}


class Books:
    """Five records, all served, committed and received; a test takes away or adds."""

    def __init__(self) -> None:
        self.stored = [stored(seq, seq * 10) for seq in range(1, 6)]
        self.sent = [wire(each, seq) for seq, each in enumerate(self.stored)]
        self.served = Counters()
        for each in self.stored:
            self.served.put("em-1", "count", each["seq"] * 10, each["ts"])

    def received(self) -> ReceivedBook:
        """Return the subscriber's book."""
        book = ReceivedBook()
        for kind, record in self.sent:
            book.take_record(kind, record)
        return book

    def committed(self) -> CommittedBook:
        """Return the store's book."""
        book = CommittedBook()
        book.take_stored(self.stored)
        return book

    def audit(self) -> Audit:
        """Compare the three."""
        return audit(self.served, self.committed(), self.received())


def faults(found: Audit) -> dict[str, int]:
    """Return the counts that are not 0, but for those that say how much there was."""
    ordinary = {"committed", "received", "checked"}
    return {name: n for name, n in found.figures().items() if n and name not in ordinary}


def test_a_clean_run_is_clean() -> None:
    found = Books().audit()
    assert found.is_clean
    assert faults(found) == {}
    assert (found.committed, found.received, found.checked) == (5, 5, 5)
    assert found.sentence() == "5 committed, 5 received, 0 lost, 0 false, 5 checked"


def test_a_record_that_never_came_is_lost_and_its_hole_is_seen() -> None:
    books = Books()
    del books.sent[2]
    found = books.audit()
    assert found.lost == {(EP, 3)}
    assert faults(found) == {"lost": 1, "untold": 1}
    assert not found.is_clean


def test_a_vanished_tail_is_lost_though_no_link_shows_it() -> None:
    books = Books()
    del books.sent[4]
    assert faults(books.audit()) == {"lost": 1}


def test_a_told_gap_explains_no_more_than_it_counts() -> None:
    books = Books()
    del books.sent[1:3]
    books.sent.append(("gap", gap(6, 2, 3, count=2)))
    books.stored.append(stored_gap(6, 2, 3, 2))
    found = books.audit()
    assert found.is_clean, found.sentence()
    assert faults(found) == {"told": 2, "told_gaps": 1}

    books = Books()
    del books.sent[1:3]
    books.sent.append(("gap", gap(6, 2, 3, count=1)))
    books.stored.append(stored_gap(6, 2, 3, 1))
    assert books.audit().lost == {(EP, 3)}


def stored_gap(seq: int, first: int, last: int, count: int) -> dict[str, Any]:
    """Return a gap record as the store shows it."""
    body = {
        "lane": "telemetry",
        "from_seq": first,
        "to_seq": last,
        "count": count,
        "cause": "quota",
    }
    head = {"ep": EP, "seq": seq, "lane": "event", "dev": "_", "ts": 1000 * seq, "tq": "sync"}
    return {**head, "kind": "gap", "body": body}


def test_a_gap_of_the_other_lane_or_store_explains_nothing() -> None:
    for other in ({"lane": "event"}, {"of_ep": EP + 1}):
        books = Books()
        del books.sent[2]
        books.sent.append(("gap", {**gap(6, 3, 3, 1), **other}))
        found = books.audit()
        assert found.lost == {(EP, 3)}
        assert found.untold == {(EP, 3)}


def test_spans_that_lie_in_each_other_explain_as_much_as_they_count() -> None:
    books = Books()
    del books.sent[1:4]
    for wide in (("gap", gap(7, 1, 5, 2)), ("gap", gap(8, 2, 2, 1))):
        books.sent.append(wide)
    books.stored += [stored_gap(7, 1, 5, 2), stored_gap(8, 2, 2, 1)]
    assert books.audit().told == {(EP, 2), (EP, 3), (EP, 4)}


def test_an_open_gap_reaches_to_the_end() -> None:
    books = Books()
    del books.sent[3:]
    books.sent.append(("gap", {**gap(9, 4, 4, 2), "to": None}))
    found = books.audit()
    assert found.told == {(EP, 4), (EP, 5)}
    assert not found.lost


def test_a_refused_record_is_not_lost() -> None:
    books = Books()
    del books.sent[2]
    committed = books.committed()
    committed.take_refused([{"sink": "platform", "ep": EP, "seq": 3, "reason": "0x99"}])
    found = audit(books.served, committed, books.received())
    assert faults(found) == {"refused": 1}
    assert found.is_clean


def test_a_value_from_another_time_or_never_served_is_false() -> None:
    books = Books()
    books.stored[4]["pts"]["count"]["v"] = 10  # what was served four seconds before
    books.sent[4] = wire(books.stored[4], 4)
    found = books.audit()
    assert faults(found) == {"false": 1, "false_values": 1}
    assert (found.false_values[0].value, found.false_values[0].at_ms) == (10, 5000)
    books.stored[4]["pts"]["count"]["v"] = 999
    books.sent[4] = wire(books.stored[4], 4)
    assert faults(books.audit()) == {"false": 1, "false_values": 1}


def test_a_bad_value_is_no_false_one_and_unknown_points_are_told_apart() -> None:
    books = Books()
    books.stored[4] = stored(5)
    books.sent[4] = wire(books.stored[4], 4)
    assert faults(books.audit()) == {}
    books.stored[3] = stored(4, 40, device="em-2")
    books.sent[3] = wire(books.stored[3], 3)
    assert faults(books.audit()) == {"unchecked": 1}


def test_a_ledger_of_spans_is_a_book_too() -> None:
    books, ledger = Books(), Ledger()
    for each in books.stored:
        ledger.put("em-1", "count", each["seq"] * 10, each["ts"] - 10)
    assert audit(ledger, books.committed(), books.received()).is_clean
    books.sent[4][1]["pts"][0]["v"] = 20
    found = audit(ledger, None, books.received())
    assert faults(found) == {"false": 1, "false_values": 1}


def test_content_that_changed_on_its_way_is_unequal() -> None:
    books = Books()
    books.sent[1] = wire({**books.stored[1], "ts": 2001}, 1)
    found = books.audit()
    assert found.unequal == {(EP, 2)}
    assert faults(found) == {"false": 1, "unequal": 1}


def test_content_that_changed_on_the_disk_is_unequal() -> None:
    books = Books()
    committed = books.committed()
    committed.take_stored([stored(2, 21)])
    assert faults(audit(books.served, committed, books.received())) == {"false": 1, "unequal": 1}


def test_copies_are_duplicates_and_must_be_equal() -> None:
    books = Books()
    books.sent += [books.sent[1], ("hist", books.sent[1][1])]
    found = books.audit()
    assert faults(found) == {"duplicate": 2}
    assert found.is_clean
    books.sent.append(wire(stored(2, 30), 1))
    assert faults(books.audit()) == {"duplicate": 3, "false": 1, "unequal": 1}


def test_retained_copies_are_no_duplicates() -> None:
    books = Books()
    received = books.received()
    kind, record = books.sent[0]
    received.take_record(kind, record, is_retained=True)
    assert faults(audit(books.served, books.committed(), received)) == {}


def test_order_is_promised_to_live_records_only() -> None:
    books = Books()
    books.sent[1], books.sent[3] = books.sent[3], books.sent[1]
    found = books.audit()
    assert found.out_of_order == ((EP, 3), (EP, 2))
    books.sent[2] = ("hist", books.sent[2][1])
    books.sent[3] = ("hist", books.sent[3][1])
    assert faults(books.audit()) == {}


def test_lanes_and_devices_have_orders_of_their_own() -> None:
    books = Books()
    books.stored[1] = stored_event(2)
    books.stored[3] = stored(4, 40, device="em-2")
    books.sent = [wire(each, pv) for each, pv in zip(books.stored, (0, 0, 1, 3, 4), strict=True)]
    books.sent.append(books.sent.pop(1))
    books.sent.append(books.sent.pop(2))
    books.served.put("em-2", "count", 40, 4000)
    assert faults(books.audit()) == {}


def test_a_link_that_skips_what_was_due_is_broken() -> None:
    books = Books()
    books.sent[3][1]["pv"] = 2
    found = books.audit()
    assert found.broken == {(EP, 4)}
    assert faults(found) == {"broken": 1}
    books.sent[3][1]["pv"] = None
    assert faults(books.audit()) == {"broken": 1}


def test_what_is_not_due_breaks_no_link() -> None:
    books = Books()
    committed = CommittedBook(is_due=lambda shown: shown["seq"] != 3)
    committed.take_stored(books.stored)
    del books.sent[2]
    books.sent[2][1]["pv"] = 2
    assert faults(audit(books.served, committed, books.received())) == {}
    addressed = CommittedBook()
    addressed.take_stored([*books.stored[:2], {**books.stored[2], "sink": "other"}])
    assert len(addressed.entries) == 2


def test_what_was_never_committed_is_unmatched() -> None:
    books = Books()
    del books.stored[4]
    found = books.audit()
    assert found.unmatched == {(EP, 5)}
    assert faults(found) == {"unmatched": 1}


def test_what_cannot_be_read_is_counted() -> None:
    received = Books().received()
    received.take("fc/1/e2e/gw/up/prop/em-1", b"\xff{")
    assert faults(audit(None, None, received)) == {"unreadable": 1}


def test_snapshots_without_identity_must_be_true() -> None:
    books = Books()
    received = books.received()
    snap = {**books.sent[4][1], "seq": None, "ts": 5000}
    received.take_record("prop", snap)
    assert faults(audit(books.served, books.committed(), received)) == {}
    snap["pts"] = [{"p": "count", "v": 10}]
    received.take_record("prop", snap)
    assert audit(books.served, books.committed(), received).false_value_count == 1


def test_latencies_are_told_by_class() -> None:
    books = Books()
    committed = CommittedBook()
    received = ReceivedBook()
    for number, (kind, record) in enumerate(books.sent):
        received.take_record(kind, record, at_ms=record["ts"] + 100 * (number + 1))
    committed.take_stored(books.stored)
    committed.committed_ms[Identity(EP, 5)] = 5400
    found = audit(None, committed, received).latencies["prop"]
    assert (found.count, found.p50_ms, found.p99_ms, found.max_ms) == (5, 200, 400, 400)


def test_messages_are_taken_from_their_topics() -> None:
    received = ReceivedBook()
    items = [wire(stored(seq, seq), seq - 1)[1] for seq in (1, 2)]
    head = {"gw": "gw", "dev": "em-1", "k": "hist", "ep": EP, "seq": None}
    received.take("fc/1/e2e/gw/up/hist/em-1", json.dumps({**head, "items": items}).encode())
    received.take("fc/1/e2e/gw/up/birth/em-1", b"{}")
    received.take("fc/1/e2e/gw/dn/cmd/em-1", b"{}")
    received.take("fc/1/e2e/gw/up/state/em-1", b"")
    assert received.identities() == {(EP, 1), (EP, 2)}
    assert [arrival.kind for arrival in received.arrivals] == ["hist", "hist"]


RECORDS: list[Body] = [
    prop(1.5, 230.5, 1),
    prop(1.5, 2.0, 3.0, marks=(GOOD, GOOD, bad("crc"))),
    EventBody("e1", "odd", 2, "raised", point="u_a", value=1.5),
    StateBody(is_online=True, reason="answers", since_ms=5),
    ReplyBody("r1", "done", None),
    GapBody(Lane.TELEMETRY, 3, 4, 2, "quota"),
    LogBody("command", (("who", "me"),)),
]


@pytest.mark.parametrize("body", RECORDS, ids=lambda body: type(body).__name__)
def test_store_and_dialect_show_the_same_record(body: Body) -> None:
    record = Record(METER, 1000, TimeQuality.SYNC, body)
    committed, received = CommittedBook(), ReceivedBook()
    committed.take_appended([Committed(record, EP, 1, None)], at_ms=900)
    encoded = native("L4").encode([Committed(record, EP, 1, 0)], NOW, is_backfill=False)
    for publication in encoded.publications:
        received.take(publication.topic, publication.payload, at_ms=1200)
    found = audit(None, committed, received)
    assert found.unequal == frozenset(), found.sentence()
    assert [latency.max_ms for latency in found.latencies.values()] == [300]
    other = CommittedBook()
    other.take_appended([Committed(replace(record, ts_ms=1001), EP, 1, None)])
    assert len(audit(None, other, received).unequal) == 1
