"""What a sink makes of refusals, echoes, silence: the pure parts."""

from __future__ import annotations

from gateway.app.outward.standing import ROOM, UNHEARD_S, Standing, Unheard, known_of
from gateway.app.sinks.backfill import FIRST_RECORD_BYTES, MOST_RECORDS, Backfill
from gateway.app.sinks.canary import EVERY_S, SILENT_S, Canary, Proof, Unproven
from gateway.app.sinks.streams import AT_ONCE, Streams, stream_of
from gateway.dialects.contract import Now
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, SinkName
from gateway.model.publication import Publication
from gateway.model.record import EventBody, Lane, Record, StateBody
from gateway.outbox.rows import Refusal

SINK = SinkName("city")
WHY = "Not authorized (0x87)"


def refusal(seq: int, device: str = "em-1", *, is_state: bool = False) -> Refusal:
    body = StateBody(True, "answers", 1) if is_state else EventBody(f"e{seq}", "leak", 3, "raised")
    record = Record(DeviceId(device), seq, TimeQuality.SYNC, body)
    return Refusal(SINK, 7, seq, 0, WHY, record, seq - 1)


# --- streams


def test_one_record_of_each_refused_stream_is_tried() -> None:
    kept = [refusal(1), refusal(2), refusal(3, "em-2"), refusal(4, is_state=True), refusal(5)]
    streams = Streams()
    again = streams.again(kept)
    assert [each.seq for each in again.chosen] == [1, 3, 4]
    assert again.probes == {1, 3, 4}
    assert again.is_all
    assert len(streams) == 3, "after a start the store says what is refused"
    assert again.chosen[0].pv == 0


def test_when_the_one_is_taken_all_of_its_stream_go_in_order() -> None:
    kept = [refusal(1), refusal(2), refusal(3, "em-2"), refusal(5)]
    streams = Streams()
    streams.again(kept)
    stream = stream_of(kept[0].record)
    assert streams.taken(stream)
    assert not streams.taken(stream)
    streams.open(stream)
    again = streams.again(kept[1:])
    assert [each.seq for each in again.chosen] == [2, 3, 5]
    assert again.probes == {3}
    assert streams.why(stream) is None
    assert streams.why(stream_of(kept[2].record)) == WHY


def test_an_opened_stream_that_is_refused_again_is_refused() -> None:
    streams = Streams()
    kept = [refusal(1), refusal(2)]
    stream = stream_of(kept[0].record)
    streams.open(stream)
    streams.refused(stream, WHY)
    assert streams.again(kept).probes == {1}


def test_a_long_queue_goes_in_pieces() -> None:
    kept = [refusal(seq) for seq in range(1, AT_ONCE + 50)]
    streams = Streams()
    streams.open(stream_of(kept[0].record))
    again = streams.again(kept)
    assert len(again.chosen) == AT_ONCE
    assert not again.is_all


def test_an_opened_stream_of_which_nothing_is_kept_is_forgotten() -> None:
    streams = Streams()
    stream = stream_of(refusal(1).record)
    streams.open(stream)
    streams.again([])
    assert streams.again([refusal(9)]).probes == {9}


# --- canary


def proven() -> Canary:
    canary = Canary()
    canary.connected(is_needed=True, is_possible=True)
    canary.sent(b"1", 0.0)
    canary.heard(b"1")
    assert canary.proof is Proof.PROVEN
    return canary


def test_on_mqtt_5_an_acknowledgement_is_enough() -> None:
    canary = Canary()
    canary.connected(is_needed=False, is_possible=True)
    assert canary.acknowledged(Lane.EVENT, (1,))
    assert not canary.is_due(1e9)


def test_what_was_acknowledged_counts_when_a_later_echo_came() -> None:
    canary = proven()
    assert not canary.acknowledged(Lane.EVENT, (1,))
    canary.sent(b"2", 20.0)
    assert not canary.acknowledged(Lane.TELEMETRY, (2, 3))
    assert canary.heard(b"1") == ()
    assert canary.heard(b"2") == [Unproven(Lane.EVENT, (1,))]
    canary.sent(b"3", 40.0)
    assert canary.heard(b"3") == [Unproven(Lane.TELEMETRY, (2, 3))]


def test_an_echo_that_stays_away_after_others_came_is_a_refusal() -> None:
    canary = proven()
    canary.acknowledged(Lane.EVENT, (1,))
    canary.sent(b"2", 100.0)
    canary.acknowledged(Lane.EVENT, (2,))
    assert canary.late(100.0 + SILENT_S / 2) is None
    late = canary.late(100.0 + SILENT_S)
    assert late == [Unproven(Lane.EVENT, (1,)), Unproven(Lane.EVENT, (2,))]
    assert canary.holds_back
    assert canary.is_due(100.0 + SILENT_S + EVERY_S)
    canary.sent(b"3", 200.0)
    canary.heard(b"3")
    assert not canary.holds_back
    assert EVERY_S + SILENT_S <= 60, "seen within a minute"


def test_without_any_echo_ever_nothing_is_held() -> None:
    canary = Canary()
    canary.connected(is_needed=True, is_possible=True)
    canary.sent(b"1", 0.0)
    assert not canary.acknowledged(Lane.EVENT, (1,))
    assert canary.late(SILENT_S) == [Unproven(Lane.EVENT, (1,))]
    assert canary.proof is Proof.IMPOSSIBLE
    assert canary.acknowledged(Lane.EVENT, (2,))
    canary.connected(is_needed=True, is_possible=False)
    assert canary.proof is Proof.IMPOSSIBLE


# --- what stands


def now(ms: int) -> Now:
    return Now(ms, TimeQuality.SYNC)


def test_what_stands_is_told_once_and_ends_once_over_a_restart() -> None:
    standing = Standing(SINK, {})
    told = standing.compare({"stream_refused": "x"}, now(5), may_clear=True)
    assert told is not None
    assert standing.compare({"stream_refused": "y"}, now(6), may_clear=True) is None
    states = {change.key: change.value for change in told.changes}
    assert all(change.room == ROOM for change in told.changes)
    body = told.records[0].body
    assert isinstance(body, EventBody)
    assert (body.state, body.detail) == ("raised", "sink city: x")

    later = Standing(SINK, known_of(SINK, {**states, "other/stream_refused": "z"}))
    assert later.compare({}, now(7), may_clear=False) is None
    ended = later.compare({}, now(8), may_clear=True)
    assert ended is not None
    cleared = ended.records[0].body
    assert isinstance(cleared, EventBody)
    assert (cleared.eid, cleared.state) == (body.eid, "cleared")
    assert ended.changes[0].value is None


def test_nobody_listens_when_for_a_while_all_went_to_nobody() -> None:
    unheard = Unheard()
    unheard.delivered(0.0, to_nobody=True)
    unheard.look(UNHEARD_S / 2)
    assert not unheard.is_so
    unheard.look(UNHEARD_S)
    assert unheard.is_so
    unheard.delivered(UNHEARD_S, to_nobody=False)
    assert not unheard.is_so
    unheard.delivered(UNHEARD_S + 1, to_nobody=True)
    assert unheard.someone_listens(UNHEARD_S + 1)


# --- backfill


def test_backfill_keeps_to_its_share_but_one_always_goes() -> None:
    backfill = Backfill()
    assert backfill.has_room(0, 0)
    backfill.sent(5000)
    assert not backfill.has_room(30, 600)
    assert backfill.has_room(30, 10_000)
    backfill.settled(5000)
    assert backfill.has_room(1, 1)


def test_a_piece_of_backfill_is_what_the_link_carries() -> None:
    backfill = Backfill()
    assert backfill.piece(1 << 20) == MOST_RECORDS
    assert backfill.piece(1000) == int(1000 / FIRST_RECORD_BYTES)
    for _ in range(50):
        backfill.learn(10, [Publication("t", b"x" * 5000, Lane.TELEMETRY, tuple(range(10)))])
    assert backfill.piece(2000) == 4
    assert backfill.piece(1) == 1
