"""Declared framings of the tests: a tank gauge, a gauge of variable length, a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.contract import Exchange, Job, LineCost, Wanted
from drivers.declared import DRIVER
from drivers.declared.address import DeclaredAddress, DeclaredQuirks

TANK: dict[str, Any] = {
    "address": "addr",
    "broadcast": [0],
    "checksum": {"kind": "xor8", "from": 1},
    "requests": {"read": "AA <addr:1> 03 <sum>", "set": "AA <addr:1> 06 <level:2> <sum>"},
    "replies": {
        "read": "AA <addr:1> 83 <level:2> <temp:2sle> ?? !! <sum>",
        "set": "AA <addr:1> 86 <level:2> <sum>",
    },
    "refusals": {"any": "AA <addr:1> FF <code:1> <sum>"},
}
VARIABLE: dict[str, Any] = {
    "address": "addr",
    "checksum": {"kind": "crc16-modbus"},
    "length": {"field": "count", "add": 1},
    "requests": {"read": "7E <addr:1> 01 <sum>"},
    "replies": {"read": "7E <addr:1> 81 <count:1> <rest> <last:1> <sum> 0D"},
}
LINE: dict[str, Any] = {
    "form": "line",
    "address": ["host", "bay"],
    "checksum": {"kind": "sum8", "from": 1, "omit": 1},
    "requests": {"ask": "#<host:3>"},
    "replies": {"bay": "$<host:3>,<bay>,<state>,<card!>*<sum>", "hello": "!<host>"},
}
COST = LineCost(0.001, 0.01)
QUIRKS = DeclaredQuirks()
TANK_REPLY = bytes.fromhex("aa058309c4ff38008c")
"""Level 2500, temperature 14591 (low byte first), a secret byte 00; its check value is 8C."""


def point(frame: Any = None, **keys: Any) -> DeclaredAddress:
    return DeclaredAddress(frame=TANK if frame is None else frame, **keys)


def plan(unit: Any, *points: DeclaredAddress) -> tuple[Job, ...]:
    wanted = [Wanted(key, one) for key, one in enumerate(points)]
    return DRIVER.protocols["declared"].plan(unit, wanted, QUIRKS, COST)


def exchange(job: Job) -> Exchange:
    return next(job.steps())


def run(job: Job, reply: bytes) -> Sequence[Any]:
    steps = job.steps()
    one = next(steps)
    try:
        steps.send(one.feed(reply))
    except StopIteration as done:
        return done.value
    raise AssertionError("more than one exchange")
