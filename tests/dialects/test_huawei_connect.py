"""Huawei IoTDA at connect: the login of this hour, its options, and sub-devices that it judges."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.dialects.contract import CannotConnect, Now, Received
from gateway.dialects.huawei_iotda.dialect import DIALECT, SYNC_EVERY_MS, HuaweiIotda
from gateway.dialects.huawei_iotda.options import HuaweiOptions, credentials
from gateway.dialects.huawei_iotda.topology import AGAIN_MS, GREETING_MS
from gateway.dialects.options import BadOption, made
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId
from gateway.model.publication import Publication
from gateway.model.record import EventBody, Lane, ReplyBody, StateBody
from gateway.settings.site_sinks import Secret
from tests.dialects.test_huawei_up import EVENTS, many
from tests.support.named_platforms import SECRET_NAME, arrival, setup_of
from tests.support.natives import GATE, METER, NOW, births, committed, prop

VECTOR = {
    "device_id": "gw001",
    "secret": "s3cret",
    "timestamp": "2026112309",
    "client_id": "gw001_0_0_2026112309",
    "username": "gw001",
    "password": "7c37c1f62dbd0d0568427b5336c40dcbeca7b2f413daba7d0006277485e051a9",
}
"""Made with the SDK's own functions: huaweicloud-iot-device-sdk-python, utils/iot_util.py,
`sha256_mac` and `get_client_id`."""
VECTOR_MS = 1795424400000  # 2026-11-23 09:00:00 UTC
HOUR_MS = 3_600_000
DOWN = "$oc/devices/gw001/sys/events/down"


def huawei(**options: Any) -> HuaweiIotda:
    """Return a dialect that was never connected."""
    given = {"device_id": "gw001", "secret": SECRET_NAME, **options}
    return HuaweiIotda(setup_of(given, {"em-*": {"product_id": "65aa"}}))


def at(ms: int) -> Now:
    return Now(NOW.ms + ms, TimeQuality.SYNC)


def told(dialect: HuaweiIotda, kind: str, paras: object, now: Now = NOW) -> Received:
    """Return what comes of an event that the platform tells."""
    service = "$time_sync" if kind.startswith("time") else "$sub_device_manager"
    one = {"service_id": service, "event_type": kind, "paras": paras}
    return dialect.received(arrival(DOWN, {"services": [one]}), now)


def statuses(publications: tuple[Publication, ...]) -> list[tuple[str, str]]:
    """Return the statuses in messages, in order."""
    found: list[tuple[str, str]] = []
    for publication in publications:
        assert publication.topic == EVENTS
        for service in json.loads(publication.payload)["services"]:
            listed = service["paras"].get("device_statuses", [])
            found += [(one["device_id"], one["status"]) for one in listed]
    return found


# --- login


def test_the_login_is_that_of_the_vector_for_the_whole_hour_and_another_one_after_it() -> None:
    dialect = huawei()
    first = dialect.connect_spec(Now(VECTOR_MS, TimeQuality.SYNC))
    last = dialect.connect_spec(Now(VECTOR_MS + HOUR_MS - 1, TimeQuality.SYNC))
    for spec in (first, last):
        assert (spec.client_id, spec.username, spec.password) == (
            VECTOR["client_id"],
            VECTOR["username"],
            VECTOR["password"],
        )
    later = dialect.connect_spec(Now(VECTOR_MS + HOUR_MS, TimeQuality.SYNC))
    assert later.client_id == "gw001_0_0_2026112310"
    assert later.password != VECTOR["password"]


def test_a_changed_secret_counts_at_the_next_connect() -> None:
    secrets = iter(["old", "s3cret"])

    def read(_: Secret) -> str:
        return next(secrets)

    given = setup_of({"device_id": "gw001", "secret": SECRET_NAME}, {})
    dialect = HuaweiIotda(replace(given, secret=read))
    now = Now(VECTOR_MS, TimeQuality.SYNC)
    assert dialect.connect_spec(now).password != VECTOR["password"]
    assert dialect.connect_spec(now).password == VECTOR["password"]


def test_where_the_hour_is_checked_the_client_id_says_so_and_an_unknown_time_waits() -> None:
    dialect = huawei(check_timestamp=True)
    assert dialect.connect_spec(Now(VECTOR_MS, TimeQuality.SYNC)).client_id == (
        "gw001_0_1_2026112309"
    )
    assert dialect.connect_spec(Now(VECTOR_MS, TimeQuality.HOLDOVER)).username == "gw001"
    with pytest.raises(CannotConnect, match="synchronised clock"):
        dialect.connect_spec(Now(VECTOR_MS, TimeQuality.UNSYNC))
    assert huawei().connect_spec(Now(VECTOR_MS, TimeQuality.UNSYNC)).username == "gw001"


def test_there_is_no_will_and_the_platform_is_heard_on_its_four_topics() -> None:
    spec = huawei().connect_spec(NOW)
    assert spec.will is None
    assert [one.topic for one in spec.subscriptions] == [
        "$oc/devices/gw001/sys/commands/#",
        "$oc/devices/gw001/sys/properties/set/#",
        "$oc/devices/gw001/sys/properties/get/#",
        "$oc/devices/gw001/sys/events/down",
    ]


def test_the_password_is_not_shown() -> None:
    login = credentials("gw001", "s3cret", VECTOR_MS, is_checked=False)
    assert login.password == VECTOR["password"]
    assert VECTOR["password"] not in repr(login)


@pytest.mark.parametrize(
    "options",
    [
        {"secret": SECRET_NAME},
        {"device_id": "gw/001", "secret": SECRET_NAME},
        {"device_id": "gw001", "secret": "in the clear"},
        {"device_id": "gw001", "secret": SECRET_NAME, "command_ttl": 0},
        {"device_id": "gw001", "secret": SECRET_NAME, "events": "events"},
        {"device_id": "gw001", "secret": SECRET_NAME, "evnts": "message"},
    ],
)
def test_wrong_options_are_refused_at_the_desk(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption):
        made(HuaweiOptions, options)


@pytest.mark.parametrize(
    "options",
    [
        {"device_id": "a b"},
        {"product_id": "a/b"},
        {"names": "u"},
        {"names": {"u_a": "voltage", "u_b": "voltage"}},
    ],
)
def test_wrong_options_of_a_device_are_refused_at_the_desk(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption):
        made(DIALECT.device_options, options)


def test_what_is_lost_is_declared_and_app_acknowledgement_is_not_offered() -> None:
    assert not DIALECT.has_app_ack
    assert len(DIALECT.losses) > 5


# --- sub-devices


def test_a_device_that_is_offline_is_said_to_be_at_the_next_connect() -> None:
    dialect = huawei()
    assert statuses(dialect.connected(births(), (), NOW)) == [
        ("65aa_em-01", "ONLINE"),
        ("gate-01", "ONLINE"),
    ]
    dialect.encode([committed(StateBody(False, "timeout", 1))], NOW, is_backfill=False)
    assert ("65aa_em-01", "OFFLINE") in statuses(dialect.connected(births(), (), NOW))
    dialect.encode([committed(StateBody(True, "answers", 2))], NOW, is_backfill=False)
    assert ("65aa_em-01", "ONLINE") in statuses(dialect.connected(births(), (), NOW))


def test_a_reload_says_who_came_and_who_went() -> None:
    dialect = huawei()
    dialect.connected(births(), (), NOW)
    assert dialect.reloaded(births(), NOW) == ()
    assert statuses(dialect.reloaded((births()[0], *many(1)), NOW)) == [
        ("65aa_em-0", "ONLINE"),
        ("gate-01", "OFFLINE"),
    ]


def test_records_wait_for_a_registration_and_its_answer_brings_the_device_online() -> None:
    dialect = huawei(add_sub_devices=True)
    begun = dialect.connected(births(), (), NOW)
    assert statuses(begun) == [("gate-01", "ONLINE")]
    assert not dialect.is_ready(at(GREETING_MS - 1))
    added = {"node_id": "em-01", "product_id": "65aa", "device_id": "77bb_em-01"}
    received = told(dialect, "add_sub_device_response", {"successful_devices": [added]})
    assert statuses(received.publications) == [("77bb_em-01", "ONLINE")]
    assert dialect.is_ready(NOW)
    (report,) = dialect.encode(
        [committed(prop(1.0, 2.0, 3.0))], NOW, is_backfill=False
    ).publications
    assert b'"device_id":"77bb_em-01"' in report.payload, "the id that the platform gave"
    assert len(dialect.connected(births(), (), NOW)) == 1, "it is registered once"


def test_a_registration_that_fails_is_told_and_the_device_tried_all_the_same() -> None:
    dialect = huawei(add_sub_devices=True)
    dialect.connected(births(), (), NOW)
    failed = {"node_id": "em-01", "error_code": "IOTDA.1", "error_msg": "it is there"}
    received = told(dialect, "add_sub_device_response", {"failed_devices": [failed]})
    assert [one.reason for one in received.remarks] == ["add em-01: it is there [IOTDA.1]"]
    assert statuses(received.publications) == [("65aa_em-01", "ONLINE")]
    assert dialect.is_ready(NOW)


def test_an_answer_that_never_comes_holds_nothing_up_for_long() -> None:
    dialect = huawei(add_sub_devices=True, sync_time=False)
    dialect.connected(births(), (), NOW)
    assert dialect.tick(at(GREETING_MS - 1)) == ()
    assert dialect.is_ready(at(GREETING_MS))
    assert statuses(dialect.tick(at(GREETING_MS))) == [("65aa_em-01", "ONLINE")]
    assert dialect.tick(at(GREETING_MS + 1)) == ()


def test_a_registration_that_is_answered_late_still_tells_the_id_of_the_platform() -> None:
    """The platform promises an answer within 30 s (iot_06_v5_30182.html); records wait for ten."""
    dialect = huawei(add_sub_devices=True, sync_time=False)
    dialect.connected(births(), (), NOW)
    dialect.tick(at(GREETING_MS))
    added = {"node_id": "em-01", "product_id": "65aa", "device_id": "77bb_em-01"}
    received = told(dialect, "add_sub_device_response", {"successful_devices": [added]}, at(25_000))
    assert statuses(received.publications) == [("77bb_em-01", "ONLINE")]
    (report,) = dialect.encode(
        [committed(prop(1.0, 2.0, 3.0))], at(25_000), is_backfill=False
    ).publications
    assert b'"device_id":"77bb_em-01"' in report.payload
    assert len(dialect.connected(births(), (), at(30_000))) == 1, "it is registered once"


def test_two_devices_with_one_id_on_the_platform_are_not_mixed() -> None:
    """A pattern with a `device_id`: the first keeps it, the others say what is wrong."""
    given = {"device_id": "gw001", "secret": SECRET_NAME}
    dialect = HuaweiIotda(setup_of(given, {"em-*": {"device_id": "meter"}}))
    begun = dialect.connected(many(2), (), NOW)
    assert statuses(begun) == [("meter", "ONLINE")]
    values = [committed(prop(1.0, 2.0, 3.0), DeviceId(f"em-{n}"), seq=n) for n in (0, 1)]
    down = committed(StateBody(False, "timeout", 1), DeviceId("em-1"), seq=2)
    encoded = dialect.encode([*values, down], NOW, is_backfill=False)
    assert [one.covers for one in encoded.publications] == [(0,)]
    assert [(one.lane, one.seqs) for one in encoded.refused] == [
        (Lane.TELEMETRY, (1,)),
        (Lane.EVENT, (2,)),
    ]
    assert "'meter' is em-0 on the platform already" in encoded.refused[0].reason
    assert dialect.reloaded(many(1), NOW) == (), "who went is not said offline for who stays"
    assert statuses(dialect.goodbye(NOW)) == [("meter", "OFFLINE")]


def test_fifty_one_devices_are_registered_by_two_requests() -> None:
    dialect = huawei(add_sub_devices=True)
    begun = dialect.connected(many(51), (), NOW)
    counts = [len(json.loads(one.payload)["services"][0]["paras"]["devices"]) for one in begun]
    assert counts == [50, 1]


def test_what_the_platform_does_not_take_is_refused_with_its_code_until_it_does() -> None:
    dialect = huawei(sync_time=False)
    dialect.connected(births(), (), NOW)
    failed = {"device_id": "gate-01", "error_code": "IOTDA.2", "error_msg": "not yours"}
    good = {"device_id": "65aa_em-01", "status": "ONLINE"}
    paras = {"successful_devices": [good], "failed_devices": [failed]}
    judged = told(dialect, "sub_device_update_status_response", paras)
    assert [one.reason for one in judged.remarks] == ["status of gate-01: not yours [IOTDA.2]"]
    assert told(dialect, "sub_device_update_status_response", paras).remarks == (), "told once"
    batch = [
        committed(EventBody("e", "leak", 3, "raised"), GATE, seq=1),
        committed(EventBody("e", "leak", 3, "raised"), METER, seq=2),
        committed(ReplyBody("set:1", "done"), GATE, seq=3),
    ]
    encoded = dialect.encode(batch, NOW, is_backfill=False)
    (refused,) = encoded.refused
    assert refused.seqs == (1,)
    assert refused.reason == "the platform: not yours [IOTDA.2] (0x87)"
    assert [one.covers for one in encoded.publications] == [(2,), (3,)]
    assert dialect.tick(at(AGAIN_MS - 1)) == ()
    assert statuses(dialect.tick(at(AGAIN_MS))) == [("gate-01", "ONLINE")]
    taken = {"successful_devices": [{"device_id": "gate-01"}], "failed_devices": []}
    told(dialect, "sub_device_update_status_response", taken)
    assert dialect.encode(batch[:1], NOW, is_backfill=False).refused == ()
    assert dialect.tick(at(3 * AGAIN_MS)) == ()


def test_a_device_that_is_deleted_on_the_platform_is_held_until_it_is_added_again() -> None:
    dialect = huawei()
    dialect.connected(births(), (), NOW)
    gate = {"devices": [{"device_id": "gate-01"}, {"device_id": "a stranger's"}]}
    told(dialect, "delete_sub_device_notify", gate)
    leak = [committed(EventBody("e", "leak", 3, "raised"), GATE)]
    assert len(dialect.encode(leak, NOW, is_backfill=False).refused) == 1
    again = told(dialect, "add_sub_device_notify", gate)
    assert statuses(again.publications) == [("gate-01", "ONLINE")]
    assert dialect.encode(leak, NOW, is_backfill=False).refused == ()


# --- time


def test_the_platforms_time_comes_from_the_four_times() -> None:
    dialect = huawei()
    dialect.connected(births(), (), NOW)
    (question,) = dialect.tick(NOW)
    (service,) = json.loads(question.payload)["services"]
    assert (question.topic, service["service_id"]) == (EVENTS, "$time_sync")
    assert service["event_type"] == "time_sync_request"
    assert service["paras"] == {"device_send_time": NOW.ms}
    answer = {
        "device_send_time": NOW.ms,
        "server_recv_time": NOW.ms + 5_040,  # five seconds ahead, 40 ms on the way
        "server_send_time": NOW.ms + 5_050,
    }
    received = told(dialect, "time_sync_response", answer, at(90))  # 40 ms back
    assert received.platform_ms == NOW.ms + 90 + 5_000
    again = told(dialect, "time_sync_response", answer, at(99))
    assert again.platform_ms is None, "an answer counts once"


@pytest.mark.parametrize("ms", [-1000, 3_600_000])
def test_a_time_that_came_over_a_step_of_our_clock_tells_nothing(ms: int) -> None:
    dialect = huawei()
    dialect.connected(births(), (), NOW)
    dialect.tick(NOW)
    answer = {
        "device_send_time": NOW.ms,
        "server_recv_time": NOW.ms + 40,
        "server_send_time": NOW.ms + 50,
    }
    received = told(dialect, "time_sync_response", answer, at(ms))
    assert (received.platform_ms, len(received.dropped)) == (None, 1)


def test_time_is_asked_for_once_an_hour_and_after_every_connect() -> None:
    dialect = huawei()
    dialect.connected(births(), (), NOW)
    asked = [len(dialect.tick(at(ms))) for ms in (0, 1000, SYNC_EVERY_MS - 1, SYNC_EVERY_MS)]
    assert asked == [1, 0, 0, 1]
    dialect.connected(births(), (), at(SYNC_EVERY_MS + 5))
    assert len(dialect.tick(at(SYNC_EVERY_MS + 5))) == 1
    quiet = huawei(sync_time=False)
    quiet.connected(births(), (), NOW)
    assert quiet.tick(NOW) == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"device_send_time": 1, "server_recv_time": 2, "server_send_time": 3},
        {"device_send_time": NOW.ms, "server_recv_time": "2", "server_send_time": 3},
        {"device_send_time": NOW.ms, "server_recv_time": True, "server_send_time": 3},
        {},
    ],
)
def test_a_time_that_answers_no_question_tells_nothing(answer: dict[str, Any]) -> None:
    dialect = huawei()
    dialect.connected(births(), (), NOW)
    dialect.tick(NOW)
    received = told(dialect, "time_sync_response", answer)
    assert received.platform_ms is None
    assert len(received.dropped) == 1
