"""What one line of the allow-list says of a write: values, rate, interlock. All pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

from gateway.model.command import Command, CommandRefused
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Quality
from gateway.model.reading import Reading, Value
from gateway.model.record import StateChange
from gateway.settings.site import Device, Point
from gateway.settings.site_commands import Allow, Interlock

RATES_ROOM = "command_rates"
"""Room name under which the times of the last writes are kept, by device and point."""
HOUR_MS = 3_600_000
"""How far `max_per_hour` looks back, and how far a clock may have been set back since a write."""
FRESH_POLLS = 3
FRESH_S = 5.0
"""A value that is polled faster than this is fresh for so long all the same."""
AHEAD_MS = 2000
"""A reading may seem to lie so far in the future, for a clock that was set back a little."""


@dataclass(frozen=True, slots=True)
class Write:
    """A command that writes, or arms a write, with all that was looked up for it."""

    command: Command
    device: Device
    point: Point
    value: Value
    rule: Allow


def check_value(write: Write) -> None:
    """Return when the line of the allow-list takes this value.

    Raises:
        CommandRefused: it does not; the profile may still have taken it.
    """
    rule, value, name = write.rule, write.value, f"{write.device.id}/{write.point.id}"
    if rule.values and not any(_is_same(value, one) for one in rule.values):
        raise CommandRefused("range", f"{name} may only be set to {list(rule.values)} here")
    if isinstance(value, bool | str):
        return
    if rule.minimum is not None and value < rule.minimum:
        raise CommandRefused("range", f"{name} may not be set below {rule.minimum:g} here")
    if rule.maximum is not None and value > rule.maximum:
        raise CommandRefused("range", f"{name} may not be set above {rule.maximum:g} here")
    if rule.step is not None and not _is_on_step(value, rule.minimum or 0.0, rule.step):
        raise CommandRefused("step", f"{name} is set in steps of {rule.step:g} here")


def _is_same(value: Value, allowed: Value) -> bool:
    return value == allowed and isinstance(value, bool) == isinstance(allowed, bool)


def _is_on_step(value: float, start: float, step: float) -> bool:
    try:
        steps = (Decimal(repr(value)) - Decimal(repr(start))) / Decimal(repr(step))
        return steps == steps.to_integral_value()
    except InvalidOperation:  # NaN, infinity, or more digits than a decimal holds
        return False


# --- how often


class Rates:
    """The last writes, by point: of an hour, or of the time between two; over restarts too."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        """Take what the store kept: `device/point` to times in UTC milliseconds."""
        self._times: dict[str, list[int]] = {key: list(times) for key, times in saved.items()}

    def check(self, write: Write, now_ms: int) -> None:
        """Return when the point may be written again.

        Raises:
            CommandRefused: it was written too lately, or too often.
        """
        rule, key = write.rule, _key(write)
        if rule.every_s is not None:
            wait_s = self._wait_s(key, now_ms, rule.every_s)
            if wait_s > 0:
                raise CommandRefused("rate", f"{key} was set just now; again in {wait_s:.0f} s")
        count = len(self._recent(key, now_ms, HOUR_MS))
        if rule.max_per_hour is not None and count >= rule.max_per_hour:
            raise CommandRefused("rate", f"{key} was set {count} times within an hour")

    def _wait_s(self, key: str, now_ms: int, every_s: float) -> float:
        times = self._recent(key, now_ms, every_s * 1000)
        return every_s - max(0, now_ms - times[-1]) / 1000 if times else 0.0

    def note(self, write: Write, now_ms: int, allow: Sequence[Allow]) -> tuple[StateChange, ...]:
        """Note a write that is about to happen; return what to save with its audit record.

        It counts for every line of the allow-list that limits this point, whichever let it pass.
        """
        key, keep = _key(write), max((_looks_at(rule, write) for rule in allow), default=0)
        if not keep:
            return ()
        times = self._times[key] = [*self._recent(key, now_ms, HOUR_MS), now_ms][-keep:]
        return (StateChange(RATES_ROOM, key, times),)

    def _recent(self, key: str, now_ms: int, within_ms: float) -> list[int]:
        """A time ahead of now was noted by a clock that was set back since: it counts for now."""
        return [at for at in self._times.get(key, ()) if -HOUR_MS < now_ms - at < within_ms]


def _looks_at(rule: Allow, write: Write) -> int:
    """Return how many of the last writes of this point a line looks at."""
    if rule.every_s is None and rule.max_per_hour is None:
        return 0
    is_meant = fnmatchcase(write.device.id, rule.device) and any(
        fnmatchcase(write.point.id, pattern) for pattern in rule.points
    )
    return (rule.max_per_hour or 1) if is_meant else 0


def _key(write: Write) -> str:
    return f"{write.device.id}/{write.point.id}"


# --- interlocks


Shown = Callable[[DeviceId], Sequence[Reading]]
"""Gives the newest reading of every point of a device."""


class Interlocks:
    """Looks at what stands now; what cannot be known locks."""

    def __init__(self, shown: Shown) -> None:
        """Take what gives current values."""
        self._shown = shown

    def check(self, rule: Allow, devices: Mapping[DeviceId, Device], now_ms: int) -> None:
        """Return when nothing locks.

        Raises:
            CommandRefused: `interlock` when a condition forbids it, `interlock_unknown` when the
                value that it needs is missing, bad or old.
        """
        for lock in rule.unless:
            if lock.holds(self._value(lock, devices, now_ms)):
                raise CommandRefused("interlock", f"not while {lock}")
        for lock in rule.only_if:
            if not lock.holds(self._value(lock, devices, now_ms)):
                raise CommandRefused("interlock", f"only while {lock}")

    def _value(self, lock: Interlock, devices: Mapping[DeviceId, Device], now_ms: int) -> Value:
        name = f"{lock.device}/{lock.point}"
        device = devices.get(lock.device)
        point = None if device is None else _point(device, lock.point)
        if point is None:
            raise CommandRefused("interlock_unknown", f"{name} is not there, and it must be known")
        found = next((r for r in self._shown(lock.device) if r.point == lock.point), None)
        if found is None or found.value is None or found.mark.quality is not Quality.GOOD:
            raise CommandRefused("interlock_unknown", f"{name} has no good value now")
        age_ms = now_ms - found.ts_ms
        most_s = lock.max_age_s or max(FRESH_S, FRESH_POLLS * point.poll.seconds)
        if age_ms > most_s * 1000 or age_ms < -AHEAD_MS:
            text = f"{name} was last read {age_ms / 1000:.0f} s ago; at most {most_s:g} s count"
            raise CommandRefused("interlock_unknown", text)
        return found.value


def _point(device: Device, id_: PointId) -> Point | None:
    return next((one for one in device.points if one.id == id_), None)
