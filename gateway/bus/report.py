"""What a line will carry, for `linli plan`: its exchanges, its load, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.contract import Job
from gateway.bus.cost import driver_of, job_s, line_cost, load_percent, session_driver_of
from gateway.bus.plan import PlannedRead, plan_reads
from gateway.model.ids import DeviceId, LineName
from gateway.settings.site import (
    Device,
    Line,
    PollRule,
    Priority,
    SerialPort,
)

COMFORTABLE_PERCENT = 80.0
"""Load up to which retries and commands still find room."""


USUAL_BAUDS = (9600, 19200, 38400, 57600, 115_200)


@dataclass(frozen=True, slots=True)
class JobReport:
    """One read of the plan."""

    unit: str
    devices: tuple[DeviceId, ...]
    points: int
    describe: str
    frame: str
    """The first request, in hex."""
    exchanges: int
    seconds: float
    period_s: float
    is_at_mark: bool
    priority: Priority
    load_percent: float


@dataclass(frozen=True, slots=True)
class GroupReport:
    """All reads of one period and priority."""

    period_s: float
    is_at_mark: bool
    priority: Priority
    jobs: int
    cycle_s: float
    """Seconds that one round of them takes."""
    load_percent: float


@dataclass(frozen=True, slots=True)
class LineReport:
    """A line's plan."""

    line: LineName
    jobs: tuple[JobReport, ...]
    groups: tuple[GroupReport, ...]
    cycle_s: float
    """Seconds that one run of every job takes."""
    load_percent: float
    impossible_s: float | None
    """The first (shortest) period that cannot be met, or None when all can."""
    possible_s: float | None
    """The period that could be met in its place, everything else unchanged."""
    remedies: tuple[str, ...]


def plan_report(line: Line, devices: Sequence[Device]) -> LineReport:
    """Return what the line will carry when it reads these devices.

    Raises:
        LookupError: a device's protocol has no driver.
    """
    if session_driver_of(line.protocol) is not None:
        devices = ()  # they speak by themselves, so nothing is planned
    mine = [device for device in devices if device.line == line.name]
    reads = plan_reads(mine, driver_of, lambda name: line_cost(line, driver_of(name).wire))
    pauses = {device.id: device.quirks.pause_s for device in mine}
    jobs = tuple(_job_report(line, read, pauses) for read in reads)
    groups = _groups(jobs)
    total = sum(group.load_percent for group in groups)
    impossible, possible = _first_unmet(groups, _capacity(line))
    return LineReport(
        line=line.name,
        jobs=jobs,
        groups=groups,
        cycle_s=sum(job.seconds for job in jobs),
        load_percent=total,
        impossible_s=impossible,
        possible_s=possible,
        remedies=_remedies(line, total, impossible, possible),
    )


def _capacity(line: Line) -> float:
    """Return the percent of load that the line carries: several in flight count as several."""
    return 100.0 * max(1, line.in_flight)


def _job_report(line: Line, read: PlannedRead, pauses: dict[DeviceId, float]) -> JobReport:
    cost = line_cost(line, driver_of(read.protocol).wire)
    pause_s = max(pauses[part.device] for part in read.parts)
    seconds = job_s(read.job, cost, pause_s)
    is_at_mark, period_s = _period(read.rule)
    return JobReport(
        unit=str(read.unit),
        devices=tuple(part.device for part in read.parts),
        points=len(read.job.keys),
        describe=read.job.describe(),
        frame=_first_frame(read.job),
        exchanges=read.job.exchanges,
        seconds=seconds,
        period_s=period_s,
        is_at_mark=is_at_mark,
        priority=read.priority,
        load_percent=load_percent(seconds, period_s),
    )


def _period(rule: PollRule) -> tuple[bool, float]:
    """Return whether the rule means wall-clock marks, and its seconds."""
    return type(rule).__name__ == "At", rule.seconds


def _first_frame(job: Job) -> str:
    steps = job.steps()
    frame = next(steps).request.hex(" ").upper()
    steps.close()
    return frame


def _groups(jobs: Sequence[JobReport]) -> tuple[GroupReport, ...]:
    members: dict[tuple[float, bool, Priority], list[JobReport]] = {}
    for job in jobs:
        members.setdefault((job.period_s, job.is_at_mark, job.priority), []).append(job)
    reports = [
        GroupReport(
            period_s=period_s,
            is_at_mark=is_at_mark,
            priority=priority,
            jobs=len(mine),
            cycle_s=sum(job.seconds for job in mine),
            load_percent=sum(job.load_percent for job in mine),
        )
        for (period_s, is_at_mark, priority), mine in members.items()
    ]
    return tuple(sorted(reports, key=lambda group: (group.period_s, group.priority)))


def _first_unmet(
    groups: Sequence[GroupReport], capacity: float
) -> tuple[float | None, float | None]:
    """Return the shortest period that cannot be met, and what could be met in its place."""
    total = sum(group.load_percent for group in groups)
    if total <= capacity:
        return None, None
    shortest = min(group.period_s for group in groups)
    own = sum(group.load_percent for group in groups if group.period_s == shortest)
    left = capacity * COMFORTABLE_PERCENT / 100.0 - (total - own)
    if left <= 0:
        return shortest, None
    return shortest, shortest * own / left


def _remedies(
    line: Line, total: float, impossible: float | None, possible: float | None
) -> tuple[str, ...]:
    """Return what would mend an overloaded line, best first."""
    if impossible is None:
        return ()
    remedies: list[str] = []
    if possible is not None:
        remedies.append(f"poll every {_rounded(possible):g} s instead of {impossible:g} s")
    if isinstance(line.link, SerialPort) and line.link.baud < USUAL_BAUDS[-1]:
        faster = next(baud for baud in USUAL_BAUDS if baud > line.link.baud)
        remedies.append(f"set line and devices to {faster} baud")
    parts = -(-int(total) // int(COMFORTABLE_PERCENT))
    remedies.append(f"share the devices out over {parts} lines")
    return tuple(remedies)


def _rounded(seconds: float) -> float:
    """Round a period up to what a person would write."""
    step = next((s for s in (0.1, 1.0, 5.0, 15.0) if seconds <= s * 100), 60.0)
    return -(-seconds // step) * step
