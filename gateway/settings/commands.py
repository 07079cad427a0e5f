"""`commands:` -> what the guarded path of commands reads, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase

from gateway.model.ids import DeviceId, PointId
from gateway.model.reading import Value
from gateway.settings.checking import Spot
from gateway.settings.models.commands import AllowEntry, CommandsEntry, InterlockEntry
from gateway.settings.problems import Problems, advice, shown
from gateway.settings.site import Device, Point, ValueType
from gateway.settings.site_commands import Allow, Commands, Interlock


def make_commands(entry: CommandsEntry) -> Commands:
    """Return what platforms may do."""
    return Commands(tuple(_allow(one) for one in entry.allow), entry.max_per_minute)


def _allow(entry: AllowEntry) -> Allow:
    low, high = entry.range or (None, None)
    return Allow(
        entry.device,
        tuple(entry.points),
        tuple(entry.ops),
        tuple(entry.sinks),
        tuple(entry.by),
        minimum=low,
        maximum=high,
        step=entry.step,
        values=tuple(entry.values),
        every_s=entry.every,
        max_per_hour=entry.max_per_hour,
        max_valid_s=entry.max_valid,
        unless=tuple(_interlock(one) for one in entry.unless),
        only_if=tuple(_interlock(one) for one in entry.only_if),
        is_dangerous=entry.dangerous,
        arm=entry.arm,
    )


def _interlock(entry: InterlockEntry) -> Interlock:
    device, _, point = entry.point.partition("/")
    return Interlock(
        DeviceId(device),
        PointId(point),
        entry.equals,
        entry.above,
        entry.below,
        entry.max_age,
    )


class CommandsCheck:
    """Says what of an allow-list allows nothing, locks nothing, or promises what cannot be."""

    def __init__(
        self,
        devices: Mapping[str, Device],
        known: Collection[str],
        sinks: Collection[str],
        problems: Problems,
    ) -> None:
        """Take the devices that run, all that the file names, and the platforms."""
        self._devices = devices
        self._known = known
        self._sinks = sinks
        self._problems = problems

    def check(self, commands: Commands, spot: Spot) -> None:
        """Report what is wrong; `spot` is `commands:` in the file."""
        for index, allow in enumerate(commands.allow):
            place = spot.at("allow", index)
            self._check_names(allow, place)
            self._check_points(allow, place)
            self._check_interlocks(allow, place)
            if {"set", "call"}.intersection(allow.ops):
                self._check_dangerous(allow, place)
                self._check_values(allow, place)

    def _check_names(self, allow: Allow, place: Spot) -> None:
        if not any(fnmatchcase(device, allow.device) for device in self._known):
            at = place.at("device")
            self._problems.add("LG-SITE-05", at.where, at.text, pattern=allow.device)
        for number, pattern in enumerate(allow.sinks):
            if pattern != "*" and not any(fnmatchcase(sink, pattern) for sink in self._sinks):
                at, hint = place.at("sinks", number), advice(pattern, self._sinks)
                self._problems.add("LG-SITE-06", at.where, at.text, name=pattern, advice=hint)

    def _check_points(self, allow: Allow, place: Spot) -> None:
        """A pattern that reaches nothing allows nothing; devices that do not run have no points."""
        meant = [one for one in self._known if fnmatchcase(one, allow.device)]
        if not meant or any(one not in self._devices for one in meant):
            return
        points = [point for one in meant for point in self._devices[one].points]
        reached = {point.id for point in points if _is_reached(allow, point)}
        for number, pattern in enumerate(allow.points):
            if not any(fnmatchcase(point, pattern) for point in reached):
                at, hint = place.at("points", number), advice(pattern, reached)
                facts = {"pattern": pattern, "ops": ", ".join(allow.ops), "advice": hint}
                self._problems.add("LG-CMD-08", at.where, at.text, **facts)

    def _check_interlocks(self, allow: Allow, place: Spot) -> None:
        for key, locks in (("unless", allow.unless), ("only_if", allow.only_if)):
            for number, lock in enumerate(locks):
                at = place.at(key, number) if len(locks) > 1 else place.at(key)
                self._check_interlock(lock, at)

    def _check_interlock(self, lock: Interlock, at: Spot) -> None:
        """An interlock that can never be known would refuse everything, which looks like safety."""
        device = self._devices.get(lock.device)
        if device is None:
            if lock.device not in self._known:
                name, hint = lock.device, advice(lock.device, self._known)
                self._problems.add("LG-CMD-03", at.where, at.text, name=name, advice=hint)
            return
        point = next((one for one in device.points if one.id == lock.point), None)
        if point is None or not point.is_readable:
            ids = [one.id for one in device.points if one.is_readable]
            facts = {"name": f"{lock.device}/{lock.point}", "advice": advice(lock.point, ids)}
            self._problems.add("LG-CMD-03", at.where, at.text, **facts)
        elif not _can_hold(lock, point):
            facts = {"name": f"{lock.device}/{lock.point}", "type": point.type.value}
            self._problems.add("LG-CMD-04", at.where, at.text, **facts)

    def _check_dangerous(self, allow: Allow, place: Spot) -> None:
        if allow.is_dangerous:
            return
        for device, point in self._covered(allow):
            if point.write is not None and point.write.is_dangerous:
                name = f"{device.id}/{point.id}"
                self._problems.add("LG-CMD-05", place.where, place.text, name=name)
                return

    def _check_values(self, allow: Allow, place: Spot) -> None:
        covered = list(self._covered(allow))
        for number, value in enumerate(allow.values):
            if covered and not any(_takes(point, value) for _, point in covered):
                at = place.at("values", number)
                self._problems.add("LG-CMD-06", at.where, at.text, found=shown(value))
        if allow.minimum is None and allow.maximum is None and allow.step is None:
            return
        if covered and not any(_is_number(point) for _, point in covered):
            at = place.at("range" if place.has("range") else "step")
            self._problems.add("LG-CMD-07", at.where, at.text)

    def _covered(self, allow: Allow) -> Iterator[tuple[Device, Point]]:
        for device in self._devices.values():
            if fnmatchcase(device.id, allow.device):
                for point in device.points:
                    if point.write and any(fnmatchcase(point.id, p) for p in allow.points):
                        yield device, point


def _is_reached(allow: Allow, point: Point) -> bool:
    """Whether some op of a line does anything with a point."""
    can = {
        "set": point.write is not None,
        "call": point.write is not None and point.is_command,
        "read": point.is_readable,
        "event_ack": True,
    }
    return any(can[op] for op in allow.ops)


def _is_number(point: Point) -> bool:
    return point.type in {ValueType.INT, ValueType.FLOAT}


def _can_hold(lock: Interlock, point: Point) -> bool:
    """Whether some value of the point could meet the condition."""
    if lock.equals is None:
        return _is_number(point)
    match point.type:
        case ValueType.BOOL:
            return isinstance(lock.equals, bool)
        case ValueType.ENUM:
            return lock.equals in point.enum.values()
        case ValueType.TEXT:
            return isinstance(lock.equals, str)
        case ValueType.INT | ValueType.FLOAT:
            return isinstance(lock.equals, int | float) and not isinstance(lock.equals, bool)


def _takes(point: Point, value: Value) -> bool:
    """Whether the profile lets this value be written."""
    rule = point.write
    if rule is None or (rule.allowed and value not in rule.allowed):
        return False
    if not _can_hold(Interlock(DeviceId(""), point.id, equals=value), point):
        return False
    if isinstance(value, bool | str):
        return True
    return (rule.minimum is None or value >= rule.minimum) and (
        rule.maximum is None or value <= rule.maximum
    )
