"""Hostile requests of Huawei IoTDA: commands, and properties to set."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from gateway.dialects.huawei_iotda.dialect import HuaweiIotda
from gateway.model.publication import Arrival
from tests.commands.hostile import (
    JSON,
    NOW,
    Ask,
    Forms,
    Speak,
    control_in_id,
    in_fields,
    json_arrival,
    one_of,
)
from tests.commands.house import births
from tests.support.named_platforms import SECRET_NAME, setup_of

SYS = "$oc/devices/gw001/sys/"
DEVICES: tuple[Any, ...] = (
    None,
    5,
    [],
    "",
    "gw002",
    "x" * 300,
    {"device": "pump-1"},
    "pump-1\u202e",
)
SERVICES: tuple[Any, ...] = (
    None,
    [],
    {},
    "Meter",
    [5],
    [None],
    [{}, {}],
    [{"service_id": "Other"}],
    [[]],
)
PARAS: tuple[Any, ...] = (
    [],
    "speed",
    5,
    {},
    {"speed": 20, "flow": 1},
    {"speed": 20, "token": 5},
    {"token": "x"},
)
TOPICS = (
    "$oc/devices/gw002/sys/commands/request_id=1",
    "oc/devices/gw001/sys/commands/request_id=1",
    f"{SYS}commands/1",
    f"{SYS}commands/request_id=",
    f"{SYS}commands/request_id=a/b",
    f"{SYS}commands/request_id={'x' * 129}",
    f"{SYS}properties/request_id=1",
    f"{SYS}properties/set",
    f"{SYS}messages/down",
    SYS,
    "",
)


def make() -> HuaweiIotda:
    """Return the dialect, connected."""
    devices = {"*": {"service_id": "Meter"}}
    dialect = HuaweiIotda(setup_of({"device_id": "gw001", "secret": SECRET_NAME}, devices))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def _topic(path: str, ask: Ask) -> str:
    return f"{SYS}{path}/request_id={ask.number}-9a{ask.mark}"


def command(ask: Ask) -> Arrival:
    """Say a command named `set`."""
    fields = {
        "object_device_id": ask.device,
        "service_id": "Meter",
        "command_name": "set",
        "paras": {ask.point: ask.value},
    }
    return json_arrival(_topic("commands", ask), fields)


def properties(ask: Ask) -> Arrival:
    """Say that a property is to be set."""
    service = {"service_id": "Meter", "properties": {ask.point: ask.value}}
    return json_arrival(
        _topic("properties/set", ask), {"object_device_id": ask.device, "services": [service]}
    )


# --- what is wrong here --------------------------------------------------------------------------


def another_topic(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), topic=rng.choice(TOPICS))


def _wrong_device(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"object_device_id": rng.choice(DEVICES)}


def _wrong_services(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"services": rng.choice(SERVICES)}


def _wrong_properties(fields: dict[str, Any], rng: Random) -> object:
    (service,) = fields["services"]
    return fields | {"services": [{**service, "properties": one_of(rng, None, *PARAS)}]}


def _other_service(fields: dict[str, Any], rng: Random) -> object:
    (service,) = fields["services"]
    name = one_of(rng, "Other", "meter", "", 5, [], {}, True)
    return fields | {"services": [{**service, "service_id": name}]}


def _wrong_name(fields: dict[str, Any], rng: Random) -> object:
    names: tuple[Any, ...] = (
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
        "read",
    )
    return fields | {"command_name": rng.choice(names)}


def _wrong_paras(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"paras": one_of(rng, None, *PARAS)}


def guessed_token(speak: Speak, good: Ask, rng: Random) -> Arrival:
    arrival = speak(replace(good, device="gate-1", point="pos_cmd", value="open"))
    token = f'"token":"{rng.randbytes(16).hex()}","pos_cmd"'.encode()
    return replace(arrival, payload=arrival.payload.replace(b'"pos_cmd"', token, 1))


BOTH = (*JSON, control_in_id, another_topic, guessed_token, in_fields(_wrong_device))
FORMS = (
    Forms(
        "huawei_iotda/commands",
        make,
        command,
        (*BOTH, in_fields(_wrong_name), in_fields(_wrong_paras)),
    ),
    Forms(
        "huawei_iotda/properties",
        make,
        properties,
        (
            *BOTH,
            *(in_fields(_wrong_services), in_fields(_wrong_properties), in_fields(_other_service)),
        ),
    ),
)
