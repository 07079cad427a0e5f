"""Commands that nobody may obey, for any dialect whose commands are JSON; and a house to try them.

    house = House(site)
    hostile = cases(speak, Random(5), Target(), 500)
    await house.take(dialect, [one.arrival for one in hostile])
    assert house.did == []

A dialect gives one function, `Speak`, that says a good `set` in its words; the cases are made of
what that says. What only one dialect has (topics, operations) its own test adds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

from gateway.app.commands.commander import Commander, Hands
from gateway.commands.audit import Entry
from gateway.dialects.contract import Dialect, Now
from gateway.model.clock import TimeQuality
from gateway.model.command import BadCommand, Command
from gateway.model.ids import DeviceId, GatewayId, LineName, PointId, SiteId
from gateway.model.publication import Arrival
from gateway.model.quality import GOOD
from gateway.model.reading import Reading, Value
from gateway.model.record import LogBody, Record, ReplyBody, StateChange
from gateway.model.sample import Raw
from gateway.settings.site import Gateway, Line, MemoryPort, Site, Store, ValueType, WriteRule
from gateway.settings.site_commands import Allow, Commands
from tests.support.points import NOWHERE, a_device, a_point

NOW_MS = 1_800_000_000_000
STANDIN = 424_242
"""A value that stands in a message once, so that its text can be replaced by anything."""
BATCH = 40
BATCH_S = 80.0


@dataclass(frozen=True, slots=True)
class Ask:
    """A `set` that a platform means."""

    device: str
    point: str
    value: Value
    rid: str
    expires_ms: int | None


Speak: TypeAlias = Callable[[Ask], Arrival]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A message, and what is wrong with it."""

    arrival: Arrival
    why: str


@dataclass(frozen=True, slots=True)
class Target:
    """What the site of these tests lets a platform do, and what a dialect can say."""

    has_expiry: bool = True
    """Whether a platform of this dialect says until when."""


def a_site() -> Site:
    """Return a site with a pump whose speed may be set from 10 to 50, and a gate that is armed."""
    number = WriteRule(minimum=0, maximum=100)
    speed = a_point("speed", unit="Hz", write=number)
    shown = a_point("flow")
    secret = a_point("limit", unit="Hz", write=number)
    gate = a_point(
        "pos_cmd",
        type=ValueType.ENUM,
        unit=None,
        enum={1: "open", 2: "close"},
        write=WriteRule(is_dangerous=True),
        is_command=True,
    )
    line = Line(LineName("a"), MemoryPort("a"), "modbus-rtu", NOWHERE)
    devices = [a_device("pump-1", [speed, shown, secret]), a_device("gate-1", [gate], unit=2)]
    allow = (
        Allow("pump-*", ("speed", "flow"), ("set",), minimum=10, maximum=50, step=0.5),
        Allow("gate-*", ("*",), ("set", "call"), is_dangerous=True),
    )
    return Site(
        Gateway(GatewayId("gw-03"), SiteId("hz-fc-001")),
        {line.name: line},
        {device.id: device for device in devices},
        {},
        Commands(allow, max_per_minute=1000),
        Store(),
        (),
        "",
    )


# --- the cases -----------------------------------------------------------------------------------


def cases(speak: Speak, rng: Random, target: Target, count: int) -> Iterator[Hostile]:
    """Yield as many messages as asked for, of every kind in turn."""
    kinds = [
        *(_oversize, _deep, _duplicate, _no_number, _huge, _wrong_type, _cut, _garbage),
        *(_control, _broken_text, _retained, _forged_device, _forged_point, _out_of_range),
        _not_armed,
    ]
    if target.has_expiry:
        kinds += [_expired, _too_far]
    for number in range(count):
        kind = kinds[number % len(kinds)]
        good = Ask("pump-1", "speed", 20.0, f"h{number}", NOW_MS + rng.randrange(1000, 3_600_000))
        yield Hostile(kind(speak, good, rng), kind.__name__.strip("_"))


def _with(speak: Speak, good: Ask, value: bytes) -> Arrival:
    """Return the command with this text in the place of its value."""
    arrival = speak(replace(good, value=STANDIN))
    assert arrival.payload.count(str(STANDIN).encode()) == 1
    return replace(arrival, payload=arrival.payload.replace(str(STANDIN).encode(), value))


def _inserted(speak: Speak, good: Ask, member: bytes) -> Arrival:
    """Return the command with one more member in its outermost object."""
    arrival = speak(good)
    return replace(arrival, payload=arrival.payload.replace(b"{", b"{" + member + b",", 1))


def _oversize(speak: Speak, good: Ask, rng: Random) -> Arrival:
    arrival = speak(good)
    much = rng.randrange(16 * 1024, 64 * 1024)
    return replace(arrival, payload=arrival.payload + b" " * much)


def _deep(speak: Speak, good: Ask, rng: Random) -> Arrival:
    depth = rng.randrange(9, 6000)
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return _with(speak, good, opened * depth + b"1" + closed * depth)


def _duplicate(speak: Speak, good: Ask, rng: Random) -> Arrival:
    fields: dict[str, Any] = json.loads(speak(good).payload)
    name = rng.choice(sorted(fields))
    value = rng.choice((json.dumps(fields[name]), "null", "1"))
    return _inserted(speak, good, f"{json.dumps(name)}:{value}".encode())


def _no_number(speak: Speak, good: Ask, rng: Random) -> Arrival:
    words = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e400", b"0x14", b"+20", b"020", b".5")
    return _with(speak, good, rng.choice(words))


def _huge(speak: Speak, good: Ask, rng: Random) -> Arrival:
    digits = b"9" * rng.randrange(16, 5000)
    number = rng.choice(
        (digits, b"-" + digits, b"1" + digits + b".5", b"1e308", b"9007199254740993")
    )
    return _with(speak, good, number)


def _wrong_type(speak: Speak, good: Ask, rng: Random) -> Arrival:
    texts = (b"null", b"[]", b"{}", b"[20]", b'{"$gt":0}', b'"20"', b'""', b"true", b"false")
    return _with(speak, good, rng.choice(texts))


def _cut(speak: Speak, good: Ask, rng: Random) -> Arrival:
    arrival = speak(good)
    return replace(arrival, payload=arrival.payload[: rng.randrange(len(arrival.payload.rstrip()))])


def _garbage(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), payload=b"\x00" + rng.randbytes(rng.randrange(300)))


def _control(speak: Speak, good: Ask, rng: Random) -> Arrival:
    char = chr(rng.choice((*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x200B, 0x202E)))
    if rng.random() < 0.5:
        return speak(replace(good, rid=good.rid + char))
    return speak(replace(good, point="speed" + char))


def _broken_text(speak: Speak, good: Ask, rng: Random) -> Arrival:
    broken = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\\ud800", b"\\x", b"\n")
    mark = "zzzmark"
    arrival = speak(replace(good, point=mark))
    payload = arrival.payload.replace(mark.encode(), b"speed" + rng.choice(broken))
    topic = arrival.topic.replace(mark, "speed")
    return replace(arrival, payload=payload, topic=topic)


def _retained(speak: Speak, good: Ask, rng: Random) -> Arrival:
    del rng
    return replace(speak(good), is_retained=True)


def _forged_device(speak: Speak, good: Ask, rng: Random) -> Arrival:
    names = (
        "pump-2",
        "gate-9",
        "relay-1",
        "_",
        "*",
        "pump-*",
        "..",
        "pump-1/x",
        "PUMP-1",
        "x" * 99,
    )
    return speak(replace(good, device=rng.choice(names)))


def _forged_point(speak: Speak, good: Ask, rng: Random) -> Arrival:
    names = ("flow", "limit", "nothing", "*", "sp*", "../speed", "SPEED", "", "__proto__", "s" * 40)
    return speak(replace(good, point=rng.choice(names)))


def _out_of_range(speak: Speak, good: Ask, rng: Random) -> Arrival:
    values = (9.5, 50.5, 0, -1, 100, 101, 1e9, -0.0, 20.25, 20.000001, rng.uniform(50.001, 1e6))
    return speak(replace(good, value=rng.choice(values)))


def _not_armed(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return speak(
        replace(good, device="gate-1", point="pos_cmd", value=rng.choice(("open", "close")))
    )


def _expired(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return speak(replace(good, expires_ms=NOW_MS - rng.choice((0, 1, rng.randrange(10**12)))))


def _too_far(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return speak(replace(good, expires_ms=NOW_MS + 86_400_001 + rng.randrange(10**13)))


# --- the house -----------------------------------------------------------------------------------


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return self.now

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


class House:
    """A store that notes, lines that note, and the real path of commands between them."""

    def __init__(self, site: Site, values: Mapping[str, Value] | None = None) -> None:
        self.did: list[str] = []
        """What reached a device."""
        self.audits: list[Entry] = []
        self.replies: dict[str, list[ReplyBody]] = {}
        self.asked: set[str] = set()
        """Ids of what the dialect understood as a command, or as a bad one."""
        self._values = dict(values or {})
        self._clock = _Clock()
        hands = Hands(self, self, self._clock, lambda: "5ecret", self._shown)
        nothing: dict[str, Any] = {}
        self.commander = Commander(site, hands, lambda _: nothing)

    async def take(self, dialect: Dialect, arrivals: Sequence[Arrival]) -> None:
        """Let these messages come, a few at a time, and return when all are dealt with."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.commander.run(stop), name="commands")
            for first in range(0, len(arrivals), BATCH):
                expected = len(self.audits) + sum(
                    self._put(dialect, one) for one in arrivals[first : first + BATCH]
                )
                for _ in range(1000):
                    if len(self.audits) >= expected:
                        break
                    await asyncio.sleep(0)
                self._clock.now += BATCH_S
            for _ in range(10):
                await asyncio.sleep(0)
            stop.set()

    def _put(self, dialect: Dialect, arrival: Arrival) -> int:
        """Return how many audit entries must come of a message at least."""
        received = dialect.received(arrival, Now(NOW_MS, TimeQuality.SYNC))
        for command in received.commands:
            self._note(command)
            self.commander.put(command)
        for dropped in received.dropped:
            self.commander.dropped("dropped", arrival.sink, dropped)
        return len(received.commands) + len(received.dropped)

    def _note(self, command: Command | BadCommand) -> None:
        if command.rid is not None:
            self.asked.add(command.rid)

    async def read(
        self, device: DeviceId, points: tuple[PointId, ...], *, within_s: float
    ) -> Sequence[Reading]:
        assert within_s > 0
        self.did.append(f"read {device}/{','.join(points)}")
        return [
            Reading(
                device, p, self._values.get(f"{device}/{p}"), None, GOOD, NOW_MS, TimeQuality.SYNC
            )
            for p in points
        ]

    async def write(self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float) -> None:
        assert within_s > 0
        self.did.append(f"write {device}/{point}={raw}")
        if isinstance(raw, int | float):
            self._values[f"{device}/{point}"] = float(raw)

    async def commit(self, records: Sequence[Record], changes: Sequence[StateChange] = ()) -> None:
        assert all(change.room for change in changes)
        for record in records:
            if isinstance(record.body, LogBody):
                told = Entry(str(record.device), record.body.topic, dict(record.body.fields))
                self.audits.append(told)
            elif isinstance(record.body, ReplyBody):
                self.replies.setdefault(record.body.rid, []).append(record.body)

    def _shown(self, device: DeviceId) -> Sequence[Reading]:
        return [
            Reading(device, PointId(key.split("/")[1]), value, None, GOOD, NOW_MS, TimeQuality.SYNC)
            for key, value in self._values.items()
            if key.startswith(f"{device}/")
        ]
