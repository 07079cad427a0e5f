"""Hostile texts on the command topics of Home Assistant: plain text, no id, no time."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from gateway.dialects.homeassistant.dialect import HomeAssistant
from gateway.model.publication import Arrival
from tests.commands.hostile import ANYWHERE, NOW, SINK, Ask, Forms, Speak
from tests.commands.house import births
from tests.support.named_platforms import setup_of

BASE = "linli/gw-03"
NO_NUMBERS = (
    *(b"NaN", b"nan", b"Infinity", b"-inf", b"1e999", b"0x14", b"2_0", b"ON", b"null", b""),
    *(b"[20]", b'{"value":20}', b'"20"', b"20;30", b"20,0", "\u0662\u0660".encode(), b"20\x00"),
    *(b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"9" * 400, b"1" * 16, b"[" * 500, b"true"),
)
TOPICS = (
    *("linli/gw-04/pump-1/speed/set", "linli/gw-03/pump-1/speed", "linli/gw-03/pump-1/set"),
    *("linli/gw-03/pump-1/speed/set/set", "linli/gw-03//speed/set", "linli/gw-03/pump-1//set"),
    *("other/gw-03/pump-1/speed/set", "linli/gw-03/pump-1/speed/SET", "linli/gw-03", "", "?"),
    *("homeassistant/number/gw-03/pump-1_speed/set", f"{BASE}/pump-1/flow/set"),
)


def make() -> HomeAssistant:
    """Return the dialect, connected."""
    dialect = HomeAssistant(setup_of({}, {}))
    dialect.connect_spec(NOW)
    dialect.connected(births(), (), NOW)
    return dialect


def speak(ask: Ask) -> Arrival:
    """Say a value."""
    topic = f"{BASE}/{ask.device}/{ask.point}/set"
    return Arrival(SINK, topic, str(ask.value).encode(), False)


# --- what is wrong here --------------------------------------------------------------------------


def no_number(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), payload=rng.choice(NO_NUMBERS))


def no_word(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say to the gate what it does not know; also what it would know, in other letters."""
    words = (b"OPEN", b"open ", b"sideways", b"", b"1", b"\xff", b"o" * 201, b"open\x00")
    gate = replace(good, device="gate-1", point="pos_cmd")
    return replace(speak(gate), payload=rng.choice(words))


def another_topic(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), topic=rng.choice(TOPICS))


FORMS = (
    Forms(
        "homeassistant",
        make,
        speak,
        (*ANYWHERE, no_number, no_word, another_topic),
        has_ids=False,
        keeps_value=False,
    ),
)
