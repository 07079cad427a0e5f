"""The native dialect upwards: every record kind as a message that its schema accepts."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.native.dialect import HIST_BYTES, HIST_POINTS
from gateway.model.clock import TimeQuality
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.publication import Publication
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, bad
from gateway.model.reading import PointColumn, Value
from gateway.model.record import (
    Body,
    Committed,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    PropBody,
    Record,
    ReplyBody,
    StateBody,
)
from tests.support.natives import (
    EP,
    GATE,
    GATE_COLUMN,
    METER,
    NOW,
    births,
    committed,
    gate,
    meter,
    native,
    prop,
    said,
)
from tests.support.payloads import checked

GOLDEN = Path(__file__).parent / "native"
LEAK = EventBody("01KAQW7Z", "leak", 3, "raised", "is_open", True, True, "property", "b 3")
BODIES: dict[str, tuple[DeviceId, Body]] = {
    "prop": (METER, prop(12345.67, 230.0, 3)),
    "prop-bad": (METER, prop(12345.67, 230.1, None, marks=(GOOD, SIMULATED, bad("timeout")))),
    "prop-stale": (METER, prop(1.5, 2.5, 3.5, marks=(GOOD, GOOD, Mark(Quality.STALE, "leased")))),
    "prop-snapshot": (METER, prop(1.5, 2.5, 3.5, offsets_ms=(0, -900000, 0), is_snapshot=True)),
    "prop-mixed": (GATE, prop("open", True, "浙A12345", column=GATE_COLUMN)),
    "event": (GATE, LEAK),
    "event-of-the-gateway": (GATEWAY_ITSELF, EventBody("e1", "clock_step", 1, "raised")),
    "state": (METER, StateBody(False, "timeout", 1763888399000)),
    "reply": (
        GATE,
        ReplyBody(
            "7f1c",
            "done",
            point="gate_cmd",
            value="open",
            readback=prop("open", True, None, column=GATE_COLUMN),
        ),
    ),
    "reply-rejected": (GATE, ReplyBody("7f1d", "rejected", "not_allowed", "no rule")),
    "gap": (GATEWAY_ITSELF, GapBody(Lane.TELEMETRY, 1, 1000, 1000, "quota", 5, 6)),
    "gap-of-another-store": (GATEWAY_ITSELF, GapBody(Lane.EVENT, None, None, 3, "lost", ep=42)),
    "log": (GATEWAY_ITSELF, LogBody("line", (("line", "meters"), ("why", 'gone "x"')))),
}


def _as_golden(publication: Publication) -> dict[str, Any]:
    return {
        "topic": publication.topic,
        "retained": publication.is_retained,
        "payload": checked(publication.topic, publication.payload),
    }


def _golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BODIES)
def test_a_record_becomes_the_message_of_its_golden_file(name: str) -> None:
    device, body = BODIES[name]
    encoded = said([committed(body, device)])
    (publication,) = encoded.publications
    assert publication.covers == (10,)
    assert encoded.withheld == ()
    assert _as_golden(publication) == _golden(name)


def test_the_golden_files_are_all_used() -> None:
    used = {*BODIES, "hist", "connected", "goodbye", "will"}
    assert {path.stem for path in GOLDEN.glob("*.json")} == used


def test_what_a_connection_begins_and_ends_with_is_golden() -> None:
    dialect = native()
    spec = dialect.connect_spec(NOW)
    assert spec.will is not None
    will = Publication(spec.will.topic, spec.will.payload, Lane.EVENT, is_retained=True)
    assert _as_golden(will) == _golden("will")
    said = dialect.connected(births(), (), NOW)
    assert [_as_golden(one) for one in said] == _golden("connected")
    assert [_as_golden(one) for one in dialect.goodbye(NOW)] == _golden("goodbye")
    assert (spec.client_id, spec.subscriptions[0].topic) == ("gw-03", "fc/1/hz-fc-001/gw-03/dn/+/+")


def test_history_gathers_records_of_a_device_with_their_own_identity() -> None:
    batch = [
        committed(prop(float(n), 230.1, 0.5), seq=n, pv=n - 1 or None, age_ms=60_000 - n)
        for n in range(1, 4)
    ]
    batch.append(committed(prop("open", True, None, column=GATE_COLUMN), GATE, seq=4, pv=3))
    encoded = said(batch, is_backfill=True)
    assert [p.covers for p in encoded.publications] == [(1, 2, 3), (4,)]
    assert [_as_golden(p) for p in encoded.publications] == _golden("hist")


def test_telemetry_older_than_thirty_seconds_is_history_and_events_never_are() -> None:
    batch = [
        committed(prop(1.0, 2.0, 3.0), seq=1, age_ms=30_000),
        committed(prop(1.0, 2.0, 3.0), seq=2, age_ms=30_001),
        committed(prop(1.0, 2.0, 3.0, is_snapshot=True), seq=3, age_ms=900_000),
        committed(LEAK, GATE, seq=4, age_ms=900_000),
    ]
    encoded = native().encode(batch, NOW, is_backfill=False)
    found = {p.covers[0]: p.topic.split("/")[5] for p in encoded.publications}
    assert found == {1: "prop", 2: "hist", 3: "prop", 4: "event"}


def test_history_messages_are_bounded_in_points_and_bytes() -> None:
    many = [committed(prop(1.0, 2.0, 3.0), seq=n) for n in range(1, 1002)]
    wide = [
        committed(prop("x" * 500, None, None), seq=n)  # a text as long as texts get
        for n in range(2000, 2300)
    ]
    chinese = [committed(prop("值" * 500, None, None), seq=n) for n in range(3000, 3200)]
    for batch in (many, wide, chinese):
        published = native().encode(batch, NOW, is_backfill=True).publications
        seqs = [seq for p in published for seq in p.covers]
        assert seqs == [c.seq for c in batch]
        for one in published:
            items = checked(one.topic, one.payload)["items"]
            assert sum(len(item["pts"]) for item in items) <= HIST_POINTS
            assert len(one.payload) <= HIST_BYTES + 1000


def test_identity_and_sample_time_survive_a_resend_and_only_the_publish_time_moves() -> None:
    dialect, record = native(), committed(prop(1.0, 2.0, 3.0))
    later = type(NOW)(NOW.ms + 5, TimeQuality.HOLDOVER)
    first, second = (
        checked(p.topic, p.payload)
        for now in (NOW, later)
        for p in dialect.encode([record], now, is_backfill=False).publications
    )
    assert (first.pop("tp"), second.pop("tp")) == (NOW.ms, later.ms)
    assert first == second


def test_an_older_state_does_not_replace_a_newer_one_at_the_broker() -> None:
    dialect = native()
    offline, online = (
        committed(StateBody(is_on, "timeout", 1763888399000), METER, seq=seq)
        for is_on, seq in ((False, 7), (True, 8))
    )
    retained = [
        (publication.covers, publication.is_retained)
        for one in (online, offline, online)  # the older one waited, and comes behind
        for publication in dialect.encode([one], NOW, is_backfill=False).publications
    ]
    assert retained == [((8,), True), ((7,), False), ((8,), True)]


def test_numbers_keep_their_type_in_the_text() -> None:
    (one,) = (
        native()
        .encode([committed(prop(230.0, 12, 0.1 + 0.2))], NOW, is_backfill=False)
        .publications
    )
    assert b'"v":230.0}' in one.payload
    assert b'"v":12}' in one.payload
    assert b'"v":0.30000000000000004}' in one.payload


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused_and_never_sent(value: float) -> None:
    for body in (prop(1.0, value, 2.0), prop("x", value, 2.0)):
        with pytest.raises(ValueError, match="no JSON number"):
            native().encode([committed(body)], NOW, is_backfill=False)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values in a column of 3"):
        native().encode([committed(prop(1.0, 2.0))], NOW, is_backfill=False)


def test_records_of_a_removed_device_that_still_wait_are_sent() -> None:
    dialect = native()
    dialect.reloaded(births(devices=[gate()]), NOW)
    encoded = dialect.encode([committed(prop(1.0, 2.0, 3.0))], NOW, is_backfill=False)
    assert len(encoded.publications) == 1


def test_a_reload_sends_births_that_changed_and_clears_devices_that_went() -> None:
    dialect = native()
    assert dialect.reloaded(births(), NOW) == ()
    moved = births(devices=[meter()], level="L4")
    said = dialect.reloaded(moved, NOW)
    topics = [(p.topic.split("/up/")[1], bool(p.payload), p.is_retained) for p in said]
    assert topics == [
        ("birth/_", True, True),
        ("birth/em-01", True, True),
        ("birth/gate-01", False, True),
        ("state/gate-01", False, True),
    ]


def test_devices_that_went_while_we_were_away_are_cleared_at_connect() -> None:
    said = native().connected(births(), (DeviceId("em-77"),), NOW)
    assert [(p.topic.split("/up/")[1], p.payload) for p in said[-2:]] == [
        ("birth/em-77", b""),
        ("state/em-77", b""),
    ]


def test_rooms_are_named_only_to_sinks_that_may_know_them() -> None:
    for level, places in (("L2", {"bldg", "floor"}), ("L3", {"bldg", "floor", "room"})):
        assert set(births(level)[0].location) == places


def test_the_fast_text_equals_what_a_plain_encoder_says() -> None:
    values: list[Value | None] = [1, -5, 2.5, 1e300, 5e-324, -0.0, 2**60, "ä%s\n", True, None]
    points = tuple(PointId(f"p{n}") for n in range(len(values)))
    units: tuple[str | None, ...] = ("V", "%", None, "m3/h", "Cel", '"', "{x}", None, None, None)
    column = PointColumn(points, units)
    marks = tuple(GOOD if n % 2 else bad("exception:2") for n in range(len(values)))
    device = _device_with(points)
    dialect = native()
    dialect.connected(births(devices=[device]), (), NOW)
    for body in (
        PropBody(column, tuple(values), None),
        PropBody(column, tuple(values), marks),
        PropBody(column, tuple(values), marks, tuple(-n for n in range(len(values)))),
        PropBody(PointColumn(points[:7], units[:7]), tuple(values[:7]), None),
    ):
        (one,) = dialect.encode([committed(body)], NOW, is_backfill=False).publications
        found = checked(one.topic, one.payload)["pts"]
        assert json.dumps(found) == json.dumps(_slow(body))


def _device_with(points: tuple[PointId, ...]) -> Any:
    from tests.support.points import a_device, a_point  # noqa: PLC0415

    return a_device(METER, [a_point(point, level="L1") for point in points])


def _slow(body: PropBody) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index, point in enumerate(body.column.points):
        one: dict[str, Any] = {"p": point}
        if body.column.units[index] is not None:
            one["u"] = body.column.units[index]
        one["v"] = body.values[index]
        if body.marks is not None and body.marks[index].quality is not Quality.GOOD:
            one["q"] = int(body.marks[index].quality)
        if body.marks is not None and body.marks[index].reason is not None:
            one["qr"] = body.marks[index].reason
        if body.offsets_ms is not None and body.offsets_ms[index]:
            one["t"] = body.offsets_ms[index]
        found.append(one)
    return found


def test_names_that_need_escaping_are_escaped() -> None:
    body = LogBody('a"b', (("k\\", "line\nbreak"),))
    encoded = native().encode([committed(body, GATEWAY_ITSELF)], NOW, is_backfill=False)
    found = checked(encoded.publications[0].topic, encoded.publications[0].payload)
    assert (found["topic"], found["fields"]) == ('a"b', {"k\\": "line\nbreak"})


def test_time_quality_is_that_of_the_record() -> None:
    record = Record(METER, NOW.ms, TimeQuality.UNSYNC, prop(1.0, 2.0, 3.0))
    (one,) = native().encode([Committed(record, EP, 1, None)], NOW, is_backfill=False).publications
    assert checked(one.topic, one.payload)["tq"] == "unsync"


def test_a_reply_for_a_device_that_nobody_knows_is_sent() -> None:
    body = ReplyBody("7", "rejected", "no_device", "there is no such device")
    encoded = native().encode([committed(body, DeviceId("em-99"))], NOW, is_backfill=False)
    found = checked(encoded.publications[0].topic, encoded.publications[0].payload)
    assert found["kind"] == "unknown"
