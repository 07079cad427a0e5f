"""Reports of the Alink family: limits kept by splitting, values as they are, confirmations."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.alink.dialect import MAX_REMARKS, Alink
from gateway.dialects.alink.pending import MOST_COMPLAINTS, ranges_of
from gateway.dialects.alink.profiles import load
from gateway.dialects.contract import Received, SeqRange
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.publication import Publication
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, bad
from gateway.model.reading import PointColumn
from gateway.model.record import Committed, EventBody, PropBody, ReplyBody
from tests.dialects.test_alink_golden import GOLDEN, said
from tests.support.alink_platform import listed
from tests.support.alinks import (
    BIRTHS,
    EP,
    GATE,
    METER,
    NOW,
    alink,
    arrival,
    body_of,
    meter_birth,
    record,
    setup,
    values,
    wide,
)

MARKS = (GOOD, Mark(Quality.STALE, "leased"), bad("timeout"))


def many(count: int, **more: Any) -> tuple[Alink, list[Committed]]:
    """Return a dialect of so many meters, and a record of each."""
    devices = [f"em-{n:04}" for n in range(1, count + 1)]
    dialect = alink(births=[meter_birth(each) for each in devices], **more)
    return dialect, [
        record(values(1.5, 2.5, 3), DeviceId(each), seq=n) for n, each in enumerate(devices, 1)
    ]


def sub_devices(publication: Publication) -> list[dict[str, Any]]:
    params = body_of(publication)["params"]
    return params["subDevices"] if "subDevices" in params else listed(params)


def sent(dialect: Alink, *items: Committed, is_backfill: bool = False) -> tuple[Publication, ...]:
    encoded = dialect.encode(items, NOW, is_backfill=is_backfill)
    assert not encoded.refused
    return encoded.publications


# --- limits


def test_21_sub_devices_make_two_messages() -> None:
    dialect, batch = many(21)
    first, second = sent(dialect, *batch)
    assert [len(sub_devices(each)) for each in (first, second)] == [20, 1]
    assert first.covers + second.covers == tuple(range(1, 22))
    assert len(sent(dialect, *batch[:20])) == 1


def test_201_properties_make_two_messages_and_the_second_finishes_the_record() -> None:
    first, second = sent(alink(), record(wide(201)))
    assert [len(sub_devices(each)[0]["properties"]) for each in (first, second)] == [200, 1]
    assert (first.covers, second.covers) == ((), (10,))
    assert body_of(first)["id"] == f"{EP}-10"
    assert body_of(second)["id"] == f"{EP}-10.2"
    assert len(sent(alink(), record(wide(200)))) == 1


def test_201_properties_of_the_gateway_itself_make_two_messages() -> None:
    first, second = sent(alink(), record(wide(201), GATEWAY_ITSELF))
    assert [len(body_of(each)["params"]) for each in (first, second)] == [200, 1]
    assert (first.covers, second.covers) == ((), (10,))


def test_properties_of_several_devices_are_counted_together() -> None:
    batch = [record(wide(120), METER, seq=1), record(wide(120), GATE, seq=2)]
    assert [each.covers for each in sent(alink(), *batch)] == [(1,), (2,)]


def test_21_events_make_two_messages() -> None:
    batch = [record(EventBody(f"e{n}", f"type{n}", 1, "raised"), seq=n) for n in range(21)]
    first, second = sent(alink(), *batch)
    assert [len(sub_devices(each)[0]["events"]) for each in (first, second)] == [20, 1]


def test_one_name_of_a_device_stands_in_a_message_once_so_that_no_value_is_lost() -> None:
    batch = [record(values(1.5, 2.5, n), seq=n) for n in (1, 2)]
    found = sent(alink(), *batch)
    assert [sub_devices(p)[0]["properties"]["count"]["value"] for p in found] == [1, 2]
    (one,) = sent(alink(), *batch, is_backfill=True)
    assert len(sub_devices(one)[0]["properties"]) == 2, "history holds both"


def test_onenet_takes_ten_sub_devices_and_a_hundred_values_of_each() -> None:
    dialect, batch = many(11, profile="onenet")
    assert [len(sub_devices(each)) for each in sent(dialect, *batch)] == [10, 1]
    full = [record(wide(100), DeviceId(f"em-{n:04}"), seq=n) for n in (1, 2)]
    assert len(sent(dialect, *full)) == 1
    assert len(sent(alink("onenet"), record(wide(101)))) == 2


def test_a_message_is_bounded_in_bytes_too_and_chinese_counts_three() -> None:
    dialect, batch = many(20)
    long = [
        replace(each, record=replace(each.record, body=values("水" * 2000, 1.5, 1)))
        for each in batch
    ]
    found = sent(dialect, *long)
    assert len(found) > 1
    assert all(len(each.payload) < 64_000 for each in found)
    assert [seq for each in found for seq in each.covers] == list(range(1, 21))
    column = PointColumn(tuple(PointId(f"p{n}") for n in range(40)), (None,) * 40)
    parts = sent(dialect, record(PropBody(column, ("水" * 1000,) * 40, None), DeviceId("em-0001")))
    assert [each.covers for each in parts] == [(), (), (10,)]
    assert all(len(each.payload) < 64_000 for each in parts)


def test_limits_are_options() -> None:
    dialect, batch = many(5, max_sub_devices=2)
    assert [len(sub_devices(each)) for each in sent(dialect, *batch)] == [2, 2, 1]
    assert len(sent(alink(max_properties=10), record(wide(21)))) == 3
    assert len(sent(alink(max_message=1000), record(wide(100)))) == 5


RECORDS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([1, 2, 7, 99, 101, 200, 201, 450])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(
    shape=RECORDS,
    profile=st.sampled_from(["aliyun", "onenet", "enos", "yudao", "sagoo"]),
    is_backfill=st.booleans(),
)
def test_no_message_exceeds_the_limits_and_every_value_leaves_once(
    *, shape: list[tuple[int, int]], profile: str, is_backfill: bool
) -> None:
    births = [meter_birth(f"em-{n}") for n in range(31)]
    dialect = alink(profile, births=births)
    limits = load(profile).limits
    batch = [
        record(wide(count), DeviceId(f"em-{device}"), seq=seq)
        for seq, (device, count) in enumerate(shape)
    ]
    encoded = dialect.encode(batch, NOW, is_backfill=is_backfill)
    values_sent = 0
    for each in encoded.publications:
        counts = _counts(each)
        values_sent += sum(counts.values())
        assert len(counts) <= limits.devices
        biggest = max(counts.values()) if limits.is_each else sum(counts.values())
        assert biggest <= limits.properties
    covered = Counter(seq for each in encoded.publications for seq in each.covers)
    covered.update(encoded.withheld)
    assert covered == Counter(range(len(shape)))
    if not encoded.withheld:
        assert values_sent == sum(count for _, count in shape)


def _counts(publication: Publication) -> Counter[str]:
    """Return how many values a message holds of each device, whatever its form."""
    found: Counter[str] = Counter()
    for each in sub_devices(publication):
        who = json.dumps(each.get("identity") or [each["productKey"], each["deviceKey"]])
        held: Any = each.get("measurepoints", each.get("properties"))
        found[who] += sum(len(listed(x)) for row in listed(held) for x in row.values())
    return found


# --- values


def one(dialect: Alink, *found: Any, **more: Any) -> str:
    (publication,) = sent(dialect, record(values(*found, **more)))
    return publication.payload.decode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (10.0, "10.0"),
        (1e16, "10000000000000000.0"),
        (1.5e-7, "0.00000015"),
        (-0.0, "-0.0"),
        (10, "10"),
        (2**53, "9007199254740992"),
        (True, "1"),
        ("浙A", '"浙A"'),
    ],
)
def test_floats_keep_their_point_and_integers_have_none(value: Any, written: str) -> None:
    assert f'"ep_imp":{{"value":{written},"time"' in one(alink(), value, 1.5, 1)


def test_booleans_are_a_choice_of_the_platform_and_of_the_site() -> None:
    assert '"value":true' in one(alink("onenet"), True, 1.5, 1)
    assert '"value":true' in one(alink(booleans="json"), True, 1.5, 1)
    assert '"value":1,' in one(alink("onenet", booleans="number"), True, 1.5, 1)


def test_a_value_of_an_enumeration_is_its_name_as_in_the_exported_thing_model() -> None:
    body = PropBody(PointColumn((PointId("mode"),), (None,)), ("auto",), None)
    (publication,) = sent(alink(), record(body))
    assert sub_devices(publication)[0]["properties"]["mode"]["value"] == "auto"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_an_error_of_that_record(value: float) -> None:
    with pytest.raises(ValueError, match="no JSON number"):
        alink().encode([record(values(value, 1.5, 1))], NOW, is_backfill=False)


def test_what_is_not_good_is_left_out() -> None:
    text = one(alink(), 1.5, 2.5, None, marks=MARKS)
    assert '"ep_imp"' in text
    assert '"u_a"' not in text, "a stale value is no current one"
    assert '"count"' not in text


def test_quality_can_stand_in_a_property_beside() -> None:
    (publication,) = sent(alink(quality="suffix"), record(values(1.5, 2.5, None, marks=MARKS)))
    found = sub_devices(publication)[0]["properties"]
    assert {name: each["value"] for name, each in found.items()} == {
        "ep_imp": 1.5,
        "u_a_q": 500,
        "count_q": 0,
    }


def test_quality_can_be_an_event_with_the_reasons() -> None:
    marks = (SIMULATED, Mark(Quality.STALE, "leased"), bad("timeout"))
    (publication,) = sent(alink(quality="event"), record(values(1.5, 2.5, None, marks=marks)))
    (device,) = sub_devices(publication)
    assert list(device["properties"]) == ["ep_imp"]
    assert device["events"]["bad_quality"]["value"] == {
        "p": "ep_imp,u_a,count",
        "reason": "sim,leased,timeout",
    }
    properties, event = sent(
        alink(quality="event"), record(values(1.5, 2.5, None, marks=marks), GATEWAY_ITSELF)
    )
    assert event.topic.endswith("thing/event/bad_quality/post")
    assert (properties.covers, event.covers) == ((), (10,))


def test_a_time_more_than_a_day_ahead_is_refused() -> None:
    dialect, day_ms = alink(), 24 * 3_600_000
    encoded = dialect.encode([record(values(1.5, 1.5, 1), age_ms=-day_ms)], NOW, is_backfill=False)
    assert encoded.publications
    encoded = dialect.encode(
        [record(values(1.5, 1.5, 1), age_ms=-day_ms - 1)], NOW, is_backfill=False
    )
    assert "24 h ahead" in encoded.refused[0].reason


def test_time_can_be_in_seconds() -> None:
    (publication,) = sent(alink("sagoo", time_unit="s"), record(values(1.5, 1.5, 1)))
    assert sub_devices(publication)[0]["properties"]["u_a"]["time"] == (NOW.ms - 43) // 1000


def test_values_older_than_30_s_are_history_except_in_a_snapshot() -> None:
    dialect = alink()
    (old,) = sent(dialect, record(values(1.5, 1.5, 1), age_ms=30_001))
    assert old.topic.endswith("history/post")
    (young,) = sent(dialect, record(values(1.5, 1.5, 1), age_ms=30_000))
    assert young.topic.endswith("pack/post")
    (again,) = sent(dialect, record(values(1.5, 1.5, 1, is_snapshot=True), age_ms=90_000))
    assert again.topic.endswith("pack/post")


def test_where_values_have_no_time_old_ones_are_withheld() -> None:
    for profile in ("yudao", "xunji"):
        encoded = alink(profile).encode(
            [record(values(1.5, 1.5, 1), age_ms=90_000)], NOW, is_backfill=True
        )
        assert (encoded.publications, encoded.withheld) == ((), (10,))


def test_order_is_kept_between_events_states_and_replies() -> None:
    batch = [
        record(EventBody("e1", "leak", 3, "raised"), seq=1),
        record(ReplyBody("set::em-01:7", "done"), seq=2),
        record(EventBody("e1", "leak", 3, "cleared"), seq=3),
        record(EventBody("e2", "clock_step", 1, "raised"), GATEWAY_ITSELF, seq=4),
    ]
    assert [each.covers for each in sent(alink(), *batch)] == [(1,), (2,), (3,), (4,)]


def test_identifiers_of_the_thing_model_can_differ_from_ours() -> None:
    plain = setup("yudao")
    named: Any = {"*": {"points": {"u_a": "VoltageA"}}}
    dialect = Alink(replace(plain, sink=replace(plain.sink, devices=named)))
    dialect.connected(BIRTHS, (), NOW)
    (publication,) = sent(dialect, record(values(1.5, 2.5, 3)))
    assert list(sub_devices(publication)[0]["properties"]) == ["ep_imp", "VoltageA", "count"]


@pytest.fixture
def in_shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_shanghai")
@pytest.mark.parametrize("profile", ["aliyun", "onenet", "enos"])
def test_times_are_true_utc_also_in_shanghai(profile: str) -> None:
    assert time.localtime(0).tm_hour == 8
    golden = json.loads((GOLDEN / f"{profile}.json").read_text(encoding="utf-8"))
    assert said(profile) == golden
    assert f'"time": {NOW.ms - 43}' in json.dumps(golden)


# --- confirmations


def confirmed(dialect: Alink, publication: Publication, code: int = 200) -> Received:
    body: dict[str, Any] = {"id": body_of(publication)["id"], "code": code, "data": {}}
    return dialect.received(arrival(publication.topic + "_reply", body), NOW)


def spans(received: Received) -> list[tuple[int, int]]:
    return [(r.first, r.last) for each in received.acknowledged for r in each.ranges]


def test_a_report_asks_for_a_reply_only_when_the_sink_wants_one() -> None:
    for ack, wanted in (("puback", 0), ("app", 1)):
        (publication,) = sent(alink(ack=ack), record(values(1.5, 1.5, 1)))
        assert body_of(publication)["sys"] == {"ack": wanted}


def test_code_200_confirms_exactly_the_records_of_the_message() -> None:
    dialect, batch = many(4, ack="app")
    (publication,) = sent(dialect, batch[0], batch[1], batch[3])
    received = confirmed(dialect, publication)
    assert spans(received) == [(1, 2), (4, 4)]
    assert received.acknowledged[0].ep == EP
    assert confirmed(dialect, publication) == Received(), "once"


def test_a_record_in_two_messages_is_confirmed_by_both() -> None:
    dialect = alink(ack="app")
    first, second = sent(dialect, record(wide(201)))
    assert spans(confirmed(dialect, second)) == []
    assert spans(confirmed(dialect, first)) == [(10, 10)]


@pytest.mark.parametrize("code", [460, 6106, 6357, 5092])
def test_another_code_refuses_the_record(code: int) -> None:
    dialect = alink(ack="app")
    (publication,) = sent(dialect, record(values(1.5, 1.5, 1)))
    received = confirmed(dialect, publication, code)
    assert [(r.seqs, r.reason) for r in received.refused] == [
        ((10,), f"the platform answered {code}")
    ]
    assert received.remarks


@pytest.mark.parametrize("code", [429, 400, 500])
def test_a_busy_platform_gets_it_again(code: int) -> None:
    dialect = alink(ack="app")
    (publication,) = sent(dialect, record(values(1.5, 1.5, 1)))
    received = confirmed(dialect, publication, code)
    assert (received.acknowledged, received.refused) == ((), ())


def test_one_bad_record_costs_no_other_of_its_message() -> None:
    dialect, batch = many(3, ack="app")
    (publication,) = sent(dialect, *batch)
    assert confirmed(dialect, publication, 460).refused == ()
    again = sent(dialect, *batch)
    assert [each.covers for each in again] == [(1,), (2,), (3,)], "each alone"
    assert spans(confirmed(dialect, again[0])) == [(1, 1)]
    assert confirmed(dialect, again[1], 460).refused[0].seqs == (2,)
    assert spans(confirmed(dialect, again[2])) == [(3, 3)]
    assert len(sent(dialect, *batch)) == 1, "they have been told apart"


def test_a_report_without_a_session_logs_its_devices_in_again() -> None:
    dialect = alink(ack="app")
    (publication,) = sent(dialect, record(values(1.5, 1.5, 1)))
    received = confirmed(dialect, publication, 520)
    assert received.refused == ()
    (login,) = received.publications
    assert body_of(login)["params"]["deviceName"] == "em-01"


def test_with_puback_a_report_that_was_lost_without_a_session_is_told() -> None:
    dialect = alink()
    (publication,) = sent(dialect, record(values(1.5, 1.5, 1)))
    received = confirmed(dialect, publication, 520)
    assert received.publications
    assert "lost there" in received.remarks[0].reason


def test_where_no_reply_comes_few_messages_are_remembered() -> None:
    dialect = alink()
    batch = [record(values(1.5, 2.5, n), seq=n) for n in range(MOST_COMPLAINTS + 10)]
    first, *_, last = sent(dialect, *batch)
    assert confirmed(dialect, first, 460).remarks == (), "forgotten"
    assert confirmed(dialect, last, 460).remarks


def test_with_puback_a_complaint_is_told_and_nothing_refused() -> None:
    dialect = alink()
    remarks = 0
    for _ in range(MAX_REMARKS + 5):
        (publication,) = sent(dialect, record(values(1.5, 1.5, 1)))
        received = confirmed(dialect, publication, 460)
        assert (received.refused, received.acknowledged) == ((), ())
        remarks += len(received.remarks)
    assert remarks == MAX_REMARKS, "not without end"


def test_a_reply_to_a_command_needs_no_word_of_the_platform() -> None:
    (publication,) = sent(alink(ack="app"), record(ReplyBody("set::em-01:7", "done")))
    assert publication.broker_is_enough


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", {"id": 5, "code": "200"}, {"code": True}])
def test_a_reply_that_is_none_is_dropped(body: object) -> None:
    topic = "/sys/pkGw/gw03/thing/event/property/pack/post_reply"
    assert alink(ack="app").received(arrival(topic, body), NOW).dropped


def test_a_reply_to_nothing_of_ours_is_ignored() -> None:
    topic = "/sys/pkGw/gw03/thing/event/property/pack/post_reply"
    assert alink().received(arrival(topic, {"id": "x", "code": 200}), NOW) == Received()


def test_alibaba_takes_numbers_below_two_to_the_32nd_as_ids() -> None:
    dialect = alink(ids="number")
    batch = [record(values(1.5, 2.5, n), seq=n) for n in range(50)]
    (bind,) = alink(births=(), topology=True).connected(BIRTHS, (), NOW)
    ids = [body_of(each)["id"] for each in (*sent(dialect, *batch), bind)]
    assert len(set(ids[:50])) == 50
    assert all(0 <= int(each) < 2**32 for each in ids)


def test_numbers_as_ids_are_never_used_twice() -> None:
    dialect = alink("onenet")
    batch = [record(values(1.5, 2.5, n), seq=n) for n in range(50)]
    ids = [body_of(each)["id"] for each in sent(dialect, *batch)]
    assert len(set(ids)) == 50
    assert all(each.isdigit() and len(each) == 13 for each in ids)


def test_ranges_name_nothing_else() -> None:
    assert ranges_of([5, 3, 4, 9]) == (SeqRange(3, 5), SeqRange(9, 9))


def test_an_empty_column_is_withheld() -> None:
    empty = PropBody(PointColumn((), ()), (), None)
    assert alink().encode([record(empty)], NOW, is_backfill=False).withheld == (10,)
