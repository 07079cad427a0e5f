"""QoS 0: delivered when written, held back by a slow link, and wills that are always said."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client

from gateway.model.publication import (
    ConnectSpec,
    Fate,
    Outcome,
    Publication,
    Subscription,
    Will,
)
from gateway.model.record import Lane
from gateway.settings.site_sinks import Broker
from gateway.uplink.state import Pace
from gateway.uplink.uplink import Uplink
from gateway.uplink.window import Window
from gateway.uplink.written import Written
from tests.support.broker import Script, ScriptedBroker, never
from tests.support.mosquitto import mosquitto
from tests.support.subscribers import body, subscriber
from tests.support.uplinks import a_message, a_sink, down, gather, running_uplink

WAIT_S = 20.0
ECHO = "spBv1.0/g/NDATA/n"
SPEC = ConnectSpec(
    "gw-03",
    Will("spBv1.0/g/NDEATH/n", b"dead", is_retained=False),
    (Subscription("spBv1.0/g/NCMD/n"), Subscription("spBv1.0/STATE/h", wants_retained=True)),
    echo=ECHO,
    needs_echo=True,
    leaves_will=True,
)


def unconfirmed(number: int, **changes: Any) -> Publication:
    """Return a message of QoS 0 that covers the seq `number`."""
    return replace(a_message(number, qos=0), **changes)


def _always_the_same(_client: object) -> int:
    return 7


async def send(uplink: Uplink, *messages: Publication) -> list[Outcome]:
    """Send messages and return their outcomes, in the order in which they came."""
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
        collecting = tasks.create_task(gather(uplink, len(messages)))
        for message in messages:
            await uplink.publish(message)
    return collecting.result()


async def test_messages_of_qos_0_arrive_and_are_told_in_order(tmp_path: Path) -> None:
    messages = [unconfirmed(n, payload=b"%d" % n) for n in range(300)]
    with mosquitto(tmp_path) as broker:
        async with (
            asyncio.timeout(WAIT_S),
            subscriber(broker.port, "fc/#") as platform,
            running_uplink(a_sink(broker.port), spec=SPEC) as uplink,
        ):
            await uplink.connected()
            outcomes = await send(uplink, *messages)
            assert [o.publication.covers for o in outcomes] == [(n,) for n in range(300)]
            assert {o.fate for o in outcomes} == {Fate.DELIVERED}
            assert uplink.in_flight == 0
            got: list[int] = []
            async for message in platform.messages:
                got.append(int(body(message)))
                if len(got) == len(messages):
                    break
            assert got == list(range(300))


async def test_a_message_of_qos_0_never_answers_for_one_that_waits_under_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # paho numbers messages of QoS 0 too: after 65,535 of them one has the id of any that waits.
    monkeypatch.setattr(Client, "_mid_generate", _always_the_same)
    async with (
        ScriptedBroker(Script(acknowledge=never)) as broker,
        running_uplink(a_sink(broker.port), spec=SPEC) as uplink,
    ):
        await uplink.connected()
        await uplink.publish(a_message(1))
        await broker.published(1)
        outcomes = await send(uplink, *(unconfirmed(n) for n in range(2, 5)))
        assert [o.publication.covers for o in outcomes] == [(2,), (3,), (4,)]
        assert uplink.in_flight == 1
        broker.last.acknowledge(broker.got[0].mid)
        (outcome,) = await gather(uplink, 1)
        assert outcome.publication.covers == (1,)


async def test_what_the_system_does_not_take_is_not_delivered(tmp_path: Path) -> None:
    big = [unconfirmed(n, payload=bytes(100_000), lane=Lane.EVENT) for n in range(400)]
    with mosquitto(tmp_path) as broker:
        async with running_uplink(a_sink(broker.port), spec=SPEC) as uplink:
            await uplink.connected()
            broker.freeze()
            for message in big:
                assert uplink.try_publish(message), "an alarm of QoS 0 needs no slot"
            for _ in range(20):
                await asyncio.sleep(0)
            waiting = uplink.in_flight
            assert waiting > 100, "the buffers of the system do not hold forty megabytes"
            assert not uplink.try_publish(unconfirmed(999)), "values wait for the link"
            broker.kill()
            outcomes = await gather(uplink, len(big))
            assert sum(o.fate is Fate.BUSY for o in outcomes) >= waiting
            broker.start()


async def test_a_tail_is_made_when_the_message_leaves() -> None:
    made: list[int] = []

    def tail() -> bytes:
        made.append(len(made))
        return b"%d" % made[-1]

    async with (
        ScriptedBroker(Script(properties={"maximum_packet_size": 200})) as broker,
        running_uplink(a_sink(broker.port), spec=SPEC) as uplink,
    ):
        await uplink.connected()
        first = unconfirmed(1, payload=b"first-", tail=tail)
        too_large = unconfirmed(2, payload=bytes(300), tail=tail)
        last = unconfirmed(3, payload=b"last-", tail=tail)
        fates = [o.fate for o in await send(uplink, last, too_large, first)]
        assert sorted(fates) == [Fate.DELIVERED, Fate.DELIVERED, Fate.TOO_LARGE]
        got = await broker.published(2)
        assert [one.payload for one in got] == [b"last-0", b"first-1"]


@pytest.mark.parametrize("mqtt", ["5", "3.1.1"])
async def test_our_echo_comes_back_where_it_is_needed(tmp_path: Path, mqtt: str) -> None:
    for spec, is_heard in ((SPEC, True), (replace(SPEC, needs_echo=False), mqtt == "3.1.1")):
        with mosquitto(tmp_path) as broker:
            async with (
                asyncio.timeout(WAIT_S),
                running_uplink(a_sink(broker.port, mqtt=mqtt), spec=spec) as uplink,
            ):
                await uplink.connected()
                for topic in (ECHO, "spBv1.0/g/NCMD/n"):  # the second shows that both were heard
                    await uplink.publish(unconfirmed(1, topic=topic))
                heard: list[str] = []
                while "spBv1.0/g/NCMD/n" not in heard:
                    heard += [a.topic for a in await uplink.arrivals()]
                assert (ECHO in heard) is is_heard


async def test_a_retained_state_is_given_where_it_is_wanted(tmp_path: Path) -> None:
    state = json.dumps({"online": True, "timestamp": 1}).encode()
    with mosquitto(tmp_path) as broker:
        async with subscriber(broker.port) as host, asyncio.timeout(WAIT_S):
            await host.publish("spBv1.0/STATE/h", state, 1, retain=True)
            await host.publish("spBv1.0/g/NCMD/n", b"old", 1, retain=True)
            async with running_uplink(a_sink(broker.port), spec=SPEC) as uplink:
                await uplink.connected()
                (arrival,) = await uplink.arrivals()
                assert (arrival.topic, arrival.payload) == ("spBv1.0/STATE/h", state)
                assert arrival.is_retained


@pytest.mark.parametrize("mqtt", ["5", "3.1.1"])
async def test_the_will_is_said_at_an_orderly_end_too(tmp_path: Path, mqtt: str) -> None:
    with mosquitto(tmp_path) as broker:
        async with (
            asyncio.timeout(WAIT_S),
            subscriber(broker.port, "spBv1.0/#") as host,
        ):
            async with running_uplink(a_sink(broker.port, mqtt=mqtt), spec=SPEC) as uplink:
                await uplink.connected()
            message = await anext(aiter(host.messages))
            assert (str(message.topic), body(message)) == ("spBv1.0/g/NDEATH/n", b"dead")


async def test_a_broker_is_left_for_the_next_one_when_told_so() -> None:
    async with ScriptedBroker() as first, ScriptedBroker() as second:
        others = (Broker("127.0.0.1", second.port),)
        pace = Pace(backoff_min=0.01, backoff_max=0.02)
        sink = a_sink(first.port, others=others)
        async with running_uplink(sink, spec=SPEC, pace=pace) as uplink:
            await uplink.connected()
            uplink.leave("the primary host is offline")
            assert not uplink.try_publish(unconfirmed(1)), "nothing more goes there"
            assert await down(uplink, "offline") == "the primary host is offline"
            state = await uplink.connected()
            assert state.broker.endswith(str(second.port))
            assert first.last.said_goodbye
            uplink.leave("and back")
            await down(uplink, "and back")
            assert (await uplink.connected()).broker.endswith(str(first.port))


def test_only_values_of_qos_0_wait_for_room() -> None:
    window = Window(2)
    window.take(10)
    window.take(10)
    assert not window.has_room(Lane.EVENT, 10)
    assert window.has_room(Lane.EVENT, 10, needs_slot=False)
    assert not window.has_room(Lane.TELEMETRY, 10, needs_slot=False)


def test_messages_are_gone_when_their_last_byte_is() -> None:
    written = Written()
    first, second = written.sent(), written.sent()
    written.in_pipe(100)
    third = written.sent()
    assert list(written.gone(99)) == []
    written.in_pipe(150)
    written.in_pipe(160)
    assert list(written.gone(149)) == [first, second]
    assert list(written.gone(150)) == [third]
    assert len({first, second, third}) == 3
    assert max(first, second, third) < 0, "never a packet id"
