"""Hostile RPC of ThingsBoard: to devices behind the gateway."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from gateway.dialects.thingsboard.dialect import ThingsBoard
from gateway.model.publication import Arrival
from tests.commands.hostile import JSON, NOW, Ask, Forms, Speak, in_fields, json_arrival, one_of
from tests.commands.house import births
from tests.support.named_platforms import SECRET_NAME, setup_of

RPC, OWN = "v1/gateway/rpc", "v1/devices/me/rpc/request/"
NAMES: tuple[Any, ...] = (None, 5, [], "", "x" * 129, {"name": "pump-1"}, "pump-1\u202e", "PUMP-1")
IDS: tuple[Any, ...] = (None, "1", -1, 2**31, 1.5, True, [1], {})
METHODS: tuple[Any, ...] = (
    None,
    5,
    [],
    "",
    "SET",
    "speed",
    "reboot",
    "x" * 65,
    "s\u200bet",
    "arm",
    "event_ack",
)
PARAMS: tuple[Any, ...] = (
    *(None, [], "speed", 5, {}, {"speed": 20, "flow": 1}, [{"speed": 20}], {"speed": [20]}),
    *({"speed": None}, {"speed": 20, "token": 5}, {"speed": 20, "token": ""}, {"token": "x"}),
)
TOPICS = (
    *("v1/gateway/rpcs", "v1/gateway/RPC", "v1/gateway/attributes", "v2/gateway/rpc", "", "?"),
    *(
        f"{OWN}{'9' * 5000}",
        f"{OWN}x",
        f"{OWN}-1",
        f"{OWN}{2**31}",
        f"{OWN}\u0663",
        OWN,
        f"{OWN}1/2",
    ),
)


def make() -> ThingsBoard:
    """Return the dialect, connected."""
    dialect = ThingsBoard(setup_of({"token": SECRET_NAME}, {}))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def speak(ask: Ask) -> Arrival:
    """Say the method `set`."""
    asked = {"id": ask.number, "method": "set", "params": {ask.point: ask.value}}
    return json_arrival(RPC, {"device": ask.device, "data": asked})


# --- what is wrong here --------------------------------------------------------------------------


def another_topic(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), topic=rng.choice(TOPICS))


def of_the_gateway(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Ask the gateway itself for what its devices do."""
    arrival = json_arrival(
        f"{OWN}{good.number}",
        {"method": rng.choice(METHODS), "params": rng.choice(PARAMS)},
    )
    return rng.choice((arrival, replace(speak(good), topic=arrival.topic)))


def _wrong_name(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"device": rng.choice(NAMES)}


def _wrong_data(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"data": one_of(rng, None, [], "set", 5, {}, [fields["data"]])}


def _wrong_id(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"data": {**fields["data"], "id": rng.choice(IDS)}}


def _wrong_method(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"data": {**fields["data"], "method": rng.choice(METHODS)}}


def _wrong_params(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"data": {**fields["data"], "params": rng.choice(PARAMS)}}


def guessed_token(speak: Speak, good: Ask, rng: Random) -> Arrival:
    arrival = speak(replace(good, device="gate-1", point="pos_cmd", value="open"))
    token = f'"token":"{rng.randbytes(16).hex()}","pos_cmd"'.encode()
    return replace(arrival, payload=arrival.payload.replace(b'"pos_cmd"', token, 1))


def call_of_a_gate(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Call what a switch of a dashboard calls: without a token."""
    arrival = speak(replace(good, device="gate-1", point="pos_cmd", value="open"))
    method, params = rng.choice(
        ((b"pos_cmd", b'"open"'), (b"open", b"null"), (b"pos_cmd", b'{"value":"open"}'))
    )
    payload = arrival.payload.replace(b'"set"', b'"' + method + b'"')
    return replace(arrival, payload=payload.replace(b'{"pos_cmd":"open"}', params))


FORMS = (
    Forms(
        "thingsboard",
        make,
        speak,
        (
            *JSON,
            *(another_topic, of_the_gateway, guessed_token, call_of_a_gate),
            *(in_fields(_wrong_name), in_fields(_wrong_data), in_fields(_wrong_id)),
            *(in_fields(_wrong_method), in_fields(_wrong_params)),
        ),
        keeps_value=False,
    ),
)
