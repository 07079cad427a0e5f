"""Options of the Alink dialect, and its platforms found by name."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gateway.app.sinks.streams import Streams, stream_of
from gateway.app.site.vet import vet
from gateway.dialects import registry
from gateway.dialects.alink.dialect import Alink
from gateway.dialects.alink.options import AlinkDevice, AlinkOptions
from gateway.dialects.alink.profile import AlinkProfile, Limits, Listens, Session
from gateway.dialects.alink.profiles import load, names
from gateway.dialects.options import BadOption, made
from gateway.model.ids import SinkName
from gateway.model.record import Committed
from gateway.outbox.rows import Refusal
from gateway.settings.load import load_site
from gateway.settings.site_sinks import Secret
from gateway.settings.texts import wording
from tests.support.alinks import BIRTHS, METER, NOW, answered, later, record, setup, values

SECRET = Secret("env", "ALINK")
PLATFORMS = ("aliyun", "enos", "onenet", "sagoo", "xunji", "yudao")
SITE = """\
version: 1
gateway: {{id: gw-1, site: lake}}
buses: {{m: {{memory: m}}}}
devices: [{{id: em-01, profile: eastron/sdm120, bus: m, address: 1}}]
sinks:
  city:
    dialect: alink
    url: mqtt://localhost
    options: {{{options}}}
    devices: {{em-*: {{{device}}}}}
"""


def options(**given: Any) -> AlinkOptions:
    return made(AlinkOptions, {"product_key": "pk", "device_secret": SECRET, **given})


def test_every_platform_is_a_module_of_its_name() -> None:
    assert names() == PLATFORMS
    for name in names():
        assert isinstance(load(name), AlinkProfile)
        assert load(name).sources, "every fact has a source"
    with pytest.raises(LookupError, match="aliyun"):
        load("nowhere")


def test_the_dialect_is_found_and_says_what_it_loses() -> None:
    spec = registry.load("alink")
    assert (spec.make, spec.has_app_ack) == (Alink, True)
    assert spec.losses
    assert all(loss.endswith(".") for loss in spec.losses)


@pytest.mark.parametrize("plain", [AlinkOptions, AlinkDevice])
def test_every_option_is_described(plain: type[Any]) -> None:
    for field in fields(plain):
        assert field.metadata["description"].endswith("."), field.name


def test_options_change_the_profile() -> None:
    profile = options(
        sessions="none", max_sub_devices=5, max_properties=50, ids="number", subscribe="wildcard"
    ).resolved()
    assert profile.session is Session.NONE
    assert profile.limits == Limits(5, 50, 20)
    assert profile.has_numeric_ids
    assert profile.listens is Listens.WILDCARD
    assert options().resolved() == load("aliyun")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"profile": "aliyum"}, "LG-ALINK-01"),
        ({"profile": "yudao", "device_secret": None}, "LG-ALINK-02"),
        ({"product_key": "a/b"}, "LG-ALINK-03"),
        ({"product_key": ""}, "LG-ALINK-03"),
        ({"device_name": "a/b"}, "LG-ALINK-03"),
        ({"gap_event": "a/b"}, "LG-ALINK-03"),
        ({"max_message": 999}, "LG-VAL-03"),
        ({"products": {"meter.electricity": "a/+"}}, "LG-ALINK-03"),
        ({"login_batch": 51}, "LG-VAL-03"),
        ({"max_online": 2001}, "LG-VAL-03"),
        ({"quality": "loud"}, "LG-VAL-01"),
        ({"colour": "red"}, "LG-SINK-02"),
    ],
)
def test_wrong_options_are_told_in_both_languages(given: dict[str, Any], code: str) -> None:
    given = {
        key: value for key, value in {"device_secret": SECRET, **given}.items() if value is not None
    }
    with pytest.raises(BadOption) as caught:
        made(AlinkOptions, {"product_key": "pk", **given})
    assert caught.value.bad.code == code
    assert wording(code).message_zh


@pytest.mark.parametrize(
    ("points", "code"),
    [
        ({"u_a": "V", "u_b": "V"}, "LG-OPT-01"),
        ({"u_a": ""}, "LG-VAL-05"),
        ({"u_a": "x" * 65}, "LG-VAL-05"),
    ],
)
def test_points_have_names_of_their_own(points: dict[str, str], code: str) -> None:
    with pytest.raises(BadOption) as caught:
        made(AlinkDevice, {"points": points})
    assert (caught.value.name, caught.value.bad.code) == ("points", code)
    assert wording(code).message_zh
    assert made(AlinkDevice, {"points": {"u_a": "u_b", "u_b": "u_a"}}).points


def test_commands_of_sub_devices_are_asked_for_by_product_but_at_the_vendors_own_hosts() -> None:
    assert options().resolved("broker.example").listens is Listens.WILDCARD
    at_vendor = "a1B2c3.iot-as-mqtt.cn-shanghai.aliyuncs.com"
    assert options().resolved(at_vendor).listens is Listens.LOGIN
    assert options(subscribe="wildcard").resolved(at_vendor).listens is Listens.WILDCARD
    assert options(subscribe="own").resolved(at_vendor).listens is Listens.OWN
    plain = setup(products={"meter.electricity": "pkMeter"})
    filters = [each.topic for each in Alink(plain).connect_spec(NOW).subscriptions]
    assert "/sys/pkMeter/+/thing/service/property/set" in filters
    assert "/sys/pkGw/gw03/thing/service/property/set" in filters
    assert not [each for each in filters if "/+/+/" in each], "not those of everybody"


def test_a_platform_without_signatures_needs_no_secret() -> None:
    assert made(AlinkOptions, {"product_key": "pk", "profile": "sagoo"}).device_secret is None


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    def checked(options: str, device: str = "") -> list[str]:
        file = tmp_path / "site.yaml"
        file.write_text(SITE.format(options=options, device=device), encoding="utf-8")
        loaded = load_site(file)
        assert loaded.site is not None, loaded.problems
        return [problem.text() for problem in vet(loaded.site)]

    return checked


def test_check_shows_the_line_of_a_wrong_option(check: Callable[..., list[str]]) -> None:
    good = "product_key: pk, device_secret: {env: X}"
    assert check(good, "device_name: m1") == []
    (wrong,) = check(f"{good}, profile: aliyum")
    assert "site.yaml:7" in wrong
    assert "Did you mean aliyun?" in wrong
    (named,) = check(good, "device_name: a/b")
    assert "site.yaml:10" in named
    assert "[LG-ALINK-03]" in named


def test_what_was_refused_goes_when_the_device_is_let_in() -> None:
    """As the sink's task does it: it keeps what is refused, and tries one a minute."""
    dialect = Alink(setup())
    (login,) = dialect.connected(BIRTHS[:1], (), NOW)
    answered(dialect, [login], 6401)
    held = [record(values(1.0, 2.0, n), seq=n) for n in (1, 2, 3)]
    (refused,) = dialect.encode(held, NOW, is_backfill=False).refused
    assert refused.seqs == (1, 2, 3)
    streams = Streams()
    kept = [
        Refusal(SinkName("city"), each.ep, each.seq, 0, refused.reason, each.record, each.pv)
        for each in held
    ]
    again = streams.again(kept)
    assert [each.seq for each in again.chosen] == [1], "one is tried"
    assert dialect.encode(again.chosen, later(30), is_backfill=False).refused
    (login,) = [p for p in dialect.tick(later(61)) if "combine" in p.topic]
    answered(dialect, [login], now=later(61))
    again = streams.again(kept)
    assert dialect.encode(again.chosen, later(61), is_backfill=False).publications
    stream = stream_of(held[0].record)
    assert streams.taken(stream)
    streams.open(stream)
    assert [each.seq for each in streams.again(kept[1:]).chosen] == [2, 3]
    assert isinstance(again.chosen[0], Committed)
    assert again.chosen[0].record.device == METER
