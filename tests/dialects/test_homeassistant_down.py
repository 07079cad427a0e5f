"""What Home Assistant asks: plain texts on the command topics of points."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.contract import Birth, BirthPoint, Received
from gateway.dialects.homeassistant.dialect import HomeAssistant
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import DeviceId, PointId
from tests.support.named_platforms import SINK, arrival, setup_of
from tests.support.natives import NOW

TTL_MS = 30_000
POINTS = tuple(
    BirthPoint(PointId(f"p-{type_}"), type_, None, None, "P0", "L1", is_writable=is_writable)
    for type_, is_writable in (
        *(("bool", True), ("int", True), ("float", True), ("enum", True), ("text", True)),
        ("kept", False),
    )
)
DEVICE = DeviceId("d-1")


def platform() -> HomeAssistant:
    dialect = HomeAssistant(setup_of({}, {}))
    dialect.connected((Birth(DEVICE, "io.module", None, None, POINTS),), (), NOW)
    return dialect


def asked(type_: str, payload: bytes, **more: Any) -> Received:
    topic = f"linli/gw-03/d-1/p-{type_}/set"
    return platform().received(arrival(topic, payload, **more), NOW)


@pytest.mark.parametrize(
    ("type_", "payload", "value"),
    [
        ("bool", "ON", True),
        ("bool", "OFF", False),
        ("int", "5", 5),
        ("float", "23.5", 23.5),
        ("float", "-23", -23),
        ("float", "1e3", 1000.0),
        ("enum", "eco", "eco"),
        ("text", "浙A 12345", "浙A 12345"),
        ("text", "", ""),
    ],
)
def test_a_point_is_set(type_: str, payload: str, value: Any) -> None:
    (found,) = asked(type_, payload.encode()).commands
    assert found == Command(
        SINK,
        f"set|p-{type_}|{NOW.ms}-1",
        Op.SET,
        DEVICE,
        ((PointId(f"p-{type_}"), value),),
        (),
        NOW.ms + TTL_MS,
    )
    assert isinstance(found, Command)
    assert type(found.values[0][1]) is type(value)


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        ("bool", b"on"),
        ("bool", b"1"),
        ("bool", b""),
        ("int", b"NaN"),
        ("float", b"inf"),
        ("float", b"1e999"),
        ("float", b"1_000"),
        ("float", "\uff15".encode()),
        ("float", b"{}"),
        ("float", b"9" * 400),
        ("text", b"\xff"),
        ("text", b"x" * 201),
        ("text", b"x" * 2000),
    ],
)
def test_what_is_no_value_of_the_point_is_refused_and_told(type_: str, payload: bytes) -> None:
    (found,) = asked(type_, payload).commands
    assert isinstance(found, BadCommand), found
    assert (found.code, found.device) == ("bad_value", DEVICE)
    assert found.rid is not None


def test_every_message_is_a_command_of_its_own() -> None:
    dialect = platform()
    message = arrival("linli/gw-03/d-1/p-bool/set", b"ON")
    rids = {dialect.received(message, NOW).commands[0].rid for _ in range(3)}
    assert len(rids) == 3


@pytest.mark.parametrize(
    "topic",
    [
        "linli/gw-03/d-1/p-kept/set",
        "linli/gw-03/d-1/p-other/set",
        "linli/gw-03/d-2/p-bool/set",
        "linli/gw-04/d-1/p-bool/set",
        "linli/gw-03/d-1/p-bool/x/set",
        "linli/gw-03/d-1/p-bool",
        "linli/gw-03/set",
        "x",
    ],
)
def test_what_is_no_point_that_can_be_set_is_dropped_and_audited(topic: str) -> None:
    received = platform().received(arrival(topic, b"ON"), NOW)
    assert (len(received.dropped), received.commands) == (1, ())


def test_a_retained_command_may_be_from_any_time() -> None:
    received = asked("bool", b"ON", is_retained=True)
    assert (len(received.dropped), received.commands) == (1, ())


@given(st.sampled_from([point.type for point in POINTS]), st.binary(max_size=60))
def test_nothing_that_comes_raises(type_: str, payload: bytes) -> None:
    received = asked(type_, payload)
    assert len(received.commands) + len(received.dropped) == 1
