"""Hostile commands of the Alink family: by every profile, on the topics that each of them uses."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from gateway.dialects.alink import profiles
from gateway.dialects.alink.dialect import Alink
from gateway.dialects.alink.profile import AlinkProfile, Downlink
from gateway.model.publication import Arrival
from tests.commands.hostile import (
    JSON,
    NOW,
    Ask,
    Forms,
    Kind,
    Speak,
    control_in_id,
    in_fields,
    json_arrival,
    number_as_text,
    one_of,
)
from tests.commands.house import births
from tests.support.alinks import answered, setup

GATEWAY, PRODUCT = "pkGw/gw03", "pkMeter"
WRONG_IDS: tuple[Any, ...] = (None, True, 1.5, "", "x" * 129, ["1"], {}, " \u202e")
OF_OTHERS = frozenset({"forged_device", "another_topic"})
"""A profile that listens with `+` hears what the devices of others are told."""


def make(profile: str) -> Alink:
    """Return the dialect, connected, its devices logged in."""
    dialect = Alink(setup(profile))
    dialect.connect_spec(NOW)
    logins = dialect.connected(births(), (), NOW)
    reply = "/reply" if profile == "onenet" else "_reply"
    answered(dialect, logins, reply=reply, now=NOW)
    return dialect


def _spoken(profile: AlinkProfile, ask: Ask, path: str, params: object) -> Arrival:
    """Say what is asked of a device where this platform says it."""
    fields: dict[str, Any] = {"id": f"{ask.number}{ask.mark}", "version": "1.0"}
    who = {profile.product_word: PRODUCT, profile.device_word: ask.device}
    match profile.downlink:
        case Downlink.OWN_TOPIC:
            topic = f"{profile.prefix}{PRODUCT}/{ask.device}/{path}"
            return json_arrival(topic, {**fields, "params": params})
        case Downlink.IDENTITY:
            topic = f"{profile.prefix}{GATEWAY}/{path}"
            return json_arrival(topic, {**fields, "params": params, "identity": who})
        case Downlink.SUB_TOPIC:
            topic = f"{profile.prefix}{GATEWAY}/thing/sub/property/set"
            return json_arrival(topic, {**fields, "params": {**who, "params": params}})


def speak(profile: AlinkProfile, ask: Ask) -> Arrival:
    """Say that a property is to be set."""
    return _spoken(profile, ask, profile.set, {ask.point: ask.value})


def rrpc(profile: AlinkProfile, ask: Ask) -> Arrival:
    """Say the same by a synchronous call."""
    arrival = speak(profile, ask)
    topic = f"{profile.prefix}{PRODUCT}/{ask.device}/rrpc/request/{ask.number}"
    method = f'{{"method":"{profile.method(profile.set)}",'.encode()
    return replace(arrival, topic=topic, payload=arrival.payload.replace(b"{", method, 1))


# --- what is wrong in this family ----------------------------------------------------------------


def _wrong_id(fields: dict[str, Any], rng: Random) -> object:
    return fields | {"id": rng.choice(WRONG_IDS)}


def _no_id(fields: dict[str, Any], rng: Random) -> object:
    del rng, fields["id"]
    return fields


def _wrong_params(fields: dict[str, Any], rng: Random) -> object:
    params = one_of(rng, None, [], {}, "speed", 20, [{"speed": 20}], {"speed": 20, "flow": 1})
    return fields | {"params": params}


def _wrong_identity(fields: dict[str, Any], rng: Random) -> object:
    """Name nobody, or no text; where the platform names devices elsewhere, two properties."""
    if "identity" in fields:
        return fields | {"identity": one_of(rng, None, [], {}, "pump-1", {"deviceKey": "pump-1"})}
    params = fields["params"]
    if "params" in params:
        wrong = one_of(rng, None, [], {"speed": 20, "flow": 2}, "speed", {})
        return fields | {"params": {**params, "params": wrong}}
    return fields | {"params": {**params, "flow": 2}}


def _long_name(fields: dict[str, Any], rng: Random) -> object:
    """Name a device at length, where devices are named in the message."""
    name = "x" * rng.randrange(600, 8000)
    if "identity" in fields:
        return fields | {"identity": {**fields["identity"], "deviceKey": name}}
    if "params" in fields["params"]:
        return fields | {"params": {**fields["params"], "deviceName": name}}
    return fields | {"params": {name: 20}}


def guessed_token(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Set what is dangerous with a token that nobody gave, or with something that is none."""
    arrival = speak(replace(good, device="gate-1", point="pos_cmd", value="open"))
    token = rng.choice(
        (f'"{rng.randbytes(16).hex()}"', "7", "null", '""', "[]", '"' + "é" * 90 + '"')
    )
    member = f'"token":{token},"pos_cmd"'.encode()
    return replace(arrival, payload=arrival.payload.replace(b'"pos_cmd"', member, 1))


def another_topic(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say it to another product, another gateway, in another place, or where we speak ourselves."""
    arrival = speak(good)
    was, becomes = rng.choice(
        (
            ("pkMeter/", "pkOther/"),
            ("pkGw/", "pkOther/"),
            ("/gw03/", "/gw04/"),
            ("pkMeter/", "pkGw/"),
            ("property/set", "property/sets"),
            ("property/set", "property/set_reply"),
            ("thing/", "thing/sub/"),
            ("/sys/", "/ext/"),
            ("$sys/", "sys/"),
            ("/", "//"),
        )
    )
    topic = arrival.topic.replace(was, becomes, 1)
    if topic == arrival.topic:
        topic = f"{topic}/x"
    return replace(arrival, topic=topic)


def service(profile: AlinkProfile) -> Kind:
    """Return a kind that calls a service which is none, or which takes two steps."""

    def unknown_service(speak: Speak, good: Ask, rng: Random) -> Arrival:
        del speak
        name = rng.choice(("speed", "open", "reboot", "pos_cmd", "arm", "set", "x" * 65, "é", "*"))
        device = "gate-1" if name in {"open", "pos_cmd"} else good.device
        params = {"value": "open"} if name == "pos_cmd" else {}
        asked = replace(good, device=device)
        if "{}" not in profile.service:
            inside = {"identifier": name, "inputParams": params}
            return _spoken(profile, asked, profile.service, inside)
        if profile.downlink is Downlink.SUB_TOPIC:
            arrival = _spoken(profile, asked, "", params)
            inside = {"productID": PRODUCT, "deviceName": device, "identifier": name}
            topic = arrival.topic.replace("property/set", "service/invoke")
            fields = {"id": str(good.number), "params": {**inside, "input": params}}
            return json_arrival(topic, fields)
        return _spoken(profile, asked, profile.service.format(name), params)

    return unknown_service


def _forms(name: str) -> list[Forms]:
    profile = profiles.load(name)
    kinds = (
        *(kind for kind in JSON if kind is not number_as_text),  # they send numbers as texts
        *(control_in_id, guessed_token, another_topic, service(profile)),
        *(in_fields(_wrong_id), in_fields(_no_id), in_fields(_wrong_params)),
        *(in_fields(_wrong_identity), in_fields(_long_name)),
    )
    ways = [Forms(f"alink/{name}", partial(make, name), partial(speak, profile), kinds, OF_OTHERS)]
    if profile.has_ext:
        by_call = partial(rrpc, profile)
        ways.append(Forms(f"alink/{name}/rrpc", partial(make, name), by_call, kinds, OF_OTHERS))
    return ways


FORMS = tuple(one for name in profiles.names() for one in _forms(name))
