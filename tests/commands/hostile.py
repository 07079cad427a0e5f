"""Commands that nobody may obey, in the words of any dialect.

    (forms,) = (one for one in all_forms() if one.name == "native")
    hostile = cases(forms, Random(5), 500)
    await house.take(forms.make(), [one.arrival for one in hostile])
    assert house.did == []

Each dialect has a module of its name in `tests/commands/forms` with `FORMS`: how a platform of it
says a good `set`, and what else can be wrong in its own envelope and topics. What is wrong
everywhere is made here of what it says. Nobody lists the modules: a dialect without one fails
`test_hostile_commands`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from gateway.dialects.contract import Dialect, Now
from gateway.model.clock import TimeQuality
from gateway.model.ids import SinkName
from gateway.model.publication import Arrival
from gateway.model.reading import Value
from tests.commands.house import NOW_MS

SINK = SinkName("province")
NOW = Now(NOW_MS, TimeQuality.SYNC)
STANDIN = 424_242
"""A value that stands in a message once, so that its text can be replaced by anything."""
MARK = "zzzmark"
FOLDER = Path(__file__).parent / "forms"


@dataclass(frozen=True, slots=True)
class Ask:
    """A `set` that a platform means."""

    device: str = "pump-1"
    point: str = "speed"
    value: Value = 20.0
    number: int = 0
    """Names the request; no two messages of a run have the same one."""
    expires_ms: int = NOW_MS + 60_000
    """Where the dialect says until when, or since when: as far ahead, or behind, as this."""
    mark: str = ""
    """Stands behind the id of the request, where that is a text."""


Speak: TypeAlias = Callable[[Ask], Arrival]
Kind: TypeAlias = Callable[[Speak, Ask, Random], Arrival]
"""Makes a hostile message out of what would be a good one; its name says what is wrong."""


@dataclass(frozen=True, slots=True)
class Forms:
    """How one dialect, or one way to ask in it, is spoken to with ill will."""

    name: str
    make: Callable[[], Dialect]
    """Makes it, connected, with the devices of the house."""
    speak: Speak
    kinds: Sequence[Kind]
    ignores: frozenset[str] = frozenset()
    """Kinds that may be meant for somebody else: nothing comes of them, not even an audit entry."""
    has_ids: bool = True
    """Whether a message that comes twice can be told from two messages."""
    keeps_value: bool = True
    """Whether a request with the id of another one is the same, whatever it asks."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A message, and what is wrong with it."""

    arrival: Arrival
    why: str


def all_forms() -> dict[str, tuple[Forms, ...]]:
    """Return the forms of every dialect, by its name."""
    names = sorted(path.stem for path in FOLDER.glob("*.py"))
    return {name: importlib.import_module(f"tests.commands.forms.{name}").FORMS for name in names}


def cases(forms: Forms, rng: Random, count: int, first: int = 0) -> Iterator[Hostile]:
    """Yield as many messages as asked for, of every kind in turn."""
    for number in range(first, first + count):
        kind = forms.kinds[number % len(forms.kinds)]
        good = Ask(number=number, expires_ms=NOW_MS + rng.randrange(1000, 3_600_000))
        yield Hostile(kind(forms.speak, good, rng), why(kind))


def why(kind: Kind) -> str:
    """Return what a kind says is wrong."""
    return getattr(kind, "__name__", "")


# --- what is wrong in every dialect --------------------------------------------------------------


def retained(speak: Speak, good: Ask, rng: Random) -> Arrival:
    del rng
    return replace(speak(good), is_retained=True)


def garbage(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return replace(speak(good), payload=b"\x00" + rng.randbytes(rng.randrange(300)))


def oversize(speak: Speak, good: Ask, rng: Random) -> Arrival:
    arrival = speak(good)
    much = rng.randrange(16 * 1024, 64 * 1024)
    return replace(arrival, payload=arrival.payload + b" " * much)


def forged_device(speak: Speak, good: Ask, rng: Random) -> Arrival:
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


def forged_point(speak: Speak, good: Ask, rng: Random) -> Arrival:
    names = ("flow", "limit", "nothing", "*", "sp*", "../speed", "SPEED", "", "__proto__", "s" * 40)
    return speak(replace(good, point=rng.choice(names)))


def control_in_point(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return speak(replace(good, point="speed" + _control(rng)))


def out_of_range(speak: Speak, good: Ask, rng: Random) -> Arrival:
    values = (9.5, 50.5, 0, -1, 100, 101, 1e9, -0.0, 20.25, 20.000001, rng.uniform(50.001, 1e6))
    return speak(replace(good, value=rng.choice(values)))


def not_armed(speak: Speak, good: Ask, rng: Random) -> Arrival:
    gate = replace(good, device="gate-1", point="pos_cmd", value=rng.choice(("open", "close")))
    return speak(gate)


ANYWHERE: tuple[Kind, ...] = (
    *(retained, garbage, oversize, forged_device, forged_point, control_in_point),
    *(out_of_range, not_armed),
)

# --- what is wrong in JSON -----------------------------------------------------------------------


def deep(speak: Speak, good: Ask, rng: Random) -> Arrival:
    depth = rng.randrange(9, 6000)
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return with_value(speak, good, opened * depth + b"1" + closed * depth)


def duplicate(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say a member of the outermost object twice, or the point itself."""
    arrival = speak(good)
    fields: dict[str, Any] = json.loads(arrival.payload)
    point = f'"{good.point}":'.encode()
    if rng.random() < 0.3 and point in arrival.payload:
        twice = point + rng.choice((b"20.0,", b"null,"))
        return replace(arrival, payload=arrival.payload.replace(point, twice + point, 1))
    name = rng.choice(sorted(fields))
    member = f"{json.dumps(name)}:{rng.choice((json.dumps(fields[name]), 'null', '1'))}"
    return replace(arrival, payload=arrival.payload.replace(b"{", b"{" + member.encode() + b",", 1))


def no_number(speak: Speak, good: Ask, rng: Random) -> Arrival:
    words = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e400", b"0x14", b"+20", b"020", b".5")
    return with_value(speak, good, rng.choice(words))


def huge(speak: Speak, good: Ask, rng: Random) -> Arrival:
    digits = b"9" * rng.randrange(16, 5000)
    number = rng.choice(
        (digits, b"-" + digits, b"1" + digits + b".5", b"1e308", b"9007199254740993")
    )
    return with_value(speak, good, number)


def wrong_type(speak: Speak, good: Ask, rng: Random) -> Arrival:
    texts = (b"null", b"[]", b"{}", b"[20]", b'{"$gt":0}', b'"NaN"', b'""', b"true", b"false")
    return with_value(speak, good, rng.choice(texts))


def number_as_text(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return with_value(speak, good, rng.choice((b'"20"', b'"20.0"', b'"2e1"')))


def cut(speak: Speak, good: Ask, rng: Random) -> Arrival:
    arrival = speak(good)
    return replace(arrival, payload=arrival.payload[: rng.randrange(len(arrival.payload.rstrip()))])


def control_in_id(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return speak(replace(good, mark=_control(rng)))


def broken_text(speak: Speak, good: Ask, rng: Random) -> Arrival:
    broken = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\\ud800", b"\\x", b"\n")
    arrival = speak(replace(good, point=MARK))
    payload = arrival.payload.replace(MARK.encode(), b"speed" + rng.choice(broken))
    return replace(arrival, payload=payload, topic=arrival.topic.replace(MARK, "speed"))


def another_root(speak: Speak, good: Ask, rng: Random) -> Arrival:
    """Say the good command inside of something that is no object, or behind another one."""
    arrival = speak(good)
    before, behind = rng.choice(
        ((b"[", b"]"), (b"", b"{}"), (b"{}", b""), (b"\xef\xbb\xbf", b""), (b'"', b'"'))
    )
    return replace(arrival, payload=before + arrival.payload + behind)


def with_value(speak: Speak, good: Ask, value: bytes) -> Arrival:
    """Return the command with this text in the place of its value."""
    arrival = speak(replace(good, value=STANDIN))
    assert arrival.payload.count(str(STANDIN).encode()) == 1
    return replace(arrival, payload=arrival.payload.replace(str(STANDIN).encode(), value))


def in_fields(shape: Callable[[dict[str, Any], Random], object]) -> Kind:
    """Return a kind that changes the good message as JSON; its name is that of `shape`."""

    def kind(speak: Speak, good: Ask, rng: Random) -> Arrival:
        arrival = speak(good)
        changed = shape(json.loads(arrival.payload), rng)
        return replace(arrival, payload=json.dumps(changed).encode())

    kind.__name__ = shape.__name__.strip("_")
    return kind


def one_of(rng: Random, *found: Any) -> Any:
    """Return one of these, whatever they are."""
    return rng.choice(found)


def json_arrival(topic: str, fields: Mapping[str, Any]) -> Arrival:
    """Return a message as a platform writes JSON."""
    return Arrival(SINK, topic, json.dumps(fields, separators=(",", ":")).encode(), False)


JSON: tuple[Kind, ...] = (
    *(ANYWHERE),
    *(deep, duplicate, no_number, huge, wrong_type, number_as_text, cut, broken_text),
    another_root,
)

# --- what is wrong where a message tells its time ------------------------------------------------


def expired(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return speak(replace(good, expires_ms=NOW_MS - rng.choice((0, 1, rng.randrange(10**12)))))


def too_far(speak: Speak, good: Ask, rng: Random) -> Arrival:
    return speak(replace(good, expires_ms=NOW_MS + 86_400_001 + rng.randrange(10**13)))


def _control(rng: Random) -> str:
    return chr(rng.choice((*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x200B, 0x202E)))
