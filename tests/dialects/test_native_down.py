"""The native dialect downwards: commands, acknowledgements, and everything that is neither."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.contract import Ranges, Received, SeqRange
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.publication import Arrival
from tests.support.natives import EP, NOW, committed, native, prop
from tests.support.payloads import faults

BASE = "fc/1/hz-fc-001/gw-03/dn/"
SINK = SinkName("province")


def _received(
    payload: object, where: str = "cmd/gate-01", *, is_retained: bool = False
) -> Received:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return native().received(Arrival(SINK, BASE + where, raw, is_retained), NOW)


def _bad(payload: object) -> BadCommand:
    (command,) = _received(payload).commands
    assert isinstance(command, BadCommand), command
    return command


def _set(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"rid": "7f", "op": "set", "p": {"gate_cmd": "open"}, "exp": 5}
    return {key: value for key, value in {**fields, **changes}.items() if value is not ...}


@pytest.mark.parametrize("value", ["open", 1, -2.5, True, 0])
def test_a_set_is_understood(value: object) -> None:
    message = _set(p={"gate_cmd": value}, by="butler", why="van")
    assert not faults(message, "cmd")
    assert _received(message).commands == (
        Command(
            SINK,
            "7f",
            Op.SET,
            DeviceId("gate-01"),
            ((PointId("gate_cmd"), value),),  # type: ignore[arg-type]
            (),
            5,
            "butler",
            "van",
        ),
    )


@pytest.mark.parametrize("version", ["1", "1.0", "1.7"])
def test_a_later_version_of_this_standard_is_understood(version: str) -> None:
    (command,) = _received(_set(v=version)).commands
    assert isinstance(command, Command)


def test_a_read_is_understood_with_and_without_points() -> None:
    for points, found in ((["u_a", "i_a"], ("u_a", "i_a")), ([], ()), (..., ())):
        (command,) = _received(_set(op="read", p=points, exp=...)).commands
        assert isinstance(command, Command)
        assert (command.op, command.points, command.values) == (Op.READ, found, ())


def test_a_call_an_arming_and_an_acknowledgement_are_understood() -> None:
    more = {"args": {"value": "open"}, "token": "7f", "dry": True}
    call = _set(op="call", p=..., fn="gate_cmd", **more)
    arm = _set(op="arm", by="desk")
    seen = {"rid": "7f", "op": "event_ack", "eid": "01KA"}
    called, armed, acknowledged = (
        command for one in (call, arm, seen) for command in _received(one).commands
    )
    assert not any(faults(one, "cmd") for one in (call, arm, seen))
    assert isinstance(called, Command)
    assert (called.op, called.function, called.arguments) == (
        Op.CALL,
        "gate_cmd",
        (("value", "open"),),
    )
    assert (called.token, called.is_dry, called.values) == ("7f", True, ())
    assert isinstance(armed, Command)
    assert (armed.op, armed.values, armed.by) == (Op.ARM, ((PointId("gate_cmd"), "open"),), "desk")
    assert isinstance(acknowledged, Command)
    assert (acknowledged.op, acknowledged.event) == (Op.EVENT_ACK, "01KA")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rid": ...}, "no_rid"),
        ({"rid": ""}, "no_rid"),
        ({"rid": 7}, "no_rid"),
        ({"rid": "x" * 65}, "no_rid"),
        ({"rid": "a\nb"}, "no_rid"),
        ({"op": "explode"}, "unknown_op"),
        ({"op": "call"}, "unknown_key"),
        ({"op": "call", "p": ...}, "no_fn"),
        ({"op": "call", "p": ..., "fn": ""}, "no_fn"),
        ({"op": "call", "p": ..., "fn": "a\nb"}, "no_fn"),
        ({"op": "call", "p": ..., "fn": "open", "args": [1]}, "bad_args"),
        ({"op": "call", "p": ..., "fn": "open", "args": {"value": None}}, "bad_value"),
        ({"op": "call", "p": ..., "fn": "a", "args": dict.fromkeys("abcdefghi", 1)}, "bad_args"),
        ({"op": "arm", "p": ["gate_cmd"]}, "bad_points"),
        ({"op": "arm", "token": "x"}, "unknown_key"),
        ({"op": "event_ack", "p": ...}, "no_eid"),
        ({"op": "event_ack", "p": ..., "eid": 7}, "bad_text"),
        ({"dry": 1}, "bad_flag"),
        ({"token": "x" * 65}, "bad_token"),
        ({"token": "\u00e9"}, "bad_token"),
        ({"token": 7}, "bad_text"),
        ({"op": None}, "unknown_op"),
        ({"op": ["set"]}, "unknown_op"),
        ({"p": ...}, "bad_points"),
        ({"p": {}}, "bad_points"),
        ({"p": {"a": 1, "b": 2}}, "bad_points"),
        ({"p": ["a"]}, "bad_points"),
        ({"p": {"A b": 1}}, "bad_points"),
        ({"p": {"a": None}}, "bad_value"),
        ({"p": {"a": [1]}}, "bad_value"),
        ({"p": {"a": "x" * 201}}, "bad_value"),
        ({"op": "read", "p": "u_a"}, "bad_points"),
        ({"op": "read", "p": {"u_a": 1}}, "bad_points"),
        ({"op": "read", "p": [1]}, "bad_points"),
        ({"op": "read", "p": ["a"] * 201}, "bad_points"),
        ({"exp": "5"}, "bad_expiry"),
        ({"exp": True}, "bad_expiry"),
        ({"exp": 5.5}, "bad_expiry"),
        ({"exp": -1}, "bad_expiry"),
        ({"by": 5}, "bad_text"),
        ({"why": "x" * 201}, "bad_text"),
        ({"arm": True}, "unknown_key"),
        ({"v": "2.0"}, "bad_version"),
        ({"v": 1}, "bad_version"),
    ],
)
def test_a_command_of_the_wrong_shape_is_answered_with_a_code(
    changes: dict[str, Any], code: str
) -> None:
    bad = _bad(_set(**changes))
    assert bad.code == code
    assert bad.rid == (None if code == "no_rid" else "7f")
    assert bad.device == "gate-01"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"7",
        b"{",
        b'{"rid":"7","op":"set","rid":"8"}',
        b'{"rid":"7","op":"set","p":{"a":NaN},"exp":5}',
        b'{"rid":"7","op":"set","p":{"a":1e999},"exp":5}',
        b'{"rid":"7","op":"set","p":{"a":' + b"9" * 5000 + b'},"exp":5}',
        b'{"rid":"7","op":"set","p":{"a":9007199254740992},"exp":5}',
        b'{"rid":"' + b"x" * 17_000 + b'"}',
        b"[" * 10_000,
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"rid":"\xff"}',
        b'{"rid":"7","op":"read","why":"\\ud800"}',
        b'\xef\xbb\xbf{"rid":"7"}',
        b"{'rid':'7'}",
        b'{"rid":"7"}{"rid":"8"}',
    ],
    ids=range(17),
)
def test_json_that_two_readers_might_read_differently_is_refused(payload: bytes) -> None:
    assert _bad(payload).code == "bad_json"


def test_brackets_in_a_text_are_no_nesting() -> None:
    (command,) = _received(_set(why='[[[[[[[[[[[["\\')).commands
    assert isinstance(command, Command)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=300)
def test_no_payload_whatever_raises(payload: bytes) -> None:
    for kind in ("cmd/x", "ack/_", "time/_", "cfg/_", "cmd", "cmd/X/Y"):
        _received(payload, kind)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rid", "op", "p", "exp", "ep", "ranges"]), inner)
    ),
    max_leaves=8,
)


@given(_JSON)
@settings(max_examples=300)
def test_no_json_whatever_raises(value: object) -> None:
    for kind in ("cmd/x", "ack/_", "time/_"):
        _received(value, kind)


def test_a_retained_command_is_dropped_and_told() -> None:
    received = _received(_set(), is_retained=True)
    assert received.commands == ()
    assert received.dropped[0].topic == BASE + "cmd/gate-01"
    assert "retained" in received.dropped[0].reason


@pytest.mark.parametrize("where", ["cfg/_", "ota/_", "xyz/_", "cmd/A", "cmd", "cmd/a/b", ""])
def test_other_classes_and_foreign_topics_are_dropped_and_told(where: str) -> None:
    received = _received(_set(), where)
    assert received.commands == ()
    assert len(received.dropped) == 1


def test_a_topic_of_another_gateway_is_dropped() -> None:
    arrival = Arrival(SINK, "fc/1/hz-fc-001/gw-04/dn/cmd/x", json.dumps(_set()).encode(), False)
    assert native().received(arrival, NOW).commands == ()


def test_acknowledgements_and_resend_requests_are_ranges() -> None:
    message = {"ep": EP, "ranges": [[1, 5], [7, 7]], "resend": [[6, 6]]}
    assert not faults(message, "ack")
    assert _received(message, "ack/_") == Received(
        acknowledged=(Ranges(EP, (SeqRange(1, 5), SeqRange(7, 7))),),
        wanted=(Ranges(EP, (SeqRange(6, 6),)),),
    )


def test_a_store_that_is_no_more_is_not_confirmed_with_the_seqs_of_this_one() -> None:
    message = {"ep": EP - 1, "ranges": [[1, 1000]], "resend": [[6, 6]]}
    arrival = Arrival(SINK, f"{BASE}ack/_", json.dumps(message).encode(), is_retained=False)
    dialect = native()
    heard = dialect.received(arrival, NOW)
    assert (heard.acknowledged, len(heard.dropped)) == ((), 1)
    assert heard.wanted == (Ranges(EP - 1, (SeqRange(6, 6),)),), "it may still be kept"
    refused_by_the_disk = replace(committed(prop(1.0, 2.0, 3.0)), ep=EP - 1)
    dialect.encode([refused_by_the_disk], NOW, is_backfill=False)
    assert dialect.received(arrival, NOW).acknowledged, "records of that ep were sent"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"ep": "42", "ranges": []},
        {"ep": True, "ranges": []},
        {"ep": EP, "ranges": [[5, 1]]},
        {"ep": EP, "ranges": [[1]]},
        {"ep": EP, "ranges": [[True, True]]},
        {"ep": EP, "ranges": [[-1, 1]]},
        {"ep": EP, "ranges": "all"},
        {"ep": EP, "ranges": [[1, 1]] * 1001},
        {"v": "2.0", "ep": EP, "ranges": [[1, 1]]},
    ],
)
def test_an_acknowledgement_of_the_wrong_shape_confirms_nothing(message: object) -> None:
    received = _received(message, "ack/_")
    assert (received.acknowledged, received.wanted) == ((), ())
    assert len(received.dropped) == 1


def test_the_platform_may_tell_its_time() -> None:
    assert _received({"ts": 1763888400000}, "time/_").platform_ms == 1763888400000
    assert _received({"ts": "noon"}, "time/_").dropped
