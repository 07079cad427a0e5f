"""Several brokers for one sink: who is tried when, and two that fight for one client id."""

from __future__ import annotations

from gateway.settings.site_sinks import Broker
from gateway.uplink.brokers import Brokers
from gateway.uplink.lives import SHORT_LIVES, Lives
from gateway.uplink.owner import CLOSED, Lost
from gateway.uplink.state import Pace
from tests.support.broker import Script, ScriptedBroker
from tests.support.uplinks import QUICK, a_message, a_sink, gather, running_uplink

A, B, C = Broker("a", 1), Broker("b", 2), Broker("c", 3, use_tls=True)


def three() -> Brokers:
    return Brokers(a_sink(1, host="a", others=(B, C)))


def test_all_are_tried_before_there_is_a_pause() -> None:
    brokers = three()
    tried: list[Broker] = []
    for is_at_once in (True, True, False, True):
        tried.append(brokers.current)
        assert brokers.failed() is is_at_once
    assert tried == [A, B, C, A]
    assert not brokers.is_first_round


def test_the_one_that_was_lost_is_tried_last_and_the_preferred_one_first() -> None:
    brokers = three()
    brokers.failed()
    brokers.connected()
    assert (brokers.current, brokers.is_preferred) == (B, False)
    brokers.lost()
    order: list[Broker] = []
    for _ in range(3):
        order.append(brokers.current)
        brokers.failed()
    assert order == [A, C, B]
    brokers.prefer()
    assert brokers.current == A


def test_a_target_is_the_sink_with_the_broker_s_place() -> None:
    brokers = three()
    brokers.failed()
    brokers.failed()
    target = brokers.target()
    assert (target.host, target.port, target.use_tls, target.root) == ("c", 3, True, "fc")
    assert brokers.names == ("a:1", "b:2", "c:3")
    assert str(Broker("fe80::1", 5)) == "[fe80::1]:5"


def test_short_lives_in_a_row_are_a_fight_and_a_refusal_between_is_none() -> None:
    lives = Lives()
    for _ in range(SHORT_LIVES - 1):
        assert lives.ended(Lost(CLOSED), has_held=False) is None
    lives.refused()
    for _ in range(SHORT_LIVES - 1):
        assert lives.ended(Lost(CLOSED), has_held=False) is None
    assert "another client" in (lives.ended(Lost(CLOSED), has_held=False) or "")
    assert lives.is_taken_over
    lives.held()
    assert not lives.is_taken_over
    assert lives.ended(Lost("taken", 0x8E), has_held=True) == "taken"
    assert lives.ended(Lost("connection reset"), has_held=False) is None


async def test_the_next_broker_gets_what_the_first_did_not_acknowledge() -> None:
    async with ScriptedBroker() as first, ScriptedBroker() as second:
        first.script.acknowledge = lambda _got: None
        sink = a_sink(first.port, others=(Broker("127.0.0.1", second.port),))
        async with running_uplink(sink) as uplink:
            await uplink.connected()
            await uplink.publish(a_message(1))
            await first.published(1)
            await first.stop_listening()
            first.last.cut()
            (outcome,) = await gather(uplink, 1)
            state = await uplink.connected()
            assert state.broker == f"127.0.0.1:{second.port}"
            await uplink.publish(outcome.publication)
            await gather(uplink, 1)
            assert [got.payload for got in second.got] == [b"{}"]
            assert second.last.hello is not None
            assert first.connections[0].hello is not None
            assert second.last.hello.client_id == first.connections[0].hello.client_id


async def test_a_broker_that_refuses_is_passed_and_the_preferred_one_is_found_again() -> None:
    pace = Pace(0.01, 0.08, patient=0.08, stable=0.0, prefer=0.05, goodbye=1.0)
    async with ScriptedBroker(Script(connack=0x88)) as first, ScriptedBroker() as second:
        sink = a_sink(first.port, others=(Broker("127.0.0.1", second.port),))
        async with running_uplink(sink, pace=pace) as uplink:
            state = await uplink.connected()
            assert state.broker == f"127.0.0.1:{second.port}"
            first.script.connack = 0
            await second.until(lambda: second.last.said_goodbye)
            await first.until(lambda: uplink.state.broker == f"127.0.0.1:{first.port}")
            assert uplink.brokers == (f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}")


async def test_a_takeover_is_left_alone_for_half_a_minute() -> None:
    assert Pace().patient >= 30
    async with ScriptedBroker() as broker, running_uplink(a_sink(broker.port), pace=QUICK) as up:
        await up.connected()
        broker.last.disconnect(0x8E)
        await up.lost()
        assert up.is_taken_over or up.counters.connects > 1


def test_live_values_are_there_ten_seconds_after_the_broker() -> None:
    assert Pace().backoff_max + 1 <= 10
