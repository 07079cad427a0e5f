"""The uplink against a broker that does what the test says."""

import asyncio
import json
from collections.abc import Callable

import pytest

from gateway.model.publication import ConnectSpec, Fate, Subscription
from gateway.model.record import Lane
from gateway.uplink.errors import UplinkDown
from gateway.uplink.state import Pace
from gateway.uplink.uplink import LOST_REASON
from tests.support.broker import Got, Script, ScriptedBroker, always, never
from tests.support.uplinks import SPEC, a_message, a_sink, down, gather, running_uplink

WAIT_S = 10.0


def _once(code: int) -> Callable[[Got], int | None]:
    """Answer the first message with a code, the others with success."""
    codes = iter([code])
    return lambda _got: next(codes, 0)


async def test_a_message_is_delivered_when_its_puback_says_success() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        state = await uplink.connected()
        await uplink.publish(a_message(7, payload=b'{"x":1}'))
        (outcome,) = await gather(uplink, 1)
        assert outcome.fate is Fate.DELIVERED
        assert outcome.publication.covers == (7,)
        assert broker.got[0].payload == b'{"x":1}'
        assert state.protocol == "5"


async def test_connect_says_who_we_are_and_starts_clean() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port, username="u")) as up:
        await up.connected()
        hello = broker.last.hello
        assert hello is not None
        assert (hello.client_id, hello.level, hello.is_clean) == ("gw-03", 5, True)
        assert (hello.keepalive, hello.username) == (10, "u")
        assert SPEC.will is not None
        assert (hello.will_topic, hello.will_payload) == (SPEC.will.topic, SPEC.will.payload)
        await broker.until(lambda: broker.last.subscriptions == ["fc/1/s/gw-03/dn/+/+"])


async def test_filters_that_the_broker_refuses_are_named_while_the_connection_stands() -> None:
    script = Script(suback=0x87)
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        async with asyncio.timeout(WAIT_S):
            while uplink.refused_filters != ("fc/1/s/gw-03/dn/+/+",):
                await asyncio.sleep(0.01)
            script.suback = None
            uplink.subscribe([Subscription("fc/1/s/gw-03/dn/+/+")])
            while uplink.refused_filters:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        (0x10, Fate.NOBODY_LISTENS),
        (0x87, Fate.REFUSED),
        (0x90, Fate.REFUSED),
        (0x99, Fate.REFUSED),
        (0x80, Fate.BUSY),
        (0x83, Fate.BUSY),
        (0x97, Fate.BUSY),
    ],
)
async def test_a_puback_reason_code_decides_the_fate(code: int, fate: Fate) -> None:
    script = Script(acknowledge=_once(code))
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        await uplink.publish(a_message(1))
        await broker.published(1)
        first = await gather(uplink, 1)
        await uplink.publish(a_message(2))
        second = await gather(uplink, 1)
        assert [o.fate for o in (*first, *second)] == [fate, Fate.DELIVERED]
        assert f"0x{code:02X}" in first[0].reason


async def test_a_busy_broker_is_left_alone_for_a_while() -> None:
    script = Script(acknowledge=lambda got: 0x97 if got.topic.endswith("01") else 0)
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        await uplink.publish(a_message(1))
        await gather(uplink, 1)
        assert not uplink.try_publish(a_message(2))
        await uplink.publish(a_message(2))
        assert [o.fate for o in await gather(uplink, 1)] == [Fate.DELIVERED]


async def test_receive_maximum_of_one_is_kept() -> None:
    script = Script(properties={"receive_maximum": 1})
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        state = await uplink.connected()
        for number in range(30):
            await uplink.publish(a_message(number))
        assert len(await gather(uplink, 30)) == 30
        assert broker.last.most_unacknowledged == 1
        assert state.window == 1


async def test_an_own_window_smaller_than_the_broker_s_is_kept() -> None:
    script = Script(acknowledge=never, properties={"receive_maximum": 50})
    async with ScriptedBroker(script) as broker:
        async with running_uplink(a_sink(broker.port, window=5), pace=Pace(goodbye=0.01)) as uplink:
            await uplink.connected()
            taken = [uplink.try_publish(a_message(n, lane=Lane.EVENT)) for n in range(9)]
            assert taken == [True] * 5 + [False] * 4
            await broker.published(5)
        assert len(broker.got) == 5


async def test_alarms_overtake_telemetry_that_waits_for_a_slot() -> None:
    async with (
        ScriptedBroker(Script(acknowledge=never)) as broker,
        running_uplink(a_sink(broker.port, window=10), pace=Pace(goodbye=0.01)) as uplink,
    ):
        await uplink.connected()
        for number in range(9):
            assert uplink.try_publish(a_message(number))
        assert not uplink.try_publish(a_message(9))
        assert uplink.try_publish(a_message(10, lane=Lane.EVENT))
        await broker.published(10)


async def test_late_acknowledgements_arrive_in_any_order() -> None:
    script = Script(acknowledge=never)
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        for number in range(3):
            await uplink.publish(a_message(number))
        got = await broker.published(3)
        for one in reversed(got):
            broker.last.acknowledge(one.mid)
        broker.last.acknowledge(got[0].mid)  # twice
        broker.last.acknowledge(999)  # never sent
        outcomes = await gather(uplink, 3)
        assert [o.publication.covers[0] for o in outcomes] == [2, 1, 0]
        assert uplink.in_flight == 0


async def test_a_message_never_acknowledged_ends_the_connection_and_comes_back() -> None:
    script = Script(acknowledge=never)
    pace = Pace(0.01, 0.08, acknowledge=0.05, stable=0.0)
    sink_of = {"keepalive_s": 1}
    async with (
        ScriptedBroker(script) as broker,
        running_uplink(a_sink(broker.port, **sink_of), pace=pace) as uplink,
    ):
        await uplink.connected()
        await uplink.publish(a_message(1))
        (outcome,) = await gather(uplink, 1)
        assert (outcome.fate, outcome.reason) == (Fate.BUSY, LOST_REASON)
        script.acknowledge = always
        await uplink.connected()
        await uplink.publish(outcome.publication)
        assert [o.fate for o in await gather(uplink, 1)] == [Fate.DELIVERED]


async def test_what_is_in_flight_comes_back_when_the_connection_goes() -> None:
    script = Script(acknowledge=never)
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        for number in range(30):
            await uplink.publish(a_message(number))
        await broker.published(30)
        script.acknowledge = always
        broker.last.cut()
        outcomes = await gather(uplink, 30)
        assert {o.fate for o in outcomes} == {Fate.BUSY}
        assert [o.publication.covers[0] for o in outcomes] == list(range(30))
        await uplink.connected()
        assert len(broker.got) == 30  # paho resent nothing by itself


async def test_publish_fails_until_the_new_connection_was_greeted() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        broker.last.cut()
        await uplink.lost()
        await broker.connected(2)
        with pytest.raises(UplinkDown):
            await uplink.publish(a_message(1))
        await uplink.connected()
        await uplink.publish(a_message(1))
        await gather(uplink, 1)


async def test_a_publisher_that_waits_for_a_slot_hears_of_the_loss() -> None:
    script = Script(acknowledge=never, properties={"receive_maximum": 1})
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        await uplink.publish(a_message(1))
        await broker.published(1)
        broker.last.cut()
        with pytest.raises(UplinkDown):
            await uplink.publish(a_message(2))


async def test_a_message_above_the_maximum_packet_size_is_never_sent() -> None:
    script = Script(properties={"maximum_packet_size": 200})
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        await uplink.publish(a_message(1, payload=b"x" * 200))
        await uplink.publish(a_message(2, payload=b"x" * 100))
        outcomes = await gather(uplink, 2)
        assert [o.fate for o in outcomes] == [Fate.TOO_LARGE, Fate.DELIVERED]
        assert len(broker.got) == 1


async def test_the_size_that_is_checked_is_that_on_the_wire() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        for length in (0, 1, 60, 90, 128, 400, 16_350, 16_400, 70_000):
            kind = "application/json" if length % 4 == 0 else None
            await uplink.publish(a_message(payload=b"x" * length, content_type=kind))
        await gather(uplink, 9)
        assert uplink.counters.bytes_out == sum(got.size for got in broker.got)


async def test_a_limit_that_the_broker_only_tells_by_disconnecting_is_learnt() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        broker.script.acknowledge = lambda got: 0 if got.size < 100 else None
        await uplink.connected()
        await uplink.publish(a_message(1, payload=b"x" * 200))
        await broker.published(1)
        broker.last.disconnect(0x95)
        (outcome,) = await gather(uplink, 1)
        await uplink.connected()
        await uplink.publish(outcome.publication)
        await uplink.publish(a_message(2))
        fates = [o.fate for o in await gather(uplink, 2)]
        assert fates == [Fate.TOO_LARGE, Fate.DELIVERED]


async def test_a_half_open_link_is_found() -> None:
    async with (
        ScriptedBroker() as broker,
        running_uplink(a_sink(broker.port, keepalive_s=1)) as uplink,
    ):
        await uplink.connected()
        broker.script.is_deaf = True
        await uplink.publish(a_message(1))
        (outcome,) = await gather(uplink, 1)
        assert outcome.fate is Fate.BUSY
        assert "half-open" in uplink.state.why
        assert not uplink.state.is_connected


async def test_a_silent_link_with_an_answering_broker_stays() -> None:
    async with (
        ScriptedBroker() as broker,
        running_uplink(a_sink(broker.port, keepalive_s=1)) as uplink,
    ):
        await uplink.connected()
        await broker.until(lambda: broker.last.pings >= 2)
        assert uplink.state.is_connected
        assert uplink.counters.connects == 1


async def test_a_takeover_says_that_another_client_uses_the_id() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        broker.last.disconnect(0x8E)
        assert await uplink.lost() == "another client uses the id 'gw-03' (0x8E)"
        await uplink.connected()
        assert uplink.counters.connects == 2


async def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    for refusal in (0x84, 1):
        script = Script(levels=frozenset({4}), refusal=refusal)
        async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
            state = await uplink.connected()
            assert state.protocol == "3.1.1"
            await uplink.publish(a_message(1, content_type="application/json", expiry_s=60))
            assert [o.fate for o in await gather(uplink, 1)] == [Fate.DELIVERED]
            broker.last.cut()
            await uplink.lost()
            await uplink.connected()
            levels = [c.hello.level for c in broker.connections if c.hello is not None]
            assert levels == [5, 4, 4]  # remembered


async def test_a_broker_that_hangs_up_on_mqtt_5_twice_is_spoken_to_in_3_1_1_this_once() -> None:
    script = Script(closes_at_connect=True)
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await broker.connected(2)
        script.closes_at_connect = False
        assert (await uplink.connected()).protocol == "3.1.1"
        broker.last.cut()
        await uplink.lost()
        assert (await uplink.connected()).protocol == "5"


async def test_a_fixed_version_is_never_changed() -> None:
    script = Script(levels=frozenset({4}))
    sink_of = {"mqtt": "5"}
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port, **sink_of)):
        await broker.connected(3)
        assert {c.hello.level for c in broker.connections if c.hello is not None} == {5}


async def test_a_refused_login_says_so_and_is_tried_again() -> None:
    script = Script(connack=0x86)
    async with ScriptedBroker(script) as broker, running_uplink(a_sink(broker.port)) as uplink:
        await broker.connected(2)
        assert await down(uplink, "password") == "user name or password is wrong (0x86)"
        script.connack = 0
        await uplink.connected()


async def test_an_uplink_starts_without_a_broker() -> None:
    async with ScriptedBroker() as broker:
        await broker.stop_listening()
        async with running_uplink(a_sink(broker.port)) as uplink:
            why = await down(uplink, "refused")
            assert why == f"127.0.0.1:{broker.port}: connection refused; nothing listens there"
            await broker.listen()
            await uplink.connected()


async def test_a_broker_that_never_says_connack_is_given_up() -> None:
    script = Script(is_deaf=True)
    async with (
        ScriptedBroker(script) as broker,
        running_uplink(a_sink(broker.port), pace=Pace(0.01, 0.08, connect=0.1)) as uplink,
    ):
        await down(uplink, "no CONNACK")


async def test_messages_of_the_platform_arrive_with_their_marks() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        response = b"\x08\x00\x03a/b" + b"\x09\x00\x02\x01\x02"
        broker.last.deliver("fc/1/s/gw-03/dn/cmd/x", b"{}", is_retained=True, properties=response)
        broker.last.deliver("fc/1/s/gw-03/dn/cmd/y", b"[]")
        arrivals = list(await uplink.arrivals())
        while len(arrivals) < 2:
            arrivals += await uplink.arrivals()
        assert [(a.topic[-1], a.payload, a.is_retained) for a in arrivals] == [
            ("x", b"{}", True),
            ("y", b"[]", False),
        ]
        assert (arrivals[0].response_topic, arrivals[0].correlation) == ("a/b", b"\x01\x02")
        assert arrivals[1].response_topic is None


async def test_a_flood_of_arrivals_is_bounded_and_counted() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        for _ in range(1500):
            broker.last.deliver("fc/1/s/gw-03/dn/cmd/x", b"{}")
        await uplink.publish(a_message(1))
        await gather(uplink, 1)
        taken = len(await uplink.arrivals())
        assert 500 <= taken <= 1000
        assert uplink.counters.arrivals_dropped == 1500 - taken


async def test_a_stop_waits_for_acknowledgements_and_says_goodbye() -> None:
    async with ScriptedBroker() as broker:
        async with running_uplink(a_sink(broker.port)) as uplink:
            await uplink.connected()
            await uplink.publish(a_message(1))
        await broker.until(lambda: broker.last.said_goodbye)
        assert [o.fate for o in await uplink.outcomes()] == [Fate.DELIVERED]


async def test_credentials_are_asked_for_at_every_connection() -> None:
    asked: list[ConnectSpec] = []

    def spec() -> ConnectSpec:
        asked.append(SPEC)
        return SPEC

    async with (
        ScriptedBroker() as broker,
        running_uplink(a_sink(broker.port), spec=spec) as uplink,
    ):
        await uplink.connected()
        broker.last.cut()
        await uplink.lost()
        await uplink.connected()
    assert len(asked) == 2


async def test_properties_reach_an_mqtt_5_broker() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        await uplink.publish(a_message(1, expiry_s=60, content_type="application/json"))
        (got,) = await broker.published(1)
        assert got.properties == b"\x01\x01\x02\x00\x00\x00\x3c\x03\x00\x10application/json"


async def test_quality_of_service_zero_is_delivered_when_sent() -> None:
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port)) as uplink:
        await uplink.connected()
        await uplink.publish(a_message(1, qos=0))
        assert [o.fate for o in await gather(uplink, 1)] == [Fate.DELIVERED]
        (got,) = await broker.published(1)
        assert got.qos == 0


async def test_bulk_is_kept_short_so_that_an_alarm_need_not_queue_behind_it() -> None:
    async with (
        ScriptedBroker(Script(acknowledge=never)) as broker,
        running_uplink(a_sink(broker.port), pace=Pace(goodbye=0.01)) as uplink,
    ):
        await uplink.connected()
        big = a_message(1, payload=json.dumps("x" * 60_000).encode())
        assert [uplink.try_publish(big) for _ in range(3)] == [True, False, False]
        assert uplink.try_publish(a_message(2, lane=Lane.EVENT))
