"""Who lives on a line: units are made from devices, kept over a reload, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from gateway.bus.core import LineCore
from gateway.bus.cost import driver_of, job_s, line_cost
from gateway.bus.schedule import Entry
from gateway.bus.stats import LineStats, UnitStats
from gateway.bus.unit import Read, Unit, group_units, is_same, reads_of
from gateway.settings.site import Device

_SPREAD = 0.6180339887498949
"""The golden ratio: its multiples, less their whole parts, lie evenly however many there are."""

FULL_SHARE = 0.5
"""From this share of a serial line's time on, order serves better than spread."""
NETWORK_SLOT_S = 1.0
"""A network carries a burst without harm, and waking up once for many reads costs a fraction of
waking up for each (measured: half the processor time at 32 reads a second). A serial line gets
the finest spread there is."""


class Roster:
    """Keeps the units of a line and their places in the schedule."""

    def __init__(self, core: LineCore) -> None:
        """Begin with nobody."""
        self._core = core
        self._places = count()

    def apply(self, devices: Sequence[Device]) -> None:
        """Serve these devices. Units that did not change keep schedule, health and times."""
        core = self._core
        mine = [device for device in devices if device.line == core.line.name]
        before = core.units
        after = {u.key: u for u in group_units(core.line, mine, core.character_s)}
        # What cannot be planned must show before anything is given up.
        planned: dict[Unit, list[Read]] = {}
        for key, unit in after.items():
            old = before.get(key)
            if old is not None and is_same(old.devices, unit.devices):
                old.devices = unit.devices
                after[key] = old
            else:
                planned[unit] = reads_of(core.line, unit, core.character_s)
        for key, old in before.items():
            if after.get(key) is not old:
                self._retire(old, after.get(key))
        core.units = after
        self._enter(planned)

    def stats(self) -> LineStats:
        """Return the line's counters."""
        core = self._core
        counters = core.counters
        now = core.time()
        return LineStats(
            line=core.line.name,
            is_up=bool(core.is_up),
            uptime_s=now - counters.started,
            requests=counters.requests,
            replies=counters.replies,
            readings=counters.readings,
            errors=tuple(sorted(counters.errors.items())),
            useful_s=counters.useful_s,
            busy_s=counters.busy_s,
            load_percent=counters.load_percent(now, max(1, core.line.in_flight)),
            round_trip_s=counters.useful_s / counters.replies if counters.replies else 0.0,
            round_trip_max_s=counters.round_trip_max_s,
            missed=core.schedule.missed,
            bytes_skipped=counters.bytes_skipped,
            units=tuple(_unit_stats(unit) for unit in core.units.values()),
        )

    def _retire(self, old: Unit, heir: Unit | None) -> None:
        """Take a unit out of service; its heir, the same unit with other points, knows it."""
        core = self._core
        for entry in old.entries:
            core.schedule.drop(entry)
        old.entries.clear()
        if old in core.dead:
            core.dead.remove(old)
            if heir is not None:
                core.dead.append(heir)
        if heir is not None:
            heir.health = old.health
            heir.fault = old.fault
            heir.probe = old.probe
            heir.not_before = old.not_before
            if not heir.response.is_fixed and not old.response.is_fixed:
                heir.response = old.response

    def _share(self, reads: Sequence[Read]) -> float:
        """Return how much of a serial line's time these reads need, 1 being all; 0 on networks."""
        core = self._core
        if not core.character_s:
            return 0.0
        return sum(
            job_s(
                read.plan.job,
                line_cost(core.line, driver_of(read.plan.protocol).wire, core.character_s),
            )
            / read.plan.rule.seconds
            for read in reads
        )

    def _place(self, period_s: float) -> float:
        """Return the next place within a period, in [0, 1)."""
        place = next(self._places) * _SPREAD % 1.0
        if self._core.character_s:
            return place
        slots = max(1, round(period_s / NETWORK_SLOT_S))
        return int(place * slots) / slots

    def _enter(self, planned: dict[Unit, list[Read]]) -> None:
        core = self._core
        now = core.time()
        is_full = self._share([read for reads in planned.values() for read in reads]) >= FULL_SHARE
        for unit, reads in planned.items():
            for read in reads:
                entry = Entry(read, read.plan.rule, read.plan.priority)
                read.entry = entry
                unit.entries.append(entry)
                spread = None if is_full else self._place(read.plan.rule.seconds)
                core.schedule.add(entry, now, spread)
            if unit.health.is_dead:
                core.say_unit(unit, is_online=False, why=unit.fault)
            elif unit.health.was_seen:
                core.say_unit(unit, is_online=True, why="answers")


def _unit_stats(unit: Unit) -> UnitStats:
    return UnitStats(
        unit=str(unit.key),
        devices=tuple(device.id for device in unit.devices),
        is_online=unit.said_online is True,
        requests=unit.counters_requests,
        replies=unit.counters_replies,
        errors=unit.counters_errors,
        response_s=unit.response.mean_s,
        timeout_s=unit.response.timeout_s,
        missed=sum(entry.missed for entry in unit.entries),
    )
