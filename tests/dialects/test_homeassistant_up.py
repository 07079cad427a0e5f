"""Home Assistant upwards: what is announced, states, availability, and what is cleared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.contract import Birth, BirthPoint, Encoded
from gateway.dialects.homeassistant.classes import Class, binary_class, number_class, sensor_class
from gateway.dialects.homeassistant.dialect import DIALECT, HomeAssistant
from gateway.dialects.options import BadOption, made
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.publication import Publication
from gateway.model.record import Body, Committed, EventBody, ReplyBody, StateBody
from tests.support.home_assistant import COMPONENTS, TOPIC, UNKNOWN, shown_state
from tests.support.named_platforms import RECORDS, arrival, golden, is_silent, is_whole, setup_of
from tests.support.natives import METER, NOW, births, committed, prop

GOLDEN = Path(__file__).parent / "homeassistant"
DEVICES: dict[str, Any] = {"em-01": {"name": "Meter", "area": "Cellar"}}
MORE: dict[str, tuple[DeviceId, Body]] = {
    "state-online": (METER, StateBody(True, "answers", 1763888399000)),
    "reply-failed": (
        METER,
        ReplyBody("set|u_a|5-1", "rejected", "not_allowed", "no rule", "u_a"),
    ),
    "reply-done": (METER, ReplyBody("set|u_a|5-1", "done", None, None, "u_a", 230.0)),
}
ALL = {**RECORDS, **MORE}
QUIET = {"gap", "log", "reply-done"}


def homeassistant(**options: Any) -> HomeAssistant:
    """Return a dialect that is connected, and knows meter and gate."""
    dialect = HomeAssistant(setup_of(options, DEVICES))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def said(*batch: Committed, is_backfill: bool = False) -> Encoded:
    return homeassistant().encode(batch, NOW, is_backfill=is_backfill)


def shown(publications: Sequence[Publication]) -> str:
    """Return messages as a golden file has them; what is no JSON stays text."""
    found = [
        {
            "topic": one.topic,
            "lane": one.lane.value,
            "covers": list(one.covers),
            "is_retained": one.is_retained,
            "payload": _payload(one.payload),
        }
        for one in publications
    ]
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _payload(payload: bytes) -> Any:
    return json.loads(payload) if payload.startswith(b"{") else payload.decode()


def topics(publications: Sequence[Publication]) -> list[str]:
    return [one.topic for one in publications]


@pytest.mark.parametrize("name", ALL)
def test_a_record_becomes_the_messages_of_its_golden_file(name: str) -> None:
    device, body = ALL[name]
    encoded = said(committed(body, device))
    assert shown(encoded.publications) == golden(GOLDEN, name)
    assert is_whole(encoded, [10])
    assert bool(encoded.withheld) is (name in QUIET)


def test_the_golden_files_are_all_used() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*ALL, "connected", "goodbye"}


def test_what_a_connection_begins_and_ends_with_is_golden() -> None:
    dialect = homeassistant(language="zh")
    begun = dialect.connected(births(), (DeviceId("em-99"),), NOW)
    assert shown(begun) == golden(GOLDEN, "connected")
    assert shown(dialect.goodbye(NOW)) == golden(GOLDEN, "goodbye")


def test_old_values_are_withheld_and_old_events_are_told() -> None:
    event = committed(EventBody("e", "leak", 3, "raised"), seq=2)
    encoded = said(committed(prop(1.0, 2.0, 3.0), seq=1), event, is_backfill=True)
    assert encoded.withheld == (1,)
    assert [one.covers for one in encoded.publications] == [(2,)]


def test_a_point_that_is_not_announced_has_no_state() -> None:
    encoded = said(committed(prop(1.0, 2.0, 3.0), DeviceId("em-99")))
    assert encoded == Encoded((), (10,))


def test_a_long_text_is_cut_as_a_state_has_at_most_255_characters() -> None:
    (first, *_) = said(committed(prop("浙" * 300, 1.0, 2.0))).publications
    assert json.loads(first.payload)["value"] == "浙" * 255


def test_a_value_that_is_no_number_is_refused_and_not_sent() -> None:
    with pytest.raises(ValueError, match="no JSON number"):
        said(committed(prop(float("inf"), 1.0, 2.0)))


# --- connection


def test_the_will_and_the_first_word_are_on_the_same_retained_topic() -> None:
    dialect = homeassistant()
    spec = dialect.connect_spec(NOW)
    assert spec.will is not None
    assert (spec.will.topic, spec.will.payload) == ("linli/gw-03/status", b"offline")
    assert spec.will.is_retained
    last = dialect.connected(births(), (), NOW)[-1]
    assert (last.topic, last.payload, last.is_retained) == (spec.will.topic, b"online", True)
    assert [one.topic for one in spec.subscriptions] == [
        "linli/gw-03/+/+/set",
        "homeassistant/+/gw-03/+/config",
    ]
    assert [one.wants_retained for one in spec.subscriptions] == [False, True]


def test_a_device_that_is_offline_is_said_to_be_at_the_next_connect() -> None:
    dialect = homeassistant()
    where = "linli/gw-03/em-01/availability"

    def availability() -> bytes:
        begun = dialect.connected(births(), (), NOW)
        return next(one.payload for one in begun if one.topic == where)

    assert availability() == b"online"
    dialect.encode([committed(StateBody(False, "timeout", 1))], NOW, is_backfill=False)
    assert availability() == b"offline"
    dialect.encode([committed(StateBody(True, "answers", 2))], NOW, is_backfill=False)
    assert availability() == b"online"


def test_a_reload_says_only_what_changed_and_clears_what_went() -> None:
    dialect = homeassistant()
    assert dialect.reloaded(births(), NOW) == ()
    gone = dialect.reloaded(births()[:1], NOW)
    assert all(one.payload == b"" and one.is_retained for one in gone)
    assert topics(gone) == [
        "homeassistant/sensor/gw-03/gate-01_P_gate_state/config",
        "linli/gw-03/gate-01/gate_state/state",
        "homeassistant/binary_sensor/gw-03/gate-01_P_is_open/config",
        "linli/gw-03/gate-01/is_open/state",
        "homeassistant/select/gw-03/gate-01_P_gate_cmd/config",
        "linli/gw-03/gate-01/gate_cmd/state",
        "homeassistant/event/gw-03/gate-01_E/config",
        "linli/gw-03/gate-01/availability",
    ]
    assert topics(dialect.reloaded(births(), NOW))[-1] == "linli/gw-03/gate-01/availability"
    assert dialect.is_ready(NOW)
    assert dialect.tick(NOW) == ()


def test_the_state_of_a_point_that_becomes_another_entity_is_not_cleared() -> None:
    """It can be set after a reload: a number instead of a sensor, with the value it had."""
    dialect = HomeAssistant(setup_of({}, {}))
    state = "linli/gw-03/d-1/level/state"

    def born(*, is_writable: bool) -> tuple[Birth, ...]:
        level = point("level", is_writable=is_writable)
        return (Birth(DeviceId("d-1"), "io.module", None, None, (level,)),)

    dialect.connected(born(is_writable=False), (), NOW)
    changed = dialect.reloaded(born(is_writable=True), NOW)
    sensor, number = (
        f"homeassistant/{component}/gw-03/d-1_P_level/config" for component in ("sensor", "number")
    )
    assert [(one.topic, bool(one.payload)) for one in changed] == [(sensor, False), (number, True)]
    old = {"unique_id": "linli_gw-03_d-1_P_level", "state_topic": state}
    late = dialect.received(arrival(sensor, old, is_retained=True), NOW)
    assert topics(late.publications) == [sensor], "nor when the broker gives the old one back"


# --- what the broker has kept


def kept(topic: str, **config: Any) -> Any:
    plain = {"unique_id": "linli_gw-03_em-99_P_u_a", "state_topic": "linli/gw-03/em-99/u_a/state"}
    return arrival(topic, {**plain, **config}, is_retained=True)


OLD = "homeassistant/sensor/gw-03/em-99_P_u_a/config"


def test_an_announcement_of_what_is_no_more_is_cleared() -> None:
    (config, state) = homeassistant().received(kept(OLD), NOW).publications
    assert (config.topic, config.payload, config.is_retained) == (OLD, b"", True)
    assert (state.topic, state.payload, state.is_retained) == (
        *("linli/gw-03/em-99/u_a/state", b""),
        True,
    )


def test_what_comes_before_it_is_known_what_is_true_waits_for_that() -> None:
    dialect = HomeAssistant(setup_of({}, {}))
    dialect.connect_spec(NOW)
    current = "homeassistant/sensor/gw-03/em-01_P_u_a/config"
    assert is_silent(dialect.received(kept(OLD), NOW))
    assert is_silent(dialect.received(kept(current), NOW))
    begun = dialect.connected(births(), (), NOW)
    assert [one.topic for one in begun if not one.payload] == [OLD, "linli/gw-03/em-99/u_a/state"]
    assert current in topics(begun)


@pytest.mark.parametrize(
    "message",
    [
        kept(OLD, unique_id="zigbee2mqtt_7"),
        arrival(OLD, b"no json", is_retained=True),
        arrival(OLD, b"", is_retained=True),
        arrival(OLD, {"unique_id": "linli_gw-03_x"}),
        kept("homeassistant/sensor/gw-03/em-01_P_u_a/config"),
    ],
)
def test_what_is_of_others_or_still_true_is_left_alone(message: Any) -> None:
    assert is_silent(homeassistant().received(message, NOW))


def test_a_state_topic_of_others_is_never_cleared() -> None:
    cleared = homeassistant().received(kept(OLD, state_topic="zigbee2mqtt/x/state"), NOW)
    assert topics(cleared.publications) == [OLD]
    status = homeassistant().received(kept(OLD, state_topic="linli/gw-03/status"), NOW)
    assert topics(status.publications) == [OLD]


# --- announcements


def announced(*points: BirthPoint, kind: str = "io.module", **options: Any) -> dict[str, Any]:
    """Return the announcement of every point of one device, by component and point."""
    dialect = HomeAssistant(setup_of({}, {"d-1": options}))
    birth = Birth(DeviceId("d-1"), kind, None, None, points)
    found: dict[str, Any] = {}
    for one in dialect.connected((birth,), (), NOW):
        topic = TOPIC.fullmatch(one.topic)
        if topic is not None and topic[3].startswith("d-1_P_"):
            assert topic[1] in COMPONENTS
            found[f"{topic[1]} {topic[3].removeprefix('d-1_P_')}"] = json.loads(one.payload)
    return found


def point(name: str, type_: str = "float", unit: str | None = None, **more: Any) -> BirthPoint:
    plain: dict[str, Any] = {"resolution": None, "personal": "P0", "level": "L1", **more}
    return BirthPoint(PointId(name), type_, unit, **plain)


def test_every_type_of_point_has_its_component() -> None:
    types = ("float", "int", "bool", "enum", "text")
    seen = announced(*(point(f"r-{t}", t, values=("a", "b")) for t in types))
    assert list(seen) == [
        *("sensor r-float", "sensor r-int", "binary_sensor r-bool", "sensor r-enum"),
        "sensor r-text",
    ]
    set_too = announced(*(point(f"w-{t}", t, values=("a", "b"), is_writable=True) for t in types))
    assert list(set_too) == [
        *("number w-float", "number w-int", "switch w-bool", "select w-enum", "text w-text"),
    ]
    assert all("command_topic" not in one for one in seen.values())
    assert all(one["command_topic"].endswith("/set") for one in set_too.values())
    assert seen["sensor r-enum"]["options"] == ["a", "b", UNKNOWN]
    assert set_too["select w-enum"]["options"] == ["a", "b"]
    assert "state_class" not in seen["sensor r-enum"]


@pytest.mark.parametrize("is_writable", [False, True])
@pytest.mark.parametrize("type_", ["float", "int", "bool", "enum", "text"])
def test_a_value_that_is_none_is_unknown_whatever_it_is_of(type_: str, is_writable: bool) -> None:  # noqa: FBT001 - a table
    """An enumeration would show its old value, a text the word None."""
    ((key, config),) = announced(
        point("p", type_, values=("eco", "full"), is_writable=is_writable)
    ).items()
    config["component"] = key.split()[0]
    assert shown_state(config, '{"value":null,"quality":"timeout"}') == UNKNOWN
    assert shown_state(config, '{"value":"full","quality":"good"}') == "full"


def test_the_range_of_a_number_is_given_by_the_site_or_wide() -> None:
    numbers = announced(
        point("a", "float", "Cel", is_writable=True, resolution=0.5),
        point("b", "int", "%", is_writable=True),
        point("c", "float", is_writable=True, resolution=0.00001),
        ranges={"a": "-5.5..30"},
    )
    given = [(one["min"], one["max"], one["step"], one["mode"]) for one in numbers.values()]
    assert given == [
        (-5.5, 30.0, 0.5, "box"),
        (0.0, 100.0, 1, "box"),
        (-1e6, 1e6, 0.001, "box"),
    ]


def test_ids_that_could_be_read_in_two_ways_stay_apart() -> None:
    dialect = HomeAssistant(setup_of({}, {}))
    two = [
        Birth(DeviceId("a_b"), "io.module", None, None, (point("c"),)),
        Birth(DeviceId("a"), "io.module", None, None, (point("b_c"),)),
    ]
    begun = [one for one in dialect.connected(two, (), NOW) if one.topic.endswith("/config")]
    ids = [json.loads(one.payload)["unique_id"] for one in begun]
    assert len(set(ids)) == len(ids) == len({one.topic for one in begun})


@pytest.mark.parametrize(
    ("kind", "of", "expected"),
    [
        (
            "meter.electricity",
            point("ep_imp", unit="kW.h", is_cumulative=True),
            Class("kWh", "energy", "total_increasing"),
        ),
        ("pv.inverter", point("e_day", unit="kW.h"), Class("kWh", "energy", None)),
        ("meter.electricity", point("u_a", unit="V"), Class("V", "voltage", "measurement")),
        ("meter.electricity", point("pf", unit="1"), Class(None, "power_factor", "measurement")),
        (
            "fan",
            point("starts", unit="1", is_cumulative=True),
            Class(None, None, "total_increasing"),
        ),
        (
            "meter.water",
            point("vol_cum", unit="m3", is_cumulative=True),
            Class("m³", "water", "total_increasing"),
        ),
        (
            "meter.gas",
            point("vol_cum", unit="m3", is_cumulative=True),
            Class("m³", "gas", "total_increasing"),
        ),
        ("env.climate", point("rh", unit="%"), Class("%", "humidity", "measurement")),
        ("level.tank", point("fill", unit="%"), Class("%", None, "measurement")),
        ("env.climate", point("pm25", unit="ug/m3"), Class("µg/m³", "pm25", "measurement")),
        ("env.soil", point("x", unit="mg/kg"), Class("mg/kg", None, "measurement")),
        ("ups", point("p", unit="W", is_cumulative=True), Class("W", None, None)),
    ],
)
def test_units_and_classes_are_those_of_the_platform(
    kind: str, of: BirthPoint, expected: Class
) -> None:
    assert sensor_class(kind, of) == expected
    assert number_class(kind, of) == Class(expected.unit, expected.device_class)


def test_what_is_true_or_false_has_a_class_where_it_is_clear() -> None:
    assert binary_class("security.smoke", point("alarm", "bool")) == "smoke"
    assert binary_class("fire.electrical", point("alarm", "bool")) == "safety"
    assert binary_class("security.leak", point("leak", "bool")) == "moisture"
    assert binary_class("meter.gas", point("leak", "bool")) == "gas"
    assert binary_class("io.module", point("in_1", "bool")) is None


@pytest.mark.parametrize(
    "options",
    [
        {"discovery_prefix": "a/#"},
        {"base_topic": "/linli"},
        {"base_topic": ""},
        {"language": "de"},
        {"command_ttl": 0},
        {"prefix": "x"},
    ],
)
def test_wrong_options_are_refused_at_the_desk(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption):
        made(DIALECT.options, options)


@pytest.mark.parametrize("given", ["5", "5..5", "30..5", "a..b"])
def test_what_is_no_range_is_refused_at_the_desk(given: str) -> None:
    with pytest.raises(BadOption):
        made(DIALECT.device_options, {"ranges": {"a": given}})


def test_what_is_lost_is_declared_and_app_acknowledgement_is_not_offered() -> None:
    assert not DIALECT.has_app_ack
    assert len(DIALECT.losses) > 5
    assert said(committed(StateBody(True, "ok", 1), GATEWAY_ITSELF)).withheld == (10,)
