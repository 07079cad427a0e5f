"""A sealed dialect: all that leaves is sealed, and only what is sealed is obeyed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.app.sinks.sealed import CONTENT_TYPE, in_seal
from gateway.dialects.contract import Dialect
from gateway.dialects.native.dialect import Native
from gateway.model.command import Command
from gateway.model.publication import Arrival, Publication
from gateway.privacy import sm2
from gateway.privacy.sealing import Cipher, Randomness, Seal, is_signed, opened, sealed
from gateway.settings.problems import SettingsError
from gateway.settings.secret_name import Secret
from gateway.settings.site_privacy import UNSEALED, Payload
from tests.support.natives import NOW, births, committed, prop, setup

KEY = bytes(range(16))
PRIVATE = 7
SECRETS = {"k": KEY.hex(), "s": f"{PRIVATE:064x}", "bad": "abc", "zero": "0" * 64}
GCM = Payload("sm4-gcm", Secret("credential", "k"))
SIGNED = Payload(sign_key=Secret("credential", "s"), signer="gw-03")
RANDOM = Randomness(bytes, lambda _n: 1)


def read(secret: Secret) -> str:
    return SECRETS[secret.name]


def dialect(payload: Payload) -> Dialect:
    made = in_seal(Native(setup()), payload, read)
    made.connect_spec(NOW)
    return made


def said(of: Dialect) -> list[Publication]:
    """Return what it says in a life: births, a value, a goodbye."""
    first = of.connected(births(), ("em-99",), NOW)  # type: ignore[arg-type] - ids are texts
    encoded = of.encode([committed(prop(1.0, 2.0, 3.0))], NOW, is_backfill=False)
    return [*first, *encoded.publications, *of.goodbye(NOW)]


def command(topic: str, payload: bytes) -> Arrival:
    return Arrival(setup().sink.name, topic, payload, is_retained=False)


def test_a_sink_that_says_nothing_keeps_its_dialect() -> None:
    plain = Native(setup())
    assert in_seal(plain, UNSEALED, read) is plain


def test_everything_that_leaves_is_sealed_and_says_the_same_inside() -> None:
    plain, of = said(dialect(UNSEALED)), said(dialect(GCM))
    assert len(plain) == len(of)
    for bare, one in zip(plain, of, strict=True):
        assert (one.topic, one.covers, one.is_retained) == (
            bare.topic,
            bare.covers,
            bare.is_retained,
        )
        if not bare.payload:
            assert one.payload == b""
            continue
        assert one.content_type == CONTENT_TYPE
        inside = opened(one.topic, one.payload, Cipher("sm4-gcm", KEY))
        assert json.loads(inside)["k"] == json.loads(bare.payload)["k"]
        assert b"gw-03" not in one.payload


def test_the_will_is_sealed() -> None:
    spec = in_seal(Native(setup()), GCM, read).connect_spec(NOW)
    assert spec.will is not None
    inside = json.loads(opened(spec.will.topic, spec.will.payload, Cipher("sm4-gcm", KEY)))
    assert inside["online"] is False


def test_signed_payloads_are_genuine_and_readable() -> None:
    public = sm2.public_key(PRIVATE)
    for one in said(dialect(SIGNED)):
        if one.payload:
            inside = opened(one.topic, one.payload, None)
            assert is_signed(one.topic, one.payload, inside, public)


def test_only_commands_that_are_sealed_for_their_topic_are_obeyed() -> None:
    of = dialect(GCM)
    topic = next(s.topic for s in of.connect_spec(NOW).subscriptions).split("/dn/")[0]
    topic = f"{topic}/dn/cmd/em-01"
    order: dict[str, Any] = {
        "rid": "r1", "op": "read", "pts": ["u_a"], "p": "u_a", "exp": NOW.ms + 9_999
    }  # fmt: skip
    text = json.dumps(order).encode()
    seal = Seal(Cipher("sm4-gcm", KEY), None, RANDOM)
    genuine = of.received(command(topic, sealed(topic, text, seal)), NOW)
    plain = Native(setup())
    plain.connect_spec(NOW)
    assert genuine.commands == plain.received(command(topic, text), NOW).commands
    assert genuine.commands
    other = replace(seal, cipher=Cipher("sm4-gcm", bytes(16)))
    for forged in (
        text,
        sealed(topic, text, other),
        sealed(topic.replace("em-01", "em-02"), text, seal),
        b"",
        b"\xff",
    ):
        refused = of.received(command(topic, forged), NOW)
        assert not any(isinstance(one, Command) for one in refused.commands)
        assert refused.commands == ()
        assert len(refused.dropped) == 1


@pytest.mark.parametrize(
    "payload",
    [
        replace(GCM, key=Secret("credential", "bad")),
        replace(GCM, key=Secret("credential", "s")),
        replace(SIGNED, sign_key=Secret("credential", "k")),
        replace(SIGNED, sign_key=Secret("credential", "zero")),
    ],
)
def test_a_key_that_is_none_keeps_the_sink_from_connecting(payload: Payload) -> None:
    with pytest.raises(SettingsError, match="LG-PRIV-09"):
        in_seal(Native(setup()), payload, read).connect_spec(NOW)
