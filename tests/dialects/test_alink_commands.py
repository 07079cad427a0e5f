"""Commands of Alink platforms and their replies, profile by profile; hostile ones among them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.alink.dialect import Alink
from gateway.dialects.contract import Received
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.record import ReplyBody
from tests.support.alinks import METER, NOW, alink, arrival, body_of, record, values

OWN = "/sys/pkGw/gw03"
SUB = "/sys/pkMeter/em-01"
SET = "/thing/service/property/set"
ENOS_ID = {"productKey": "pkMeter", "deviceKey": "em-01"}
ONENET_ID = {"productID": "pkMeter", "deviceName": "em-01"}


def asked(dialect: Alink, topic: str, body: object, **more: Any) -> Command:
    """Return the command in a message."""
    (command,) = dialect.received(arrival(topic, body, **more), NOW).commands
    assert isinstance(command, Command), command
    return command


def refused(dialect: Alink, topic: str, body: object) -> BadCommand:
    """Return why a message is no command."""
    (command,) = dialect.received(arrival(topic, body), NOW).commands
    assert isinstance(command, BadCommand), command
    return command


def replied(dialect: Alink, rid: str, device: DeviceId = METER) -> tuple[str, dict[str, Any]]:
    """Return topic and body of the reply to a command that was done."""
    body = ReplyBody(rid, "done", point="p_limit", value=2.0)
    (publication,) = dialect.encode([record(body, device)], NOW, is_backfill=False).publications
    return publication.topic, body_of(publication)


PLAIN = {"id": "77", "version": "1.0", "params": {"p_limit": 2.0}}
WAYS: list[tuple[str, str, dict[str, Any], DeviceId, str]] = [
    ("aliyun", SUB + SET, PLAIN, METER, SUB + SET + "_reply"),
    ("aliyun", OWN + SET, PLAIN, GATEWAY_ITSELF, OWN + SET + "_reply"),
    ("sagoo", SUB + SET, PLAIN, METER, SUB + SET + "_reply"),
    (
        "yudao",
        SUB + "/thing/property/set",
        PLAIN,
        METER,
        SUB + "/thing/property/set_reply",
    ),
    (
        "enos",
        SUB + "/thing/service/measurepoint/set",
        PLAIN,
        METER,
        SUB + "/thing/service/measurepoint/set_reply",
    ),
    ("xunji", OWN + SET, {**PLAIN, "identity": ENOS_ID}, METER, OWN + SET + "_reply"),
    ("xunji", OWN + SET, PLAIN, GATEWAY_ITSELF, OWN + SET + "_reply"),
    (
        "onenet",
        "$sys/pkGw/gw03/thing/sub/property/set",
        {"id": "77", "params": {**ONENET_ID, "params": {"p_limit": 2.0}}},
        METER,
        "$sys/pkGw/gw03/thing/sub/property/set_reply",
    ),
    (
        "onenet",
        "$sys/pkGw/gw03/thing/property/set",
        PLAIN,
        GATEWAY_ITSELF,
        "$sys/pkGw/gw03/thing/property/set_reply",
    ),
]


@pytest.mark.parametrize(("profile", "topic", "body", "device", "reply"), WAYS)
def test_a_set_reaches_its_device_and_its_reply_the_right_topic(
    profile: str, topic: str, body: dict[str, Any], device: DeviceId, reply: str
) -> None:
    command = asked(alink(profile), topic, body)
    assert (command.op, command.device, command.values) == (Op.SET, device, (("p_limit", 2.0),))
    assert command.expires_ms == NOW.ms + 30_000
    restarted = alink(profile)
    found, answer = replied(restarted, command.rid, device)
    assert found == reply
    assert (answer["id"], answer["code"], answer["data"]) == ("77", 200, {"p_limit": 2.0})


CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "aliyun",
        SUB + "/thing/service/openGate",
        {"id": "8", "params": {"value": 1}},
        SUB + "/thing/service/openGate_reply",
    ),
    (
        "enos",
        SUB + "/thing/service/openGate",
        {"id": "8", "params": {"value": 1}},
        SUB + "/thing/service/openGate_reply",
    ),
    (
        "yudao",
        SUB + "/thing/service/invoke",
        {"id": "8", "params": {"identifier": "openGate", "inputParams": {"value": 1}}},
        SUB + "/thing/service/invoke_reply",
    ),
    (
        "xunji",
        OWN + "/thing/service/openGate",
        {"id": "8", "params": {"value": 1}, "identity": ENOS_ID},
        OWN + "/thing/service/openGate_reply",
    ),
    (
        "onenet",
        "$sys/pkGw/gw03/thing/sub/service/invoke",
        {"id": "8", "params": {**ONENET_ID, "identifier": "openGate", "input": {"value": 1}}},
        "$sys/pkGw/gw03/thing/sub/service/invoke_reply",
    ),
    (
        "aliyun",
        SUB + "/rrpc/request/99887",
        {"id": "8", "method": "thing.service.openGate", "params": {"value": 1}},
        SUB + "/rrpc/response/99887",
    ),
]


@pytest.mark.parametrize(("profile", "topic", "body", "reply"), CALLS)
def test_a_service_is_a_call_of_the_function_that_the_site_names(
    profile: str, topic: str, body: dict[str, Any], reply: str
) -> None:
    command = asked(alink(profile, services={"openGate": "open"}), topic, body)
    assert (command.op, command.device) == (Op.CALL, METER)
    assert (command.function, command.arguments) == ("open", (("value", 1),))
    found, answer = replied(alink(profile), command.rid)
    assert (found, answer["id"]) == (reply, "8")
    if profile == "onenet":
        assert answer["data"]["identifier"] == "openGate"
        assert answer["data"]["deviceName"] == "em-01"


def test_a_set_can_come_by_rrpc() -> None:
    body = {"id": "8", "method": "thing.service.property.set", "params": {"p_limit": 2.0}}
    command = asked(alink(), SUB + "/rrpc/request/5", body)
    assert (command.op, command.values) == (Op.SET, (("p_limit", 2.0),))


@pytest.mark.parametrize(
    ("profile", "topic", "params"),
    [
        ("aliyun", SUB + "/thing/service/property/get", ["u_a", "count"]),
        ("aliyun", SUB + "/thing/service/read", {"points": ["u_a", "count"]}),
        (
            "onenet",
            "$sys/pkGw/gw03/thing/sub/property/get",
            {**ONENET_ID, "params": ["u_a", "count"]},
        ),
    ],
)
def test_points_can_be_read(profile: str, topic: str, params: object) -> None:
    command = asked(alink(profile), topic, {"id": "9", "params": params})
    assert (command.op, command.device, command.points) == (Op.READ, METER, ("u_a", "count"))


def test_a_reply_to_a_read_holds_the_good_values() -> None:
    dialect = alink()
    command = asked(dialect, SUB + "/thing/service/property/get", {"id": "9", "params": []})
    body = ReplyBody(command.rid, "done", readback=values(1.0, None, 3))
    (publication,) = dialect.encode([record(body)], NOW, is_backfill=False).publications
    assert body_of(publication)["data"] == {"ep_imp": 1.0, "count": 3}


def test_a_dangerous_set_is_armed_by_a_service_and_brings_its_token() -> None:
    armed = asked(alink(), SUB + "/thing/service/arm", {"id": "1", "params": {"relay": 1}})
    assert (armed.op, armed.values) == (Op.ARM, (("relay", True),))
    command = asked(alink(), SUB + SET, {"id": "2", "params": {"relay": 0, "token": "abc"}})
    assert (command.token, command.values) == ("abc", (("relay", False),))


@pytest.mark.parametrize(
    ("point", "given", "value"),
    [
        ("relay", 1, True),
        ("relay", 0, False),
        ("relay", "1", True),
        ("relay", True, True),
        ("relay", 2, 2),
        ("p_limit", "30.5", 30.5),
        ("p_limit", "x", "x"),
        ("p_limit", "nan", "nan"),
        ("p_limit", "inf", "inf"),
        ("p_limit", "1e999", "1e999"),
        ("p_limit", "1_0", "1_0"),
        ("p_limit", "\u0661", "\u0661"),
        ("p_limit", "-7.25", -7.25),
        ("count", "7", 7),
        ("unknown", "7", "7"),
    ],
)
def test_values_get_the_type_of_their_point(point: str, given: Any, value: Any) -> None:
    found = asked(alink(), SUB + SET, {"id": "1", "params": {point: given}}).values[0][1]
    assert (found, type(found)) == (value, type(value))


def test_the_life_of_a_command_is_an_option() -> None:
    assert asked(alink(command_ttl=5), SUB + SET, PLAIN).expires_ms == NOW.ms + 5000


def test_the_same_id_for_two_devices_is_two_commands() -> None:
    dialect = alink()
    rids = {asked(dialect, topic + SET, PLAIN).rid for topic in (SUB, "/sys/pkGate/gate-01", OWN)}
    assert len(rids) == 3


def test_an_id_that_is_a_number_is_taken() -> None:
    command = asked(alink(), SUB + SET, {**PLAIN, "id": 77})
    assert replied(alink(), command.rid)[1]["id"] == "77"


def test_a_retained_command_is_dropped() -> None:
    received = alink().received(arrival(SUB + SET, PLAIN, is_retained=True), NOW)
    assert not received.commands
    assert "retained" in received.dropped[0].reason


def test_a_command_for_a_device_that_is_not_ours_is_ignored() -> None:
    assert alink().received(arrival("/sys/pkMeter/other" + SET, PLAIN), NOW) == Received()
    assert alink().received(arrival("/elsewhere/x/y", PLAIN), NOW) == Received()


@pytest.mark.parametrize(
    ("status", "code", "answer"),
    [
        ("done", None, 200),
        ("rejected", "range", 460),
        ("rejected", "type", 460),
        ("rejected", "one_point", 460),
        ("rejected", "bad_json", 460),
        ("rejected", "rate", 429),
        ("rejected", "not_allowed", 100_001),
        ("rejected", "clock", 100_001),
        ("expired", "expired", 100_002),
        ("failed", "timeout", 100_003),
    ],
)
def test_the_code_of_a_reply_says_what_became_of_it(
    status: str, code: str | None, answer: int
) -> None:
    body = ReplyBody("set::em-01:7", status, code, "why")
    (publication,) = alink().encode([record(body)], NOW, is_backfill=False).publications
    assert (body_of(publication)["code"], body_of(publication)["message"]) == (answer, "why")


@pytest.mark.parametrize("rid", ["7f1c", "set:x", "other::em-01:7", "set::never-01:7"])
def test_a_receipt_of_no_question_of_ours_is_withheld(rid: str) -> None:
    encoded = alink().encode([record(ReplyBody(rid, "done"))], NOW, is_backfill=False)
    assert (encoded.publications, encoded.withheld) == ((), (10,))


def test_a_receipt_that_is_none_yet_is_withheld() -> None:
    body = ReplyBody("set::em-01:7", "accepted")
    assert alink().encode([record(body)], NOW, is_backfill=False).withheld == (10,)


WRONG: list[tuple[object, str, bool]] = [
    (b"not json", "bad_json", False),
    (b'{"id":"1","id":"2","params":{}}', "bad_json", False),
    (b'{"id":"1","params":{"p_limit":NaN}}', "bad_json", False),
    (b"[" * 500, "bad_json", False),
    (b'{"id":"1","x":"' + b"a" * 20_000 + b'"}', "bad_json", False),
    ([], "bad_json", False),
    ({}, "no_rid", False),
    ({"id": "", "params": {"p_limit": 1}}, "no_rid", False),
    ({"id": "a" * 200, "params": {"p_limit": 1}}, "no_rid", False),
    ({"id": True, "params": {"p_limit": 1}}, "no_rid", False),
    ({"id": "1\n", "params": {"p_limit": 1}}, "no_rid", False),
    ({"id": "1"}, "one_point", True),
    ({"id": "1", "params": []}, "bad_json", True),
    ({"id": "1", "params": {"p_limit": 1, "relay": 1}}, "one_point", True),
    ({"id": "1", "params": {"P/limit": 1}}, "bad_points", True),
    ({"id": "1", "params": {"p_limit": None}}, "bad_value", True),
    ({"id": "1", "params": {"p_limit": {"value": 1}}}, "bad_value", True),
    ({"id": "1", "params": {"p_limit": "x" * 201}}, "bad_value", True),
    ({"id": "1", "params": {"p_limit": 1, "token": 5}}, "bad_args", True),
]


@pytest.mark.parametrize(("body", "code", "is_answered"), WRONG)
def test_what_is_no_command_is_refused_and_answered_when_it_has_an_id(
    body: object, code: str, *, is_answered: bool
) -> None:
    bad = refused(alink(), SUB + SET, body)
    assert (bad.code, bad.device) == (code, METER)
    assert (bad.rid is not None) == is_answered
    if bad.rid is not None:
        assert replied(alink(), bad.rid)[0] == SUB + SET + "_reply"


def test_an_identity_that_is_not_ours_is_refused() -> None:
    body = {**PLAIN, "identity": {"productKey": "pkMeter", "deviceKey": "em-99"}}
    assert refused(alink("xunji"), OWN + SET, body).code == "no_device"
    body = {"id": "7", "params": {"productID": "p", "deviceName": "d", "params": {"a": 1}}}
    for word in ("property/set", "property/get", "service/invoke"):
        topic = f"$sys/pkGw/gw03/thing/sub/{word}"
        bad = refused(alink("onenet"), topic, body)
        assert (bad.code, bad.device) == ("no_device", GATEWAY_ITSELF)
        assert bad.rid is not None
        assert replied(alink("onenet"), bad.rid, bad.device)[0] == topic + "_reply"


@pytest.mark.parametrize("service", ["a b", "x" * 65, "浙", "a:b"])
def test_a_service_that_can_be_no_name_is_refused_without_an_answer(service: str) -> None:
    bad = refused(alink(), f"{SUB}/thing/service/{service}", {"id": "1", "params": {}})
    assert (bad.code, bad.rid) == ("no_rid", None)


def test_an_unknown_method_by_rrpc_is_refused() -> None:
    body = {"id": "1", "method": "thing.ota.start", "params": "x"}
    assert refused(alink(), SUB + "/rrpc/request/5", body).code == "bad_json"


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
TOPICS = [
    SUB + SET,
    OWN + "/thing/service/x",
    SUB + "/rrpc/request/1",
    "/ext/error/pkGw/gw03",
    "/ext/ntp/pkGw/gw03/response",
    OWN + "/thing/event/property/pack/post_reply",
    "/ext/session/pkGw/gw03/combine/batch_login_reply",
    "$sys/pkGw/gw03/thing/sub/service/invoke",
    OWN + "/thing/sub/property/set",
]


@settings(max_examples=100, deadline=None)
@given(
    topic=st.sampled_from(TOPICS) | st.text(max_size=40),
    body=st.binary(max_size=60)
    | st.fixed_dictionaries(
        {"id": JSONISH, "params": JSONISH, "code": JSONISH, "data": JSONISH, "method": JSONISH}
    ).map(lambda found: json.dumps(found).encode()),
    profile=st.sampled_from(["aliyun", "onenet", "xunji", "yudao", "enos"]),
)
def test_nothing_that_comes_raises(topic: str, body: bytes, profile: str) -> None:
    received = DIALECTS[profile].received(arrival(topic, body), NOW)
    assert isinstance(received, Received)


DIALECTS = {each: alink(each, ack="app") for each in ("aliyun", "onenet", "xunji", "yudao", "enos")}
