"""What Huawei IoTDA asks: commands and properties by request id, answered where it asked."""

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
from tests.dialects.test_huawei_up import huawei
from tests.support.named_platforms import SINK, arrival, is_silent
from tests.support.natives import METER, NOW, committed, prop

BASE = "$oc/devices/gw001/sys/"
THEIRS = "65aa_em-01"
TTL_MS = 30_000
ARMED = "abc"


def asked(where: str, payload: object, **more: Any) -> Received:
    """Return what comes of a request."""
    return huawei().received(arrival(f"{BASE}{where}/request_id=9a-1", payload, **more), NOW)


def command(where: str, payload: object) -> Command:
    (found,) = asked(where, payload).commands
    assert isinstance(found, Command), found
    return found


def bad(where: str, payload: object) -> BadCommand:
    (found,) = asked(where, payload).commands
    assert isinstance(found, BadCommand), found
    return found


def call(name: str, paras: object, device: str = THEIRS) -> dict[str, Any]:
    """Return a command as the platform sends it (iot_06_v5_3014.html)."""
    return {
        "object_device_id": device,
        "service_id": "Meter",
        "command_name": name,
        "paras": paras,
    }


@pytest.mark.parametrize("name", ["voltage", "u_a"])
def test_a_command_sets_a_point_by_either_of_its_names(name: str) -> None:
    assert command("commands", call("set", {name: 230.5})) == Command(
        SINK,
        "command:9a-1:set",
        Op.SET,
        METER,
        (("u_a", 230.5),),  # type: ignore[arg-type]
        (),
        NOW.ms + TTL_MS,
    )


@pytest.mark.parametrize(
    ("name", "paras", "function", "arguments"),
    [
        ("voltage", {"value": 230}, "u_a", (("value", 230),)),
        ("open", {}, "open", ()),
        ("open", None, "open", ()),
        ("Open The Gate", {"a": True, "b": "x"}, "Open The Gate", (("a", True), ("b", "x"))),
    ],
)
def test_any_other_name_calls_a_command_of_the_device(
    name: str, paras: object, function: str, arguments: tuple[Any, ...]
) -> None:
    found = command("commands", call(name, paras))
    assert (found.op, found.function, found.arguments) == (Op.CALL, function, arguments)
    assert (found.rid, found.token) == (f"command:9a-1:{name}", None)


def test_what_is_dangerous_is_armed_first_and_brings_its_token() -> None:
    armed = command("commands", call("arm", {"voltage": 5}))
    assert (armed.op, armed.values) == (Op.ARM, (("u_a", 5),))
    receipt = committed(ReplyBody(armed.rid, "done", "armed", "good once", None, ARMED))
    (publication,) = huawei().encode([receipt], NOW, is_backfill=False).publications
    assert json.loads(publication.payload)["paras"]["value"] == ARMED
    for name, paras in (("set", {"voltage": 5}), ("open", {})):
        found = command("commands", call(name, {**paras, "token": ARMED}))
        assert found.token == ARMED
        assert "token" not in dict(found.arguments)


def test_an_event_is_acknowledged() -> None:
    found = command("commands", call("event_ack", {"eid": "01KAQW7Z"}))
    assert (found.op, found.event) == (Op.EVENT_ACK, "01KAQW7Z")


@pytest.mark.parametrize(
    ("paras", "points"),
    [
        ({}, ()),
        (None, ()),
        ({"points": ["voltage", "i_a"]}, ("u_a", "i_a")),
        ({"points": "voltage, i_a"}, ("u_a", "i_a")),
    ],
)
def test_a_command_reads_points_or_all_of_them(paras: object, points: tuple[str, ...]) -> None:
    found = command("commands", call("read", paras))
    assert (found.op, found.device, found.points) == (Op.READ, METER, points)


def test_a_property_is_set_and_all_are_got() -> None:
    services = [{"service_id": "Meter", "properties": {"voltage": 5}}]
    found = command("properties/set", {"object_device_id": THEIRS, "services": services})
    assert (found.rid, found.op, found.values) == ("set:9a-1", Op.SET, (("u_a", 5),))
    got = command("properties/get", {"object_device_id": THEIRS, "service_id": "Meter"})
    assert (got.rid, got.op, got.device, got.points) == ("get:9a-1", Op.READ, METER, ())


def test_a_command_without_a_device_is_for_the_gateway_itself() -> None:
    for payload in ({"command_name": "read"}, call("read", {}, device="gw001")):
        assert command("commands", payload).device == GATEWAY_ITSELF


@pytest.mark.parametrize(
    ("where", "payload", "code"),
    [
        ("commands", call("set", {"voltage": 1}, device="another"), "no_device"),
        ("commands", {**call("set", {"voltage": 1}), "object_device_id": 5}, "no_device"),
        ("commands", call("set", {"a": 1, "b": 2}), "one_point"),
        ("commands", call("set", {}), "one_point"),
        ("commands", call("set", {"voltage": None}), "bad_value"),
        ("commands", call("set", {"voltage": [1]}), "bad_value"),
        ("commands", call("open", {"value": "x" * 201}), "bad_value"),
        ("commands", call("open", {"value": [1]}), "bad_value"),
        ("commands", call("open", {str(n): n for n in range(9)}), "bad_args"),
        ("commands", call("open", {"token": 5}), "bad_token"),
        ("commands", call("open", {"token": "x" * 65}), "bad_token"),
        ("commands", call("arm", {"a": 1, "b": 2}), "one_point"),
        ("commands", call("event_ack", {}), "no_eid"),
        ("commands", call("a\nb", {}), "unknown_op"),
        ("commands", call("read", {"points": [5]}), "bad_points"),
        ("commands", call("read", {"points": ["a"] * 201}), "bad_points"),
        ("commands", call("x" * 65, {"value": 1}), "unknown_op"),
        ("commands", call("set", [1]), "bad_json"),
        ("commands", {"object_device_id": THEIRS}, "unknown_op"),
        ("commands", b'{"command_name":"read","command_name":"set"}', "bad_json"),
        ("commands", b'{"paras":{"voltage":NaN}}', "bad_json"),
        ("commands", b"[]", "bad_json"),
        ("commands", b"\xff", "bad_json"),
        ("properties/set", {"object_device_id": THEIRS, "services": []}, "one_point"),
        ("properties/set", {"object_device_id": THEIRS, "services": [1]}, "bad_json"),
        (
            "properties/set",
            {"object_device_id": THEIRS, "services": [{"properties": None}]},
            "one_point",
        ),
        (
            "properties/set",
            {
                "object_device_id": THEIRS,
                "services": [{"service_id": "Pump", "properties": {"voltage": 1}}],
            },
            "no_service",
        ),
        ("properties/get", {"object_device_id": THEIRS, "service_id": "Pump"}, "no_service"),
    ],
)
def test_a_wrong_request_is_answered_with_a_code(where: str, payload: object, code: str) -> None:
    found = bad(where, payload)
    assert found.code == code
    assert found.rid is not None
    assert "9a-1" in found.rid


def test_the_answer_to_a_request_goes_to_the_topic_of_its_request_id_after_a_restart_too() -> None:
    found = command("commands", call("set", {"voltage": 5}))
    receipt = committed(ReplyBody(found.rid, "done", None, None, "u_a", 5, prop(1.0, 5.0, 2.0)))
    (publication,) = huawei().encode([receipt], NOW, is_backfill=False).publications
    assert publication.topic == f"{BASE}commands/response/request_id=9a-1"
    answer = json.loads(publication.payload)
    assert answer["result_code"] == 0
    assert answer["paras"]["values"]["voltage"] == 5.0


def test_a_request_for_a_device_that_is_not_there_is_answered_all_the_same() -> None:
    found = bad("commands", call("set", {"voltage": 1}, device="another"))
    assert found.rid is not None
    receipt = committed(ReplyBody(found.rid, "rejected", found.code, found.message), found.device)
    (publication,) = huawei().encode([receipt], NOW, is_backfill=False).publications
    assert publication.topic.endswith("/request_id=9a-1")
    assert json.loads(publication.payload)["result_code"] == 1


def test_our_own_answers_that_the_broker_sends_back_are_no_requests() -> None:
    for where in ("commands", "properties/set", "properties/get"):
        topic = f"{BASE}{where}/response/request_id=9a-1"
        assert is_silent(huawei().received(arrival(topic, {"result_code": 0}), NOW))


@pytest.mark.parametrize(
    "topic",
    [
        "$oc/devices/gw002/sys/commands/request_id=1",
        "$oc/devices/gw001/sys/commands/1",
        "$oc/devices/gw001/sys/commands/request_id=",
        f"$oc/devices/gw001/sys/commands/request_id={'x' * 129}",
        "$oc/devices/gw001/sys/commands/request_id=a\nb",
        "$oc/devices/gw001/sys/messages/down",
        "$oc/devices/gw001/sys/",
        "",
    ],
)
def test_other_topics_are_dropped_and_told(topic: str) -> None:
    received = huawei().received(arrival(topic, call("read", {})), NOW)
    assert received.commands == ()
    assert len(received.dropped) == 1


def test_a_retained_command_is_dropped_and_told() -> None:
    received = asked("commands", call("read", {}), is_retained=True)
    assert received.commands == ()
    assert "retained" in received.dropped[0].reason


@pytest.mark.parametrize(
    "event",
    [
        {"service_id": "$ota", "event_type": "version_query", "paras": {}},
        {"service_id": "$time_sync", "event_type": "time_sync_response"},
        {"service_id": "$sub_device_manager", "event_type": "start_scan", "paras": {}},
        {},
    ],
)
def test_events_that_are_not_known_are_dropped_and_told(event: dict[str, Any]) -> None:
    received = huawei().received(arrival(f"{BASE}events/down", {"services": [event]}), NOW)
    assert len(received.dropped) == 1


@pytest.mark.parametrize("payload", [{}, {"services": {}}, {"services": [1]}, b"[]", b"{"])
def test_what_is_no_event_is_dropped_and_told(payload: object) -> None:
    received = huawei().received(arrival(f"{BASE}events/down", payload), NOW)
    assert len(received.dropped) == 1


def test_an_answer_about_a_hundred_devices_is_longer_than_a_command_may_be() -> None:
    why = {"error_code": "IOTDA.014016", "error_msg": "x" * 200}
    failed = [{"device_id": f"65aa_em-{n}", **why} for n in range(99)]
    paras = {"failed_devices": [*failed, {"device_id": THEIRS, **why}]}
    event = {
        "service_id": "$sub_device_manager",
        "event_type": "sub_device_update_status_response",
        "paras": paras,
    }
    received = huawei().received(arrival(f"{BASE}events/down", {"services": [event]}), NOW)
    assert len(received.remarks) == 1


_KEYS = st.sampled_from(
    [
        *("object_device_id", "services", "service_id", "event_type", "paras", "command_name"),
        *("properties", "devices", "successful_devices", "failed_devices", "device_id", "value"),
    ]
)
_TEXTS = st.sampled_from(
    f"{THEIRS} Meter $sub_device_manager $time_sync set read voltage add_sub_device_response "
    "sub_device_update_status_response time_sync_response".split()
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(_JSON | st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_payload_whatever_raises_or_writes_without_an_expiry(payload: object) -> None:
    for where in ("commands/request_id=1", "properties/set/request_id=1"):
        received = huawei().received(arrival(BASE + where, payload), NOW)
        for found in received.commands:
            assert isinstance(found, BadCommand) or found.expires_ms == NOW.ms + TTL_MS
    huawei().received(arrival(f"{BASE}events/down", payload), NOW)
