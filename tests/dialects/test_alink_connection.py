"""Credentials of the Alink family, and sub-devices that are bound, logged in, refused, let go."""

import hmac
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from gateway.app.sinks.streams import DENIED
from gateway.dialects.alink.dialect import Alink
from gateway.dialects.alink.session import NOT_NOW
from gateway.dialects.alink.sign import content, signature, token
from gateway.dialects.contract import CannotConnect, Encoded, Now, Received
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Arrival, Publication
from gateway.model.record import StateBody
from tests.support.alink_platform import listed
from tests.support.alinks import (
    BIRTHS,
    EP,
    GATE,
    KEYS,
    METER,
    NOW,
    alink,
    answered,
    arrival,
    body_of,
    later,
    meter_birth,
    record,
    setup,
    values,
)

VECTOR = {
    "sign_source": "clientIdpk1&dn1deviceNamedn1productKeypk1timestamp1524448722000",
    "secret": "devsecret",
    "method": "hmacsha256",
    "sign": "7aa2c25bc735f5ee69c451448879ab55399c6ca1374e69f49f903f67ec0f8922",
}
"""`alink_combine_login` (thinkgos/aliyun-iot: infra/infra.go CalcSign, ext_session_combine.go)."""
FIELDS = {
    "productKey": "pk1",
    "deviceName": "dn1",
    "clientId": "pk1&dn1",
    "timestamp": "1524448722000",
    "signMethod": "hmacsha256",
    "cleanSession": "true",
}
ERROR = "/ext/error/pkGw/gw03"


def members(login: Publication) -> list[str]:
    """Return who is named in a login or logout."""
    params: Any = body_of(login)["params"]
    found = params["deviceList"] if "deviceList" in params else listed(params)
    return [each["deviceName"] for each in found]


def fresh(count: int = 2, **options: Any) -> tuple[Alink, tuple[Publication, ...]]:
    """Return a dialect that has just connected with so many meters, and its logins."""
    dialect = Alink(setup(**options))
    dialect.connect_spec(NOW)
    births = [meter_birth(f"em-{n:04}") for n in range(1, count + 1)]
    return dialect, dialect.connected(births, (), NOW)


def sent(dialect: Alink, device: str, now: Now = NOW) -> Encoded:
    """Return what becomes of a record of a device."""
    return dialect.encode([record(values(1.5, 2.5, 3), DeviceId(device))], now, is_backfill=False)


# --- signatures


def test_the_vector_of_combine_login_is_reproduced() -> None:
    assert content(FIELDS) == VECTOR["sign_source"]
    assert signature(FIELDS, VECTOR["secret"], VECTOR["method"]) == VECTOR["sign"]


VENDOR: list[tuple[dict[str, str], str, str]] = [
    (  # help.aliyun.com/document_detail/73742.html, its example of a direct connection
        {"clientId": "12345", "deviceName": "device", "productKey": "pk", "timestamp": "789"},
        "hmacsha1",
        "FAFD82A3D602B37FB0FA8B7892F24A477F851A14",
    ),
    (  # domain.md S12 (a relative with productId and deviceId), its example of a login
        {
            "clientId": "12345",
            "deviceId": "device",
            "productId": "pk",
            "timestamp": "1581417203000",
        },
        "hmacmd5",
        "DE9B6C009C7DAC6279C89FD998B6994F",
    ),
]


@pytest.mark.parametrize(("fields", "method", "sign"), VENDOR)
def test_the_examples_of_the_vendors_are_reproduced(
    fields: dict[str, str], method: str, sign: str
) -> None:
    assert signature(fields, "secret", method) == sign.lower()


def test_a_sub_device_signs_its_login_like_the_vector() -> None:
    dialect = Alink(setup(products={"meter.electricity": "pk1"}))
    (login,) = dialect.connected([meter_birth("dn1")], (), replace(NOW, ms=1524448722000))
    assert body_of(login)["params"]["sign"] == VECTOR["sign"]
    assert login.topic == "/ext/session/pkGw/gw03/combine/login"
    assert login.qos == 0


def test_credentials_are_made_anew_at_every_connect() -> None:
    dialect = Alink(setup())
    first, second = dialect.connect_spec(NOW), dialect.connect_spec(later(60))
    assert first.client_id != second.client_id
    assert first.password != second.password
    for spec, ms in ((first, NOW.ms), (second, NOW.ms + 60_000)):
        signed = f"clientIdpkGw.gw03deviceNamegw03productKeypkGwtimestamp{ms}"
        assert spec.password == hmac.new(b"gwsecret", signed.encode(), "sha256").hexdigest()
        assert spec.client_id.endswith(f"timestamp={ms}|")
        assert spec.username == "gw03&pkGw"


def test_tls_is_told_in_the_client_id() -> None:
    plain = setup()
    safe = replace(plain, sink=replace(plain.sink, use_tls=True))
    assert "securemode=3," in Alink(plain).connect_spec(NOW).client_id
    assert "securemode=2," in Alink(safe).connect_spec(NOW).client_id


@pytest.mark.parametrize(("keepalive_s", "is_taken"), [(10, False), (30, True), (1201, False)])
def test_a_keep_alive_that_alibaba_refuses_is_told_with_what_to_write(
    keepalive_s: int, *, is_taken: bool
) -> None:
    plain = setup()
    host = "a1B2c3.iot-as-mqtt.cn-shanghai.aliyuncs.com"
    sink = replace(plain.sink, host=host, keepalive_s=keepalive_s)
    dialect = Alink(replace(plain, sink=sink))
    if is_taken:
        assert dialect.connect_spec(NOW).username
        return
    with pytest.raises(CannotConnect, match="write `keepalive:` of 30 s to 1200 s"):
        dialect.connect_spec(NOW)
    relative = replace(sink, host="broker.example")
    assert Alink(replace(plain, sink=relative)).connect_spec(NOW).username


def test_a_changed_secret_counts_at_the_next_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = Alink(setup())
    before = dialect.connect_spec(NOW).password
    monkeypatch.setitem(KEYS, "alink", "another")
    assert dialect.connect_spec(NOW).password != before


def test_an_onenet_token_is_signed_with_the_decoded_key() -> None:
    key = b64encode(b"gwsecret").decode()
    found = dict(part.split("=", 1) for part in token("products/1", key, "hmacsha1", 7).split("&"))
    signed = "7\nsha1\nproducts/1\n2018-10-31"
    right = b64encode(hmac.new(b64decode(key), signed.encode(), "sha1").digest()).decode()
    assert found["sign"] == right.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert (found["res"], found["et"], found["method"]) == ("products%2F1", "7", "sha1")


def test_an_onenet_key_that_is_no_base64_keeps_it_from_connecting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KEYS, "onenet", "not base64!")
    with pytest.raises(CannotConnect, match="base64"):
        Alink(setup("onenet")).connect_spec(NOW)


def test_enos_hashes_the_fields_and_the_secret() -> None:
    spec = Alink(setup("enos")).connect_spec(NOW)
    signed = f"clientIdgw03deviceKeygw03productKeypkGwtimestamp{NOW.ms}gwsecret"
    assert spec.password == sha256(signed.encode()).hexdigest().upper()


@pytest.mark.parametrize("profile", ["sagoo", "xunji"])
def test_where_nothing_is_signed_the_sinks_own_login_is_used(profile: str) -> None:
    spec = Alink(setup(profile)).connect_spec(NOW)
    assert (spec.username, spec.password) == (None, None)


@pytest.mark.parametrize("profile", ["aliyun", "enos", "onenet", "sagoo", "xunji", "yudao"])
def test_no_subscription_matches_what_we_publish(profile: str) -> None:
    dialect = Alink(setup(profile, subscribe="wildcard"))
    filters = [each.topic for each in dialect.connect_spec(NOW).subscriptions]
    said = dialect.connected(BIRTHS, (), NOW)
    reports = alink(profile).encode(
        [record(values(1.5, 2.5, 3), seq=1), record(values(1.5, 2.5, 3), seq=2, age_ms=90_000)],
        NOW,
        is_backfill=False,
    )
    for each in (*said, *reports.publications):
        assert not any(_matches(one, each.topic) for one in filters), each.topic


def _matches(pattern: str, topic: str) -> bool:
    words, parts = pattern.split("/"), topic.split("/")
    return len(words) == len(parts) and all(
        word in {"+", part} for word, part in zip(words, parts, strict=True)
    )


# --- logins


def test_where_no_wildcard_is_taken_each_device_is_listened_to_after_its_login() -> None:
    dialect, logins = fresh(2, subscribe="login")
    filters = {each.topic for each in dialect.connect_spec(NOW).subscriptions}
    assert not any("+/thing/service/property/set" in one for one in filters)
    (received,) = answered(dialect, logins)
    asked = [each.topic for each in received.subscriptions]
    assert [one for one in asked if one.endswith("/property/set")] == [
        f"/sys/pkMeter/em-{number:04}/thing/service/property/set" for number in (1, 2)
    ]
    assert answered(fresh(2)[0], fresh(2)[1])[0].subscriptions == ()


def test_logins_go_in_batches_of_fifty_without_acknowledgement() -> None:
    _, logins = fresh(101)
    assert [len(members(each)) for each in logins] == [50, 50, 1]
    assert {each.qos for each in logins} == {0}
    assert len({body_of(each)["id"] for each in logins}) == 3
    assert all(0 <= int(body_of(each)["id"]) < 2**32 for each in logins)


def test_the_batch_is_an_option() -> None:
    _, logins = fresh(7, login_batch=5)
    assert [len(members(each)) for each in logins] == [5, 2]


def test_beyond_the_limit_of_the_platform_a_device_is_refused() -> None:
    dialect, logins = fresh(2001)
    answered(dialect, logins)
    assert sum(len(members(each)) for each in logins) == 2000
    assert not sent(dialect, "em-2000").refused
    (refused,) = sent(dialect, "em-2001").refused
    assert "more than 2000" in refused.reason


def test_the_limit_holds_also_when_logins_are_tried_again() -> None:
    dialect, logins = fresh(5, max_online=3)
    answered(dialect, logins)
    assert not [p for p in dialect.tick(later(61)) if "combine" in p.topic]
    (refused,) = state(dialect, 1, is_online=True, device="em-0005").refused
    assert "more than 3" in refused.reason
    state(dialect, 2, is_online=False, device="em-0001")
    (login,) = [p for p in dialect.tick(later(122)) if "combine" in p.topic]
    assert members(login) == ["em-0004"], "whose place became free"


def test_records_wait_for_the_replies() -> None:
    dialect, logins = fresh(60)
    assert not dialect.is_ready(NOW)
    answered(dialect, logins[:1])
    assert not dialect.is_ready(NOW)
    answered(dialect, logins[1:])
    assert dialect.is_ready(NOW)


def test_waiting_has_an_end_and_the_silent_count_as_refused() -> None:
    dialect, _ = fresh(2)
    assert not dialect.is_ready(later(9.9))
    assert dialect.is_ready(later(10))
    dialect.tick(later(10))
    assert "no reply" in sent(dialect, "em-0001", later(10)).refused[0].reason


def test_a_reply_that_comes_after_the_waiting_lets_a_device_in_all_the_same() -> None:
    dialect, logins = fresh(2)
    dialect.tick(later(10))
    assert sent(dialect, "em-0001", later(10)).refused
    answered(dialect, logins, now=later(14))
    assert sent(dialect, "em-0001", later(14)).publications
    assert not [p for p in dialect.tick(later(75)) if "combine" in p.topic], "it is in"


def test_a_clock_that_is_set_back_does_not_hold_records() -> None:
    dialect, _ = fresh(2)
    assert dialect.is_ready(later(-3600))


def test_a_late_reply_still_lets_a_device_in() -> None:
    dialect, logins = fresh(1)
    assert dialect.is_ready(later(10))
    answered(dialect, logins, now=later(10))
    assert sent(dialect, "em-0001", later(10)).publications


def test_a_refused_batch_is_asked_for_one_by_one_so_that_one_costs_no_other() -> None:
    dialect, logins = fresh(3)
    (received,) = answered(dialect, logins, 6287)
    assert [members(each) for each in received.publications] == [
        ["em-0001"],
        ["em-0002"],
        ["em-0003"],
    ]
    answered(dialect, received.publications[:2])
    assert not dialect.is_ready(NOW)
    answered(dialect, received.publications[2:], 6287, message="sign error")
    assert dialect.is_ready(NOW)
    assert sent(dialect, "em-0001").publications
    (refused,) = sent(dialect, "em-0003").refused
    assert refused.seqs == (10,)
    assert refused.reason == f"login refused: 6287 sign error {NOT_NOW}"


def test_a_batch_that_was_one_too_many_is_not_asked_for_one_by_one() -> None:
    dialect, logins = fresh(3)
    (received,) = answered(dialect, logins, 429)
    assert received.publications == ()
    (again,) = [p for p in dialect.tick(later(61)) if "combine" in p.topic]
    assert len(members(again)) == 3


def test_a_refused_device_is_tried_again_and_its_records_go_when_it_is_in() -> None:
    dialect, logins = fresh(1)
    answered(dialect, logins, 6401)
    assert not [p for p in dialect.tick(later(59)) if "combine" in p.topic]
    (again,) = [p for p in dialect.tick(later(61)) if "combine" in p.topic]
    assert sent(dialect, "em-0001", later(61)).refused, "not before the reply"
    answered(dialect, [again], now=later(61))
    assert sent(dialect, "em-0001", later(61)).publications


def test_what_is_refused_bears_the_mark_by_which_the_sink_tries_again() -> None:
    assert NOT_NOW == DENIED


def test_a_device_without_a_secret_is_refused_and_the_others_log_in() -> None:
    plain = setup()
    sink = replace(
        plain.sink, devices={"em-01": {"device_secret": plain.sink.options["device_secret"]}}
    )
    dialect = Alink(replace(plain, sink=sink))
    (login,) = dialect.connected(BIRTHS, (), NOW)
    answered(dialect, [login])
    assert members(login) == ["em-01"]
    assert "gate-01 has no device_secret" in sent(dialect, GATE).refused[0].reason


def test_a_device_without_a_product_is_refused_with_what_is_missing() -> None:
    dialect = alink(products={"meter.electricity": "pkMeter"})
    (refused,) = sent(dialect, GATE).refused
    assert "parking.gate" in refused.reason
    assert NOT_NOW not in refused.reason, "only the site file can change it"


def test_two_devices_with_one_name_on_the_platform_are_not_mixed() -> None:
    """A pattern with a `device_name`: the first keeps it, the others say what is wrong."""
    plain = setup()
    given = {**plain.sink.devices["*"], "device_name": "meter"}
    dialect = Alink(replace(plain, sink=replace(plain.sink, devices={"em-*": given})))
    logins = dialect.connected([meter_birth("em-01"), meter_birth("em-02")], (), NOW)
    assert [members(each) for each in logins] == [["meter"]]
    answered(dialect, logins)
    assert sent(dialect, "em-01").publications
    assert "pkMeter/meter is em-01 already" in sent(dialect, "em-02").refused[0].reason


def test_names_of_the_site_file_win() -> None:
    plain = setup()
    given = {**plain.sink.devices["*"], "product_key": "pkX", "device_name": "m1"}
    dialect = Alink(replace(plain, sink=replace(plain.sink, devices={"em-*": given})))
    (login,) = dialect.connected(BIRTHS[:1], (), NOW)
    params = body_of(login)["params"]
    assert (params["productKey"], params["deviceName"]) == ("pkX", "m1")


# --- states, reloads, ends


def state(dialect: Alink, seq: int, *, is_online: bool, device: str = METER) -> Encoded:
    body = StateBody(is_online, "x", NOW.ms)
    return dialect.encode([record(body, DeviceId(device), seq=seq)], NOW, is_backfill=False)


def test_offline_logs_out_and_online_logs_in_again() -> None:
    dialect = alink()
    assert state(dialect, 1, is_online=True).withheld == (1,), "it is in already"
    (logout,) = state(dialect, 2, is_online=False).publications
    assert (logout.topic.rsplit("/", 1)[1], logout.covers) == ("logout", (2,))
    (login,) = state(dialect, 3, is_online=True).publications
    assert (login.topic.rsplit("/", 1)[1], login.covers) == ("login", (3,))


def test_with_app_acknowledgement_a_state_is_done_when_the_platform_replies() -> None:
    dialect = alink(ack="app")
    (logout,) = state(dialect, 2, is_online=False).publications
    (received,) = answered(dialect, [logout])
    assert [(r.ep, r.ranges[0].first) for r in received.acknowledged] == [(EP, 2)]
    (login,) = state(dialect, 3, is_online=True).publications
    (received,) = answered(dialect, [login], 6401)
    assert received.refused[0].seqs == (3,)


def test_a_device_that_is_offline_is_not_logged_in_at_the_next_connect() -> None:
    dialect = alink()
    state(dialect, 1, is_online=False)
    (login,) = dialect.connected(BIRTHS, (), NOW)
    assert members(login) == ["gate-01"]


def test_a_refused_device_that_goes_offline_is_asked_for_again_when_it_is_back() -> None:
    dialect = Alink(setup())
    answered(dialect, dialect.connected(BIRTHS[:1], (), NOW), 6401)
    assert state(dialect, 1, is_online=False).withheld == (1,)
    assert not [p for p in dialect.tick(later(61)) if "combine" in p.topic]
    assert state(dialect, 2, is_online=True).refused, "not in yet"
    assert [p for p in dialect.tick(later(62)) if "combine/login" in p.topic]


def test_a_reload_logs_in_what_came_and_out_what_went() -> None:
    dialect = alink()
    said = dialect.reloaded([meter_birth(), meter_birth("em-09")], NOW)
    assert [(p.topic.rsplit("/", 1)[1], members(p)) for p in said] == [
        ("logout", ["gate-01"]),
        ("login", ["em-09"]),
    ]
    assert dialect.is_ready(NOW), "a reload holds no records"


def test_devices_that_went_while_we_were_away_are_logged_out() -> None:
    dialect = alink()
    said = dialect.connected(BIRTHS[:1], [GATE, DeviceId("never-01")], NOW)
    assert [(p.topic.rsplit("/", 1)[1], members(p)) for p in said] == [
        ("logout", ["gate-01"]),
        ("login", ["em-01"]),
    ]


def test_an_end_logs_out_who_is_in() -> None:
    dialect = alink()
    state(dialect, 1, is_online=False)
    (logout,) = dialect.goodbye(NOW)
    assert members(logout) == ["gate-01"]
    assert logout.qos == 0


def test_a_lost_session_is_logged_in_again() -> None:
    dialect = alink()
    data = {"productKey": "pkMeter", "deviceName": "em-01"}
    body = {"id": "1", "code": 520, "data": data, "message": "session error"}
    (login,) = dialect.received(arrival(ERROR, body), NOW).publications
    assert members(login) == ["em-01"]
    assert not dialect.received(arrival(ERROR, body), NOW).publications, "it is asked already"


def test_a_device_that_came_in_for_old_records_is_logged_out_again() -> None:
    """A platform takes nothing of who is logged out, and shows who is in as online."""
    dialect = alink()
    state(dialect, 1, is_online=False)
    data = {"productKey": "pkMeter", "deviceName": "em-01"}
    lost = arrival(ERROR, {"id": "1", "code": 520, "data": data})
    (login,) = dialect.received(lost, NOW).publications
    answered(dialect, [login])
    assert sent(dialect, METER).publications
    assert not [p for p in dialect.tick(later(59)) if "combine" in p.topic]
    (logout,) = [p for p in dialect.tick(later(60)) if "combine" in p.topic]
    assert (logout.topic.rsplit("/", 1)[1], members(logout)) == ("logout", ["em-01"])
    assert not [p for p in dialect.tick(later(130)) if "combine" in p.topic]


def test_what_a_device_said_before_it_left_the_site_still_arrives() -> None:
    dialect = alink(ack="app")
    (logout,) = dialect.reloaded(BIRTHS[1:], NOW)
    answered(dialect, [logout])
    (report,) = sent(dialect, METER).publications
    (received,) = answered(dialect, [report], 520)
    (login,) = received.publications
    assert members(login) == ["em-01"]
    answered(dialect, [login])
    (report,) = sent(dialect, METER, later(31)).publications
    (received,) = answered(dialect, [report], now=later(31))
    assert received.acknowledged
    (logout,) = [p for p in dialect.tick(later(60)) if "combine" in p.topic]
    assert (logout.topic.rsplit("/", 1)[1], members(logout)) == ("logout", ["em-01"])
    assert not [p for p in dialect.tick(later(130)) if "combine" in p.topic]


def test_the_gateway_itself_needs_no_login() -> None:
    dialect = alink(ack="app")
    own = record(values(1.5, 2.5, 3), GATEWAY_ITSELF)
    (report,) = dialect.encode([own], NOW, is_backfill=False).publications
    assert answered(dialect, [report], 520)[0].publications == ()


def test_a_device_that_left_with_a_reload_is_not_logged_in_by_a_late_word_of_the_platform() -> None:
    dialect, logins = fresh(2)
    dialect.reloaded([meter_birth("em-0001")], NOW)
    (received,) = answered(dialect, logins, 6287)
    assert [members(each) for each in received.publications] == [["em-0001"]]
    for seconds in (11, 72, 133):
        again = [p for p in dialect.tick(later(seconds)) if p.topic.endswith("combine/login")]
        assert "em-0002" not in [name for each in again for name in members(each)]


def test_a_reply_about_fifty_devices_is_longer_than_a_command_may_be() -> None:
    dialect, logins = fresh(50)
    failed = [
        {"productKey": "pkMeter", "deviceName": f"{n:064}", "why": "x" * 300} for n in range(50)
    ]
    (received,) = answered(dialect, logins, 6287, data={"failed": failed})
    assert len(received.publications) == 50


NOTICE = "/sys/pkGw/gw03/thing/topo/change"


def changed(dialect: Alink, status: object, *devices: str, now: Now = NOW) -> Received:
    """Return what comes of a notice of the platform (help.aliyun.com, document_detail/89299)."""
    listed_there = [{"productKey": "pkMeter", "deviceName": each} for each in devices]
    params = {"status": status, "subList": listed_there}
    body = {"id": "123", "version": "1.0", "params": params, "method": "thing.topo.change"}
    return dialect.received(arrival(NOTICE, body), now)


@pytest.mark.parametrize(("out", "word", "back"), [(1, "deleted", 0), (8, "disabled", 2)])
def test_a_device_that_the_platform_takes_out_is_held_until_it_takes_it_again(
    out: int, word: str, back: int
) -> None:
    dialect = alink()
    received = changed(dialect, out, METER, "never-01")
    (reply,) = received.publications
    assert (reply.topic, body_of(reply)) == (
        NOTICE + "_reply",
        {"id": "123", "code": 200, "data": {}},
    )
    assert [each.reason for each in received.remarks] == [f"{word} on the platform: em-01"]
    (refused,) = sent(dialect, METER).refused
    assert refused.reason == f"{word} on the platform {NOT_NOW}"
    _, login = changed(dialect, back, METER, now=later(5)).publications
    assert members(login) == ["em-01"]
    answered(dialect, [login], now=later(6))
    assert sent(dialect, METER, later(6)).publications
    assert len(changed(dialect, back, METER, now=later(7)).publications) == 1, "it is in"


def test_a_device_that_was_deleted_is_bound_anew_before_its_login() -> None:
    dialect, binds = fresh(1, topology=True)
    (received,) = answered(dialect, binds)
    answered(dialect, received.publications)
    changed(dialect, 1, "em-0001")
    (bind,) = [p for p in dialect.tick(later(61)) if "ext" not in p.topic]
    assert bind.topic.endswith("thing/topo/add")


@pytest.mark.parametrize("status", [5, None, True, "1", [1]])
def test_a_notice_that_says_nothing_known_is_dropped(status: object) -> None:
    assert changed(alink(), status, METER).dropped
    assert sent(alink(), METER).publications


def test_a_retained_notice_or_reply_is_dropped() -> None:
    dialect, (login, *_) = fresh(1)
    late = arrival(login.topic + "_reply", {"id": body_of(login)["id"], "code": 200})
    assert dialect.received(replace(late, is_retained=True), NOW).dropped
    assert not dialect.is_ready(NOW)


@pytest.mark.parametrize("code", [427, 521, 522, 6401])
def test_a_session_that_the_platform_ends_is_told_and_tried_again_later(code: int) -> None:
    dialect = alink()
    data = {"productKey": "pkMeter", "deviceName": "em-01"}
    received = dialect.received(arrival(ERROR, {"id": "1", "code": code, "data": data}), NOW)
    assert str(code) in received.remarks[0].reason
    assert sent(dialect, METER).refused
    assert [p for p in dialect.tick(later(61)) if "combine/login" in p.topic]


def test_enos_lets_some_in_and_names_them() -> None:
    dialect = Alink(setup("enos"))
    logins = dialect.connected(BIRTHS, (), NOW)
    inside = {"loginedSubDevices": [{"productKey": "pkMeter", "deviceKey": "em-01"}]}
    answered(dialect, logins, 723, data=inside)
    assert dialect.is_ready(NOW)
    assert sent(dialect, METER).publications
    assert "723" in sent(dialect, GATE).refused[0].reason


def test_a_binding_comes_before_the_login() -> None:
    dialect, (bind,) = fresh(2, topology=True)
    assert bind.topic == "/sys/pkGw/gw03/thing/topo/add"
    assert [each["deviceName"] for each in body_of(bind)["params"]] == ["em-0001", "em-0002"]
    (received,) = answered(dialect, [bind])
    (login,) = received.publications
    assert members(login) == ["em-0001", "em-0002"]
    answered(dialect, [login])
    assert dialect.is_ready(NOW)
    assert sent(dialect, "em-0001").publications


def test_thirty_devices_are_bound_at_once_however_many_may_log_in() -> None:
    _, binds = fresh(61, topology=True)
    assert [len(listed(body_of(each)["params"])) for each in binds] == [30, 30, 1]


def test_yudao_binds_with_whole_logins_and_needs_no_other() -> None:
    dialect = Alink(setup("yudao", topology=True))
    (bind,) = dialect.connected(BIRTHS, (), NOW)
    first = body_of(bind)["params"]["subDevices"][0]
    assert (first["clientId"], first["username"]) == ("pkMeter.em-01", "em-01&pkMeter")
    answered(dialect, [bind])
    assert dialect.is_ready(NOW)
    assert sent(dialect, METER).publications


def test_onenet_binds_one_device_a_message_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "meter", "Z3c=")
    dialect = Alink(setup("onenet", topology=True))
    binds = dialect.connected(BIRTHS, (), NOW)
    assert [each.topic for each in binds] == ["$sys/pkGw/gw03/thing/sub/topo/add"] * 2
    assert "products%2FpkMeter%2Fdevices%2Fem-01" in body_of(binds[0])["params"]["sasToken"]


# --- time


def test_the_time_is_asked_after_the_connect_and_then_now_and_then() -> None:
    dialect = alink(time_every=600)
    (question,) = dialect.tick(NOW)
    assert question.topic == "/ext/ntp/pkGw/gw03/request"
    assert (question.qos, body_of(question)) == (0, {"deviceSendTime": str(NOW.ms)})
    assert dialect.tick(later(599)) == ()
    assert len(dialect.tick(later(600))) == 1
    assert alink(time_every=0).tick(NOW) == ()
    assert alink("sagoo").tick(NOW) == ()


RESPONSE = "/ext/ntp/pkGw/gw03/response"


def times(sent_ms: int, *, is_retained: bool = False) -> Arrival:
    """Return an answer of a platform that is 900 ms ahead: 10 there, 5 on the platform."""
    body = {"deviceSendTime": str(sent_ms), "serverRecvTime": str(sent_ms + 910)}
    answer = {**body, "serverSendTime": sent_ms + 915}
    return arrival(RESPONSE, answer, is_retained=is_retained)


def test_the_reply_gives_the_platforms_time_half_the_way_later() -> None:
    dialect = alink()
    dialect.tick(NOW)
    now = Now(NOW.ms + 25, NOW.tq)  # 10 back
    assert dialect.received(times(NOW.ms), now).platform_ms == NOW.ms + 925
    assert dialect.received(times(NOW.ms), now).platform_ms is None, "an answer counts once"


def test_a_time_that_answers_no_question_of_ours_tells_nothing() -> None:
    dialect = alink()
    assert dialect.received(times(NOW.ms), NOW).dropped
    dialect.tick(NOW)
    assert dialect.received(times(NOW.ms - 1), NOW).dropped
    assert dialect.received(times(NOW.ms, is_retained=True), NOW).dropped


@pytest.mark.parametrize("seconds", [-1, 3600])
def test_a_time_that_came_over_a_step_of_our_clock_tells_nothing(seconds: float) -> None:
    dialect = alink()
    dialect.tick(NOW)
    received = dialect.received(times(NOW.ms), later(seconds))
    assert (received.platform_ms, len(received.dropped)) == (None, 1)


@pytest.mark.parametrize("body", [b"{", {"serverRecvTime": "x"}, [], {"code": 200}])
def test_a_time_that_is_none_is_dropped(body: object) -> None:
    received = alink().received(arrival("/ext/ntp/pkGw/gw03/response", body), NOW)
    assert received.platform_ms is None
    assert received.dropped
