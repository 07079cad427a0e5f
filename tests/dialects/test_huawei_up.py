"""Huawei IoTDA upwards: every record kind, limits kept by splitting, times in UTC."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.contract import Birth, Encoded, Now
from gateway.dialects.huawei_iotda.dialect import HuaweiIotda
from gateway.dialects.huawei_iotda.messages import MOST_BYTES
from gateway.dialects.huawei_iotda.options import event_time, sample_time
from gateway.model.clock import TimeQuality
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.quality import GOOD, bad
from gateway.model.record import Body, Committed, EventBody, ReplyBody, StateBody
from tests.support.named_platforms import (
    RECORDS,
    SECRET_NAME,
    golden,
    golden_text,
    is_whole,
    setup_of,
)
from tests.support.natives import EP, GATE, METER, NOW, births, committed, prop

GOLDEN = Path(__file__).parent / "huawei_iotda"
REPORT = "$oc/devices/gw001/sys/gateway/sub_devices/properties/report"
EVENTS = "$oc/devices/gw001/sys/events/up"
DEVICES: dict[str, Any] = {
    "em-*": {"product_id": "65aa", "service_id": "Meter", "names": {"u_a": "voltage"}}
}
REPLIES: dict[str, tuple[DeviceId, Body]] = {
    "reply-command": (
        METER,
        ReplyBody("command:9a-1:set", "done", None, None, "u_a", 230, prop(1.0, 230.0, 2.0)),
    ),
    "reply-set": (METER, ReplyBody("set:9a-2", "done", None, None, "u_a", 230.0)),
    "reply-set-refused": (METER, ReplyBody("set:9a-3", "rejected", "not_allowed", "no rule")),
    "reply-get": (METER, ReplyBody("get:9a-4", "done", readback=prop(1.0, 230.0, None))),
    "reply-get-failed": (METER, ReplyBody("get:9a-5", "failed", "timeout", "no answer")),
}
ALL = {**RECORDS, **REPLIES}


def huawei(devices: dict[str, Any] | None = None, **options: Any) -> HuaweiIotda:
    """Return a dialect that is connected, and knows meter and gate."""
    given = {"device_id": "gw001", "secret": SECRET_NAME, "audit": True, **options}
    dialect = HuaweiIotda(setup_of(given, DEVICES if devices is None else devices))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def said(*batch: Committed, **options: Any) -> Encoded:
    return huawei(**options).encode(batch, NOW, is_backfill=False)


@pytest.mark.parametrize("name", ALL)
def test_a_record_becomes_the_messages_of_its_golden_file(name: str) -> None:
    device, body = ALL[name]
    encoded = said(committed(body, device))
    assert golden_text(encoded.publications) == golden(GOLDEN, name)
    assert is_whole(encoded, [10])


def test_the_golden_files_are_all_used() -> None:
    used = {*ALL, "connected", "goodbye", "event-as-property", "bad-as-property", "added"}
    assert {path.stem for path in GOLDEN.glob("*.json")} == used


def test_what_a_connection_begins_and_ends_with_is_golden() -> None:
    dialect = huawei()
    begun = dialect.connected(births(), (DeviceId("em-99"),), NOW)
    assert golden_text(begun) == golden(GOLDEN, "connected")
    assert golden_text(dialect.goodbye(NOW)) == golden(GOLDEN, "goodbye")


def test_devices_with_a_product_are_registered_where_that_is_wanted() -> None:
    begun = huawei(add_sub_devices=True).connected(births(), (), NOW)
    assert golden_text(begun) == golden(GOLDEN, "added")


def test_events_and_doubts_may_be_properties_of_a_product_model() -> None:
    event = said(committed(ALL["event"][1], GATE), events="property")
    assert golden_text(event.publications) == golden(GOLDEN, "event-as-property")
    doubts = said(committed(ALL["prop-bad"][1]), bad_values="property", sequence=True)
    assert golden_text(doubts.publications) == golden(GOLDEN, "bad-as-property")


def test_integers_stay_integers_and_floats_keep_their_point() -> None:
    (publication,) = said(committed(prop(12345.0, 230.0, 3))).publications
    assert b'"ep_imp":12345.0,"voltage":230.0,"i_a":3}' in publication.payload


def test_a_value_that_is_no_number_is_refused_and_not_sent() -> None:
    with pytest.raises(ValueError, match="no JSON number"):
        said(committed(prop(float("nan"), 1.0, 2.0)))


# --- limits


def many(count: int) -> tuple[Birth, ...]:
    """Return the births of so many meters."""
    return tuple(replace(births()[0], device=DeviceId(f"em-{n}")) for n in range(count))


def test_a_hundred_and_one_devices_make_two_reports() -> None:
    dialect = huawei()
    dialect.connected(many(101), (), NOW)
    batch = [committed(prop(1.0, 2.0, 3.0), DeviceId(f"em-{n}"), seq=n) for n in range(101)]
    encoded = dialect.encode(batch, NOW, is_backfill=False)
    counts = [len(json.loads(one.payload)["devices"]) for one in encoded.publications]
    assert [one.topic for one in encoded.publications] == [REPORT, REPORT]
    assert counts == [100, 1]
    assert is_whole(encoded, range(101))


def test_a_hundred_devices_make_one_report_whatever_number_of_records_they_have() -> None:
    batch = [
        committed(prop(float(n), 2.0, 3.0), DeviceId(f"em-{n % 100}"), seq=n, age_ms=9000 - n)
        for n in range(200)
    ]
    (report,) = said(*batch).publications
    first = json.loads(report.payload)["devices"][0]
    assert [one["properties"]["ep_imp"] for one in first["services"]] == [0.0, 100.0]
    assert first["services"][0]["event_time"] < first["services"][1]["event_time"]


def test_a_hundred_and_one_devices_make_two_status_updates_at_connect_and_at_an_outage() -> None:
    dialect = huawei()
    begun = dialect.connected(many(101), (), NOW)
    batch = [
        committed(StateBody(False, "timeout", 1), DeviceId(f"em-{n}"), seq=n) for n in range(101)
    ]
    encoded = dialect.encode(batch, NOW, is_backfill=False)
    for found in (begun, encoded.publications):
        paras = [json.loads(one.payload)["services"][0]["paras"] for one in found]
        assert [len(one["device_statuses"]) for one in paras] == [100, 1]
    assert is_whole(encoded, range(101))


def test_a_report_is_bounded_in_bytes() -> None:
    batch = [committed(prop("x" * 500, 1.0, None), seq=n) for n in range(300)]
    encoded = said(*batch)
    assert len(encoded.publications) > 1
    assert all(len(one.payload) < MOST_BYTES + 1000 for one in encoded.publications)
    assert is_whole(encoded, range(300))


def test_chinese_text_counts_by_its_bytes() -> None:
    batch = [committed(prop("水" * 500, 1.0, None), seq=n) for n in range(60)]
    batch += [
        committed(prop("水" * 500, 1.0, None), DeviceId(f"em-{n}"), seq=60 + n) for n in range(60)
    ]
    encoded = said(*batch)
    assert all(len(one.payload) < MOST_BYTES + 1000 for one in encoded.publications)
    assert is_whole(encoded, range(120))


def test_one_device_that_goes_and_comes_is_told_twice_in_order() -> None:
    down, up = StateBody(False, "timeout", 1), StateBody(True, "answers", 2)
    encoded = said(committed(down, seq=1), committed(up, seq=2), committed(up, GATE, seq=3))
    found = [json.loads(one.payload)["services"][0]["paras"] for one in encoded.publications]
    statuses = [[d["status"] for d in one["device_statuses"]] for one in found]
    assert statuses == [["OFFLINE"], ["ONLINE", "ONLINE"]]
    assert [one.covers for one in encoded.publications] == [(1,), (2, 3)]


def test_an_event_between_two_states_keeps_its_place() -> None:
    down = StateBody(False, "timeout", 1)
    batch = [
        committed(down, seq=1),
        committed(EventBody("e", "leak", 3, "raised"), GATE, seq=2),
        committed(down, GATE, seq=3),
    ]
    assert [one.covers for one in said(*batch).publications] == [(1,), (2,), (3,)]


# --- what is not plainly good


def test_bad_values_are_told_apart_or_left_out_as_the_site_wants() -> None:
    some = committed(prop(1.0, 2.0, None, marks=(GOOD, GOOD, bad("timeout"))))
    none = committed(prop(None, None, None, marks=(bad("crc"),) * 3), seq=11)
    told = said(some, none)
    names = [json.loads(one.payload).get("name") for one in told.publications]
    assert names == ["quality", None, "quality"]
    assert [one.covers for one in told.publications] == [(), (10,), (11,)]
    omitted = said(some, none, bad_values="omit")
    assert [one.covers for one in omitted.publications] == [(10,)]
    assert omitted.withheld == (11,)


def test_what_there_is_no_word_for_is_withheld() -> None:
    records = [
        committed(StateBody(True, "ok", 1), GATEWAY_ITSELF, seq=1),
        committed(ReplyBody("set:1", "accepted"), seq=2),
        committed(ALL["log"][1], GATEWAY_ITSELF, seq=3),
    ]
    assert said(*records, audit=False) == Encoded((), (1, 2, 3))


def test_the_points_of_the_gateway_itself_go_out_under_its_own_name() -> None:
    (publication,) = said(committed(prop(1.0, 2.0, 3.0), GATEWAY_ITSELF)).publications
    assert publication.topic == "$oc/devices/gw001/sys/properties/report"
    assert list(json.loads(publication.payload)) == ["services"]


# --- time


@pytest.fixture
def in_shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the process live in China, where the vendor's SDK stamps eight hours too late."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_shanghai")
def test_times_are_utc_in_shanghai_too() -> None:
    noon_utc = 1763899200000  # 2025-11-23 12:00:00 UTC, 20:00 in Shanghai
    assert time.localtime(noon_utc / 1000).tm_hour == 20
    assert sample_time(noon_utc + 7) == "2025-11-23T12:00:00.007Z"
    assert event_time(noon_utc + 7) == "20251123T120000Z"
    dialect = huawei()
    spec = dialect.connect_spec(Now(noon_utc, TimeQuality.SYNC))
    assert spec.client_id == "gw001_0_0_2025112312"
    record = replace(committed(prop(1.0, 2.0, 3.0)).record, ts_ms=noon_utc)
    encoded = dialect.encode([Committed(record, EP, 1, None)], NOW, is_backfill=True)
    (device,) = json.loads(encoded.publications[0].payload)["devices"]
    assert device["services"][0]["event_time"] == "2025-11-23T12:00:00.000Z"


def test_history_is_a_report_with_the_time_it_is_of() -> None:
    old = committed(prop(1.0, 2.0, 3.0), age_ms=86_400_000)
    (live,) = said(old).publications
    (history,) = huawei().encode([old], NOW, is_backfill=True).publications
    assert live == history
    assert b'"event_time":"2025-11-22T' in history.payload
