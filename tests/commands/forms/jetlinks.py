"""Hostile requests of JetLinks: properties to write, and functions to invoke."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from gateway.dialects.jetlinks.dialect import JetLinks
from gateway.model.publication import Arrival
from tests.commands.hostile import (
    JSON,
    NOW,
    Ask,
    Forms,
    Speak,
    control_in_id,
    duplicate,
    in_fields,
    json_arrival,
)
from tests.commands.house import NOW_MS, births
from tests.support.named_platforms import SECRET_NAME, setup_of

BASE = "/linli/gw001/"
IDS: tuple[Any, ...] = (None, True, 1.5, "", "x" * 129, ["1"], {}, "a\u202e")
VALUES: tuple[Any, ...] = (
    None,
    [],
    "speed",
    5,
    {},
    {"speed": 20, "flow": 1},
    [{"speed": 20}],
    {"speed": {"v": 20}},
)
INPUTS: tuple[Any, ...] = (
    *(None, {}, "speed", [], [5], [None], [{}], [{"name": 5, "value": 20}], [{"value": 20}]),
    [{"name": "speed", "value": 20}, {"name": "speed", "value": 20}],
    [{"name": "speed", "value": 20}, {"name": "flow", "value": 1}],
    [{"name": f"n{n}", "value": 20} for n in range(201)],
    [{"name": "speed", "value": [20]}],
)
TOPICS = (
    "/linli/gw002/child/pump-1/properties/write",
    "linli/gw001/child/pump-1/properties/write",
    f"{BASE}child/pump-1/properties/writes",
    f"{BASE}child/pump-1/properties/write/reply",
    f"{BASE}child//properties/write",
    f"{BASE}child/pump-1|x/properties/write",
    f"{BASE}child/{'x' * 129}/properties/write",
    f"{BASE}child/pump-1/child/pump-1/properties/write",
    f"{BASE}child-reply/pump-1/properties/write",
    f"{BASE}properties/write",
    f"{BASE}firmware/upgrade",
    BASE,
    "",
)


def make() -> JetLinks:
    """Return the dialect, connected."""
    options = {
        "product_id": "linli",
        "device_id": "gw001",
        "secure_id": "admin",
        "secure_key": SECRET_NAME,
    }
    dialect = JetLinks(setup_of(options, {}))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def _message(ask: Ask, **fields: Any) -> dict[str, Any]:
    # The rest of `expires_ms` is what the house's clock shows: a platform tells when it asked.
    return {
        "messageId": f"m{ask.number}{ask.mark}",
        "deviceId": ask.device,
        "timestamp": min(ask.expires_ms, NOW_MS),
        **fields,
    }


def write(ask: Ask) -> Arrival:
    """Say that a property is to be written."""
    topic = f"{BASE}child/{ask.device}/properties/write"
    return json_arrival(topic, _message(ask, properties={ask.point: ask.value}))


def invoke(ask: Ask) -> Arrival:
    """Say that the function `set` is to be invoked."""
    inputs = [{"name": ask.point, "value": ask.value}]
    topic = f"{BASE}child/{ask.device}/function/invoke"
    return json_arrival(topic, _message(ask, functionId="set", inputs=inputs))


# --- what is wrong here --------------------------------------------------------------------------


def another_topic(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), topic=rng.choice(TOPICS))


def long_ago(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say it with a time that lies behind by more than clocks differ."""
    return speak(replace(good, expires_ms=rng.randrange(NOW_MS - 330_000)))


def _wrong_id(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"messageId": rng.choice(IDS)}


def _wrong_properties(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"properties": rng.choice(VALUES)}


def _wrong_inputs(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"inputs": rng.choice(INPUTS)}


def _wrong_function(fields: dict[str, Any], rng: Random) -> object:
    names: tuple[Any, ...] = (
        None,
        5,
        [],
        "",
        "SET",
        "speed",
        "reboot",
        "x" * 65,
        "a|b",
        "s\u200bet",
        "arm",
        "read",
    )
    return fields | {"functionId": rng.choice(names)}


def guessed_token(speak: Speak, good: Ask, rng: Random) -> Arrival:
    shape = in_fields(_with_token)
    return shape(speak, replace(good, device="gate-1", point="pos_cmd", value="open"), rng)


def _with_token(fields: dict[str, Any], rng: Random) -> object:
    token = rng.choice((rng.randbytes(16).hex(), "", 5, None, "x" * 65))
    if "inputs" in fields:
        return fields | {"inputs": [*fields["inputs"], {"name": "token", "value": token}]}
    return fields | {"properties": {**fields["properties"], "token": token}}


BOTH = (*JSON, control_in_id, another_topic, long_ago, guessed_token, in_fields(_wrong_id))
FORMS = (
    Forms("jetlinks/write", make, write, (*BOTH, in_fields(_wrong_properties))),
    Forms(
        "jetlinks/invoke",
        make,
        invoke,
        (*BOTH, duplicate, in_fields(_wrong_inputs), in_fields(_wrong_function)),
    ),
)
