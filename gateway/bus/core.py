"""The state of one line, and what it says to the others: samples, device states, line states."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.contract import (
    DeviceRefused,
    DriverError,
    FrameError,
    Raw,
)
from gateway.bus.around import Around
from gateway.bus.asks import Ask
from gateway.bus.breaker import LineWatch, ProbeBudget
from gateway.bus.exchange import Limits
from gateway.bus.quarantine import Quarantine
from gateway.bus.response import MARGIN_S, contact_timeout_s
from gateway.bus.schedule import Schedule
from gateway.bus.stats import Counters
from gateway.bus.unit import Read, Unit, UnitKey, patience_of
from gateway.model.clock import Clock
from gateway.model.quality import Reason, refused
from gateway.model.sample import DeviceState, LineState, Samples
from gateway.settings.site import Line

log = logging.getLogger(__name__)

LINE_SILENT = "silent"
"""`why` of a line whose pipe is there but where nobody answers."""


PROBE_CUT_S = 0.25
"""Longest wait of a probe that takes time from live units."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A look at a dead unit, and how long it may take."""

    unit: Unit
    limits: Limits


class Moment:
    """Turns loop time into UTC milliseconds, as of now."""

    __slots__ = ("_loop_s", "_wall_ms")

    def __init__(self, clock: Clock, loop_s: float) -> None:
        """Take both times at once."""
        self._loop_s = loop_s
        self._wall_ms = clock.now_ms()

    def ms(self, at: float) -> int:
        """Return the UTC ms of a loop time that is not long ago."""
        return self._wall_ms - round((self._loop_s - at) * 1000)


class LineCore:
    """What the parts of a line share. One task uses it."""

    def __init__(self, line: Line, around: Around) -> None:
        """Begin with no units."""
        self.line = line
        self.clock = around.clock
        self.output = around.output
        self.schedule = Schedule[Read](around.zone)
        self.time = asyncio.get_running_loop().time
        self.units: dict[UnitKey, Unit] = {}
        self.quarantine = Quarantine()
        self.watch = LineWatch()
        now = self.time()
        self.budget = ProbeBudget(now)
        self.counters = Counters(now)
        self.asks: deque[Ask] = deque()
        self.dead: list[Unit] = []
        self.character_s = 0.0
        self.is_up: bool | None = None
        """What was said of the link; None before it was tried."""

    # --- saying ------------------------------------------------------------------------------

    def values(
        self, read: Read, values: Sequence[Raw | None], begun_at: float, taken_at: float
    ) -> None:
        """Hand on what a read brought."""
        for samples in self.samples_of(read, values, begun_at, taken_at):
            self.output.put_samples(samples)
        self.counters.readings += len(values)

    def samples_of(
        self, read: Read, values: Sequence[Raw | None], begun_at: float, taken_at: float
    ) -> list[Samples]:
        """Return what a read brought, shared out to its devices."""
        if len(values) != len(read.plan.job.keys):
            raise ValueError(f"{read.plan.job.describe()}: {len(values)} values for its keys")
        moment = Moment(self.clock, self.time())
        begun_ms = moment.ms(begun_at)
        taken_ms = moment.ms(taken_at)
        tq = self.clock.quality()
        row = tuple(values)
        return [
            Samples(
                part.device,
                part.points,
                row if part.pick is None else tuple([row[place] for place in part.pick]),
                None,
                begun_ms,
                taken_ms,
                tq,
            )
            for part in read.plan.parts
        ]

    def no_values(self, read: Read, fault: str) -> None:
        """Hand on that a read brought nothing, and why."""
        now_ms = self.clock.now_ms()
        tq = self.clock.quality()
        for part in read.plan.parts:
            self.output.put_samples(
                Samples(part.device, part.points, (), fault, now_ms, now_ms, tq)
            )

    def say_line(self, *, is_up: bool, why: str) -> None:
        """Tell that the line went up or down."""
        self.output.put_line_state(
            LineState(self.line.name, is_up, why, self.clock.now_ms(), self.clock.quality())
        )
        log.log(
            logging.INFO if is_up else logging.WARNING,
            "line %s: %s",
            "up" if is_up else "down",
            why,
            extra={"line": self.line.name},
        )

    def say_unit(self, unit: Unit, *, is_online: bool, why: str) -> None:
        """Tell that the devices of a unit went online or offline, when that is new."""
        if unit.said_online is is_online:
            return
        unit.said_online = is_online
        now_ms = self.clock.now_ms()
        tq = self.clock.quality()
        for device in unit.devices:
            self.output.put_device_state(DeviceState(device.id, is_online, why, now_ms, tq))
            if not self.watch.is_dead:
                level = logging.INFO if is_online else logging.WARNING
                state = "online" if is_online else "offline"
                log.log(level, "device %s: %s", state, why, extra={"device": device.id})

    # --- health ------------------------------------------------------------------------------

    def answered(self, unit: Unit) -> None:
        """Note that a unit answered a poll."""
        if unit.health.succeeded():
            self._revived(unit)
        if self.watch.answered():
            self._line_revived()

    def silent(self, unit: Unit, fault: str) -> None:
        """Note that a poll of a unit failed, its retries included."""
        unit.fault = fault
        now = self.time()
        if self.watch.failed(unit.key, self.units):
            self.say_line(is_up=False, why=LINE_SILENT)
            for each in self.units.values():
                self._give_up(each, now)
        elif unit.health.failed(now):
            self._offline(unit)

    def probed(self, unit: Unit, *, has_answered: bool, cost_s: float) -> None:
        """Note how a probe of a dead unit went."""
        now = self.time()
        if not has_answered:
            unit.health.probe_failed(now)
            self.budget.spend(now, cost_s)
            return
        unit.health.half_opened()
        self.dead.remove(unit)
        for entry in unit.entries:
            self.schedule.hurry(entry, now)
        if self.watch.answered():
            self._line_revived()

    def broken(self, unit: Unit, why: str) -> None:
        """Give a unit up whose driver failed, for as long as a dead one."""
        unit.fault = Reason.CONFIG
        unit.health.failures = 1 << 16
        if unit.health.failed(self.time()):
            self._offline(unit, why)

    def due_probe(self, now: float) -> Probe | None:
        """Return the dead unit to be looked for now, if the line has time for it.

        Time that nobody else wants is free; otherwise it must be in the budget, and the wait is
        cut, so that it delays nobody for long.
        """
        unit = min(self.dead, key=_probe_at)
        if unit.health.probe_at > now:
            return None
        limits = self.limits(unit)
        next_at = self.schedule.next_at(now)
        if next_at is None or next_at - now >= _probe_cost_s(unit, limits):
            return Probe(unit, limits)
        self._cut(unit, limits)
        self.budget.adapt(now, self.counters.load_percent(now))
        may_pay = self.budget.allows(now, _probe_cost_s(unit, limits))
        return Probe(unit, limits) if may_pay else None

    def due_probe_aside(self, now: float) -> Probe | None:
        """Return the dead unit to be looked for where that takes no time from others."""
        unit = min(self.dead, key=_probe_at)
        return Probe(unit, self.limits(unit)) if unit.health.probe_at <= now else None

    def next_probe_at(self, now: float) -> float | None:
        """Return when a probe may be due while nothing else is."""
        if not self.dead:
            return None
        unit = min(self.dead, key=_probe_at)
        if unit.health.probe_at > now:
            return unit.health.probe_at
        limits = self.limits(unit)
        self._cut(unit, limits)
        return self.budget.allowed_at(now, _probe_cost_s(unit, limits))

    def _cut(self, unit: Unit, limits: Limits) -> None:
        needs_s = 1.5 * unit.response.slowest_s + MARGIN_S
        limits.timeout_s = min(limits.timeout_s, max(PROBE_CUT_S, needs_s))

    # --- waiting -----------------------------------------------------------------------------

    def limits(self, unit: Unit) -> Limits:
        """Return how an exchange with the unit has to be done now."""
        response, wire = unit.response, unit.driver.wire
        silence_s, gap_s = unit.timing.silence_s, wire.longest_gap_s
        if response.count or response.is_fixed:
            return Limits(silence_s, response.timeout_s, response.fastest_s, gap_s)
        patience = patience_of(self.character_s, wire.longest_response_s)
        slowest_s = self._neighbours_slowest_s(unit.key.protocol)
        timeout_s = contact_timeout_s(slowest_s, unit.health.probes, patience)
        return Limits(silence_s, timeout_s, gap_s=gap_s)

    def _neighbours_slowest_s(self, protocol: str) -> float | None:
        """Return the slowest response of units that speak it: a meter is no sensor's neighbour."""
        measured = [
            unit.response.slowest_s
            for unit in self.units.values()
            if unit.response.count and unit.key.protocol == protocol
        ]
        return max(measured, default=None)

    def heard_late(self, unit_key: object, after_s: float) -> None:
        """Learn from a late reply that was caught."""
        self.counters.tell("late")
        for unit in self.units.values():
            if unit.key.unit == unit_key:
                unit.response.came_late(after_s)
                unit.health.look_now(self.time())

    # --- private -----------------------------------------------------------------------------

    def _revived(self, unit: Unit) -> None:
        if unit in self.dead:
            self.dead.remove(unit)
        self.say_unit(unit, is_online=True, why="answers")

    def _line_revived(self) -> None:
        self.say_line(is_up=True, why="answers")
        now = self.time()
        for unit in self.dead:
            unit.health.look_now(now)

    def _give_up(self, unit: Unit, now: float) -> None:
        unit.health.failures = 1 << 16
        if unit.health.failed(now):
            self._offline(unit, f"line {LINE_SILENT}")

    def _offline(self, unit: Unit, why: str | None = None) -> None:
        self.dead.append(unit)
        if unit.probe is None and unit.entries:
            unit.probe = unit.driver.probe(unit.key.unit, unit.entries[0].what.plan.job)
        self.say_unit(unit, is_online=False, why=why or unit.fault)


def _probe_cost_s(unit: Unit, limits: Limits) -> float:
    """Return the line time of a probe that nobody answers."""
    times = unit.timing
    return times.silence_s + 8 * times.char_s + limits.timeout_s


def _probe_at(unit: Unit) -> float:
    return unit.health.probe_at


def fault_of(error: DriverError) -> str:
    """Return the reason of a bad reading after this error."""
    if isinstance(error, FrameError):
        return error.fault.value
    if isinstance(error, DeviceRefused):
        return refused(error.code)
    return Reason.TIMEOUT.value
