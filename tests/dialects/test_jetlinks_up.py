"""JetLinks upwards: every record kind, one child and one time a message, and the login."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.contract import CannotConnect, Encoded, Now
from gateway.dialects.jetlinks.dialect import DIALECT, SYNC_EVERY_MS, JetLinks
from gateway.dialects.jetlinks.options import JetLinksOptions, signed_login
from gateway.dialects.options import BadOption, made
from gateway.model.clock import TimeQuality
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.quality import GOOD, bad
from gateway.model.record import Body, Committed, ReplyBody, StateBody
from tests.support.named_platforms import (
    RECORDS,
    SECRET_NAME,
    arrival,
    golden,
    golden_text,
    is_whole,
    setup_of,
)
from tests.support.natives import METER, NOW, births, committed, prop

GOLDEN = Path(__file__).parent / "jetlinks"
VECTOR = {
    "client_id": "gw001",
    "username": "admin|1700000000000",
    "password": "ce03180c4086edf536a168bb99c06427",
}
"""jetlinks-official-protocol, src/main/resources/document-mqtt.md; the key is `admin` too."""
DEVICES: dict[str, Any] = {"em-01": {"device_id": "meter-1", "names": {"u_a": "voltage"}}}
REPLIES: dict[str, tuple[DeviceId, Body]] = {
    "reply-read": (
        METER,
        ReplyBody("properties/read|meter-1||m1", "done", readback=prop(1.0, 230.0, None)),
    ),
    "reply-write": (
        METER,
        ReplyBody("properties/write|meter-1||m2", "done", None, None, "u_a", 230.0),
    ),
    "reply-write-refused": (
        METER,
        ReplyBody("properties/write|meter-1||m3", "rejected", "not_allowed", "no rule"),
    ),
    "reply-invoke": (
        METER,
        ReplyBody(
            "function/invoke|meter-1|set|m4", "done", None, None, "u_a", 230, prop(1.0, 230.0, 2.0)
        ),
    ),
    "reply-of-the-gateway": (
        GATEWAY_ITSELF,
        ReplyBody("function/invoke||reboot|m5", "rejected", "no_device", "there is no device _"),
    ),
}
ALL = {**RECORDS, **REPLIES}


def jetlinks(**options: Any) -> JetLinks:
    """Return a dialect that is connected, and knows meter and gate."""
    given = {
        "product_id": "linli",
        "device_id": "gw001",
        "secure_id": "admin",
        "secure_key": SECRET_NAME,
        "audit": True,
        **options,
    }
    dialect = JetLinks(setup_of(given, DEVICES))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def said(*batch: Committed, **options: Any) -> Encoded:
    return jetlinks(**options).encode(batch, NOW, is_backfill=False)


def at(ms: int) -> Now:
    return Now(NOW.ms + ms, TimeQuality.SYNC)


@pytest.mark.parametrize("name", ALL)
def test_a_record_becomes_the_messages_of_its_golden_file(name: str) -> None:
    device, body = ALL[name]
    encoded = said(committed(body, device))
    assert golden_text(encoded.publications) == golden(GOLDEN, name)
    assert is_whole(encoded, [10])


def test_the_golden_files_are_all_used() -> None:
    used = {*ALL, "connected", "registered", "bad-as-property"}
    assert {path.stem for path in GOLDEN.glob("*.json")} == used


def test_what_a_connection_begins_with_is_golden_and_it_ends_without_a_word() -> None:
    begun = jetlinks().connected(births(), (DeviceId("em-99"),), NOW)
    assert golden_text(begun) == golden(GOLDEN, "connected")
    bound = jetlinks(register=True).connected(births(), (), NOW)
    assert golden_text(bound) == golden(GOLDEN, "registered")
    assert jetlinks().goodbye(NOW) == ()


def test_doubts_may_be_a_property_of_the_thing_model() -> None:
    encoded = said(committed(ALL["prop-bad"][1]), bad_values="property")
    assert golden_text(encoded.publications) == golden(GOLDEN, "bad-as-property")


def test_integers_stay_integers_and_floats_keep_their_point() -> None:
    (publication,) = said(committed(prop(12345.0, 230.0, 3))).publications
    assert b'"properties":{"ep_imp":12345.0,"voltage":230.0,"i_a":3}' in publication.payload


def test_a_value_that_is_no_number_is_refused_and_not_sent() -> None:
    with pytest.raises(ValueError, match="no JSON number"):
        said(committed(prop(float("inf"), 1.0, 2.0)))


def test_every_device_has_a_message_of_its_own_with_the_identity_of_the_record() -> None:
    batch = [
        committed(prop(1.0, 2.0, 3.0), DeviceId(f"em-{n}"), seq=n, age_ms=86_400_000)
        for n in range(10, 13)
    ]
    encoded = jetlinks().encode(batch, NOW, is_backfill=True)
    assert [one.topic for one in encoded.publications] == [
        f"/linli/gw001/child/em-{n}/properties/report" for n in range(10, 13)
    ]
    bodies = [json.loads(one.payload) for one in encoded.publications]
    assert [one["messageId"] for one in bodies] == [f"5129077341120511-{n}" for n in range(10, 13)]
    assert {one["timestamp"] for one in bodies} == {NOW.ms - 86_400_000}, "history in ms"
    assert is_whole(encoded, range(10, 13))


def test_values_of_several_times_are_done_with_the_last_of_their_messages() -> None:
    encoded = said(committed(ALL["prop-snapshot"][1]))
    assert [one.covers for one in encoded.publications] == [(), (10,)]
    bodies = [json.loads(one.payload) for one in encoded.publications]
    assert bodies[0]["timestamp"] == bodies[1]["timestamp"] - 900_000
    assert bodies[0]["messageId"] != bodies[1]["messageId"]


def test_bad_values_are_told_apart_or_left_out_as_the_site_wants() -> None:
    some = committed(prop(1.0, 2.0, None, marks=(GOOD, GOOD, bad("timeout"))))
    none = committed(prop(None, None, None, marks=(bad("crc"),) * 3), seq=11)
    told = said(some, none)
    kinds = [one.topic.removeprefix("/linli/gw001/child/meter-1/") for one in told.publications]
    assert kinds == ["event/quality", "properties/report", "event/quality"]
    assert [one.covers for one in told.publications] == [(), (10,), (11,)]
    omitted = said(some, none, bad_values="omit")
    assert [one.covers for one in omitted.publications] == [(10,)]
    assert omitted.withheld == (11,)


def test_what_there_is_no_word_for_is_withheld() -> None:
    records = [
        committed(StateBody(True, "ok", 1), GATEWAY_ITSELF, seq=1),
        committed(ReplyBody("properties/read|meter-1||m", "accepted"), seq=2),
        committed(ALL["log"][1], GATEWAY_ITSELF, seq=3),
    ]
    assert said(*records, audit=False) == Encoded((), (1, 2, 3))


# --- login


def test_the_login_is_that_of_the_vector_and_another_one_a_millisecond_later() -> None:
    login = signed_login("admin", "admin", 1_700_000_000_000)
    assert (login.username, login.password) == (VECTOR["username"], VECTOR["password"])
    assert VECTOR["password"] not in repr(login)
    dialect = jetlinks()
    first, second = dialect.connect_spec(at(0)), dialect.connect_spec(at(1))
    assert first.client_id == VECTOR["client_id"]
    assert first.username == f"admin|{NOW.ms}"
    assert first.username != second.username
    assert first.password != second.password


def test_a_signed_login_waits_for_the_time_of_day_and_a_plain_one_does_not() -> None:
    with pytest.raises(CannotConnect, match="synchronised clock"):
        jetlinks().connect_spec(Now(5, TimeQuality.UNSYNC))
    assert jetlinks().connect_spec(Now(NOW.ms, TimeQuality.HOLDOVER)).username is not None
    plain = jetlinks(auth="plain").connect_spec(Now(5, TimeQuality.UNSYNC))
    assert (plain.username, plain.password) == ("admin", "s3cret")


def test_the_gateway_listens_for_itself_and_for_all_children() -> None:
    spec = jetlinks().connect_spec(NOW)
    assert spec.will is None
    assert [one.topic for one in spec.subscriptions] == [
        "/linli/gw001/properties/read",
        "/linli/gw001/properties/write",
        "/linli/gw001/function/invoke",
        "/linli/gw001/child/+/properties/read",
        "/linli/gw001/child/+/properties/write",
        "/linli/gw001/child/+/function/invoke",
        "/linli/gw001/time-sync/reply",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"product_id": "a/b"},
        {"device_id": "gw+1"},
        {"secure_id": "a|b"},
        {"secure_key": "in the clear"},
        {"auth": "sha256"},
        {"command_ttl": 5000},
        {"product_id": ""},
        {"productid": "x"},
    ],
)
def test_wrong_options_are_refused_at_the_desk(change: dict[str, Any]) -> None:
    good = {"product_id": "p", "device_id": "d", "secure_id": "s", "secure_key": SECRET_NAME}
    made(JetLinksOptions, good)
    with pytest.raises(BadOption):
        made(JetLinksOptions, {**good, **change})


def test_what_is_lost_is_declared_and_app_acknowledgement_is_not_offered() -> None:
    assert not DIALECT.has_app_ack
    assert len(DIALECT.losses) > 5
    for wrong in ({"device_id": "a b"}, {"names": {"u_a": "voltage", "u_b": "voltage"}}):
        with pytest.raises(BadOption):
            made(DIALECT.device_options, wrong)


# --- children


def states(publications: Any) -> list[str]:
    return [one.topic.removeprefix("/linli/gw001/child/") for one in publications]


def test_a_child_that_is_offline_is_said_to_be_at_the_next_connect() -> None:
    dialect = jetlinks()
    assert states(dialect.connected(births(), (), NOW)) == ["meter-1/online", "gate-01/online"]
    dialect.encode([committed(StateBody(False, "timeout", 1))], NOW, is_backfill=False)
    assert states(dialect.connected(births(), (), NOW))[0] == "meter-1/offline"
    dialect.encode([committed(StateBody(True, "answers", 2))], NOW, is_backfill=False)
    assert states(dialect.connected(births(), (), NOW))[0] == "meter-1/online"


def test_two_devices_with_one_id_on_the_platform_are_not_mixed() -> None:
    """A pattern with a `device_id`: the first keeps it, the others say what is wrong."""
    given = {"product_id": "linli", "device_id": "gw001", "secure_id": "admin"}
    options = {**given, "secure_key": SECRET_NAME}
    dialect = JetLinks(setup_of(options, {"em-*": {"device_id": "meter-1"}}))
    two = [replace(births()[0], device=DeviceId(f"em-{n}")) for n in (1, 2)]
    assert states(dialect.connected(two, (), NOW)) == ["meter-1/online"]
    batch = [committed(prop(1.0, 2.0, 3.0), DeviceId(f"em-{n}"), seq=n) for n in (1, 2)]
    encoded = dialect.encode(batch, NOW, is_backfill=False)
    assert [one.covers for one in encoded.publications] == [(1,)]
    (refused,) = encoded.refused
    assert refused.seqs == (2,)
    assert "'meter-1' is em-1 on the platform already" in refused.reason
    assert dialect.reloaded(two[:1], NOW) == (), "who went is not said offline for who stays"


def test_a_reload_says_who_came_and_who_went() -> None:
    dialect = jetlinks()
    assert dialect.reloaded(births(), NOW) == ()
    assert states(dialect.reloaded(births()[:1], NOW)) == ["gate-01/offline"]
    assert states(dialect.reloaded(births(), NOW)) == ["gate-01/online"]
    assert dialect.is_ready(NOW)


# --- time


def test_the_platforms_time_is_what_it_said_and_half_of_the_way() -> None:
    dialect = jetlinks()
    (question,) = dialect.tick(NOW)
    assert question.topic == "/linli/gw001/time-sync"
    said_id = json.loads(question.payload)["messageId"]
    answer = arrival(f"{question.topic}/reply", {"messageId": said_id, "timestamp": NOW.ms + 5000})
    assert dialect.received(answer, at(80)).platform_ms == NOW.ms + 5000 + 40
    assert dialect.received(answer, at(80)).platform_ms is None, "an answer counts once"


@pytest.mark.parametrize("ms", [-1000, 3_600_000])
def test_a_time_that_came_over_a_step_of_our_clock_tells_nothing(ms: int) -> None:
    dialect = jetlinks()
    (question,) = dialect.tick(NOW)
    answer = {"messageId": str(NOW.ms), "timestamp": NOW.ms}
    received = dialect.received(arrival(f"{question.topic}/reply", answer), at(ms))
    assert (received.platform_ms, len(received.dropped)) == (None, 1)


def test_time_is_asked_for_once_an_hour_and_after_every_connect() -> None:
    dialect = jetlinks()
    asked = [len(dialect.tick(at(ms))) for ms in (0, 1000, SYNC_EVERY_MS - 1, SYNC_EVERY_MS)]
    assert asked == [1, 0, 0, 1]
    dialect.connected(births(), (), at(SYNC_EVERY_MS + 5))
    assert len(dialect.tick(at(SYNC_EVERY_MS + 5))) == 1
    assert jetlinks(sync_time=False).tick(NOW) == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"messageId": "1", "timestamp": 5},
        {"messageId": str(NOW.ms), "timestamp": "5"},
        {"messageId": str(NOW.ms), "timestamp": True},
        {"messageId": str(NOW.ms)},
        b"5",
    ],
)
def test_a_time_that_answers_no_question_tells_nothing(answer: object) -> None:
    dialect = jetlinks()
    dialect.tick(NOW)
    received = dialect.received(arrival("/linli/gw001/time-sync/reply", answer), NOW)
    assert received.platform_ms is None
    assert len(received.dropped) == 1
