"""Hostile commands in our own standard."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from gateway.dialects.native.dialect import Native
from gateway.model.publication import Arrival
from tests.commands.hostile import (
    JSON,
    NOW,
    Ask,
    Forms,
    Speak,
    control_in_id,
    expired,
    in_fields,
    json_arrival,
    too_far,
)
from tests.commands.house import births
from tests.support.natives import setup

BASE = "fc/1/hz-fc-001/gw-03/dn"
TOPICS = (
    "fc/1/hz-fc-001/gw-04/dn/cmd/pump-1",
    "fc/1/hz-fc-002/gw-03/dn/cmd/pump-1",
    "fc/2/hz-fc-001/gw-03/dn/cmd/pump-1",
    "fc/1/hz-fc-001/gw-03/up/cmd/pump-1",
    "xx/1/hz-fc-001/gw-03/dn/cmd/pump-1",
    f"{BASE}/CMD/pump-1",
    f"{BASE}/exec/pump-1",
    f"{BASE}/cmd/pump-1/speed",
    f"{BASE}/cmd/",
    f"{BASE}/cmd",
    "?",
    "",
)
FIELDS: tuple[dict[str, object], ...] = (
    {"op": "SET"},
    {"op": "write"},
    {"op": None},
    {"op": ["set"]},
    {"op": "call"},
    {"op": "read"},
    {"op": "arm"},
    {"op": "call", "p": ..., "fn": "speed", "args": {"value": 20}},
    {"op": "call", "p": ..., "fn": "open"},
    {"op": "event_ack", "p": ..., "eid": "01KAQW7Z0V7M3D8S9C2T5R6XYE"},
    {"rid": 7},
    {"rid": ""},
    {"rid": "x" * 65},
    {"rid": None},
    {"sudo": True},
    {"exp": "5"},
    {"exp": True},
    {"exp": -1},
    {"exp": 1.5},
    {"exp": None},
    {"exp": ...},
    {"p": {"speed": 20, "limit": 20}},
    {"p": {}},
    {"p": [["speed", 20]]},
    {"p": "speed"},
    {"by": 5},
    {"why": "x" * 201},
    {"dry": "false"},
    {"token": 5},
)


def make() -> Native:
    """Return the dialect, connected."""
    dialect = Native(setup(max_level="L4"))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def speak(ask: Ask) -> Arrival:
    """Say a `set` as a platform of our own standard does."""
    fields = {
        "rid": f"h{ask.number}{ask.mark}",
        "op": "set",
        "p": {ask.point: ask.value},
        "exp": ask.expires_ms,
    }
    return json_arrival(f"{BASE}/cmd/{ask.device}", fields)


def another_topic(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), topic=rng.choice(TOPICS))


def _wrong_fields(fields: dict[str, Any], rng: Random) -> object:
    changed = fields | rng.choice(FIELDS)
    return {key: value for key, value in changed.items() if value is not ...}


def _guessed_token(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"token": rng.randbytes(16).hex()}


def _call_with_a_guessed_token(fields: dict[str, Any], rng: Random) -> object:
    del fields["p"]
    return fields | {"op": "call", "fn": "open", "token": rng.randbytes(16).hex()}


def guessed_token(speak: Speak, good: Ask, rng: Random) -> Arrival:
    gate = replace(good, device="gate-1", point="pos_cmd", value="open")
    shape = rng.choice((_guessed_token, _call_with_a_guessed_token))
    return in_fields(shape)(speak, gate, rng)


FORMS = (
    Forms(
        "native",
        make,
        speak,
        (
            *JSON,
            *(expired, too_far, control_in_id, another_topic, guessed_token),
            *(in_fields(_wrong_fields), in_fields(_wrong_fields)),
        ),
    ),
)
