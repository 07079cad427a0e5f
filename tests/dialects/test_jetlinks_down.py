"""What JetLinks asks of the gateway and its children, answered below `child-reply`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.contract import Received
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import GATEWAY_ITSELF
from gateway.model.record import ReplyBody
from tests.dialects.test_jetlinks_up import jetlinks
from tests.support.named_platforms import SINK, arrival
from tests.support.natives import METER, NOW, committed, prop

BASE = "/linli/gw001/"
CHILD = f"{BASE}child/meter-1/"
READ, WRITE, INVOKE = "properties/read", "properties/write", "function/invoke"
TTL_MS = 30_000
ARMED = "abc"


def asked(topic: str, payload: object, **more: Any) -> Received:
    return jetlinks().received(arrival(topic, payload, **more), NOW)


def command(topic: str, payload: object) -> Command:
    (found,) = asked(topic, payload).commands
    assert isinstance(found, Command), found
    return found


def bad(topic: str, payload: object) -> BadCommand:
    (found,) = asked(topic, payload).commands
    assert isinstance(found, BadCommand), found
    return found


def message(**fields: Any) -> dict[str, Any]:
    """Return a message as the platform writes it, headers and all."""
    plain = {
        "messageId": "m1",
        "deviceId": "meter-1",
        "timestamp": NOW.ms,
        "headers": {"keepOnline": True},
    }
    return {**plain, **fields}


def invoke(function: str, **inputs: Any) -> dict[str, Any]:
    listed = [{"name": name, "value": value} for name, value in inputs.items()]
    return message(functionId=function, inputs=listed)


def test_a_property_is_written() -> None:
    assert command(CHILD + WRITE, message(properties={"voltage": 230.5})) == Command(
        SINK,
        "properties/write|meter-1||m1",
        Op.SET,
        METER,
        (("u_a", 230.5),),  # type: ignore[arg-type]
        (),
        NOW.ms + TTL_MS,
    )


@pytest.mark.parametrize(
    ("properties", "points"),
    [(["voltage", "i_a"], ("u_a", "i_a")), ([], ()), (None, ())],
)
def test_properties_are_read(properties: object, points: tuple[str, ...]) -> None:
    found = command(CHILD + READ, message(properties=properties))
    assert (found.op, found.device, found.points) == (Op.READ, METER, points)


@pytest.mark.parametrize("name", ["voltage", "u_a"])
def test_a_function_sets_a_point_by_either_of_its_names(name: str) -> None:
    found = command(CHILD + INVOKE, invoke("set", **{name: 5}))
    assert (found.op, found.values) == (Op.SET, (("u_a", 5),))
    assert found.rid == "function/invoke|meter-1|set|m1"


def test_any_other_function_is_a_call_of_the_device() -> None:
    named = command(CHILD + INVOKE, invoke("voltage", value=5))
    assert (named.op, named.function, named.arguments) == (Op.CALL, "u_a", (("value", 5),))
    word = command(CHILD + INVOKE, invoke("open"))
    assert (word.op, word.function, word.arguments) == (Op.CALL, "open", ())


def test_what_is_dangerous_is_armed_first_and_brings_its_token() -> None:
    armed = command(CHILD + INVOKE, invoke("arm", voltage=5))
    assert (armed.op, armed.values) == (Op.ARM, (("u_a", 5),))
    receipt = committed(ReplyBody(armed.rid, "done", "armed", "good once", None, ARMED))
    (publication,) = jetlinks().encode([receipt], NOW, is_backfill=False).publications
    assert json.loads(publication.payload)["output"]["value"] == ARMED
    assert command(CHILD + INVOKE, invoke("set", voltage=5, token=ARMED)).token == ARMED
    assert command(CHILD + INVOKE, invoke("open", token=ARMED)).token == ARMED


def test_an_event_is_acknowledged() -> None:
    found = command(CHILD + INVOKE, invoke("event_ack", eid="01KAQW7Z"))
    assert (found.op, found.event) == (Op.EVENT_ACK, "01KAQW7Z")


def test_a_function_reads_and_older_platforms_call_it_function() -> None:
    found = command(CHILD + INVOKE, message(function="read", inputs=None))
    assert (found.op, found.points) == (Op.READ, ())
    some = command(CHILD + INVOKE, invoke("read", points="voltage,i_a"))
    assert some.points == ("u_a", "i_a")


def test_a_message_id_that_is_a_number_is_answered_as_a_text() -> None:
    found = command(CHILD + READ, message(messageId=1574326515917324288 % 2**53))
    receipt = committed(ReplyBody(found.rid, "done"))
    (publication,) = jetlinks().encode([receipt], NOW, is_backfill=False).publications
    assert json.loads(publication.payload)["messageId"] == str(1574326515917324288 % 2**53)


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        (f"{BASE}child/nobody/{WRITE}", message(properties={"a": 1}), "no_device"),
        (CHILD + WRITE, message(properties={"a": 1, "b": 2}), "one_point"),
        (CHILD + WRITE, message(properties={}), "one_point"),
        (CHILD + WRITE, message(), "one_point"),
        (CHILD + WRITE, message(properties={"a": None}), "bad_value"),
        (CHILD + WRITE, message(properties={"a": {"b": 1}}), "bad_value"),
        (CHILD + WRITE, message(properties={"A b": 1}), "bad_points"),
        (CHILD + READ, message(properties={"a": 1}), "bad_points"),
        (CHILD + READ, message(properties=["a"] * 201), "bad_points"),
        (CHILD + INVOKE, invoke("open", value=[1]), "bad_value"),
        (CHILD + INVOKE, invoke("open", **{f"a{n}": n for n in range(9)}), "bad_args"),
        (CHILD + INVOKE, invoke("open", token=5), "bad_token"),
        (CHILD + INVOKE, invoke("event_ack"), "no_eid"),
        (CHILD + INVOKE, message(functionId="set", inputs={"a": 1}), "bad_json"),
        (CHILD + INVOKE, message(functionId="set", inputs=[1]), "bad_json"),
        (CHILD + INVOKE, message(functionId="set", inputs=[{"name": "a"}] * 2), "bad_json"),
        (CHILD + INVOKE, message(functionId="set", inputs=[{"name": "a"}] * 201), "bad_json"),
    ],
)
def test_a_wrong_request_is_answered_with_a_code(topic: str, payload: object, code: str) -> None:
    found = bad(topic, payload)
    assert found.code == code
    assert found.rid is not None
    assert found.rid.endswith("|m1")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (message(messageId=None), "no_rid"),
        (message(messageId=""), "no_rid"),
        (message(messageId="x" * 129), "no_rid"),
        (message(messageId="a\nb"), "no_rid"),
        (message(messageId=True), "no_rid"),
        (b'{"messageId":"1","messageId":"2"}', "bad_json"),
        (b'{"messageId":"1","properties":{"a":NaN}}', "bad_json"),
        (b"[]", "bad_json"),
        (b"\xff", "bad_json"),
    ],
)
def test_what_cannot_be_answered_is_a_bad_command_without_an_id(payload: object, code: str) -> None:
    found = bad(CHILD + READ, payload)
    assert (found.code, found.rid) == (code, None)


@pytest.mark.parametrize("function", ["", "x" * 65, "a|b", "a\nb", 5, None])
def test_a_function_must_have_a_name(function: object) -> None:
    assert bad(CHILD + INVOKE, message(functionId=function)).code == "unknown_op"


@pytest.mark.parametrize("what", [READ, WRITE, INVOKE])
def test_replies_of_children_go_below_child_reply_after_a_restart_too(what: str) -> None:
    found = command(
        CHILD + what,
        {**invoke("set", voltage=5), "properties": {"voltage": 5}} if what != READ else message(),
    )
    receipt = committed(ReplyBody(found.rid, "done", None, None, "u_a", 5, prop(1.0, 5.0, 2.0)))
    (publication,) = jetlinks().encode([receipt], NOW, is_backfill=False).publications
    assert publication.topic == f"/linli/gw001/child-reply/meter-1/{what}/reply"
    reply = json.loads(publication.payload)
    assert (reply["messageId"], reply["success"]) == ("m1", True)


def test_a_request_to_the_gateway_itself_is_answered_below_it() -> None:
    found = command(BASE + READ, message())
    assert found.device == GATEWAY_ITSELF
    receipt = committed(ReplyBody(found.rid, "rejected", "no_device", "none"), GATEWAY_ITSELF)
    (publication,) = jetlinks().encode([receipt], NOW, is_backfill=False).publications
    assert publication.topic == "/linli/gw001/properties/read/reply"
    assert json.loads(publication.payload)["code"] == "no_device"


def test_a_request_for_a_child_that_is_not_there_is_answered_under_its_name() -> None:
    found = bad(f"{BASE}child/nobody/{WRITE}", message(properties={"a": 1}))
    assert found.rid is not None
    receipt = committed(ReplyBody(found.rid, "rejected", found.code, found.message), found.device)
    (publication,) = jetlinks().encode([receipt], NOW, is_backfill=False).publications
    assert publication.topic == "/linli/gw001/child-reply/nobody/properties/write/reply"
    assert not json.loads(publication.payload)["success"]


def test_the_product_in_front_may_be_that_of_the_child() -> None:
    assert command(f"/meters/gw001/child/meter-1/{READ}", message()).device == METER


@pytest.mark.parametrize(
    "topic",
    [
        f"/linli/gw002/child/meter-1/{READ}",
        f"linli/gw001/child/meter-1/{READ}",
        f"{CHILD}firmware/upgrade",
        f"{BASE}child/{READ}",
        f"{BASE}child//{READ}",
        f"{BASE}child/{'x' * 129}/{READ}",
        f"{BASE}child/a|b/{READ}",
        "/linli/gw001",
        "/",
        "",
    ],
)
def test_other_topics_are_dropped_and_told(topic: str) -> None:
    received = asked(topic, message())
    assert received.commands == ()
    assert len(received.dropped) == 1


@pytest.mark.parametrize(
    ("timestamp", "left_ms"),
    [
        *((NOW.ms, TTL_MS), (NOW.ms - 300_000, TTL_MS), (NOW.ms + 10**9, TTL_MS)),
        *((NOW.ms - 300_001, TTL_MS - 1), (NOW.ms - 3_600_000, TTL_MS - 3_300_000)),
        *((None, TTL_MS), ("1", TTL_MS), (True, TTL_MS)),
    ],
)
def test_what_waited_somewhere_longer_than_clocks_differ_is_late(
    timestamp: object, left_ms: int
) -> None:
    asked_for = message(properties={"voltage": 230.5}, timestamp=timestamp)
    assert command(CHILD + WRITE, asked_for).expires_ms == NOW.ms + left_ms


def test_a_retained_command_is_dropped_and_told() -> None:
    received = asked(CHILD + READ, message(), is_retained=True)
    assert received.commands == ()
    assert "retained" in received.dropped[0].reason


_KEYS = st.sampled_from(
    ["messageId", "properties", "functionId", "inputs", "name", "value", "timestamp"]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["m1", "set", "read", "voltage", "|"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(_JSON | st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_payload_whatever_raises_or_writes_without_an_expiry(payload: object) -> None:
    for topic in (CHILD + READ, CHILD + WRITE, CHILD + INVOKE, f"{BASE}time-sync/reply"):
        for found in asked(topic, payload).commands:
            if isinstance(found, Command):
                assert found.expires_ms is not None
                assert found.expires_ms <= NOW.ms + TTL_MS
