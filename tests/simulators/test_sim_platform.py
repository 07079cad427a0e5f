"""The platform side finds what is lost, doubled and false."""

from __future__ import annotations

import json
from typing import Any

from simulators.ledger import Ledger
from simulators.platform import Auditor


def envelope(seq: int, pv: int | None, value: object = 230.1, **more: Any) -> dict[str, Any]:
    return {
        "v": "1.0", "k": "prop", "gw": "g1", "dev": "em-01", "ep": 42, "seq": seq, "pv": pv,
        "ts": 1000 * seq, "tp": 1000 * seq + 5, "pts": [{"p": "u_a", "v": value, "u": "V"}], **more,
    }  # fmt: skip


def take(
    auditor: Auditor, record: dict[str, Any], kind: str = "prop", device: str = "em-01"
) -> None:
    auditor.take(f"fc/1/s1/g1/up/{kind}/{device}", json.dumps(record).encode())


def test_records_are_counted_once() -> None:
    auditor = Auditor()
    for record in (envelope(1, None), envelope(2, 1), envelope(2, 1), envelope(3, 2)):
        take(auditor, record)
    assert (auditor.received, auditor.duplicates, auditor.conflicts, auditor.lost) == (3, 1, 0, 0)


def test_a_missing_predecessor_is_lost_until_it_comes() -> None:
    auditor = Auditor()
    take(auditor, envelope(1, None))
    take(auditor, envelope(3, 2))
    assert auditor.lost == 1
    take(auditor, {**envelope(2, 1), "k": "hist"}, "hist")
    assert auditor.lost == 0


def test_one_identity_with_two_contents_is_a_conflict() -> None:
    auditor = Auditor()
    take(auditor, envelope(1, None, 230.1))
    take(auditor, envelope(1, None, 230.2))
    assert (auditor.duplicates, auditor.conflicts) == (1, 1)


def test_a_history_message_carries_several_records() -> None:
    auditor = Auditor()
    items = [
        {"ep": 42, "seq": seq, "pv": seq - 1 or None, "ts": seq, "pts": [{"p": "u_a", "v": 1.0}]}
        for seq in (1, 2, 3)
    ]
    take(auditor, {"v": "1.0", "k": "hist", "gw": "g1", "dev": "em-01", "items": items}, "hist")
    assert (auditor.received, auditor.lost, auditor.values) == (3, 0, 3)
    assert not auditor.latest


def test_a_value_that_never_was_is_false() -> None:
    ledger = Ledger()
    ledger.put("em-01", "u_a", 230.1, 500)
    auditor = Auditor(ledger)
    take(auditor, envelope(1, None, 230.1))
    take(auditor, envelope(2, 1, 99.9))
    assert auditor.false_count == 1
    assert auditor.false[0].value == 99.9


def test_bad_values_and_unknown_points_are_not_judged() -> None:
    auditor = Auditor(Ledger())
    take(auditor, envelope(1, None, 230.1))
    take(auditor, envelope(2, 1, pts=[{"p": "u_a", "v": None, "q": 0, "qr": "timeout"}]))
    assert (auditor.false_count, auditor.unchecked) == (0, 1)
    latest = auditor.latest["em-01", "u_a"]
    assert (latest.value, latest.quality, latest.reason) == (None, 0, "timeout")


def test_the_newest_value_is_kept_with_its_own_time() -> None:
    auditor = Auditor()
    take(auditor, envelope(2, 1, 2.0))
    take(auditor, envelope(1, None, 1.0))
    assert auditor.latest["em-01", "u_a"].value == 2.0
    take(auditor, envelope(3, 2, pts=[{"p": "i_a", "v": 5, "t": -500}]))
    assert auditor.latest["em-01", "i_a"].ts_ms == 2500


def test_events_and_states_are_seen() -> None:
    auditor = Auditor()
    event = {"gw": "g1", "ep": 42, "seq": 1, "pv": None, "ts": 5, "eid": "e1", "type": "leak"}
    take(auditor, {**event, "st": "raised", "sev": 3}, "event", "leak-1")
    take(auditor, {"online": False, "reason": "timeout"}, "state", "em-09")
    assert auditor.events[0].state == "raised"
    assert auditor.online == {"em-09": False}


def test_what_is_no_message_of_ours_is_counted_or_passed_over() -> None:
    auditor = Auditor()
    auditor.take("other/topic", b"x")
    auditor.take("fc/1/s1/g1/up/prop/em-01", b"{")
    auditor.take("fc/1/s1/g1/up/prop/em-01", b"[1]")
    assert (auditor.messages, auditor.unreadable, auditor.received) == (2, 2, 0)
