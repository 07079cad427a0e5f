"""MQTT 5 response topics: used when nobody can mistake them for what gateways publish."""

from __future__ import annotations

import pytest

from gateway.app.sinks.answers import MOST_EXPECTED, Answers, fault_of
from gateway.model.clock import TimeQuality
from gateway.model.command import BadCommand
from gateway.model.ids import DeviceId, SinkName
from gateway.model.publication import Arrival, Publication
from gateway.model.record import Committed, Lane, Record, ReplyBody

SINK, GATE = SinkName("p"), DeviceId("gate-1")
COMMAND_TOPIC = "fc/1/hz/gw-03/dn/cmd/gate-1"


def _arrival(topic: str | None, correlation: bytes | None = None) -> Arrival:
    return Arrival(SINK, COMMAND_TOPIC, b"", False, topic, correlation)


def _expecting(answers: Answers, rid: str, topic: str, correlation: bytes | None = None) -> None:
    command = BadCommand(SINK, rid, GATE, "code", "text")
    assert answers.expect(_arrival(topic, correlation), [command]) is None


def _reply(rid: str, status: str = "done", seq: int = 7) -> tuple[Committed, Publication]:
    record = Record(GATE, 1, TimeQuality.SYNC, ReplyBody(rid, status), SINK)
    payload = f"{rid} {status}".encode()
    topic = "fc/1/hz/gw-03/up/reply/gate-1"
    return Committed(record, 1, seq, None), Publication(topic, payload, Lane.EVENT, (seq,))


def _beside(answers: Answers, *replies: tuple[Committed, Publication]) -> list[Publication]:
    records, publications = [one for one, _ in replies], [one for _, one in replies]
    return list(answers.beside(records, publications))


@pytest.mark.parametrize(
    "topic",
    [
        *("", "#", "a/+/b", "a/#", "$SYS/x", "$share/g/a", "a\x00b", "a\nb", "x" * 257),
        *("fc", "fc/1/hz/gw-03/up/state/_", "fc/1/hz/gw-04/up/prop/x", "fc/2/anything"),
        *("/sys/pk/dn/thing/event/property/post", "homeassistant/sensor/x/config"),
        *("spBv1.0/g/NBIRTH/n", "v1/gateway/telemetry", "ext/session/x", "sys/x"),
    ],
)
def test_a_topic_on_which_gateways_speak_is_not_used(topic: str) -> None:
    assert fault_of(_arrival(topic))
    answers = Answers()
    assert answers.expect(_arrival(topic), [BadCommand(SINK, "r", GATE, "c", "t")])
    own = _reply("r")
    assert _beside(answers, own) == [own[1]]


@pytest.mark.parametrize("topic", ["fc/1/hz/gw-04/up/state/_", "linli/gw-04/status"])
def test_what_another_sink_of_the_same_broker_speaks_on_is_not_used(topic: str) -> None:
    asked = Arrival(SINK, "spBv1.0/hz/DCMD/gw-03/gate-1", b"", False, topic)
    assert fault_of(asked)


def test_much_correlation_data_is_not_carried() -> None:
    assert fault_of(_arrival("desk/answers", b"x" * 257))
    assert fault_of(_arrival("desk/answers", b"x" * 256)) is None
    assert fault_of(_arrival(None)) is None


def test_a_receipt_goes_to_who_asked_as_well_and_only_once() -> None:
    answers = Answers()
    _expecting(answers, "r1", "desk/1", b"\x00")
    own, other = _reply("r1"), _reply("r2", seq=8)
    sent = _beside(answers, own, other)
    assert [publication.topic for publication in sent] == [
        own[1].topic,
        "desk/1",
        other[1].topic,
    ]
    copy = sent[1]
    assert (copy.payload, copy.correlation) == (own[1].payload, b"\x00")
    assert (copy.qos, copy.covers, copy.is_retained) == (0, (), False)
    assert _beside(answers, own) == [own[1]]


def test_a_receipt_that_is_not_the_last_one_leaves_the_topic_open() -> None:
    answers = Answers()
    _expecting(answers, "r1", "desk/1")
    assert len(_beside(answers, _reply("r1", "accepted"))) == 2
    assert len(_beside(answers, _reply("r1"))) == 2
    assert len(_beside(answers, _reply("r1"))) == 1


def test_a_message_of_several_records_is_not_copied() -> None:
    answers = Answers()
    _expecting(answers, "r1", "desk/1")
    record, _ = _reply("r1")
    both = Publication("fc/x", b"both", Lane.EVENT, (7, 8))
    assert list(answers.beside([record], [both])) == [both]


def test_those_who_ask_without_end_are_forgotten() -> None:
    answers = Answers()
    for number in range(MOST_EXPECTED + 1):
        _expecting(answers, f"r{number}", "desk/1")
    assert len(_beside(answers, _reply("r0"))) == 1
    assert len(_beside(answers, _reply("r1"))) == 2
