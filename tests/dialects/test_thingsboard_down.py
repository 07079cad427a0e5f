"""What ThingsBoard asks of devices and of the gateway itself."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.contract import Now, Received
from gateway.dialects.thingsboard.dialect import ThingsBoard
from gateway.dialects.thingsboard.down import SAME_FOR_MS
from gateway.model.clock import TimeQuality
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import GATEWAY_ITSELF
from gateway.model.record import ReplyBody
from tests.dialects.test_thingsboard_up import thingsboard
from tests.support.named_platforms import SINK, arrival, is_silent
from tests.support.natives import METER, NOW, committed

RPC = "v1/gateway/rpc"
OWN = "v1/devices/me/rpc/request/"
TTL_MS = 30_000
TOKEN = "abc"  # noqa: S105 - of the test


def asked(
    payload: object, topic: str = RPC, dialect: ThingsBoard | None = None, **more: Any
) -> Received:
    return (dialect or thingsboard()).received(arrival(topic, payload, **more), NOW)


def request(
    method: object, params: object = None, *, number: object = 1, device: object = "Meter 1"
) -> dict[str, Any]:
    return {"device": device, "data": {"id": number, "method": method, "params": params}}


def command(payload: object, topic: str = RPC) -> Command:
    (found,) = asked(payload, topic).commands
    assert isinstance(found, Command), found
    return found


def digest(payload: object) -> str:
    return sha256(json.dumps(payload).encode()).hexdigest()[:16]


def wrong(payload: object, topic: str = RPC) -> BadCommand:
    (found,) = asked(payload, topic).commands
    assert isinstance(found, BadCommand), found
    return found


def test_a_point_is_set_by_either_of_its_names() -> None:
    for name in ("voltage", "u_a"):
        assert command(request("set", {name: 230.5})) == Command(
            SINK,
            f"rpc|1|{digest(request('set', {name: 230.5}))}|Meter 1",
            Op.SET,
            METER,
            (("u_a", 230.5),),  # type: ignore[arg-type]
            (),
            NOW.ms + TTL_MS,
            same_for_ms=SAME_FOR_MS,
        )


@pytest.mark.parametrize(
    ("params", "points"),
    [
        ({"points": ["voltage", "i_a"]}, ("u_a", "i_a")),
        (["voltage"], ("u_a",)),
        ("voltage,i_a", ("u_a", "i_a")),
        ({}, ()),
        (None, ()),
    ],
)
def test_points_are_read(params: object, points: tuple[str, ...]) -> None:
    found = command(request("read", params))
    assert (found.op, found.points) == (Op.READ, points)


@pytest.mark.parametrize("params", [{"value": True}, True])
def test_a_method_with_the_name_of_a_point_sets_it_as_a_switch_asks(params: object) -> None:
    found = command(request("voltage", params))
    assert (found.op, found.function, found.arguments) == (Op.CALL, "u_a", (("value", True),))


def test_a_method_may_be_a_word_of_the_device() -> None:
    found = command(request("open"))
    assert (found.op, found.function, found.arguments) == (Op.CALL, "open", ())


def test_what_is_dangerous_is_armed_first_and_brings_its_token() -> None:
    armed = command(request("arm", {"voltage": 5}))
    assert (armed.op, armed.values) == (Op.ARM, (("u_a", 5),))
    receipt = committed(ReplyBody(armed.rid, "done", "armed", "good once", None, TOKEN))
    (publication,) = thingsboard().encode([receipt], NOW, is_backfill=False).publications
    assert json.loads(publication.payload)["data"]["value"] == TOKEN
    assert command(request("set", {"voltage": 5, "token": TOKEN})).token == TOKEN
    assert command(request("open", {"token": TOKEN})).token == TOKEN


def test_an_event_is_acknowledged() -> None:
    found = command(request("event_ack", {"eid": "01KAQW7Z"}))
    assert (found.op, found.event) == (Op.EVENT_ACK, "01KAQW7Z")


def test_the_gateway_itself_is_asked_on_its_own_topic() -> None:
    asked_for: dict[str, Any] = {"method": "reboot", "params": {}}
    found = command(asked_for, f"{OWN}7")
    assert (found.device, found.rid) == (GATEWAY_ITSELF, f"me|7|{digest(asked_for)}|")
    receipt = committed(ReplyBody(found.rid, "rejected", "no_device", "no"), GATEWAY_ITSELF)
    (answer,) = thingsboard().encode([receipt], NOW, is_backfill=False).publications
    assert answer.topic == "v1/devices/me/rpc/response/7"
    bad = wrong(b"[]", f"{OWN}8")
    assert (bad.rid, bad.code) == (f"me|8|{digest([])}|", "bad_json")


def test_a_reply_goes_back_with_the_number_and_the_name_of_the_request() -> None:
    found = command(request("set", {"voltage": 5}, number=0))
    receipt = committed(ReplyBody(found.rid, "done"))
    (answer,) = thingsboard().encode([receipt], NOW, is_backfill=False).publications
    assert answer.topic == RPC
    assert json.loads(answer.payload) == {
        "device": "Meter 1",
        "id": 0,
        "data": {"success": True, "status": "done"},
    }
    assert is_silent(asked(answer.payload)), "a broker may return our own reply to us"


# --- the same number again


def rid(dialect: ThingsBoard, payload: object, ms: int) -> str | None:
    (found,) = dialect.received(arrival(RPC, payload), Now(NOW.ms + ms, TimeQuality.SYNC)).commands
    return found.rid


def test_a_request_that_comes_again_has_the_same_id_after_a_restart_of_the_gateway_too() -> None:
    one = request("set", {"voltage": 5})
    assert rid(thingsboard(), one, 0) == rid(thingsboard(), one, 9000)


def test_a_number_that_the_platform_counts_anew_is_another_request() -> None:
    """DeviceActorMessageProcessor counts from 0 whenever its actor starts.

    The same number with the same payload is told by its time: `same_for_ms`.
    """
    dialect = thingsboard()
    one, other = request("set", {"voltage": 5}), request("set", {"voltage": 6})
    first = rid(dialect, one, 0)
    assert rid(dialect, other, 1) != first
    gate = request("set", {"voltage": 5}, device="gate-01")
    assert rid(dialect, gate, 0) != first


# --- what is no request


@pytest.mark.parametrize(
    ("payload", "code", "has_rid"),
    [
        (b"", "bad_json", False),
        (b'{"device":"a","device":"b"}', "bad_json", False),
        (b'{"device":"Meter 1","data":{"id":1,"method":"set","params":{"u":NaN}}}', "bad_json", 0),
        ({"data": {"id": 1, "method": "open"}}, "no_device", False),
        ({"device": "Meter 1"}, "bad_json", False),
        ({"device": "Meter 1", "data": [1]}, "bad_json", False),
        (request("set", {"u_a": 1}, number="1"), "no_rid", False),
        (request("set", {"u_a": 1}, number=True), "no_rid", False),
        (request("set", {"u_a": 1}, number=-1), "no_rid", False),
        (request("set", {"u_a": 1}, number=2**31), "no_rid", False),
        (request("set", {"u_a": 1}, device="nobody"), "no_device", True),
        (request("set", {"u_a": 1}, device="x" * 129), "no_device", False),
        (request("set", {}), "one_point", True),
        (request("set", {"u_a": 1, "i_a": 2}), "one_point", True),
        (request("set", {"u_a": None}), "bad_value", True),
        (request("set", {"U A": 1}), "bad_points", True),
        (request("set", 5), "bad_args", True),
        (request(None), "unknown_op", True),
        (request(""), "unknown_op", True),
        (request("event_ack", {}), "no_eid", True),
        (request(["set"], 5), "unknown_op", True),
        (request({}, "x"), "unknown_op", True),
    ],
)
def test_what_is_no_request_is_told_and_answered_where_it_can_be(
    payload: object, code: str, has_rid: object
) -> None:
    found = wrong(payload)
    assert found.code == code, found
    assert (found.rid is not None) is bool(has_rid)


@pytest.mark.parametrize(
    ("topic", "is_retained"),
    [
        *((RPC, True), (f"{OWN}x", False), (f"{OWN}٣", False), (f"{OWN}{2**31}", False)),
        *((f"{OWN}{'9' * 5000}", False), ("a/b", False)),
    ],
)
def test_other_messages_are_dropped_and_audited(topic: str, is_retained: bool) -> None:  # noqa: FBT001 - a table
    received = asked(request("open"), topic, is_retained=is_retained)
    assert len(received.dropped) == 1
    assert received.commands == ()


def test_what_we_have_asked_ourselves_and_a_broker_returns_is_no_request() -> None:
    (_, question, *_) = thingsboard().connected((), (), NOW)
    assert is_silent(asked(question.payload, question.topic))
    assert is_silent(asked({"success": True}, "v1/devices/me/rpc/response/7"))


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(
        lambda value: json.dumps({"device": "Meter 1", "data": value}).encode()
    )
)
def test_nothing_that_comes_raises(payload: bytes) -> None:
    dialect = thingsboard()
    for topic in (RPC, f"{OWN}1", "v1/devices/me/rpc/response/1"):
        received = asked(payload, topic, dialect)
        assert len(received.commands) <= 1
