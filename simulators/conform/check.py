"""What a check is, and how checks are run: beside each other, each with a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from simulators.mqtt5.broker import Broker
from simulators.mqtt5.connection import Gone, NotAccepted
from simulators.mqtt5.packets import Malformed


class State(StrEnum):
    """What became of a check."""

    OK = "ok"
    WARN = "warn"
    """Not as it should be; the dialect gets along, with what the remedy says."""
    FAIL = "fail"
    SKIP = "skip"
    """Not asked for, or it makes no sense without another check."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the result."""

    check: str
    state: State
    must: str
    """What must hold."""
    found: str
    remedy: str | None
    """What to do; None where nothing is to be done."""

    def row(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


class Missed(Exception):
    """What must hold does not; the text says what was found."""


class Skipped(Exception):
    """It could not be looked at; the text says why."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What checks of a broker are given."""

    broker: Broker
    base: str
    """Topics below it are ours alone: `{root}/1/conform/{name}/up`."""
    name: str
    """Part of every client id."""
    denied: str | None = None
    """A topic to which this user may not publish."""
    queue: int = 1500
    """Messages that must wait for an absent consumer."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at."""

    name: str
    must: str
    remedy: str
    run: Callable[[Bench], Awaitable[str]]
    """Returns what was found; raises Missed or Skipped."""
    missed: State = State.FAIL


async def run_checks(bench: Bench, checks: Sequence[Check], at_once: int = 9) -> list[Verdict]:
    """Return a verdict for each check, in their order."""
    room = asyncio.Semaphore(at_once)

    async def one(check: Check) -> Verdict:
        async with room:
            return await verdict(check, bench)

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(check), name=check.name) for check in checks]
    return [task.result() for task in running]


async def verdict(check: Check, bench: Bench) -> Verdict:
    """Return what a check finds; a connection that ends in the middle of it is a finding too."""
    state, found = State.OK, ""
    try:
        found = await check.run(bench)
    except* Missed as group:
        state, found = check.missed, _first(group)
    except* Skipped as group:
        state, found = State.SKIP, _first(group)
    except* (OSError, TimeoutError, Gone, NotAccepted, Malformed) as group:
        state, found = check.missed, _first(group) or "no answer in time"
    remedy = check.remedy if state in {State.WARN, State.FAIL} else None
    return Verdict(check.name, state, check.must, found, remedy)


def _first(group: BaseException) -> str:
    found = group
    while (inside := getattr(found, "exceptions", None)) is not None:
        found = inside[0]
    return str(found)
