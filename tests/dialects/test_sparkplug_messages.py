"""The dialect `sparkplug_b` upwards: every kind of record, births, deaths, who is alive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.app.outward.doors import Passage
from gateway.dialects.births import births_of
from gateway.dialects.contract import Encoded, Now
from gateway.dialects.sparkplug_b.dialect import DIALECT, SparkplugB
from gateway.dialects.sparkplug_b.presence import LONGEST_WAIT_MS, REBIRTH_MS, REVIVED_MS
from gateway.dialects.sparkplug_b.records import HISTORY_AFTER_MS, MESSAGE_BYTES
from gateway.dialects.sparkplug_b.underway import MOST_TRIES, Underway
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, SinkName
from gateway.model.publication import TAIL_BYTES, Arrival, Publication
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, bad
from gateway.model.record import (
    Body,
    Committed,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    ReplyBody,
    StateBody,
)
from tests.support.natives import (
    GATE,
    GATE_COLUMN,
    METER,
    NOW,
    births,
    committed,
    door,
    gate,
    meter,
    prop,
    setup,
)
from tests.support.sparkplug import REBIRTH, bd_seq_of, command, property_of, shown, value_of

GOLDEN = Path(__file__).parent / "sparkplug_b"
LEAK = EventBody("01KAQW7Z", "leak", 3, "raised", "is_open", True, True, "property", "b 3")
BAD_READ = (GOOD, SIMULATED, bad("timeout"))
BODIES: dict[str, tuple[DeviceId, Body]] = {
    "prop": (METER, prop(12345.67, 230.0, 3)),
    "prop-bad": (METER, prop(12345.67, 230.1, None, marks=BAD_READ)),
    "prop-stale": (METER, prop(1.5, 2.5, 3.5, marks=(GOOD, GOOD, Mark(Quality.STALE, "stuck")))),
    "prop-snapshot": (METER, prop(1.5, 2.5, 3.5, offsets_ms=(0, -900000, 0), is_snapshot=True)),
    "prop-mixed": (GATE, prop("open", True, "浙A12345", column=GATE_COLUMN)),
    "event": (GATE, LEAK),
    "event-of-the-gateway": (GATEWAY_ITSELF, EventBody("e1", "clock_step", 1, "raised", value=2.5)),
    "state-offline": (METER, StateBody(False, "timeout", 1763888399000)),
    "reply-done": (
        GATE,
        ReplyBody(
            "dcmd:1:a",
            "done",
            None,
            None,
            "is_open",
            True,
            prop("open", True, None, column=GATE_COLUMN),
        ),
    ),
    "reply-failed": (GATE, ReplyBody("dcmd:1:b", "failed", "readback", "another value", "is_open")),
    "gap": (GATEWAY_ITSELF, GapBody(Lane.TELEMETRY, 1, 1000, 1000, "quota", 5, 6)),
}


def dialect(**sink: Any) -> SparkplugB:
    """Return a dialect that has connected."""
    one = SparkplugB(setup(dialect="sparkplug_b", **sink))
    one.connect_spec(NOW)
    for publication in one.connected(births(), (), NOW):
        publication.leaving()
    return one


def said(one: SparkplugB, *batch: Committed, now: Now = NOW, is_backfill: bool = False) -> Encoded:
    """Return what becomes of records that pass the door of L2."""
    passed = Passage(door()).through(batch)
    encoded = one.encode(passed.items, now, is_backfill=is_backfill)
    return replace(encoded, withheld=(*passed.withheld, *encoded.withheld))


def leave(*publications: Publication) -> None:
    """Let messages out, in this order."""
    for publication in publications:
        publication.leaving()


def kinds(publications: Sequence[Publication]) -> list[str]:
    """Return the kind and device of messages."""
    topics = [publication.topic.split("/") for publication in publications]
    return [" ".join((words[2], *words[4:])) for words in topics]


def _as_golden(publication: Publication) -> dict[str, Any]:
    payload = publication.leaving()
    return {
        "topic": publication.topic,
        "qos": publication.qos,
        "retained": publication.is_retained,
        "payload": shown(payload),
        "hex": payload.hex(),
    }


def _golden(name: str, found: Any) -> None:
    file = GOLDEN / f"{name}.json"
    assert found == json.loads(file.read_text(encoding="utf-8")), name


@pytest.mark.parametrize("name", BODIES)
def test_a_record_becomes_the_messages_of_its_golden_file(name: str) -> None:
    device, body = BODIES[name]
    encoded = said(dialect(), committed(body, device))
    assert [p.covers for p in encoded.publications if p.covers] == [(10,)]
    assert encoded.withheld == ()
    _golden(name, [_as_golden(one) for one in encoded.publications])


def test_what_a_connection_begins_and_ends_with_is_golden() -> None:
    one = SparkplugB(setup(dialect="sparkplug_b"))
    spec = one.connect_spec(NOW)
    assert spec.will is not None
    will = Publication(spec.will.topic, spec.will.payload, Lane.EVENT, qos=spec.will.qos)
    assert not spec.will.is_retained
    _golden("will", _as_golden(will))
    _golden("connected", [_as_golden(p) for p in one.connected(births(), (), NOW)])
    _golden("heartbeat", _as_golden(one.echo(NOW)))
    goodbye = one.goodbye(NOW)
    _golden("goodbye", [_as_golden(p) for p in goodbye])
    assert goodbye[0].payload == spec.will.payload
    assert [(s.topic, s.qos, s.wants_retained) for s in spec.subscriptions] == [
        ("spBv1.0/hz-fc-001/NCMD/gw-03", 1, False),
        ("spBv1.0/hz-fc-001/DCMD/gw-03/+", 1, False),
    ]
    assert (spec.needs_echo, spec.leaves_will, spec.echo) == (
        *(True, True),
        "spBv1.0/hz-fc-001/NDATA/gw-03",
    )


def test_history_is_gathered_by_device_with_the_time_of_each_value() -> None:
    batch = [
        committed(prop(float(n), 230.1, 0.5), seq=n, pv=n - 1, age_ms=60_000 - n)
        for n in range(1, 4)
    ]
    batch.append(committed(prop("open", True, None, column=GATE_COLUMN), GATE, seq=4, pv=3))
    encoded = said(dialect(), *batch, is_backfill=True)
    assert [p.covers for p in encoded.publications] == [(1, 2, 3), (4,)]
    _golden("history", [_as_golden(p) for p in encoded.publications])


def test_the_golden_files_are_all_used() -> None:
    used = {*BODIES, "history", "connected", "goodbye", "will", "heartbeat"}
    assert {path.stem for path in GOLDEN.glob("*.json")} == used


# --- sequence numbers


def test_seq_counts_in_the_order_in_which_messages_leave_and_wraps() -> None:
    one = dialect()
    telemetry = said(one, committed(prop(1.0, 2.0, 3.0))).publications[0]
    event = said(one, committed(LEAK, GATE, seq=11)).publications
    assert kinds(event) == ["DBIRTH gate-01", "DDATA gate-01"]
    left = [shown(p.leaving())["seq"] for p in (*event, telemetry)]
    assert left == [3, 4, 5], "NBIRTH 0, two DBIRTH 1 and 2"
    for expected in [*range(6, 256), 0, 1]:
        again = said(one, committed(prop(1.0, 2.0, 3.0))).publications[0]
        tail = again.tail
        assert tail is not None
        end = tail()
        assert len(end) <= TAIL_BYTES
        assert shown(again.payload + end)["seq"] == expected
    first = one.received(_asked(), NOW_LATER).publications[0]
    assert shown(first.leaving())["seq"] == 0


NOW_LATER = Now(NOW.ms + 60_000, NOW.tq)


def _asked() -> Arrival:
    return Arrival(SinkName("province"), "spBv1.0/hz-fc-001/NCMD/gw-03", command(REBIRTH), False)


def test_bd_seq_is_that_of_the_will_and_grows_with_every_connect() -> None:
    one = SparkplugB(setup(dialect="sparkplug_b"))
    found: list[int] = []
    for _ in range(260):
        spec = one.connect_spec(NOW)
        assert spec.will is not None
        death = bd_seq_of(shown(spec.will.payload))
        birth = bd_seq_of(shown(one.connected(births(), (), NOW)[0].payload))
        assert death == birth
        found.append(death)
    assert all(after == (before + 1) % 256 for before, after in pairwise(found))
    assert {0, 255} < set(found)


def test_aliases_are_unique_and_those_of_the_births() -> None:
    one = SparkplugB(setup(dialect="sparkplug_b"))
    one.connect_spec(NOW)
    births_of_all = one.connected(births(), (), NOW)
    leave(*births_of_all)
    born = [shown(p.payload) for p in births_of_all]
    aliases = [m["alias"] for payload in born for m in payload["metrics"] if "alias" in m]
    assert len(aliases) == len(set(aliases))
    rebirth = next(m for m in born[0]["metrics"] if m["name"] == "Node Control/Rebirth")
    assert "alias" not in rebirth
    assert value_of(rebirth) is False
    names = {m["alias"]: m["name"] for m in born[1]["metrics"]}
    data = shown(said(one, committed(prop(1.0, 2.0, 3.0))).publications[0].payload)
    assert [names[m["alias"]] for m in data["metrics"]] == ["ep_imp", "u_a", "i_a"]
    assert all("name" not in m and "datatype" not in m for m in data["metrics"])
    spec = one.connect_spec(NOW)
    assert spec.will is not None
    again = [shown(p.payload) for p in one.connected(births(), (), NOW)]
    assert [m["alias"] for p in again for m in p["metrics"] if "alias" in m] == aliases


def test_a_birth_has_the_newest_values_and_units() -> None:
    one = dialect()
    said(one, committed(prop(1.0, 2.0, None, marks=BAD_READ)))
    said(one, committed(prop(9.0, 9.0, 9.0), age_ms=90_000), is_backfill=True)
    born = shown(one.received(_asked(), NOW_LATER).publications[1].payload)
    metrics = {m["name"]: m for m in born["metrics"]}
    assert (value_of(metrics["ep_imp"]), metrics["ep_imp"]["timestamp"]) == (1.0, NOW.ms - 43)
    assert property_of(metrics["ep_imp"], "engUnit") == "kW.h"
    assert property_of(metrics["u_a"], "Reason") == "sim"
    assert (metrics["i_a"]["is_null"], property_of(metrics["i_a"], "Quality")) == (True, 0)


# --- what is history


def test_values_are_history_after_thirty_seconds_and_events_never_are() -> None:
    batch = [
        committed(prop(1.0, 2.0, 3.0), seq=1, age_ms=HISTORY_AFTER_MS),
        committed(prop(1.0, 2.0, 3.0), seq=2, age_ms=HISTORY_AFTER_MS + 1),
        committed(prop(1.0, 2.0, 3.0, is_snapshot=True), seq=3, age_ms=900_000),
        committed(EventBody("e", "clock_step", 1, "raised"), GATEWAY_ITSELF, seq=4, age_ms=900_000),
    ]
    found = {
        p.covers[0]: {m.get("is_historical", False) for m in shown(p.payload)["metrics"]}
        for p in said(dialect(), *batch).publications
    }
    assert found == {1: {False}, 2: {True}, 3: {False}, 4: {False}}


def test_history_messages_are_bounded() -> None:
    batch = [committed(prop(float(n), 2.0, 3.0), seq=n) for n in range(1, 3000)]
    published = said(dialect(), *batch, is_backfill=True).publications
    assert [seq for p in published for seq in p.covers] == [c.seq for c in batch]
    assert len(published) > 1
    assert all(len(p.payload) < MESSAGE_BYTES * 1.2 for p in published)


# --- who is alive

OFFLINE = StateBody(False, "timeout", 1)
ONLINE = StateBody(True, "answers", 1)


def test_a_device_dies_and_is_born_again_with_its_state() -> None:
    one = dialect()
    assert said(one, committed(ONLINE, seq=1)) == Encoded((), (1,)), "the host knows"
    assert kinds(said(one, committed(OFFLINE, seq=2)).publications) == ["DDEATH em-01"]
    assert said(one, committed(OFFLINE, seq=3)) == Encoded((), (3,))
    one.connect_spec(NOW)
    assert kinds(one.connected(births(), (), NOW)) == ["NBIRTH", "DBIRTH gate-01"]
    born = said(one, committed(ONLINE, seq=4))
    assert kinds(born.publications) == ["DBIRTH em-01"]
    assert born.publications[0].covers == (4,)
    assert said(one, committed(OFFLINE, seq=3)) == Encoded((), (3,)), "older than what was said"


def test_bad_values_of_a_dead_device_are_covered_by_its_death() -> None:
    one = dialect()
    said(one, committed(OFFLINE, seq=2))
    dead = prop(None, None, None, marks=(bad("timeout"),) * 3)
    assert said(one, committed(dead, seq=3)) == Encoded((), (3,))


def test_history_brings_a_dead_device_to_life_for_a_while() -> None:
    one = dialect()
    said(one, committed(OFFLINE, seq=2))
    old = said(one, committed(prop(1.0, 2.0, 3.0), seq=3), is_backfill=True)
    assert kinds(old.publications) == ["DBIRTH em-01", "DDATA em-01"]
    leave(*old.publications)
    more = said(one, committed(prop(1.0, 2.0, 3.0), seq=4), is_backfill=True)
    assert kinds(more.publications) == ["DDATA em-01"]
    leave(*more.publications)
    assert one.tick(Now(NOW.ms + REVIVED_MS - 1, NOW.tq)) == ()
    assert kinds(one.tick(Now(NOW.ms + REVIVED_MS, NOW.tq))) == ["DDEATH em-01"]
    assert one.tick(Now(NOW.ms + 2 * REVIVED_MS, NOW.tq)) == ()
    leave(*said(one, committed(prop(1.0, 2.0, 3.0), seq=5), is_backfill=True).publications)
    assert said(one, committed(ONLINE, seq=6)) == Encoded((), (6,)), "it is alive already"
    assert one.tick(Now(NOW.ms + 9 * REVIVED_MS, NOW.tq)) == (), "and stays so"


def test_a_death_waits_for_values_that_have_not_left() -> None:
    """Events overtake values: else they would be told of a dead device."""
    one = dialect()
    values = said(one, committed(prop(1.0, 2.0, 3.0), seq=1)).publications
    assert said(one, committed(OFFLINE, seq=2)) == Encoded((), (2,))
    late = Now(NOW.ms + REVIVED_MS, NOW.tq)
    assert one.tick(late) == ()
    born = one.received(_asked(), NOW_LATER).publications
    assert "DBIRTH em-01" in kinds(born), "its values come behind its birth"
    leave(*born, *values)
    dead = Now(NOW_LATER.ms + REVIVED_MS, NOW.tq)
    assert kinds(one.tick(dead)) == ["DDEATH em-01"]


def test_a_death_does_not_wait_for_ever() -> None:
    one = dialect()
    said(one, committed(prop(1.0, 2.0, 3.0), seq=1))  # too large for the broker, say
    said(one, committed(OFFLINE, seq=2))
    end = Now(NOW.ms + REVIVED_MS + LONGEST_WAIT_MS, NOW.tq)
    assert one.tick(Now(end.ms - 1, NOW.tq)) == ()
    assert kinds(one.tick(end)) == ["DDEATH em-01"]


def test_what_overtakes_a_birth_that_waits_brings_one_of_its_own() -> None:
    """A birth that stands behind old values of a device that is offline."""
    one = dialect()
    leave(*said(one, committed(LEAK, GATE, seq=1)).publications)
    leave(*said(one, committed(StateBody(False, "timeout", 1), GATE, seq=2)).publications)
    old = prop("open", True, None, column=GATE_COLUMN)
    waits = said(one, committed(old, GATE, seq=3), is_backfill=True).publications
    assert kinds(waits) == ["DBIRTH gate-01", "DDATA gate-01"]
    live = said(one, committed(old, GATE, seq=4)).publications
    assert kinds(live) == ["DBIRTH gate-01", "DDATA gate-01"]
    event = said(one, committed(LEAK, GATE, seq=5)).publications
    assert kinds(event) == ["DBIRTH gate-01", "DDATA gate-01"]
    leave(*event)
    online = committed(StateBody(True, "answers", 1), GATE, seq=6)
    assert said(one, online) == Encoded((), (6,)), "that one has left"
    leave(*live, *waits)
    again = one.tick(NOW)
    assert kinds(again) == ["DBIRTH gate-01"], "the newest values, after those of the old birth"
    leave(*again)
    assert one.tick(NOW) == ()


def test_a_birth_that_is_taken_back_leaves_the_one_before_as_the_newest() -> None:
    underway = Underway()
    waits = underway.make(METER, is_birth=True)
    underway.make(METER, is_birth=True)
    underway.take_back(waits)
    assert underway.is_unborn(METER, underway.made)
    underway.leave(waits)
    assert not underway.is_unborn(METER, underway.made)
    assert underway.outdated() == set()
    assert not underway.is_waiting(METER)


def test_a_birth_that_never_leaves_is_not_made_for_ever() -> None:
    """It is too large for the broker, say."""
    one = dialect()
    said(one, committed(OFFLINE, seq=1))
    values = prop(1.0, 2.0, 3.0)
    made = [
        kinds(said(one, committed(values, seq=seq), is_backfill=True).publications)
        for seq in range(2, 9)
    ]
    assert made.count(["DBIRTH em-01", "DDATA em-01"]) == MOST_TRIES + 1
    assert made[-1] == ["DDATA em-01"]


def test_values_of_a_connection_that_is_gone_hold_no_death_back() -> None:
    one = dialect()
    said(one, committed(prop(1.0, 2.0, 3.0), seq=1))
    one.connect_spec(NOW)
    leave(*one.connected(births(), (), NOW))
    assert kinds(said(one, committed(OFFLINE, seq=2)).publications) == ["DDEATH em-01"]


def test_what_was_made_beside_a_record_that_is_none_is_made_again() -> None:
    """The bulkhead throws it away, and encodes the others once more."""
    one = dialect()
    poison = ReplyBody("r", "done", readback=prop("x", 2.0, 3.0))
    leak, dead = committed(LEAK, GATE, seq=1), committed(OFFLINE, seq=2)
    strange = committed(EventBody("e", "never_heard_of", 1, "raised"), GATEWAY_ITSELF, seq=3)
    with pytest.raises(ValueError, match="DOUBLE"):
        said(one, leak, dead, strange, committed(poison, seq=4))
    again = said(one, leak, dead, strange).publications
    assert kinds(again) == [
        *("DBIRTH gate-01", "DDATA gate-01", "DDEATH em-01"),
        *("NBIRTH", "DBIRTH gate-01", "NDATA"),
    ]
    old = committed(prop(1.0, 2.0, 3.0), seq=5)
    with pytest.raises(ValueError, match="DOUBLE"):
        said(one, old, committed(prop("x", 2.0, 3.0), seq=6), is_backfill=True)
    revived = said(one, old, is_backfill=True).publications
    assert kinds(revived) == ["DBIRTH em-01", "DDATA em-01"]


def test_values_that_were_made_beside_a_record_that_is_none_hold_no_death_back() -> None:
    one = dialect()
    good, poison = (committed(prop(value, 2.0, 3.0), seq=n) for n, value in ((1, 1.0), (2, "x")))
    with pytest.raises(ValueError, match="DOUBLE"):
        said(one, good, poison)
    leave(*said(one, good).publications)
    assert kinds(said(one, committed(OFFLINE, seq=3)).publications) == ["DDEATH em-01"]


def test_the_metrics_of_a_message_stand_in_the_order_of_their_times() -> None:
    one = dialect()
    snapshot = prop(1.0, 2.0, 3.0, offsets_ms=(-5, -900_000, 0), is_snapshot=True)
    data = said(one, committed(snapshot)).publications[0]
    event = EventBody("e1", "clock_step", 1, "raised")
    leave(*said(one, committed(event, GATEWAY_ITSELF)).publications)
    for message in (data, *one.received(_asked(), NOW_LATER).publications):
        times = [metric["timestamp"] for metric in shown(message.payload)["metrics"]]
        assert times == sorted(times), message.topic


def test_a_reload_tells_what_changed_and_what_went() -> None:
    one = dialect()
    changed = replace(meter(), model="SDM630")
    assert kinds(one.reloaded(births(devices=[changed]), NOW)) == ["DDEATH gate-01", "DBIRTH em-01"]
    assert one.reloaded(births(devices=[changed]), NOW) == ()
    assert kinds(one.reloaded(births(), NOW)) == ["DBIRTH em-01", "DBIRTH gate-01"]


def test_a_device_that_was_revived_and_went_dies_once() -> None:
    one = dialect()
    said(one, committed(OFFLINE, seq=1))
    leave(*said(one, committed(EventBody("e", "leak", 3, "raised"), METER, seq=2)).publications)
    assert kinds(one.reloaded(births(devices=[gate()]), NOW)) == ["DDEATH em-01"]
    assert one.tick(Now(NOW.ms + REVIVED_MS, NOW.tq)) == ()


def test_what_has_no_word_is_withheld_and_an_alarm_of_a_device_that_went_is_told() -> None:
    one = dialect()
    log = committed(LogBody("line", (("line", "meters"),)), GATEWAY_ITSELF, seq=1)
    accepted = committed(ReplyBody("r", "accepted"), GATE, seq=2)
    assert said(one, log, accepted) == Encoded((), (1, 2))
    one.reloaded(births(devices=[meter()]), NOW)
    gone = said(
        one,
        committed(LEAK, GATE, seq=3),
        committed(prop("open", True, None, column=GATE_COLUMN), GATE, seq=4),
    )
    assert gone.withheld == (4,)
    data = gone.publications[-1]
    assert (kinds([data]), data.covers) == (["NDATA"], (3,))
    assert property_of(shown(data.payload)["metrics"][0], "device") == "gate-01"


# --- events and results


def test_a_new_kind_of_event_is_born_before_it_is_told_and_only_once() -> None:
    one = dialect()
    first = said(one, committed(LEAK, GATE, seq=1)).publications
    assert kinds(first) == ["DBIRTH gate-01", "DDATA gate-01"]
    leave(*first)
    assert kinds(said(one, committed(LEAK, GATE, seq=2)).publications) == ["DDATA gate-01"]
    strange = EventBody("e9", "never_heard_of", 1, "raised")
    node = said(one, committed(strange, GATEWAY_ITSELF, seq=3)).publications
    assert kinds(node) == ["NBIRTH", "DBIRTH em-01", "DBIRTH gate-01", "NDATA"]
    assert [p.covers for p in node] == [(), (), (), (3,)]


def test_an_event_stands_while_any_of_its_kind_does() -> None:
    one = dialect()
    found: list[Any] = []
    for eid, state in (("a", "raised"), ("b", "raised"), ("a", "cleared"), ("b", "cleared")):
        step = replace(LEAK, eid=eid, state=state)
        data = said(one, committed(step, GATE)).publications[-1]
        found.append(value_of(shown(data.payload)["metrics"][0]))
    assert found == [True, True, True, False]


def test_a_failed_command_is_seen_until_one_succeeds() -> None:
    one = dialect()
    failed = ReplyBody("r1", "failed", "timeout", "no answer", "gate_cmd", "open")
    metric = shown(said(one, committed(failed, GATE)).publications[-1].payload)["metrics"][0]
    assert (value_of(metric), property_of(metric, "code")) == (True, "timeout")
    done = ReplyBody("r2", "done", None, None, "gate_cmd", "open")
    metric = shown(said(one, committed(done, GATE)).publications[-1].payload)["metrics"][0]
    assert (value_of(metric), property_of(metric, "rid")) == (False, "r2")
    assert said(one, committed(done, GATE)) == Encoded((), (10,)), "nothing to tell"


def test_a_value_of_another_type_is_no_message_but_an_error() -> None:
    one = dialect()
    for value in ("text", True):
        with pytest.raises(ValueError, match="DOUBLE"):
            said(one, committed(prop(value, None, None)))


def test_devices_have_the_names_of_the_platform() -> None:
    one = dialect(devices={"em-*": {"name": "Meter 1"}}, options={"group": "Hangzhou", "node": "n"})
    encoded = said(one, committed(prop(1.0, 2.0, 3.0)))
    assert encoded.publications[0].topic == "spBv1.0/Hangzhou/DDATA/n/Meter 1"


def test_a_name_that_a_pattern_gives_to_several_devices_counts_for_none() -> None:
    one = dialect(devices={"*": {"name": "all the same"}})
    assert said(one, committed(prop(1.0, 2.0, 3.0))).publications[0].topic.endswith("/em-01")


def test_a_name_that_is_the_id_of_another_device_counts_for_none() -> None:
    """The third has its id, as its name is that of two; so the first cannot have it for a name."""
    names = {"em-01": {"name": "gate-01"}, "gate-01": {"name": "x"}, "em-02": {"name": "x"}}
    one = dialect(devices=names)
    third = replace(meter(), id=DeviceId("em-02"))
    leave(*one.reloaded(births_of([meter(), gate(), third], door()), NOW))
    born = kinds(one.received(_asked(), NOW_LATER).publications)
    assert born == ["NBIRTH", "DBIRTH em-01", "DBIRTH gate-01", "DBIRTH em-02"]


def test_a_device_that_gets_another_name_is_born_under_it() -> None:
    one = dialect(devices={"*": {"name": "the only one"}})
    leave(*one.reloaded(births(devices=[meter()]), NOW))
    assert said(one, committed(prop(1.0, 2.0, 3.0))).publications[0].topic.endswith("/the only one")
    again = one.reloaded(births(), NOW)  # now two have that name, so none has
    assert kinds(again) == ["NBIRTH", "DBIRTH em-01", "DBIRTH gate-01"]
    assert one.reloaded(births(), NOW) == ()


def test_a_name_that_went_to_another_device_is_that_one() -> None:
    one = dialect(devices={"em-01": {"name": "main"}, "em-02": {"name": "main"}})
    other = replace(meter(), id=DeviceId("em-02"))
    for devices in ([other], [meter()], [other], [meter()]):
        one.reloaded(births_of(devices, door()), NOW)
        written = command({"name": "u_a", "double_value": 1.0})
        topic = "spBv1.0/hz-fc-001/DCMD/gw-03/main"
        arrived = Arrival(SinkName("province"), topic, written, is_retained=False)
        (found,) = one.received(arrived, NOW).commands
        assert found.device == devices[0].id


def test_the_heartbeat_never_repeats_and_keeps_its_place_in_the_sequence() -> None:
    one = dialect()
    first, second = one.echo(NOW), one.echo(NOW)
    assert first.payload != second.payload
    assert second.leaving().startswith(second.payload)
    assert not second.leaving().startswith(first.payload)


def test_rebirths_are_bounded_however_many_ask() -> None:
    one = dialect()
    asked = _asked()
    for _ in range(100):
        assert one.received(asked, Now(NOW.ms + 1, NOW.tq)).publications == ()
    later = Now(NOW.ms + REBIRTH_MS, NOW.tq)
    assert kinds(one.tick(later)) == ["NBIRTH", "DBIRTH em-01", "DBIRTH gate-01"]
    assert one.tick(Now(NOW.ms + 9 * REBIRTH_MS, NOW.tq)) == ()


def test_the_dialect_says_what_is_lost() -> None:
    assert not DIALECT.has_app_ack
    assert all(loss.endswith(".") for loss in DIALECT.losses)
