"""Records of devices that share a message, while the broker or platform refuses one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from gateway.app.outward.doors import Passed
from gateway.app.sinks.encoder import Encoder, Message
from gateway.app.sinks.streams import DENIED, Stream, Streams
from gateway.dialects.contract import DialectSpec
from gateway.dialects.huawei_iotda.dialect import DIALECT, HuaweiIotda
from gateway.model.ids import DeviceId
from gateway.model.record import Committed, Lane, StateBody
from gateway.outbox.walk import FeedBatch
from tests.support.named_platforms import SECRET_NAME, setup_of
from tests.support.natives import NOW, committed, prop

FIRST, SECOND = DeviceId("em-1"), DeviceId("em-2")


@dataclass
class Refusals:
    """The feed, as far as an encoder uses it."""

    refused_seqs: list[int] = field(default_factory=list[int])
    done_seqs: list[int] = field(default_factory=list[int])

    def refused(self, _lane: Lane, seqs: tuple[int, ...], _reason: str) -> None:
        self.refused_seqs += seqs

    def done(self, _lane: Lane, seqs: Sequence[int]) -> None:
        self.done_seqs += seqs


def encoder_of(
    feed: Refusals, streams: Streams | None = None, *, spec: DialectSpec = DIALECT
) -> Encoder:
    dialect = HuaweiIotda(setup_of({"device_id": "gw001", "secret": SECRET_NAME}, {}))
    passage = SimpleNamespace(through=_all)
    doubts = SimpleNamespace(streams=Streams() if streams is None else streams, dead_letters=0)
    anything: Any = (dialect, passage, feed, doubts)
    return Encoder(spec, *anything)


def messages_of(encoder: Encoder, lane: Lane, items: Sequence[Committed]) -> list[Message]:
    around: Any = SimpleNamespace(now=lambda: NOW, time=SimpleNamespace(redated=_same))
    batch = cast("FeedBatch", SimpleNamespace(items=items, lane=lane, is_backfill=False))
    return list(encoder.encode(batch, around))


def values_of_both() -> list[Committed]:
    """Return one record of each of two devices, which share a report."""
    return [
        committed(prop(1.0, 2.0, 3.0), device, seq=seq) for seq, device in ((1, FIRST), (2, SECOND))
    ]


def encoded(streams: Streams, feed: Refusals, *, probes: frozenset[int]) -> list[Message]:
    encoder = encoder_of(feed, streams)
    encoder.probes = probes
    return messages_of(encoder, Lane.TELEMETRY, values_of_both())


def _all(items: Sequence[Committed]) -> Passed:
    return Passed(items, ())


def _same(item: Committed) -> Committed:
    return item


def refusing(device: DeviceId) -> Streams:
    streams = Streams()
    streams.refused(Stream(device, "prop"), f"not authorised {DENIED}")
    return streams


def test_a_message_names_the_streams_of_all_devices_in_it() -> None:
    (message,) = encoded(Streams(), Refusals(), probes=frozenset())
    assert message.streams == (Stream(FIRST, "prop"), Stream(SECOND, "prop"))
    assert message.publication.covers == (1, 2)


def test_a_device_that_is_refused_holds_back_no_other_in_its_message() -> None:
    feed = Refusals()
    (message,) = encoded(refusing(FIRST), feed, probes=frozenset())
    assert feed.refused_seqs == [1]
    assert message.streams == (Stream(SECOND, "prop"),)
    (device,) = json.loads(message.publication.payload)["devices"]
    assert device["device_id"] == SECOND


def test_the_record_that_is_tried_goes_with_the_others() -> None:
    feed = Refusals()
    (message,) = encoded(refusing(FIRST), feed, probes=frozenset({1}))
    assert feed.refused_seqs == []
    assert message.publication.covers == (1, 2)


def test_records_that_were_too_large_together_go_each_alone_once() -> None:
    encoder = encoder_of(Refusals())
    encoder.part(Lane.TELEMETRY, (1, 2))
    apart = messages_of(encoder, Lane.TELEMETRY, values_of_both())
    assert [message.publication.covers for message in apart] == [(1,), (2,)]
    again = messages_of(encoder, Lane.TELEMETRY, values_of_both())
    assert [message.publication.covers for message in again] == [(1, 2)]


def a_state(seq: int, *, is_online: bool) -> Committed:
    return committed(StateBody(is_online, "answers", 0), FIRST, seq=seq)


def test_a_state_that_waited_is_not_said_behind_a_newer_one() -> None:
    feed = Refusals()
    encoder = encoder_of(feed)
    (said,) = messages_of(encoder, Lane.EVENT, [a_state(9, is_online=True)])
    assert said.publication.covers == (9,)
    assert messages_of(encoder, Lane.EVENT, [a_state(5, is_online=False)]) == []
    assert feed.done_seqs == [5]
    (repeated,) = messages_of(encoder, Lane.EVENT, [a_state(9, is_online=True)])
    assert repeated.publication.covers == (9,)


def test_a_platform_that_can_tell_old_states_gets_them_all() -> None:
    feed = Refusals()
    encoder = encoder_of(feed, spec=replace(DIALECT, says_old_states=True))
    messages_of(encoder, Lane.EVENT, [a_state(9, is_online=True)])
    (said,) = messages_of(encoder, Lane.EVENT, [a_state(5, is_online=False)])
    assert said.publication.covers == (5,)
