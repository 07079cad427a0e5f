"""The dialect `sparkplug_b` downwards: commands, rebirth, the primary host, hostile bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.outward.doors import Passage
from gateway.dialects.contract import Now, Received
from gateway.dialects.options import BadOption, made
from gateway.dialects.sparkplug_b.dialect import SparkplugB
from gateway.dialects.sparkplug_b.options import SparkplugDevice, SparkplugOptions
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import SinkName
from gateway.model.publication import Arrival, Publication
from gateway.model.record import StateBody
from gateway.settings.site_sinks import Broker
from tests.support.natives import NOW, births, committed, door, setup
from tests.support.sparkplug import REBIRTH, bd_seq_of, command, shown

BASE = "spBv1.0/hz-fc-001"
HOST = "spBv1.0/STATE/scada"
OTHER = (Broker("127.0.0.2", 1883),)
TTL_MS = 30_000


def dialect(**sink: Any) -> SparkplugB:
    one = SparkplugB(setup(dialect="sparkplug_b", **sink))
    one.connect_spec(NOW)
    one.connected(births(), (), NOW)
    return one


def arrival(topic: str, payload: bytes, *, is_retained: bool = False) -> Arrival:
    return Arrival(SinkName("province"), topic, payload, is_retained)


def rebirth() -> Arrival:
    return arrival(f"{BASE}/NCMD/gw-03", command(REBIRTH))


def gate(*metrics: dict[str, Any], **more: Any) -> Arrival:
    return arrival(f"{BASE}/DCMD/gw-03/gate-01", command(*metrics, **more))


def alias_of(one: SparkplugB, name: str) -> int:
    later = Now(NOW.ms + 60_000, NOW.tq)
    born = [shown(p.payload) for p in one.received(rebirth(), later).publications]
    return next(m["alias"] for p in born for m in p["metrics"] if m["name"] == name)


def kinds(publications: tuple[Publication, ...]) -> list[str]:
    return [publication.topic.split("/")[2] for publication in publications]


# --- commands


def test_a_metric_is_written_by_name_or_by_alias() -> None:
    one = dialect()
    by_alias = {"alias": alias_of(one, "gate_cmd"), "string_value": "open"}
    by_name = {"name": "gate_cmd", "string_value": "open"}
    found = [one.received(gate(metric), NOW).commands for metric in (by_alias, by_name)]
    for (said,) in found:
        assert isinstance(said, Command)
        assert (said.op, said.device, said.values) == (Op.SET, "gate-01", (("gate_cmd", "open"),))
        assert said.expires_ms == NOW.ms + TTL_MS
    assert found[0] == found[1], "the same command, so the same id"


@pytest.mark.parametrize(
    ("timestamp", "left_ms"),
    [
        *((NOW.ms, TTL_MS), (NOW.ms - 300_000, TTL_MS), (2**64 - 1, TTL_MS), (None, TTL_MS)),
        *((NOW.ms - 300_001, TTL_MS - 1), (NOW.ms - 3_600_000, TTL_MS - 3_300_000)),
    ],
)
def test_what_waited_somewhere_longer_than_clocks_differ_is_late(
    timestamp: int | None, left_ms: int
) -> None:
    metric = {"name": "gate_cmd", "string_value": "open"}
    (said,) = dialect().received(gate(metric, timestamp=timestamp), NOW).commands
    assert isinstance(said, Command)
    assert said.expires_ms == NOW.ms + left_ms


def test_several_metrics_are_several_commands_with_ids_of_their_own() -> None:
    metrics = (
        {"name": "gate_cmd", "string_value": "open"},
        {"name": "is_open", "boolean_value": 1},
    )
    said = dialect().received(gate(*metrics), NOW).commands
    assert [one.values for one in said if isinstance(one, Command)] == [
        (("gate_cmd", "open"),),
        (("is_open", True),),
    ]
    assert len({one.rid for one in said}) == 2


def test_the_id_is_the_same_when_a_message_comes_twice_and_another_at_another_time() -> None:
    one, metric = dialect(), {"name": "gate_cmd", "string_value": "open"}
    later = Now(NOW.ms + 5, NOW.tq)

    def rid(timestamp: int | None, now: Now) -> str | None:
        return one.received(gate(metric, timestamp=timestamp), now).commands[0].rid

    assert rid(7, NOW) == rid(7, later)
    assert rid(7, NOW) != rid(8, NOW)
    assert rid(None, NOW) != rid(None, later), "a host without time means each one"


@pytest.mark.parametrize(
    ("metric", "code"),
    [
        ({"name": "gate_cmd", "boolean_value": True}, "bad_value"),
        ({"name": "is_open", "int_value": 1}, "bad_value"),
        ({"name": "gate_cmd", "is_null": True}, "bad_value"),
        ({"name": "gate_cmd", "string_value": "x" * 201}, "bad_value"),
        ({"name": "gate_cmd", "bytes_value": b"open"}, "bad_value"),
        ({"name": "new_point", "double_value": float("nan")}, "bad_value"),
        ({"name": "../gate_cmd", "string_value": "open"}, "no_point"),
        ({"name": "Event/leak", "boolean_value": False}, "no_point"),
        ({"alias": 9999, "boolean_value": False}, "no_point"),
        ({"boolean_value": False}, "no_point"),
    ],
)
def test_what_is_no_command_is_refused_with_an_answer(metric: dict[str, Any], code: str) -> None:
    (said,) = dialect().received(gate(metric), NOW).commands
    assert isinstance(said, BadCommand)
    assert (said.code, said.device) == (code, "gate-01")
    assert said.rid
    assert len(said.rid) <= 64


def test_an_alias_of_another_device_is_no_metric_of_this_one() -> None:
    one = dialect()
    (said,) = one.received(gate({"alias": alias_of(one, "u_a"), "double_value": 1.0}), NOW).commands
    assert isinstance(said, BadCommand)


@pytest.mark.parametrize(
    "arrived",
    [
        arrival(f"{BASE}/DCMD/gw-03/gate-01", command({"name": "x"}), is_retained=True),
        arrival(f"{BASE}/NCMD/gw-03", rebirth().payload, is_retained=True),
        arrival(f"{BASE}/DCMD/gw-03/nobody", command({"name": "x", "boolean_value": True})),
        arrival(f"{BASE}/DCMD/gw-99/gate-01", command({"name": "x", "boolean_value": True})),
        arrival(f"{BASE}/NCMD/gw-03", command({"name": "Node Control/Reboot"})),
        arrival(f"{BASE}/NCMD/gw-03", command({"alias": 3, "boolean_value": True})),
        arrival(f"{BASE}/NCMD/gw-03", b"\xff\xff"),
        arrival(HOST, b'{"online": true, "timestamp": 1}'),
        gate(*({"name": "gate_cmd", "string_value": "open"} for _ in range(101))),
    ],
)
def test_what_is_not_for_us_or_of_any_time_is_dropped_and_told(arrived: Arrival) -> None:
    received = dialect().received(arrived, NOW)
    assert received == Received(dropped=received.dropped)
    assert received.dropped[0].reason


@given(st.sampled_from(["NCMD/gw-03", "DCMD/gw-03/gate-01", "STATE"]), st.binary(max_size=60))
def test_no_message_raises(topic: str, payload: bytes) -> None:
    where = HOST if topic == "STATE" else f"{BASE}/{topic}"
    received = dialect(options={"primary_host": "scada"}).received(arrival(where, payload), NOW)
    assert not any(isinstance(one, Command) for one in received.commands)


# --- rebirth


def test_a_rebirth_tells_all_again_with_the_same_bd_seq() -> None:
    one = SparkplugB(setup(dialect="sparkplug_b"))
    one.connect_spec(NOW)
    first = one.connected(births(), (), NOW)
    again = one.received(rebirth(), Now(NOW.ms + 60_000, NOW.tq)).publications
    assert kinds(again) == kinds(first) == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert bd_seq_of(shown(again[0].payload)) == bd_seq_of(shown(first[0].payload))
    no = command({"name": "Node Control/Rebirth", "boolean_value": False})
    assert one.received(arrival(f"{BASE}/NCMD/gw-03", no), NOW) == Received()


def test_a_rebirth_among_other_orders_is_a_rebirth_and_the_others_are_told() -> None:
    one = dialect()
    both = command({"name": "Node Control/Next Server", "boolean_value": True}, REBIRTH)
    later = Now(NOW.ms + 60_000, NOW.tq)
    received = one.received(arrival(f"{BASE}/NCMD/gw-03", both), later)
    assert kinds(received.publications) == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert [dropped.reason for dropped in received.dropped] == [
        "the node has no command 'Node Control/Next Server'"
    ]


# --- the primary host


def waiting(**sink: Any) -> SparkplugB:
    one = SparkplugB(setup(dialect="sparkplug_b", options={"primary_host": "scada"}, **sink))
    spec = one.connect_spec(NOW)
    assert (spec.subscriptions[-1].topic, spec.subscriptions[-1].wants_retained) == (HOST, True)
    return one


def state(*, online: bool, timestamp: int) -> Arrival:
    said = {"online": online, "timestamp": timestamp}
    return arrival(HOST, json.dumps(said).encode(), is_retained=True)


def test_nothing_is_said_before_the_primary_host_is_online() -> None:
    one = waiting()
    assert one.connected(births(), (), NOW) == ()
    assert not one.is_ready(NOW)
    assert one.received(rebirth(), NOW).publications == ()
    assert one.tick(NOW) == ()
    assert one.reloaded(births(), NOW) == ()
    assert one.goodbye(NOW) == ()
    assert one.received(state(online=False, timestamp=5), NOW) == Received()
    born = one.received(state(online=True, timestamp=6), NOW)
    assert kinds(born.publications) == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert one.is_ready(NOW)
    assert one.received(state(online=True, timestamp=6), NOW) == Received(), "it knows"


def test_a_state_that_came_before_the_births_counts() -> None:
    one = waiting()
    assert one.received(state(online=True, timestamp=6), NOW) == Received()
    assert kinds(one.connected(births(), (), NOW)) == ["NBIRTH", "DBIRTH", "DBIRTH"]


def test_when_the_primary_host_goes_the_node_dies_and_the_broker_is_left() -> None:
    one = waiting()
    one.connected(births(), (), NOW)
    one.received(state(online=True, timestamp=6), NOW)
    late = one.received(state(online=False, timestamp=5), NOW)
    assert late.dropped, "the death of an older connection of the host"
    gone = one.received(state(online=False, timestamp=6), NOW)
    assert kinds(gone.publications) == ["NDEATH"]
    assert gone.leaves is not None
    assert not one.is_ready(NOW)
    assert one.received(state(online=True, timestamp=5), NOW).dropped
    one.connect_spec(NOW)
    assert one.connected(births(), (), NOW) == (), "on a new connection it is awaited anew"


def test_a_broker_without_the_primary_host_is_left_when_there_is_another() -> None:
    one = waiting(others=OTHER)
    one.connected(births(), (), NOW)
    assert one.received(state(online=False, timestamp=6), NOW).leaves is not None


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'{"online": 1, "timestamp": 1}', b'{"online": true}', b"OFFLINE"],
)
def test_a_state_that_is_none_changes_nothing(payload: bytes) -> None:
    one = waiting()
    one.connected(births(), (), NOW)
    assert one.received(arrival(HOST, payload), NOW).dropped
    assert not one.is_ready(NOW)


def test_states_of_devices_that_came_while_waiting_count_at_the_birth() -> None:
    one = waiting()
    one.connected(births(), (), NOW)
    passed = Passage(door()).through([committed(StateBody(False, "timeout", 1))])
    one.encode(passed.items, NOW, is_backfill=False)
    born = one.received(state(online=True, timestamp=6), NOW).publications
    assert [p.topic.split("/")[-1] for p in born] == ["gw-03", "gate-01"]


# --- settings


@pytest.mark.parametrize("name", ["a/b", "a+", "#", "a\n"])
def test_an_id_that_cannot_stand_in_a_topic_is_refused(name: str) -> None:
    for option in ("group", "node", "primary_host"):
        with pytest.raises(BadOption):
            made(SparkplugOptions, {option: name})
    with pytest.raises(BadOption):
        made(SparkplugDevice, {"name": name})
