"""Hostile commands of a Sparkplug host: bytes of Protocol Buffers, written by Google's encoder."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from gateway.dialects.sparkplug_b.dialect import SparkplugB
from gateway.model.publication import Arrival
from tests.commands.hostile import ANYWHERE, NOW, SINK, Ask, Forms, Speak
from tests.commands.house import NOW_MS, births
from tests.support.natives import setup
from tests.support.sparkplug import command

BASE = "spBv1.0/hz-fc-001"
WRONG: tuple[dict[str, Any], ...] = (
    {"double_value": float("nan")},
    {"double_value": float("inf")},
    {"double_value": float("-inf")},
    {"float_value": float("nan")},
    {"double_value": 1e308},
    {"long_value": 2**64 - 1},
    {"long_value": 2**63},
    {"int_value": 2**32 - 1},
    {"boolean_value": True},
    {"string_value": "20"},
    {"string_value": "x" * 300},
    {"bytes_value": b"20"},
    {"is_null": True},
    {"is_null": True, "double_value": 20.0},
    {},
)
TOPICS = (
    *(f"{BASE}/DCMD/gw-04/pump-1", "spBv1.0/other/DCMD/gw-03/pump-1", f"{BASE}/NCMD/gw-03"),
    *(f"{BASE}/DCMD/gw-03", f"{BASE}/DDATA/gw-03/pump-1", "spAv1.0/hz-fc-001/DCMD/gw-03/pump-1"),
    *(f"{BASE}/DCMD/gw-03/", f"{BASE}/DCMD/gw-03/pump-1/speed", "spBv1.0/STATE/scada", "", "?"),
)


def make() -> SparkplugB:
    """Return the dialect, connected."""
    dialect = SparkplugB(setup(dialect="sparkplug_b"))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def speak(ask: Ask) -> Arrival:
    """Say a metric of a device, by name; the time of the payload names the request."""
    match ask.value:
        case str():
            value: dict[str, Any] = {"string_value": ask.value}
        case bool():
            value = {"boolean_value": ask.value}
        case number:
            value = {"double_value": number}
    return _said(ask, {"name": ask.point, **value})


def _said(ask: Ask, *metrics: dict[str, Any], at_ms: int | None = None) -> Arrival:
    said_ms = NOW_MS - ask.number if at_ms is None else at_ms
    payload = command(*metrics, timestamp=said_ms)
    return Arrival(SINK, f"{BASE}/DCMD/gw-03/{ask.device}", payload, False)


# --- what is wrong here --------------------------------------------------------------------------


def wrong_value(speak: Speak, good: Ask, rng: Random) -> Arrival:
    del speak
    return _said(good, {"name": good.point, **rng.choice(WRONG)})


def wrong_alias(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Name a metric by a number that is nobody's, of the node, or of another device."""
    del speak
    return _said(good, {"alias": rng.choice((0, 1, 9999, 2**64 - 1)), "boolean_value": False})


def no_name(speak: Speak, good: Ask, rng: Random) -> Arrival:
    del speak
    names = ("", "Event/leak", "bdSeq", "Node Control/Rebirth", "Node Control/Reboot", "x" * 5000)
    return _said(good, {"name": rng.choice(names), "double_value": 20.0})


def two_metrics(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say two values at once, neither of them allowed."""
    del speak
    bad = ({"name": "limit", "double_value": 20.0}, {"name": "speed", "double_value": 51.0})
    return _said(good, *rng.sample(bad, 2))


def too_many(speak: Speak, good: Ask, rng: Random) -> Arrival:
    del speak
    metrics = ({"name": "speed", "double_value": 20.0} for _ in range(rng.randrange(101, 400)))
    return _said(good, *metrics)


def oversize(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say more bytes than are read, in fields that everybody skips."""
    arrival = speak(good)
    much = rng.randrange(64 * 1024, 200 * 1024)
    field = b"\x2a" + _varint(much) + b"x" * much  # body, field 5
    return replace(arrival, payload=arrival.payload + field)


def cut(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """End within the metric, behind the eight bytes of the payload's time."""
    arrival = speak(good)
    return replace(arrival, payload=arrival.payload[: rng.randrange(8, len(arrival.payload))])


def flipped(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Change the tags of the metric: lengths that lie, wire types that are none."""
    arrival = speak(replace(good, device="gate-1", point="pos_cmd", value="open"))
    payload = bytearray(arrival.payload)
    for _ in range(rng.randrange(1, 4)):
        payload[rng.randrange(len(payload))] = rng.randrange(256)
    return replace(arrival, payload=bytes(payload))


def without_end(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say numbers that never end, and lengths beyond everything."""
    arrival = speak(good)
    tail = rng.choice((b"\xff" * 40, b"\x12" + b"\xff" * 9 + b"\x01", b"\x12\xff\x7f", b"\x0b\x0c"))
    return replace(arrival, payload=rng.choice((arrival.payload + tail, tail)))


def long_ago(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say it with a time that lies behind by more than clocks differ."""
    del speak
    metric = {"name": good.point, "double_value": good.value}
    return _said(good, metric, at_ms=rng.randrange(NOW_MS - 330_000))


def another_topic(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), topic=rng.choice(TOPICS))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


FORMS = (
    Forms(
        "sparkplug_b",
        make,
        speak,
        (
            *(kind for kind in ANYWHERE if kind.__name__ != "oversize"),
            *(wrong_value, wrong_alias, no_name, two_metrics, too_many, oversize, cut, flipped),
            *(without_end, long_ago, another_topic),
        ),
        ignores=frozenset({"flipped"}),  # a message of other fields says nothing
        keeps_value=False,
    ),
)
