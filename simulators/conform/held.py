"""What a platform has stored, held against what was sent: `conform --expected FILE --held FILE`.

`dn/ack` shows that a record was taken, not what became of it. So the platform writes out what it
holds, a JSON object with `gw`, `ep`, `seq` and perhaps `pts` for each record, to be compared here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from simulators.conform.check import Missed, Skipped, State, Verdict
from simulators.tree import branches, leaves

GOOD = 192
SHOWN = 5


class Identity(NamedTuple):
    """Which record."""

    gateway: str
    ep: int
    seq: int


class Value(NamedTuple):
    """What a point was: 1, 1.0 and true are not the same."""

    kind: str
    value: object
    quality: object


@dataclass(frozen=True, slots=True)
class Books:
    """What was sent, and what is held."""

    sent: Mapping[Identity, Mapping[str, Any]]
    held: Sequence[tuple[Identity, Mapping[str, Any]]]
    """In the order of the file, also what is there twice."""


def compared(expected: Path, held: Path) -> list[Verdict]:
    """Return verdicts on what a platform holds; raises OSError or ValueError for bad files."""
    sent = {_identity(row): row for row in json.loads(expected.read_text(encoding="utf-8"))}
    names = tuple({one.gateway for one in sent})
    rows = ((_identity(row), row) for row in _rows(held))
    mine = [(one, row) for one, row in rows if one.gateway.startswith(names)]  # of a forgery too
    books = Books(sent, mine)
    return [_verdict(check, books) for check in CHECKS]


def _rows(held: Path) -> Iterator[Mapping[str, Any]]:
    with held.open(encoding="utf-8") as lines:
        for line in filter(str.strip, lines):
            row = branches(json.loads(line))
            if "seq" in row:  # others are no records
                yield row


def _identity(row: Mapping[str, Any]) -> Identity:
    try:
        return Identity(str(row["gw"]), int(row["ep"]), int(row["seq"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a row without gw, ep and seq: {json.dumps(dict(row))[:80]}") from error


def _all(books: Books) -> str:
    missing = sorted(books.sent.keys() - {one for one, _ in books.held})
    if missing:
        raise Missed(f"{len(missing)} of {len(books.sent)} are not there: {_some(missing)}")
    return f"all {len(books.sent)} are there"


def _once(books: Books) -> str:
    twice = [one for one, count in Counter(one for one, _ in books.held).items() if count > 1]
    if twice:
        raise Missed(f"{len(twice)} are there more than once: {_some(sorted(twice))}")
    return "none is there twice"


def _only(books: Books) -> str:
    never = sorted({one for one, _ in books.held} - books.sent.keys())
    if never:
        raise Missed(f"{len(never)} were never sent: {_some(never)}")
    return "nothing else is there"


def _values(books: Books) -> str:
    looked_at = 0
    for identity, row in books.held:
        wanted = _points(books.sent.get(identity, {}))
        if "pts" not in row or not wanted:
            continue
        looked_at += 1
        found = _points(row)
        for name, value in wanted.items():
            if found.get(name) != value:
                there = "nothing" if name not in found else _shown(found[name])
                raise Missed(f"{_some([identity])}, {name}: {there}; {_shown(value)} was sent")
    if not looked_at:
        raise Skipped("no row has `pts`")
    return f"the values of {looked_at} records are as they were sent"


def _points(row: Mapping[str, Any]) -> Mapping[str, Value]:
    found: dict[str, Value] = {}
    for point in map(branches, leaves(row.get("pts"))):
        value: object = point.get("v")
        found[str(point.get("p"))] = Value(type(value).__name__, value, point.get("q", GOOD))
    return found


def _shown(value: Value) -> str:
    return f"{value.kind} {value.value!r} of quality {value.quality}"


def _some(identities: Sequence[Identity]) -> str:
    return ", ".join(f"seq {seq} of ep {ep}" for _, ep, seq in identities[:SHOWN])


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    run: Callable[[Books], str]
    must: str
    remedy: str


CHECKS = (
    _Check("held_all", _all, "Every record that was sent is held.",
           "Confirm and acknowledge after the commit, never before."),
    _Check("held_once", _once, "No record is held twice.",
           "Put a unique index on (gw, ep, seq)."),
    _Check("held_only", _only, "Nothing is held that was not sent.",
           "Take the gateway from the topic; keep no record that `gw` contradicts."),
    _Check("held_values", _values, "Values are as they were sent.",
           "Integers of 53 bits, double precision, null for no value, `q` beside it."),
)  # fmt: skip


def _verdict(check: _Check, books: Books) -> Verdict:
    try:
        return Verdict(check.name, State.OK, check.must, check.run(books), None)
    except Missed as missed:
        return Verdict(check.name, State.FAIL, check.must, str(missed), check.remedy)
    except Skipped as skipped:
        return Verdict(check.name, State.SKIP, check.must, str(skipped), None)
