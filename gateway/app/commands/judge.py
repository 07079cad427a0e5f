"""One command against the site: what it asks for, when everything about it is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.commands.admit import Admission, Moment
from gateway.commands.arming import Arming, check_armable
from gateway.commands.calls import written_by
from gateway.commands.limits import Interlocks, Rates, Write, check_value
from gateway.model.command import Command, CommandRefused, Op
from gateway.model.ids import PointId
from gateway.model.reading import Value
from gateway.model.record import StateChange
from gateway.model.sample import Raw
from gateway.normalise.write import to_raw
from gateway.rules.report import point_of
from gateway.settings.site import Device, EventRule, Point, Site

Standing: TypeAlias = Callable[[], Mapping[str, str]]
"""Gives the events that stand: `device/point/type` to event id."""


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Points to read now."""

    device: Device
    points: tuple[PointId, ...]


@dataclass(frozen=True, slots=True)
class WritePlan:
    """A value for one point, as the device takes it."""

    write: Write
    raw: Raw


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """A write that comes next, and needs a token."""

    write: Write


@dataclass(frozen=True, slots=True)
class AckPlan:
    """A standing event that somebody has seen; `rule` is None where no profile declares it."""

    device: Device
    point: PointId
    eid: str
    rule: EventRule | None


Plan: TypeAlias = ReadPlan | WritePlan | ArmPlan | AckPlan


@dataclass(frozen=True, slots=True)
class Guards:
    """Everything that may say no."""

    admission: Admission
    arming: Arming
    rates: Rates
    interlocks: Interlocks


class Judge:
    """Says whether a command may be carried out, and what that means. Does nothing itself."""

    def __init__(self, site: Site, guards: Guards, standing: Standing) -> None:
        """Take the site, the guards, and what knows the standing events."""
        self.site = site
        self._guards = guards
        self._standing = standing

    def use(self, site: Site) -> None:
        """Take a reloaded site, its allow-list with it."""
        self.site = site
        self._guards.admission.settings = site.commands

    def judge(self, command: Command, at: Moment) -> Plan:
        """Return what is to be done.

        Raises:
            Repeated: its `rid` was seen before.
            CommandRefused: it may not; the code says why.
        """
        admission = self._guards.admission
        admission.check_time(command, at)
        match command.op:
            case Op.READ:
                plan = self._read(command, at)
            case Op.SET | Op.CALL:
                plan = self._write(command, at)
            case Op.ARM:
                plan = self._arm(command, at)
            case Op.EVENT_ACK:
                plan = self._ack(command, at)
        admission.check_rate(at.now)
        return plan

    def again(self, write: Write, at: Moment) -> None:
        """Look at the interlock once more, as late as can be.

        Raises:
            CommandRefused: it locks now.
        """
        self._guards.interlocks.check(write.rule, self.site.all_devices, at.now_ms)

    def spend(self, write: Write, at: Moment) -> tuple[StateChange, ...]:
        """Note that the write is about to happen; return what to save with its audit record."""
        self._guards.arming.spend(write)
        return self._guards.rates.note(write, at.now_ms, self.site.commands.allow)

    def arm(self, write: Write, at: Moment) -> str:
        """Return a token for the write."""
        return self._guards.arming.arm(write, at.now)

    # --- one method for each op

    def _read(self, command: Command, at: Moment) -> ReadPlan:
        for point in command.points or (PointId("*"),):
            self._guards.admission.rule(command, point, at)
        device = self._device(command)
        for point in command.points:
            self._point(device, point)
        published = tuple(point.id for point in device.points if point.is_published)
        return ReadPlan(device, command.points or published)

    def _write(self, command: Command, at: Moment) -> WritePlan:
        plan = self._looked_up(command, at)
        write = plan.write
        self._guards.arming.check(write, at.now)
        self.again(write, at)
        self._guards.rates.check(write, at.now_ms)
        return plan

    def _arm(self, command: Command, at: Moment) -> ArmPlan:
        write = self._looked_up(command, at).write
        check_armable(write)
        return ArmPlan(write)

    def _ack(self, command: Command, at: Moment) -> AckPlan:
        self._guards.admission.check_device(command)
        device = self._device(command)
        for key, eid in self._standing().items():
            of_device, point, type_ = key.split("/", 2)
            if eid == command.event and of_device == command.device:
                self._guards.admission.rule(command, PointId(point), at)
                found = point_of(device, PointId(point))
                rules = () if found is None else found.events
                declared = next((rule for rule in rules if rule.type == type_), None)
                return AckPlan(device, PointId(point), eid, declared)
        raise CommandRefused("no_event", f"no event {command.event} stands on {device.id}")

    def _looked_up(self, command: Command, at: Moment) -> WritePlan:
        id_, value = self._asked(command)
        rule = self._guards.admission.rule(command, id_, at)
        device = self._device(command)
        point = self._point(device, id_)
        raw = to_raw(point, value)
        write = Write(command, device, point, value, rule)
        check_value(write)
        return WritePlan(write, raw)

    def _asked(self, command: Command) -> tuple[PointId, Value]:
        if command.op is Op.CALL:
            self._guards.admission.check_device(command)
            return written_by(self._device(command), command)
        if len(command.values) != 1:
            raise CommandRefused("one_point", f"`{command.op}` takes exactly one point")
        return command.values[0]

    def _device(self, command: Command) -> Device:
        is_ack = command.op is Op.EVENT_ACK  # what is derived has events, and no line to it
        device = (self.site.all_devices if is_ack else self.site.devices).get(command.device)
        if device is None:
            raise CommandRefused("no_device", f"there is no device {command.device}")
        return device

    @staticmethod
    def _point(device: Device, id_: PointId) -> Point:
        point = point_of(device, id_)
        if point is None:
            raise CommandRefused("no_point", f"{device.id} has no point {id_}")
        return point
