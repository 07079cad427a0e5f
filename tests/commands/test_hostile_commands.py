"""Ten thousand messages that nobody may obey, through the whole path of commands: native."""

import json
from collections import Counter
from dataclasses import replace
from random import Random

from gateway.commands.audit import faults
from gateway.model.ids import SinkName
from gateway.model.publication import Arrival
from tests.commands.hostile import NOW_MS, Ask, Hostile, House, Target, a_site, cases
from tests.support.natives import native

BASE = "fc/1/hz-fc-001/gw-03/dn"
SINK = SinkName("province")
GOOD = Ask("pump-1", "speed", 20.0, "good", NOW_MS + 60_000)
CASES = 10_000
OWN = 1500
"""Of them with what only this dialect has: its topics and its operations."""
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


def speak(ask: Ask) -> Arrival:
    """Say a `set` as a platform of our own standard does."""
    message = {"rid": ask.rid, "op": "set", "p": {ask.point: ask.value}, "exp": ask.expires_ms}
    payload = json.dumps(message, separators=(",", ":")).encode()
    return Arrival(SINK, f"{BASE}/cmd/{ask.device}", payload, is_retained=False)


def own_cases(rng: Random) -> list[Hostile]:
    """Return what is hostile in the words of this dialect only."""
    found: list[Hostile] = []
    for number in range(OWN):
        arrival = speak(replace(GOOD, rid=f"n{number}"))
        if rng.random() < 0.3:
            found.append(Hostile(replace(arrival, topic=rng.choice(TOPICS)), "topic"))
            continue
        fields = json.loads(arrival.payload) | rng.choice(FIELDS)
        payload = json.dumps({key: value for key, value in fields.items() if value is not ...})
        found.append(Hostile(replace(arrival, payload=payload.encode()), "fields"))
    return found


async def test_hostile_commands_are_refused_in_all_of_ten_thousand_cases() -> None:
    rng = Random(20_260_101)  # noqa: S311 - repeatable cases, no secrets
    hostile = [*cases(speak, rng, Target(), CASES - OWN), *own_cases(rng)]
    rng.shuffle(hostile)
    assert len(hostile) == CASES
    assert min(Counter(one.why for one in hostile).values()) >= 400
    house = House(a_site())
    dialect = native()
    await house.take(dialect, [one.arrival for one in hostile])
    assert house.did == []
    assert len(house.audits) == CASES
    assert faults(house.audits) == []
    assert house.replies.keys() == house.asked
    assert len(house.asked) > CASES / 4
    statuses = {reply.status for replies in house.replies.values() for reply in replies}
    assert statuses == {"rejected", "expired"}
    assert all(len(replies) == 1 for replies in house.replies.values())


async def test_the_same_house_obeys_a_good_command_and_no_replay_of_it() -> None:
    house, dialect = House(a_site()), native()
    replays = [speak(GOOD), *[speak(replace(GOOD, value=30.0))] * 200]
    await house.take(dialect, [speak(GOOD), *replays])
    assert [did for did in house.did if did.startswith("write")] == ["write pump-1/speed=20"]
    assert {reply.status for reply in house.replies["good"]} == {"done"}
    assert len(house.replies["good"]) == 1 + len(replays)
    assert faults(house.audits) == []
