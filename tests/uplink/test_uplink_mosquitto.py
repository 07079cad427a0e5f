"""The uplink against a real mosquitto: delivery, refusal, restarts, TLS."""

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.model.publication import Fate, Outcome, Publication, Subscription
from gateway.settings.site_sinks import Secret
from gateway.uplink.state import Pace
from gateway.uplink.uplink import Uplink
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.subscribers import body, subscriber
from tests.support.uplinks import a_message, a_sink, down, gather, running_uplink

WAIT_S = 10.0


async def test_what_is_delivered_reaches_a_subscriber_in_order(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        messages = [a_message(n, payload=b"%d" % n) for n in range(500)]
        async with (
            subscriber(broker.port, "fc/#") as platform,
            running_uplink(a_sink(broker.port)) as uplink,
            asyncio.timeout(WAIT_S),
        ):
            outcomes = await _feed(uplink, messages)
            assert {o.fate for o in outcomes} == {Fate.DELIVERED}
            got: list[int] = []
            async for message in platform.messages:
                got.append(int(body(message)))
                if len(got) == len(messages):
                    break
            assert got == list(range(500))


async def _feed(uplink: Uplink, messages: list[Publication]) -> list[Outcome]:
    await uplink.connected()
    async with asyncio.TaskGroup() as tasks:
        collecting = tasks.create_task(gather(uplink, len(messages)))
        for message in messages:
            await uplink.publish(message)
    return collecting.result()


async def test_a_topic_that_the_acl_denies_is_refused_and_others_go_on(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite fc/1/s/gw-03/#\n", encoding="utf-8")
    with mosquitto(tmp_path, f"acl_file {acl}") as broker:
        async with running_uplink(a_sink(broker.port)) as uplink:
            async with subscriber(broker.port, "fc/1/s/gw-03/up/prop/#"):
                await uplink.connected()
                await uplink.publish(a_message(1, topic="fc/1/s/gw-99/up/prop/x"))
                await uplink.publish(a_message(2))
                fates = {o.publication.covers[0]: o.fate for o in await gather(uplink, 2)}
            assert fates == {1: Fate.REFUSED, 2: Fate.DELIVERED}
            assert uplink.counters.refused == 1


async def test_more_topics_are_listened_to_on_the_way(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with running_uplink(a_sink(broker.port)) as uplink, asyncio.timeout(WAIT_S):
            await uplink.connected()
            uplink.subscribe([Subscription(f"more/{number}") for number in range(45)])
            async with subscriber(broker.port) as platform:
                for number in range(45):
                    await platform.publish(f"more/{number}", b"go", qos=1)
                heard = list(await uplink.arrivals())
                while len(heard) < 45:
                    heard += await uplink.arrivals()
            assert [each.topic for each in heard] == [f"more/{number}" for number in range(45)]


async def test_nobody_listening_is_delivered_as_far_as_mqtt_goes(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with running_uplink(a_sink(broker.port)) as uplink:
            await uplink.connected()
            await uplink.publish(a_message(1))
            (outcome,) = await gather(uplink, 1)
            assert outcome.fate is Fate.NOBODY_LISTENS


async def test_a_message_too_large_for_mosquitto_is_told_and_does_not_end_the_link(
    tmp_path: Path,
) -> None:
    with mosquitto(tmp_path, "max_packet_size 2000") as broker:
        async with running_uplink(a_sink(broker.port)) as uplink:
            state = await uplink.connected()
            assert state.max_packet == 2000
            await uplink.publish(a_message(1, payload=b"x" * 3000))
            await uplink.publish(a_message(2, payload=b"x" * 1000))
            fates = [o.fate for o in await gather(uplink, 2)]
            assert fates[0] is Fate.TOO_LARGE
            assert uplink.counters.connects == 1


async def test_a_killed_broker_loses_nothing_that_was_not_acknowledged(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with running_uplink(a_sink(broker.port)) as uplink:
            await uplink.connected()
            broker.freeze()
            for number in range(15):
                await uplink.publish(a_message(number))
            broker.kill()
            outcomes = await gather(uplink, 15)
            assert {o.fate for o in outcomes} == {Fate.BUSY}
            await down(uplink, "refused")
            broker.start()
            await uplink.connected()
            for outcome in outcomes:
                await uplink.publish(outcome.publication)
            again = await gather(uplink, 15)
            assert {o.fate for o in again} == {Fate.NOBODY_LISTENS}


async def test_the_will_is_said_when_the_gateway_vanishes_and_not_at_a_goodbye(
    tmp_path: Path,
) -> None:
    with mosquitto(tmp_path) as broker:
        async with (
            asyncio.timeout(WAIT_S),
            subscriber(broker.port, "fc/#") as platform,
        ):
            async with running_uplink(a_sink(broker.port)) as uplink:
                await uplink.connected()
            async with running_uplink(a_sink(broker.port, client_id="x")) as uplink:
                await uplink.connected()
                await _kick(broker)
                message = await anext(aiter(platform.messages))
                assert str(message.topic) == "fc/1/s/gw-03/up/state/_"


async def _kick(broker: Mosquitto) -> None:
    """Take over the client id: mosquitto then publishes the will of the first."""
    async with subscriber(broker.port, identifier="gw-03"):
        pass


async def test_a_frozen_broker_is_found(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with running_uplink(a_sink(broker.port, keepalive_s=1)) as uplink:
            await uplink.connected()
            broker.freeze()
            assert "half-open" in await uplink.lost()
            broker.thaw()
            await uplink.connected()


async def test_a_login_that_mosquitto_does_not_know_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("", encoding="utf-8")
    (tmp_path / "province").write_text("gw\nwrong\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    secret = Secret("credential", "province")
    with mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        async with running_uplink(a_sink(broker.port, credentials=secret)) as uplink:
            assert "not allow us" in await down(uplink, "0x87")


async def test_a_missing_secret_is_named_and_never_stops_the_uplink() -> None:
    secret = Secret("env", "LINLI_TEST_NO_SUCH_VARIABLE")
    async with running_uplink(a_sink(1, password=secret)) as uplink:
        why = await down(uplink, "environment variable")
        assert why == "environment variable LINLI_TEST_NO_SUCH_VARIABLE is not set"


async def test_a_name_that_does_not_resolve_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    async with running_uplink(a_sink(1883, host="platform.invalid")) as uplink:
        assert "cannot be resolved" in await down(uplink, "resolved")


async def test_a_host_that_never_answers_is_given_up_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # the backlog is full now
            pace = Pace(0.01, 0.08, connect=0.2)
            async with running_uplink(a_sink(port), pace=pace) as uplink:
                await down(uplink, ":")
                assert not uplink.state.is_connected
