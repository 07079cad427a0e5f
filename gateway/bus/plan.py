"""From the devices of a line to the reads that serve them, at the least line time.

Points of one unit that are due together go into one planning, also when several logical devices
share the unit, so that one read serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.contract import Job, JobDriver, LineCost, Quirks, Wanted
from gateway.model.ids import DeviceId, PointId
from gateway.settings.site import (
    Device,
    Point,
    PollRule,
    Priority,
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose value a key of a job is."""

    device: DeviceId
    point: PointId


@dataclass(frozen=True, slots=True)
class Part:
    """What one device gets of a job: its points, and where they are among the job's values.

    `pick` is None when the values are its points, all and in order.
    """

    device: DeviceId
    points: tuple[PointId, ...]
    pick: tuple[int, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRead:
    """A job of one unit with all that the line must know to run it and to share out its values."""

    protocol: str
    unit: Hashable
    job: Job
    rule: PollRule
    priority: Priority
    parts: tuple[Part, ...]
    owners: Mapping[int, Owner]

    def split(self) -> tuple[PlannedRead, ...]:
        """Return smaller reads for the same points, or () when the job cannot be split."""
        return tuple(planned(self, job) for job in self.job.split())


def planned(like: PlannedRead, job: Job) -> PlannedRead:
    """Return the read that runs `job`, a part of the plan that `like` came from."""
    parts = share_out(job.keys, like.owners)
    return PlannedRead(like.protocol, like.unit, job, like.rule, like.priority, parts, like.owners)


@dataclass(slots=True)
class _Group:
    """Points that may be planned together."""

    protocol: str
    unit: Hashable
    rule: PollRule
    priority: Priority
    quirks: Quirks
    wanted: list[Wanted] = field(default_factory=list[Wanted])
    owners: dict[int, Owner] = field(default_factory=dict[int, Owner])

    def takes(self, device: Device, point: Point) -> bool:
        """Whether the point of that device may share a read with those here."""
        return (
            self.rule == point.poll
            and self.priority is point.priority
            and self.quirks == device.quirks.driver
        )


def plan_reads(
    devices: Iterable[Device],
    driver: Callable[[str], JobDriver],
    cost: Callable[[str], LineCost],
) -> tuple[PlannedRead, ...]:
    """Return the reads of all devices of a line, in order of units, each unit's together."""
    groups: dict[tuple[str, Hashable], list[_Group]] = {}
    for device in devices:
        of_unit = groups.setdefault((device.protocol, device.unit), [])
        _collect(device, of_unit)
    reads: list[PlannedRead] = []
    for (protocol, _unit), of_unit in groups.items():
        for group in of_unit:
            reads.extend(_plan_group(group, driver(protocol), cost(protocol)))
    return tuple(reads)


def share_out(keys: Sequence[int], owners: Mapping[int, Owner]) -> tuple[Part, ...]:
    """Return what each device gets of values that come in the order of `keys`."""
    places: dict[DeviceId, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(owners[key].device, []).append(place)
    parts: list[Part] = []
    for device, mine in places.items():
        points = tuple(owners[keys[place]].point for place in mine)
        parts.append(Part(device, points, None if len(places) == 1 else tuple(mine)))
    return tuple(parts)


def _collect(device: Device, groups: list[_Group]) -> None:
    """Add the readable points of a device to the groups of its unit."""
    by_id = {point.id: point for point in device.points}
    serving = {p.scale_from.point for p in device.points if p.scale_from and p.is_readable}
    keys: dict[tuple[int, PointId], int] = {}
    for point in device.points:
        only_serves = not point.is_published and point.id in serving
        if not point.is_readable or only_serves:
            continue
        group = _group_for(device, point, groups)
        tied_to = None
        if point.scale_from is not None and point.scale_from.point in by_id:
            source = by_id[point.scale_from.point]
            tied_to = _add(group, Owner(device.id, source.id), source, keys)
        key = _add(group, Owner(device.id, point.id), point, keys)
        if tied_to is not None:
            group.wanted[key] = Wanted(key, point.address, tied_to)


def _group_for(device: Device, point: Point, groups: list[_Group]) -> _Group:
    """Return the group that takes the point, a new one when none does."""
    for group in groups:
        if group.takes(device, point):
            return group
    driver_quirks = device.quirks.driver
    group = _Group(device.protocol, device.unit, point.poll, point.priority, driver_quirks)
    groups.append(group)
    return group


def _add(group: _Group, owner: Owner, point: Point, keys: dict[tuple[int, PointId], int]) -> int:
    """Want the point in this group once; return its key, which is its place among the wanted."""
    known = keys.get((id(group), point.id))
    if known is not None:
        return known
    key = len(group.wanted)
    keys[id(group), point.id] = key
    group.wanted.append(Wanted(key, point.address))
    group.owners[key] = owner
    return key


def _plan_group(group: _Group, driver: JobDriver, cost: LineCost) -> list[PlannedRead]:
    """Let the driver plan one group, and share out the keys of its jobs."""
    return [
        PlannedRead(
            group.protocol,
            group.unit,
            job,
            group.rule,
            group.priority,
            share_out(job.keys, group.owners),
            group.owners,
        )
        for job in driver.plan(group.unit, group.wanted, group.quirks, cost)
    ]
