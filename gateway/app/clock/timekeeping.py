"""Watches the wall clock against the monotonic one: steps, lost sync, a start in 1970."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from gateway.app.clock.redate import Span, redated, redated_readings
from gateway.model.clock import Clock, TimeQuality
from gateway.model.ids import GATEWAY_ITSELF
from gateway.model.reading import Readings
from gateway.model.record import Committed, EventBody, Record, StateChange
from gateway.ops.timeline import Step

ROOM = "clock"
SPANS_KEY = "spans"
UNSYNC_KEY = "unsync"
LOOK_EVERY_S = 1.0
AT_ONCE_S = 0.005
"""Between the first and the last clock of one look; a machine that is busy looks again."""
MOST_LOOKS = 100
"""On a machine that lets us work so little, the last look has to do."""
STEP_MS = 2000
"""A wall clock that moved by more than this against the monotonic one was set."""
UNSYNC_AFTER_S = 60.0
"""Synchronisation may be missing for so long, at a start for instance, before it is told."""
SAVE_EVERY_S = 300.0
MOST_SPANS = 500
"""Starts without the time that are remembered: twenty days of hourly power
cuts. What an older one left undelivered goes out `unsync`, with a time that is too early."""
IN_FLIGHT = 100_000
"""Records that may have been taken before the time was known and are committed after."""
FLOOR_NAME = "clock-floor"
SEVERITY = 1


class Seqs(Protocol):
    """The outbox, as far as it is needed here."""

    @property
    def ep(self) -> int:
        """The number of the store."""
        ...

    @property
    def last_seq(self) -> int:
        """The newest seq."""
        ...

    def states(self, room: str) -> Mapping[str, Any]:
        """Return the state of a room."""
        ...


@runtime_checkable
class CountsSteps(Protocol):
    """A clock that keeps its own book of steps, because it does not follow all of them."""

    def take_steps(self) -> Sequence[Step]:
        """Return the steps of the wall clock since this was last asked."""
        ...


Keep = Callable[[Sequence[Record], Sequence[StateChange]], Awaitable[None]]


@dataclass(slots=True)
class _Seen:
    """The two clocks at the last look."""

    wall_ms: int
    at_s: float
    is_provisional: bool


class Timekeeper:
    """One for the gateway. `redated` and `is_lost` are for the sinks; `run` is its task."""

    def __init__(
        self, clock: Clock, outbox: Seqs, keep: Keep, *, new_eid: Callable[[], str], floor: Path
    ) -> None:
        """Take the clock, the store, what commits, and the file that remembers the time."""
        self._clock, self._outbox, self._keep = clock, outbox, keep
        self._new_eid, self._floor = new_eid, floor
        states = outbox.states(ROOM)
        self._spans = [
            _closed(Span.from_json(stored), outbox.last_seq)
            for stored in states.get(SPANS_KEY) or ()
        ]
        self._unsync_eid: str | None = states.get(UNSYNC_KEY)
        self._unsync_since: float | None = None
        self._saved_at: float | None = None
        self.steps = 0
        """Times that the wall clock was set in this run."""
        self._seen = self._look()
        self._is_own = False
        """Whether the last span is one of this run."""
        if self._seen.is_provisional:
            self._open_span()

    def redated(self, committed: Committed) -> Committed:
        """Return the record with its real time, where its own is none."""
        return redated(committed, self._spans) if self._spans else committed

    def redated_readings(self, readings: Readings) -> Readings:
        """Return readings of this run with their real time, where their own is none."""
        return redated_readings(readings, self._spans[-1]) if self._is_own else readings

    def is_lost(self) -> bool:
        """Whether the box has no time of day, or has not traced back what it made without one."""
        return self._seen.is_provisional or self._clock.is_provisional()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every second until `stop`; then remember the time."""
        await self.begin()
        while not stop.is_set():
            await self.look()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()
            except TimeoutError:
                continue
        self._save_floor()

    async def begin(self) -> None:
        """Commit, where there is no time of day, that what comes now was made without one."""
        if self._seen.is_provisional:
            await self._keep((), (self._spans_change(),))

    async def look(self) -> None:
        """Compare the clocks once, and tell what happened."""
        before, self._seen = self._seen, self._look()
        now = self._seen
        expected_ms = before.wall_ms + round((now.at_s - before.at_s) * 1000)
        moved_ms = now.wall_ms - expected_ms
        records: list[Record] = []
        changes: list[StateChange] = []
        if now.is_provisional and not before.is_provisional:
            self._open_span()
            changes.append(self._spans_change())
        if before.is_provisional and not now.is_provisional:
            self._found(expected_ms, moved_ms)
            changes.append(self._spans_change())
        records += [self._stepped(step) for step in self._steps(expected_ms, moved_ms)]
        self._judge_sync(records, changes)
        if records or changes:
            await self._keep(records, changes)
        is_found = before.is_provisional and not now.is_provisional
        if is_found or self._saved_at is None or now.at_s - self._saved_at >= SAVE_EVERY_S:
            self._save_floor()

    def _look(self) -> _Seen:
        """Read all at one moment: the clock may be set, or we be held up, between two of them."""
        clock, looks = self._clock, 0
        while True:
            is_provisional, at_s = clock.is_provisional(), clock.monotonic()
            wall_ms = clock.now_ms()
            is_one_moment = clock.monotonic() - at_s < AT_ONCE_S
            looks += 1
            if looks >= MOST_LOOKS or (is_one_moment and clock.is_provisional() is is_provisional):
                return _Seen(wall_ms, at_s, is_provisional)

    def _open_span(self) -> None:
        self._spans.append(Span(self._outbox.ep, self._outbox.last_seq + 1))
        del self._spans[:-MOST_SPANS]
        self._is_own = True

    def _found(self, until_ms: int, behind_ms: int) -> None:
        """The time of day is known: what was made before can be dated."""
        if self._spans and self._spans[-1].last is None:
            self._spans[-1] = replace(
                self._spans[-1],
                last=self._outbox.last_seq + IN_FLIGHT,
                until_ms=until_ms,
                behind_ms=behind_ms,
                is_vouched_for=self._clock.quality() is not TimeQuality.UNSYNC,
            )

    def _spans_change(self) -> StateChange:
        return StateChange(ROOM, SPANS_KEY, [span.to_json() for span in self._spans])

    def _steps(self, expected_ms: int, moved_ms: int) -> Sequence[Step]:
        if isinstance(self._clock, CountsSteps):
            return self._clock.take_steps()
        is_step = abs(moved_ms) > STEP_MS
        return (Step(expected_ms, expected_ms + moved_ms),) if is_step else ()

    def _stepped(self, step: Step) -> Record:
        self.steps += 1
        seconds = (step.to_ms - step.from_ms) / 1000
        detail = f"from {step.from_ms} to {step.to_ms}"
        return self._event(
            EventBody(
                self._new_eid(), "clock_step", SEVERITY, "raised", value=seconds, detail=detail
            )
        )

    def _judge_sync(self, records: list[Record], changes: list[StateChange]) -> None:
        now = self._seen.at_s
        if self._clock.quality() is not TimeQuality.UNSYNC:
            self._unsync_since = None
            if self._unsync_eid is not None:
                records.append(self._unsync("cleared", self._unsync_eid))
                changes.append(StateChange(ROOM, UNSYNC_KEY, None))
                self._unsync_eid = None
            return
        if self._unsync_since is None:
            self._unsync_since = now
        if self._unsync_eid is None and now - self._unsync_since >= UNSYNC_AFTER_S:
            self._unsync_eid = self._new_eid()
            records.append(self._unsync("raised", self._unsync_eid))
            changes.append(StateChange(ROOM, UNSYNC_KEY, self._unsync_eid))

    def _unsync(self, state: str, eid: str) -> Record:
        detail = "no time of day" if self._seen.is_provisional else None
        return self._event(EventBody(eid, "clock_unsync", SEVERITY, state, detail=detail))

    def _event(self, body: EventBody) -> Record:
        return Record(GATEWAY_ITSELF, self._seen.wall_ms, self._clock.quality(), body)

    def _save_floor(self) -> None:
        """Remember a time that has certainly passed; one that nobody vouches for is none."""
        self._saved_at = self._seen.at_s
        if self._clock.quality() is TimeQuality.SYNC:
            save_floor(self._floor, self._clock.now_ms())


def _closed(span: Span, last_seq: int) -> Span:
    """Return a span of an earlier run; it ends with that run at the latest."""
    return span if span.last is not None else replace(span, last=last_seq)


def read_floor(state: Path) -> int:
    """Return the last time that was remembered in the state folder, in UTC ms; 0 for none."""
    try:
        return int((state / FLOOR_NAME).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def save_floor(file: Path, now_ms: int) -> None:
    """Write the time, whole or not at all. That it fails is no reason to stop."""
    fresh = file.with_name(f"{file.name}.new")
    try:
        with fresh.open("w", encoding="ascii") as out:
            out.write(str(now_ms))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError:
        return  # an older floor is a floor as well
