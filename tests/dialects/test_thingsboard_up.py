"""ThingsBoard upwards: every record kind, rows of many devices in one message, and its limits."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.contract import Encoded, Now
from gateway.dialects.options import BadOption, made
from gateway.dialects.thingsboard.dialect import DIALECT, LONGEST_GREETING_MS, ThingsBoard
from gateway.dialects.thingsboard.options import ThingsBoardOptions
from gateway.dialects.thingsboard.pack import json_value
from gateway.dialects.thingsboard.up import SEVERITIES
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.quality import GOOD, bad
from gateway.model.record import Body, Committed, EventBody, ReplyBody, StateBody
from tests.support.named_platforms import (
    RECORDS,
    SECRET,
    SECRET_NAME,
    arrival,
    golden,
    golden_text,
    is_whole,
    setup_of,
)
from tests.support.natives import GATE, METER, NOW, births, committed, prop

GOLDEN = Path(__file__).parent / "thingsboard"
DEVICES: dict[str, Any] = {
    "em-01": {"name": "Meter 1", "type": "meter", "names": {"u_a": "voltage"}}
}
REPLIES: dict[str, tuple[DeviceId, Body]] = {
    "reply": (
        METER,
        ReplyBody("rpc|7|5|Meter 1", "done", None, None, "u_a", 230.0, prop(1.0, 230.0, 2.0)),
    ),
    "reply-without-a-readback": (
        METER,
        ReplyBody("rpc|8|5|Meter 1", "done", None, None, "u_a", 230.0),
    ),
    "reply-refused": (
        METER,
        ReplyBody("rpc|9|5|Meter 1", "rejected", "not_allowed", "no rule"),
    ),
    "reply-of-the-gateway": (
        GATEWAY_ITSELF,
        ReplyBody("me|3|5|", "rejected", "no_device", "there is no device _"),
    ),
}
ALL = {**RECORDS, **REPLIES, "state-online": (METER, StateBody(True, "answers", 1763888399000))}
LONGEST_DECIMALS = 16


def thingsboard(**options: Any) -> ThingsBoard:
    """Return a dialect that is connected, and knows meter and gate."""
    dialect = ThingsBoard(setup_of({"token": SECRET_NAME, "audit": True, **options}, DEVICES))
    dialect.connect_spec(NOW)
    for publication in dialect.connected(births(), (), NOW):
        publication.leaving()
    return dialect


def said(*batch: Committed, **options: Any) -> Encoded:
    return thingsboard(**options).encode(batch, NOW, is_backfill=False)


def rows(encoded: Encoded) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of telemetry by device."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in encoded.publications:
        for name, some in json.loads(one.payload).items():
            found.setdefault(name, []).extend(some)
    return found


@pytest.mark.parametrize("name", ALL)
def test_a_record_becomes_the_messages_of_its_golden_file(name: str) -> None:
    device, body = ALL[name]
    encoded = said(committed(body, device))
    assert golden_text(encoded.publications) == golden(GOLDEN, name)
    assert is_whole(encoded, [10])


def test_the_golden_files_are_all_used() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*ALL, "connected", "without-quality"}


def test_what_a_connection_begins_with_is_golden_and_it_ends_without_a_word() -> None:
    begun = thingsboard().connected(births(), (DeviceId("em-99"),), NOW)
    assert golden_text(begun) == golden(GOLDEN, "connected")
    assert thingsboard().goodbye(NOW) == ()


def test_quality_may_be_left_out() -> None:
    encoded = said(committed(ALL["prop-bad"][1]), quality="omit")
    assert golden_text(encoded.publications) == golden(GOLDEN, "without-quality")
    nothing = said(committed(ALL["prop-all-bad"][1]), quality="omit")
    assert nothing == Encoded((), (10,))


# --- values


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (230.0, "230.0"),
        (230, "230"),
        (True, "true"),
        (-0.1, "-0.1"),
        (0.1 + 0.2, "0.3"),
        (1e16, "10000000000000000.0"),
        (1e-7, "0.0000001"),
        (5e-324, "0.0"),
        ("浙A", '"浙A"'),
    ],
)
def test_a_value_is_written_so_that_the_server_keeps_its_type(value: Any, written: str) -> None:
    assert json_value(value) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_a_double_there(value: float) -> None:
    written = json_value(value)
    number = Decimal(written)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    assert -exponent <= LONGEST_DECIMALS, "JsonConverter: a longer one becomes a text"
    assert "." in written
    assert "e" not in written.lower(), "JsonConverter.isSimpleDouble: else it becomes a long"
    assert abs(float(written) - value) <= 1e-16


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_value_that_is_no_number_is_refused_and_not_sent(value: float) -> None:
    with pytest.raises(ValueError, match="no JSON number"):
        said(committed(prop(value, 1.0, 2.0)))


def test_records_of_many_devices_share_messages_and_each_has_its_own_time() -> None:
    batch = [
        committed(prop(1.0, 2.0, 3.0), DeviceId(f"em-{n}"), seq=n, age_ms=86_400_000 - n)
        for n in range(10, 13)
    ]
    encoded = thingsboard().encode(batch, NOW, is_backfill=True)
    (message,) = encoded.publications
    assert message.covers == (10, 11, 12)
    assert [[row["ts"] for row in some] for some in rows(encoded).values()] == [
        [NOW.ms - 86_400_000 + n] for n in range(10, 13)
    ]


def test_quality_is_told_when_it_changes_and_again_after_a_connect() -> None:
    dialect = thingsboard()

    def told(*marks: Any, seq: int) -> dict[str, Any]:
        record = committed(prop(1.0, 2.0, 3.0, marks=marks or None), seq=seq)
        values = rows(dialect.encode([record], NOW, is_backfill=False))["Meter 1"][0]["values"]
        return {key: value for key, value in values.items() if key.endswith("__q")}

    assert told(seq=1) == {"ep_imp__q": "good", "voltage__q": "good", "i_a__q": "good"}
    assert told(seq=2) == {}
    assert told(GOOD, bad("crc"), GOOD, seq=3) == {"voltage__q": "crc"}
    assert told(GOOD, bad("crc"), GOOD, seq=4) == {}
    assert told(seq=5) == {"voltage__q": "good"}
    dialect.connected(births(), (), NOW)
    assert len(told(seq=6)) == 3, "what was on its way may have been lost"


def test_old_values_do_not_tell_the_newest_quality() -> None:
    dialect = thingsboard()
    doubtful = committed(prop(1.0, 2.0, None, marks=(GOOD, GOOD, bad("timeout"))), seq=1)
    dialect.encode([doubtful], NOW, is_backfill=True)
    live = dialect.encode([committed(prop(1.0, 2.0, 3.0), seq=2)], NOW, is_backfill=False)
    assert rows(live)["Meter 1"][0]["values"]["i_a__q"] == "good"


# --- limits


def test_a_batch_is_split_where_a_message_would_be_too_long() -> None:
    batch = [committed(prop(1.5, 2.5, 3.5), seq=n, age_ms=1000 - n) for n in range(10, 60)]
    encoded = said(*batch, max_message=1000)
    assert len(encoded.publications) > 1
    assert max(len(one.payload) for one in encoded.publications) <= 1000
    assert is_whole(encoded, range(10, 60))
    assert [row["ts"] for row in rows(encoded)["Meter 1"]] == [
        NOW.ms - 1000 + n for n in range(10, 60)
    ]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=30),
    st.sampled_from([1000, 1500, 4000]),
    st.booleans(),
)
def test_nothing_is_lost_by_splitting(lengths: list[int], limit: int, of_gateway: bool) -> None:  # noqa: FBT001 - generated
    texts = ["值" * length for length in lengths]
    device = GATEWAY_ITSELF if of_gateway else METER
    batch = [
        committed(prop(text, 1.0, text[:3]), device, seq=n, age_ms=1000 - n)
        for n, text in enumerate(texts)
    ]
    encoded = said(*batch, max_message=limit)
    assert is_whole(encoded, range(len(texts)))
    found: list[Any] = []
    for one in encoded.publications:
        body = json.loads(one.payload)
        found.extend(body if of_gateway else body["Meter 1"])
        is_one_value = len(body if of_gateway else body["Meter 1"]) == 1
        assert len(one.payload) <= limit or is_one_value
    assert [row["values"]["ep_imp"] for row in found if "ep_imp" in row["values"]] == texts


def test_a_record_of_several_messages_is_done_with_the_last_of_them() -> None:
    long = committed(prop("a" * 700, "b" * 700, "c" * 700), seq=5)
    encoded = said(long, max_message=1000)
    assert [one.covers for one in encoded.publications] == [(), (), (5,)]


@pytest.mark.parametrize(
    ("told", "limit"),
    [
        ({"maxPayloadSize": 2128}, 2000),
        ({"maxPayloadSize": 1_000_000}, 60_000),
        ({"maxPayloadSize": 5}, 1000),
        ({"maxPayloadSize": 0}, 60_000),
        ({"maxPayloadSize": "2128"}, 60_000),
        ({}, 60_000),
        (b"[]", 60_000),
    ],
)
def test_the_platform_tells_how_long_a_message_may_be(told: object, limit: int) -> None:
    dialect = thingsboard()
    dialect.received(arrival("v1/devices/me/rpc/response/1", told), NOW)
    batch = [committed(prop(1.5, 2.5, 3.5), seq=n, age_ms=9000 - n) for n in range(3000)]
    sizes = [len(one.payload) for one in dialect.encode(batch, NOW, is_backfill=True).publications]
    assert limit - 100 < max(sizes) <= limit


def test_what_a_device_is_fits_too_and_what_cannot_is_left_out() -> None:
    many = replace(
        births()[0],
        title={"en": "A" * 400},
        location={"bldg": "B" * 400},
        points=tuple(replace(births()[0].points[0], id=PointId(f"point_{n}")) for n in range(60)),
    )
    begun = thingsboard(max_message=1000).connected((many,), (), NOW)
    attributes = [one for one in begun if one.topic == "v1/gateway/attributes"]
    assert all(len(one.payload) <= 1000 for one in attributes)
    told = {
        key: value
        for one in attributes
        for key, value in json.loads(one.payload)["Meter 1"].items()
    }
    assert told.keys() == {"kind", "vendor", "model", "title", "place"}, (
        "not the units of 60 points"
    )


# --- events and states


def test_two_points_that_raise_the_same_type_stand_apart() -> None:
    events = [
        committed(EventBody("e1", "leak", 3, "raised", "is_open", True), GATE, seq=1),
        committed(EventBody("e2", "leak", 3, "raised", "plate", True), GATE, seq=2),
        committed(EventBody("e1", "leak", 3, "cleared", "is_open", False), GATE, seq=3),
    ]
    stands: dict[str, Any] = {}
    for one in said(*events).publications:
        if one.topic == "v1/gateway/attributes":
            stands.update(json.loads(one.payload)["gate-01"])
    assert (stands["alarm_leak_is_open"], stands["alarm_leak_plate"]) == (False, True)


def test_a_step_that_waited_does_not_raise_again_what_was_cleared() -> None:
    dialect = thingsboard()
    stands: list[bool] = []
    for seq, state in ((9, "cleared"), (5, "raised")):
        event = committed(EventBody("e1", "leak", 3, state, "is_open", True), GATE, seq=seq)
        told = dialect.encode([event], NOW, is_backfill=False).publications
        assert rows(Encoded(told[:1]))["gate-01"], "as telemetry, whenever it comes"
        attributes = [one for one in told if one.topic == "v1/gateway/attributes"]
        stands += [json.loads(one.payload)["gate-01"]["alarm_leak_is_open"] for one in attributes]
        assert told[-1].covers == (seq,)
    assert stands == [False]


def test_severities_are_those_of_the_platform() -> None:
    assert SEVERITIES == ("INDETERMINATE", "WARNING", "MINOR", "MAJOR", "CRITICAL")
    for severity, word in enumerate(SEVERITIES):
        event = committed(EventBody("e", "leak", severity, "raised"), GATE)
        row = rows(Encoded(said(event).publications[:1]))["gate-01"][0]
        assert row["values"]["event_leak"]["severity"] == word


def test_what_there_is_no_word_for_is_withheld() -> None:
    records = [
        committed(StateBody(True, "ok", 1), GATEWAY_ITSELF, seq=1),
        committed(ReplyBody("rpc|1|2|Meter 1", "accepted"), seq=2),
        committed(ALL["log"][1], GATEWAY_ITSELF, seq=3),
    ]
    assert said(*records, audit=False) == Encoded((), (1, 2, 3))


# --- connection and devices


def topics(publications: Any) -> list[str]:
    return [f"{one.topic} {one.payload.decode()[:25]}" for one in publications]


def test_the_token_is_the_user_name_and_asked_for_anew_at_every_connect() -> None:
    spec = thingsboard().connect_spec(NOW)
    assert (spec.username, spec.password, spec.will) == (SECRET, None, None)
    assert [one.topic for one in spec.subscriptions] == [
        "v1/gateway/rpc",
        "v1/devices/me/rpc/request/+",
        "v1/devices/me/rpc/response/+",
    ]
    basic = ThingsBoard(setup_of({}, {})).connect_spec(NOW)
    assert basic.username is None, "MQTT Basic: the sink's own user name and password"


def test_a_device_that_is_offline_is_said_to_be_at_the_next_connect() -> None:
    dialect = thingsboard(attributes=False)
    dialect.encode([committed(StateBody(False, "timeout", 1))], NOW, is_backfill=False)
    begun = topics(dialect.connected(births(), (), NOW))[2:]
    assert begun == [
        'v1/gateway/connect {"device":"Meter 1","type',
        'v1/gateway/connect {"device":"gate-01","type',
        'v1/gateway/attributes {"Meter 1":{"online":fals',
        'v1/gateway/disconnect {"device":"Meter 1"}',
    ]
    dialect.encode([committed(StateBody(True, "answers", 2))], NOW, is_backfill=False)
    assert "disconnect" not in "".join(topics(dialect.connected(births(), (), NOW)))


def test_no_record_overtakes_the_connects_of_its_devices() -> None:
    """The platform would make a device that it first hears of by an event, with profile default."""
    dialect = thingsboard()
    begun = dialect.connected(births(), (), NOW)
    connects = [one for one in begun if one.topic == "v1/gateway/connect"]
    for one in connects:
        assert not dialect.is_ready(NOW)
        assert one.leaving() == one.payload
    assert dialect.is_ready(NOW)
    dialect.connected(births(), (), NOW)
    assert not dialect.is_ready(NOW)
    assert dialect.is_ready(Now(NOW.ms + LONGEST_GREETING_MS, NOW.tq)), "it gives up by itself"
    assert dialect.is_ready(Now(NOW.ms - 1, NOW.tq)), "whatever happens to the clock"
    assert ThingsBoard(setup_of({}, {})).is_ready(NOW)


def test_two_devices_of_one_name_are_not_told_as_one() -> None:
    dialect = ThingsBoard(setup_of({}, {"*": {"name": "all the same"}}))
    begun = dialect.connected(births(), (), NOW)
    assert [one.topic for one in begun].count("v1/gateway/connect") == 1
    for one in begun:
        one.leaving()
    assert dialect.is_ready(NOW)
    event = committed(EventBody("e", "leak", 3, "raised"), GATE, seq=2)
    state = committed(StateBody(False, "timeout", 1), GATE, seq=3)
    encoded = dialect.encode(
        [committed(prop(1.0, 2.0, 3.0), seq=1), event, state], NOW, is_backfill=False
    )
    assert is_whole(encoded, [1, 2, 3])
    assert [one.seqs for one in encoded.refused] == [(2,), (3,)]
    assert "gate-01" in encoded.refused[0].reason
    assert dialect.reloaded(births()[:1], NOW) == (), "its name is still there"


def test_what_is_encoded_once_more_tells_its_quality_once_more() -> None:
    """Its message was too large, or the platform busy, or another record of the batch no record."""
    dialect = thingsboard()
    doubtful = committed(prop(1.0, 2.0, 3.0, marks=(GOOD, bad("crc"), GOOD)), seq=5)
    poison = committed(prop(float("nan"), 2.0, 3.0), seq=6)
    with pytest.raises(ValueError, match="no JSON number"):
        dialect.encode([doubtful, poison], NOW, is_backfill=False)
    for _ in range(2):
        again = rows(dialect.encode([doubtful], NOW, is_backfill=False))["Meter 1"][0]["values"]
        assert again["voltage__q"] == "crc"
    after = committed(prop(1.0, 2.0, 3.0, marks=(GOOD, bad("crc"), GOOD)), seq=7)
    later = rows(dialect.encode([after], NOW, is_backfill=False))["Meter 1"][0]["values"]
    assert "voltage__q" not in later


def test_a_reload_says_who_came_changed_and_went() -> None:
    dialect = thingsboard(attributes=False)
    assert dialect.reloaded(births(), NOW) == ()
    assert topics(dialect.reloaded(births()[:1], NOW)) == [
        'v1/gateway/disconnect {"device":"gate-01"}'
    ]
    assert topics(dialect.reloaded(births(), NOW)) == [
        'v1/gateway/connect {"device":"gate-01","type'
    ]
    assert dialect.is_ready(NOW)
    assert dialect.tick(NOW) == ()


def test_who_went_while_there_was_no_connection_is_disconnected_at_the_next() -> None:
    dialect = thingsboard()
    begun = dialect.connected(births()[:1], (), NOW)
    assert begun[-1].topic == "v1/gateway/disconnect"
    assert json.loads(begun[-1].payload) == {"device": "gate-01"}


@pytest.mark.parametrize(
    "change",
    [
        {"token": "in the clear"},
        {"quality": "maybe"},
        {"max_message": 10},
        {"max_message": True},
        {"command_ttl": 5000},
        {"tokn": SECRET_NAME},
    ],
)
def test_wrong_options_are_refused_at_the_desk(change: dict[str, Any]) -> None:
    made(ThingsBoardOptions, {"token": SECRET_NAME})
    with pytest.raises(BadOption):
        made(ThingsBoardOptions, {"token": SECRET_NAME, **change})


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 129])
def test_a_device_needs_a_name_that_can_be_shown(name: str) -> None:
    with pytest.raises(BadOption):
        made(DIALECT.device_options, {"name": name})
    with pytest.raises(BadOption):
        made(DIALECT.device_options, {"type": name})


def test_what_is_lost_is_declared_and_app_acknowledgement_is_not_offered() -> None:
    assert not DIALECT.has_app_ack
    assert len(DIALECT.losses) > 5
