"""All rules one after the other, each over what the ones before it left of a batch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any

from gateway.model.ids import DeviceId
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import EventBody, StateChange
from gateway.rules.contract import NOTHING, Orphan, Raised, Rule, RuleSpec, Setup
from gateway.rules.registry import specs
from gateway.settings.site import Device


class Rules:
    """Every rule of the folder. A job that none of them watches costs one look-up."""

    def __init__(
        self,
        devices: Mapping[DeviceId, Device],
        saved: Callable[[str], Mapping[str, Any]],
        new_eid: Callable[[], str],
        *,
        zone: tzinfo = UTC,
        rules: Sequence[RuleSpec] | None = None,
    ) -> None:
        """Take the site, what each room said in the last run, and a maker of unique ids."""
        self._rules: tuple[Rule, ...] = tuple(
            spec.make(Setup(devices, saved(spec.room), new_eid, zone))
            for spec in (specs() if rules is None else rules)
        )
        self._watching: dict[tuple[DeviceId, PointColumn], tuple[Rule, ...]] = {}

    def step(self, readings: Readings, now: float) -> Raised:
        """Return what the rules say of a batch, its marks among it. `now` is monotonic seconds."""
        key = (readings.device, readings.column)
        watching = self._watching.get(key)
        if watching is None:
            watching = self._watching[key] = tuple(r for r in self._rules if r.watches(readings))
        if not watching:
            return NOTHING
        events: list[EventBody] = []
        changes: list[StateChange] = []
        before = readings.marks
        for rule in watching:
            said = rule.step(readings, now)
            if said is NOTHING:
                continue
            events.extend(said.events)
            changes.extend(said.changes)
            if said.marks is not None:
                readings = replace(readings, marks=said.marks)
            if said.is_exchanged:
                self._exchanged(readings.device)
        if not (events or changes) and readings.marks is before:
            return NOTHING
        marks = None if readings.marks is before else readings.marks
        return Raised(tuple(events), tuple(changes), marks)

    def replace(
        self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId] = ()
    ) -> None:
        """Take a reloaded site; `touched` devices are gone or changed."""
        self._watching.clear()
        for rule in self._rules:
            rule.replace(devices, touched)

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events that nothing in the site watches any more."""
        return tuple(orphan for rule in self._rules for orphan in rule.orphans())

    def standing(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        return {key: eid for rule in self._rules for key, eid in rule.standing().items()}

    def _exchanged(self, device: DeviceId) -> None:
        for rule in self._rules:
            rule.exchanged(device)
