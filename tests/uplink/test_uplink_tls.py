"""TLS against a real mosquitto: what works, and what the person on the ladder reads when not."""

from pathlib import Path
from typing import Any

import pytest

from gateway.model.publication import Fate
from gateway.settings.site_sinks import Secret, Sink, Tls
from gateway.uplink.tls import tls_context
from tests.support.certificates import Authority, Pair
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.uplinks import a_message, a_sink, down, gather, running_uplink

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "operator")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.issue(HOST)


@pytest.fixture(scope="module")
def client(authority: Authority) -> Pair:
    return authority.issue("gw-03")


def _lines(server: Pair, authority: Authority, *, wants_client: bool = False) -> tuple[str, ...]:
    lines = (f"certfile {server.certificate}", f"keyfile {server.key}")
    if wants_client:
        return (*lines, f"cafile {authority.certificate}", "require_certificate true")
    return lines


def _sink(broker: Mosquitto, **tls: Any) -> Sink:
    return a_sink(broker.port, use_tls=True, tls=Tls(**tls))


async def test_messages_go_through_tls_with_a_client_certificate(
    tmp_path: Path, authority: Authority, server: Pair, client: Pair
) -> None:
    tls = {"ca": authority.certificate, "certificate": client.certificate, "key": client.key}
    with mosquitto(tmp_path, *_lines(server, authority, wants_client=True)) as broker:
        async with running_uplink(_sink(broker, **tls)) as uplink:
            await uplink.connected()
            await uplink.publish(a_message(0, payload=b"x" * 50_000))
            await uplink.publish(a_message(1, payload=b"x" * 400))
            outcomes = await gather(uplink, 2)
            assert {o.fate for o in outcomes} == {Fate.NOBODY_LISTENS}


async def test_a_burst_through_tls_is_acknowledged_whole(
    tmp_path: Path, authority: Authority, server: Pair
) -> None:
    with mosquitto(tmp_path, *_lines(server, authority)) as broker:
        async with running_uplink(_sink(broker, ca=authority.certificate)) as uplink:
            await uplink.connected()
            for _ in range(10):  # acknowledgements of one record must not stay in TLS's buffer
                for number in range(15):
                    await uplink.publish(a_message(number))
                outcomes = await gather(uplink, 15)
                assert {o.fate for o in outcomes} == {Fate.NOBODY_LISTENS}


async def test_a_key_may_come_from_the_environment(
    authority: Authority, client: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINLI_TEST_KEY", client.key.read_text(encoding="utf-8"))
    tls = Tls(authority.certificate, client.certificate, Secret("env", "LINLI_TEST_KEY"))
    assert tls_context(a_sink(8883, use_tls=True, tls=tls)) is not None


async def test_a_broker_that_wants_a_client_certificate_says_so(
    tmp_path: Path, authority: Authority, server: Pair
) -> None:
    with mosquitto(tmp_path, *_lines(server, authority, wants_client=True)) as broker:
        async with running_uplink(_sink(broker, ca=authority.certificate)) as uplink:
            assert "wants a client certificate" in await down(uplink, "certificate")


async def test_a_client_certificate_of_a_stranger_is_refused(
    tmp_path: Path, authority: Authority, server: Pair
) -> None:
    stranger = Authority(tmp_path, "stranger").issue("gw-03")
    tls = {"ca": authority.certificate, "certificate": stranger.certificate, "key": stranger.key}
    with mosquitto(tmp_path, *_lines(server, authority, wants_client=True)) as broker:
        async with running_uplink(_sink(broker, **tls)) as uplink:
            assert "does not know who signed our certificate" in await down(uplink, "certificate")


async def test_a_broker_of_another_authority_is_refused(
    tmp_path: Path, authority: Authority, server: Pair
) -> None:
    other = Authority(tmp_path, "other")
    with mosquitto(tmp_path, *_lines(server, authority)) as broker:
        async with running_uplink(_sink(broker, ca=other.certificate)) as uplink:
            why = await down(uplink, "certificate")
            assert "was not signed by the `ca` of this sink" in why


async def test_a_certificate_for_another_host_is_refused(
    tmp_path: Path, authority: Authority
) -> None:
    for name, word in (("platform.example", "127.0.0.1"), ("10.1.2.3", "127.0.0.1")):
        pair = authority.issue(name)
        with mosquitto(tmp_path, *_lines(pair, authority)) as broker:
            async with running_uplink(_sink(broker, ca=authority.certificate)) as uplink:
                why = await down(uplink, "certificate")
                assert "is for another" in why
                assert f"not for {word!r}" in why


async def test_an_expired_certificate_is_told_with_our_clock(
    tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue(HOST, not_before="20200101000000Z", not_after="20210101000000Z")
    with mosquitto(tmp_path, *_lines(pair, authority)) as broker:
        async with running_uplink(_sink(broker, ca=authority.certificate)) as uplink:
            why = await down(uplink, "certificate")
            assert "has expired; the clock of this box says 2026-09-" in why
            assert "cannot be right" not in why


async def test_a_box_whose_clock_stands_at_1970_is_told_to_set_it(
    tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue(HOST, not_before="20900101000000Z", not_after="20910101000000Z")
    with mosquitto(tmp_path, *_lines(pair, authority)) as broker:
        async with running_uplink(_sink(broker, ca=authority.certificate), now_ms=5000) as uplink:
            why = await down(uplink, "certificate")
            assert "is not valid yet; the clock of this box says 1970-01-01 00:00 UTC" in why
            assert "which cannot be right: set it first" in why


async def test_a_port_without_tls_is_told(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with running_uplink(_sink(broker)) as uplink:
            await down(uplink, str(broker.port))
            assert not uplink.state.is_connected


async def test_a_missing_certificate_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nothing.pem"
    async with running_uplink(a_sink(1, use_tls=True, tls=Tls(ca=missing))) as uplink:
        assert await down(uplink, "TLS") == f"TLS file {missing}: No such file or directory"


async def test_a_key_of_another_certificate_is_told(authority: Authority, client: Pair) -> None:
    other = authority.issue("gw-04")
    tls = Tls(authority.certificate, client.certificate, other.key)
    async with running_uplink(a_sink(1, use_tls=True, tls=tls)) as uplink:
        assert "do not belong together" in await down(uplink, "TLS")


async def test_a_file_that_is_no_certificate_is_told(tmp_path: Path, authority: Authority) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("hello", encoding="utf-8")
    tls = Tls(authority.certificate, rubbish)
    async with running_uplink(a_sink(1, use_tls=True, tls=tls)) as uplink:
        assert "not a certificate or key" in await down(uplink, "TLS")
