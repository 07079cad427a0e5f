"""A simulated gateway of the fleet keeps the standard, loses on purpose, and sends again."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from simulators.fleet.gateway import Make, SimGateway
from simulators.mqtt5.packets import Publish
from tests.support.payloads import checked

NOW = 1_763_888_400_000


def gateway(**make: Any) -> SimGateway:
    chance = Random(1)  # noqa: S311 - repeatable
    return SimGateway("gw-00001", replace(Make(points=3, event_every=4), **make), chance)


def spoken(one: SimGateway, count: int) -> list[Publish]:
    return [message for _ in range(count) for message in one.next_record(NOW)]


def ask(one: SimGateway, *ranges: tuple[int, int]) -> list[Publish]:
    request = {"ep": one.ep, "resend": [list(pair) for pair in ranges]}
    return one.received(json.dumps(request).encode(), NOW)


def bodies(messages: list[Publish]) -> list[dict[str, Any]]:
    return [json.loads(message.payload) for message in messages]


def test_every_payload_is_as_its_schema_demands() -> None:
    one = gateway(keep=5)
    one.will(NOW)
    messages = [
        *one.hello(NOW), *spoken(one, 12), *one.last_words(NOW), *ask(one, (1, 14)),
        one.goodbye(NOW),
    ]  # fmt: skip
    kinds = {checked(message.topic, message.payload)["k"] for message in messages}
    assert kinds == {"state", "birth", "prop", "event", "hist", "gap"}


def test_each_lane_is_a_chain() -> None:
    chains: dict[str, list[tuple[int, int | None]]] = {"event": [], "prop": []}
    for body in bodies(spoken(gateway(), 9)):
        chains[body["k"]].append((body["seq"], body["pv"]))
    assert chains["event"] == [(4, None), (8, 4)]
    assert chains["prop"][:4] == [(1, None), (2, 1), (3, 2), (5, 3)]


def test_what_is_lost_comes_when_it_is_asked_for_with_the_same_identity_and_content() -> None:
    kept, lossy = gateway(), gateway(lose=1.0)
    sent = bodies(spoken(kept, 4))
    assert spoken(lossy, 4) == []
    again = bodies(ask(lossy, (1, 4)))
    items = [item for body in again if body["k"] == "hist" for item in body["items"]]
    assert [(i["ep"], i["seq"], i["pts"]) for i in items] == [
        (b["ep"], b["seq"], b["pts"]) for b in sent if b["k"] == "prop"
    ]
    assert [b["seq"] for b in again if b["k"] == "event"] == [4]
    assert (lossy.books.lost, lossy.books.resent, lossy.books.asked) == (4, 4, 1)


def test_what_is_not_kept_is_told_to_be_gone() -> None:
    one = gateway(keep=2)
    spoken(one, 6)
    told = [body for body in bodies(ask(one, (1, 6))) if body["k"] == "gap"]
    assert {(gap["lane"], gap["from"], gap["to"]) for gap in told} == {
        ("telemetry", 1, 4),
        ("event", 1, 4),
    }


def test_what_is_asked_of_another_store_is_not_answered() -> None:
    one = gateway()
    spoken(one, 3)
    assert one.received(json.dumps({"ep": 1, "resend": [[1, 3]]}).encode(), NOW) == []


@pytest.mark.parametrize(
    "said",
    [b"{", b"\xff", b"[" * 100_000, b'{"ep": 1, "resend": 7}', b'{"ep": 1, "resend": [7]}',
     b'{"ep": 1, "ranges": [[2, 1]]}', b'{"ep": 1, "ranges": [["a", 2]]}'],
)  # fmt: skip
def test_what_no_gateway_would_understand_is_counted_and_stops_nothing(said: bytes) -> None:
    one = gateway()
    assert one.received(said, NOW) == []
    assert one.books.nonsense == 1


def test_a_range_without_an_end_is_taken_as_far_as_there_are_records() -> None:
    one = gateway()
    spoken(one, 3)
    one.received(json.dumps({"ep": one.ep, "ranges": [[1, 1 << 53]]}).encode(), NOW)
    assert one.books.confirmed == {1, 2, 3}


def test_confirmations_are_noted() -> None:
    one = gateway()
    spoken(one, 3)
    one.received(json.dumps({"ep": one.ep, "ranges": [[1, 2]]}).encode(), NOW)
    assert one.books.confirmed == {1, 2}
