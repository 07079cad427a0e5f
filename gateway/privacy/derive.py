"""The inner door, first half: derived points made of readings before anything is stored. Pure.

`add` takes readings as the rules left them; `tick` returns what has come of them, as readings of
the derived devices. What must live through a restart is said by `StateChange`s of its own room,
which are committed with the records that they belong to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, Quality, Reason, bad
from gateway.model.reading import PointColumn, Readings
from gateway.model.record import StateChange
from gateway.privacy.bins import Bin, Bins, Fix, NextMark
from gateway.privacy.groups import Made, Member, Shown, make, told_from_json, told_to_json
from gateway.privacy.moment import ROOM, Moment
from gateway.settings.site import Device, Point
from gateway.settings.site_derived import Input, Recipe

RECHECK_S = 10.0
"""How often members are looked at that may have grown too old."""
_NOTHING_YET = Member(None, bad(Reason.TIMEOUT))
InputKey: TypeAlias = tuple[DeviceId, PointId]


class Maker(Protocol):
    """One derived point at work."""

    column: PointColumn

    def add(self, place: int, fix: Fix, now: float) -> None:
        """Take a reading of the input at that place of the recipe."""
        ...

    def rebased(self, place: int) -> None:
        """The counter at that place counts on from somewhere else."""
        ...


@dataclass(frozen=True, slots=True)
class _Use:
    """A point that an input goes into, and its place there."""

    maker: Maker
    place: int
    is_derived: bool


class Derivation:
    """All derived devices of the site."""

    def __init__(
        self, devices: Mapping[DeviceId, Device], next_mark: NextMark, saved: Mapping[str, Any]
    ) -> None:
        """Take the derived devices, the marks of the wall clock, and the last run's state."""
        self._next_mark = next_mark
        self._live: dict[DeviceId, LiveDevice] = {}
        self._marked: dict[tuple[DeviceId, PointId], MarkedPoint] = {}
        self._uses: dict[InputKey, list[_Use]] = {}
        self._columns: dict[tuple[DeviceId, PointColumn], tuple[tuple[int, InputKey], ...]] = {}
        self._changes: list[StateChange] = []
        self._saved = dict(saved)
        self.replace(devices, devices.keys())

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; derived devices that are `touched` begin anew."""
        known_live, known_marked = self._live, self._marked
        self._live, self._marked, self._uses = {}, {}, {}
        self._columns.clear()
        gone = set(touched)
        for device in devices.values():
            self._place(device, gone, (known_live, known_marked))
        kept = {_key(*at) for at in self._marked}
        self._changes += [StateChange(ROOM, key, None) for key in self._saved.keys() - kept]
        self._saved = {key: one for key, one in self._saved.items() if key in kept}

    def _place(
        self,
        device: Device,
        gone: set[DeviceId],
        known: tuple[Mapping[DeviceId, LiveDevice], Mapping[tuple[DeviceId, PointId], MarkedPoint]],
    ) -> None:
        """Make the points of one device, or keep those that did not change."""
        live = [point for point in device.points if recipe_of(point).every_s is None]
        if live:
            old = None if device.id in gone else known[0].get(device.id)
            self._live[device.id] = old or LiveDevice(device.id, live)
            for maker in self._live[device.id].points:
                self._use(maker, maker.recipe.inputs)
        for point in device.points:
            if recipe_of(point).every_s is not None:
                at = (device.id, point.id)
                marked = None if device.id in gone else known[1].get(at)
                if marked is None:
                    marked = MarkedPoint(device.id, point, self._next_mark)
                    marked.restore(self._saved.get(_key(*at)))
                self._marked[at] = marked
                self._use(marked, marked.recipe.inputs)

    def _use(self, maker: Maker, inputs: Sequence[Input]) -> None:
        for place, one in enumerate(inputs):
            uses = self._uses.setdefault((one.device, one.point), [])
            uses.append(_Use(maker, place, one.is_derived))

    # --- readings in and out -------------------------------------------------------------------

    def add(self, readings: Readings, now: float) -> None:
        """Take readings of any device. `now` is monotonic seconds."""
        if not self._uses:
            return
        for index, key in self._inputs(readings):
            mark = GOOD if readings.marks is None else readings.marks[index]
            value = readings.values[index] if mark.quality is Quality.GOOD else None
            for use in self._uses[key]:
                # What was derived for a span carries the mark at its end, and belongs before it.
                ts_ms = readings.ts_ms - use.is_derived
                use.maker.add(use.place, Fix(ts_ms, readings.tq, value, mark), now)

    def _inputs(self, readings: Readings) -> tuple[tuple[int, InputKey], ...]:
        key = (readings.device, readings.column)
        found = self._columns.get(key)
        if found is None:
            keys = [(readings.device, point) for point in readings.column.points]
            found = tuple((i, at) for i, at in enumerate(keys) if at in self._uses)
            self._columns[key] = found
        return found

    def rebased(self, device: DeviceId, point: PointId) -> None:
        """The counter guard says that a counter counts on from somewhere else."""
        for use in self._uses.get((device, point), ()):
            use.maker.rebased(use.place)

    def tick(self, now: Moment) -> list[Readings]:
        """Return what the derived points are now, as far as there is news."""
        found = [one for live in self._live.values() if (one := live.news(now)) is not None]
        for at, marked in self._marked.items():
            made = marked.news(now)
            found += made
            if made or marked.is_changed:
                self._save(_key(*at), marked)
        return found

    def _save(self, key: str, marked: MarkedPoint) -> None:
        marked.is_changed = False
        saved = marked.saved()
        if saved != self._saved.get(key):
            self._saved[key] = saved
            self._changes.append(StateChange(ROOM, key, saved))

    def take_changes(self) -> list[StateChange]:
        """Return the state that belongs to what was returned, once."""
        changes, self._changes = self._changes, []
        return changes


class LivePoint:
    """A derived point that follows its inputs."""

    def __init__(self, point: Point) -> None:
        """Begin with members of whom nothing is known."""
        self.recipe = recipe_of(point)
        self.column = PointColumn((point.id,), (point.unit,))
        self._fixes: list[Fix | None] = [None] * len(self.recipe.inputs)
        self._heard = [0.0] * len(self.recipe.inputs)
        self.is_changed = False

    def add(self, place: int, fix: Fix, now: float) -> None:
        """Take a reading of one member."""
        before = self._fixes[place]
        self._fixes[place], self._heard[place] = fix, now
        if before is None or (before.value, before.mark) != (fix.value, fix.mark):
            self.is_changed = True

    def rebased(self, place: int) -> None:
        """Nothing is remembered that could be wrong."""

    def ts_ms(self) -> int:
        """Return when the newest of its readings was taken."""
        return max((fix.ts_ms for fix in self._fixes if fix is not None), default=0)

    def tq(self) -> TimeQuality:
        """Return what the times of its readings are worth."""
        worth = TimeQuality.SYNC
        for fix in self._fixes:
            worth = worth if fix is None else worth.worse(fix.tq)
        return worth

    def made(self, now: Moment) -> Made:
        """Return its value now."""
        members = [self._member(place, now.at_s) for place in range(len(self._fixes))]
        return make(self.recipe, members, (), now.at_ms)

    def _member(self, place: int, now: float) -> Member:
        fix = self._fixes[place]
        if fix is None or now - self._heard[place] > self.recipe.fresh_s:
            return _NOTHING_YET
        return Member(fix.value, fix.mark)


class LiveDevice:
    """The points of one derived device that follow their inputs: told together."""

    def __init__(self, device: DeviceId, points: Sequence[Point]) -> None:
        """Take the points of the device that have no marks."""
        self._device = device
        self.points = tuple(LivePoint(point) for point in points)
        self._column = PointColumn(
            tuple(point.id for point in points), tuple(point.unit for point in points)
        )
        self._looked_at = -RECHECK_S

    def news(self, now: Moment) -> Readings | None:
        """Return all of its points when one may have changed."""
        is_changed = any(point.is_changed for point in self.points)
        ts_ms = max(point.ts_ms() for point in self.points) if is_changed else now.at_ms
        if not ts_ms or not (is_changed or now.at_s - self._looked_at >= RECHECK_S):
            return None
        if not is_changed and not any(point.ts_ms() for point in self.points):
            return None  # nothing has been read yet
        self._looked_at = now.at_s
        made = [point.made(now) for point in self.points]
        tq = now.tq
        for point in self.points:
            point.is_changed = False
            tq = tq.worse(point.tq())
        marks = tuple(one.mark for one in made)
        values = tuple(one.value for one in made)
        whole = None if set(marks) == {GOOD} else marks
        return Readings(self._device, self._column, values, whole, ts_ms, tq)


class MarkedPoint:
    """A derived point that is made at marks of the wall clock."""

    def __init__(self, device: DeviceId, point: Point, next_mark: NextMark) -> None:
        """Begin with members of whom nothing is known."""
        self._device = device
        self.recipe = recipe = recipe_of(point)
        self.column = PointColumn((point.id,), (point.unit,))
        step_s = recipe.every_s or 0.0
        self._bins = [Bins(recipe.take, step_s, one.poll_s, next_mark) for one in recipe.inputs]
        self._found: dict[int, dict[int, Bin]] = {}
        """By mark, what the members gave for it."""
        self._told_ms = 0
        self._told: Sequence[Shown] = ()
        self._late_ms = round(1000 * step_s / 2)
        self.is_changed = False

    def add(self, place: int, fix: Fix, now: float) -> None:  # noqa: ARG002 - see Maker
        """Take a reading of one member."""
        bins = self._bins[place]
        self._keep(place, bins.add(fix))
        if bins.is_moved:
            self.is_changed, bins.is_moved = True, False

    def rebased(self, place: int) -> None:
        """The counter of one member counts on from somewhere else."""
        self._bins[place].rebased()
        self.is_changed = True

    def _keep(self, place: int, ended: Sequence[Bin]) -> None:
        for one in ended:
            self._found.setdefault(one.mark_ms, {})[place] = one
            self.is_changed = True

    def news(self, now: Moment) -> list[Readings]:
        """Return the marks that are complete, or that wait for members in vain."""
        for place, bins in enumerate(self._bins):
            if ended := bins.tick(now.at_ms, now.tq):
                self._keep(place, ended)
        made: list[Readings] = []
        for mark_ms in sorted(self._found):
            found = self._found[mark_ms]
            is_whole = len(found) == len(self._bins)
            if is_whole or now.at_ms >= mark_ms + self._late_ms:
                del self._found[mark_ms]
                if mark_ms > self._told_ms or mark_ms < self._told_ms - 2 * self._late_ms:
                    made.append(self._made(mark_ms, found))
        return made

    def _made(self, mark_ms: int, found: Mapping[int, Bin]) -> Readings:
        members = [_member(found.get(place)) for place in range(len(self._bins))]
        made = make(self.recipe, members, self._told, mark_ms)
        self._told, self._told_ms = made.told, mark_ms
        tq = TimeQuality.SYNC
        for one in found.values():
            tq = tq.worse(one.tq)
        marks = None if made.mark == GOOD else (made.mark,)
        return Readings(self._device, self.column, (made.value,), marks, mark_ms, tq)

    # --- state over a restart --------------------------------------------------------------------

    def saved(self) -> dict[str, Any] | None:
        """Return what a restart must know, as JSON has it; None: nothing."""
        saved: dict[str, Any] = {}
        bins = {
            str(one): kept
            for one, each in zip(self.recipe.inputs, self._bins, strict=True)
            if (kept := each.saved()) is not None
        }
        if bins:
            saved["bins"] = bins
        if self._told:
            saved["told"] = told_to_json(self._told)
        return saved or None

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """Go on where `saved` was said."""
        if not saved:
            return
        places = {str(one): place for place, one in enumerate(self.recipe.inputs)}
        for name, kept in saved.get("bins", {}).items():
            if name in places:
                self._bins[places[name]].restore(kept)
        if self.recipe.is_guarded:
            only_last = [saved["shown"]] if "shown" in saved else ()  # what older stores have
            self._told = told_from_json(saved.get("told", only_last))


def _member(found: Bin | None) -> Member:
    return _NOTHING_YET if found is None else Member(found.value, found.mark)


def recipe_of(point: Point) -> Recipe:
    """Return what a point of a derived device is made of."""
    if not isinstance(point.address, Recipe):
        raise TypeError(f"{point.id} is not derived")
    return point.address


def _key(device: DeviceId, point: PointId) -> str:
    return f"{device}/{point}"
