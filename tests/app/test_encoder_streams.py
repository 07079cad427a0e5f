"""Records of devices that share a message, while the broker or platform refuses one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from gateway.app.outward.doors import Passed
from gateway.app.sinks.encoder import Encoder, Message
from gateway.app.sinks.streams import DENIED, Stream, Streams
from gateway.dialects.huawei_iotda.dialect import HuaweiIotda
from gateway.model.ids import DeviceId
from gateway.model.record import Committed, Lane
from gateway.outbox.walk import FeedBatch
from tests.support.named_platforms import SECRET_NAME, setup_of
from tests.support.natives import NOW, committed, prop

FIRST, SECOND = DeviceId("em-1"), DeviceId("em-2")


@dataclass
class Refusals:
    """The feed, as far as an encoder uses it."""

    refused_seqs: list[int] = field(default_factory=list[int])

    def refused(self, _lane: Lane, seqs: tuple[int, ...], _reason: str) -> None:
        self.refused_seqs += seqs


def encoded(streams: Streams, feed: Refusals, *, probes: frozenset[int]) -> list[Message]:
    """Return what becomes of one record of each of two devices, which share a report."""
    dialect = HuaweiIotda(setup_of({"device_id": "gw001", "secret": SECRET_NAME}, {}))
    passage = SimpleNamespace(through=_all)
    doubts = SimpleNamespace(streams=streams, dead_letters=0)
    anything: Any = (dialect, passage, feed, doubts)
    encoder = Encoder(*anything)
    encoder.probes = probes
    time = SimpleNamespace(redated=_same)
    around: Any = SimpleNamespace(now=lambda: NOW, time=time)
    items = [
        committed(prop(1.0, 2.0, 3.0), device, seq=seq) for seq, device in ((1, FIRST), (2, SECOND))
    ]
    batch = cast("FeedBatch", SimpleNamespace(items=items, lane=Lane.TELEMETRY, is_backfill=False))
    return list(encoder.encode(batch, around))


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
