"""`derived:` of the site file -> devices: members found, classes settled, groups checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from gateway.model.ids import DeviceId, PointId, is_id
from gateway.settings.catalogue import Catalogue, Kind
from gateway.settings.checking import Spot, add_bad_value
from gateway.settings.models.common import DAY_S, DeadbandEntry, EventEntry, Personal
from gateway.settings.models.derived import DerivedEntry, DerivedPointEntry
from gateway.settings.overlaps import Clash, Group, Overlaps
from gateway.settings.problems import BadValue, Fact, Problems, advice
from gateway.settings.site import (
    At,
    Condition,
    Deadband,
    Device,
    DeviceQuirks,
    EventRule,
    Every,
    Gateway,
    Point,
    Priority,
    ValueType,
)
from gateway.settings.site_derived import (
    NO_LINE,
    PERSONAL,
    PROTOCOL,
    SENSITIVE,
    Input,
    Op,
    Recipe,
    Take,
)
from gateway.settings.site_place import Location
from gateway.settings.templates import fill

MOST_DERIVED = 5000
USUAL_GROUP = 5
LEAST_PERSONAL_GROUP = 3
USUAL_COVERAGE = 90.0
USUAL_DEADBAND = Deadband(absolute=0.0, heartbeat_s=900.0)
FRESH_POLLS, LEAST_FRESH_S = 3, 60.0
_NUMBERS = frozenset({ValueType.FLOAT, ValueType.INT})
_EXTREMES = frozenset({Op.MIN, Op.MAX})

C = TypeVar("C", bound=str)


@dataclass(frozen=True, slots=True)
class _Member:
    """One input with all that is known of its point."""

    device: DeviceId
    point: Point

    @property
    def input(self) -> Input:
        """What the recipe says of it."""
        is_derived = isinstance(self.point.address, Recipe)
        return Input(self.device, self.point.id, self.point.poll.seconds, is_derived)


@dataclass(frozen=True, slots=True)
class _Draft:
    """One derived point as it is being made."""

    name: str
    entry: DerivedPointEntry
    members: Sequence[_Member]
    kind: Kind
    min_group: int
    spot: Spot

    @property
    def is_group(self) -> bool:
        """Whether it is made of several."""
        return self.entry.op is not Op.BIN

    @property
    def personal(self) -> Personal:
        """The highest class of its inputs."""
        return max(member.point.personal for member in self.members)

    @property
    def is_guarded(self) -> bool:
        """Whether it must not tell of single members."""
        return self.is_group and self.personal in PERSONAL

    @property
    def is_unchanged(self) -> bool:
        """Whether its value is that of its one input, only seldomer."""
        is_number = self.members[0].point.type in _NUMBERS
        return _is_last(self) and (self.entry.step is None or not is_number)


class DerivedMaker:
    """Makes the derived devices of one site, in the order of the file: each may use earlier."""

    def __init__(
        self,
        catalogue: Catalogue,
        devices: Iterable[Device],
        gateway: Gateway | None,
        problems: Problems,
    ) -> None:
        self._catalogue = catalogue
        self._known: dict[DeviceId, Device] = {device.id: device for device in devices}
        self._parts: Mapping[str, str] = {} if gateway is None else gateway.location.parts
        self._problems = problems
        self._overlaps = Overlaps()
        self._groups: dict[str, Spot] = {}
        """Where each group over personal values stands."""
        self._made: dict[DeviceId, Device] = {}

    def make(self, entries: Iterable[tuple[DerivedEntry, Spot]]) -> dict[DeviceId, Device]:
        """Return the devices; what is wrong is reported and left out."""
        for entry, spot in entries:
            kind = self._catalogue.kind(entry.kind)
            if kind is None:
                place, hint = spot.at("kind"), advice(entry.kind, self._catalogue.kind_ids())
                self._report("LG-PROF-01", place, name=entry.kind, advice=hint)
                continue
            for scope in entry.scopes():
                self._add(entry, kind, scope, spot)
        for clash in self._overlaps.wholes():
            self._tell(clash)
        return self._made

    def _add(self, entry: DerivedEntry, kind: Kind, scope: Mapping[str, int], spot: Spot) -> None:
        name = self._filled(entry.id, scope, spot.at("id"))
        if name is None or not self._is_free(name, spot):
            return
        points: list[Point] = []
        for point, own in entry.points.items():
            draft = self._draft(point, own, (entry, kind, scope), spot.at("points", point))
            if draft is not None and self._is_sound(draft):
                points.append(self._point(draft, name))
        parts = {
            key: self._filled(text, scope, spot.at("location", key)) or ""
            for key, text in entry.location.items()
        }
        title = {
            language: self._filled(text, scope, spot.at("title")) or ""
            for language, text in (entry.title or kind.entry.title).items()
        }
        device = Device(
            id=DeviceId(name),
            profile=PROTOCOL,
            kind=kind.id,
            line=NO_LINE,
            protocol=PROTOCOL,
            unit=name,
            address_text="",
            points=tuple(points),
            quirks=DeviceQuirks(()),
            where=spot.where,
            title=title,
            location=Location({**self._parts, **parts}),
            owner=entry.owner,
        )
        self._known[device.id] = self._made[device.id] = device

    def _is_free(self, name: str, spot: Spot) -> bool:
        place = spot.at("id")
        if not is_id(name):
            self._report("LG-VAL-06", place, found=f"'{name[:40]}'")
            return False
        other = self._known.get(DeviceId(name))
        if other is not None:
            where = other.where
            self._report("LG-DEV-01", place, id=name, file=where.file, line=where.line)
        elif len(self._made) >= MOST_DERIVED:
            self._report("LG-DEV-14", spot, limit=MOST_DERIVED)
        return other is None and len(self._made) < MOST_DERIVED

    def _filled(self, text: str, scope: Mapping[str, int], spot: Spot) -> str | None:
        try:
            return fill(text, scope)
        except BadValue as bad:
            add_bad_value(self._problems, bad, spot)
            return None

    # --- one point -------------------------------------------------------------------------------

    def _draft(
        self,
        name: str,
        own: DerivedPointEntry,
        around: tuple[DerivedEntry, Kind, Mapping[str, int]],
        spot: Spot,
    ) -> _Draft | None:
        entry, kind, scope = around
        place = spot.at(own.op)
        written = self._filled(own.inputs, scope, place)
        members = [] if written is None else list(self._members(written))
        if not members:
            if written is not None:
                self._report("LG-DER-02", place, pattern=written)
            return None
        said = own.min_group or entry.min_group
        if said is None:
            is_personal = any(member.point.personal in PERSONAL for member in members)
            said = USUAL_GROUP if is_personal and own.op is not Op.BIN else 1
        return _Draft(name, own, members, kind, said, spot)

    def _members(self, written: str) -> Iterator[_Member]:
        pattern, _, point = written.rpartition("/")
        for device in self._known.values():
            if fnmatchcase(device.id, pattern):
                yield from (_Member(device.id, one) for one in device.points if one.id == point)

    def _is_sound(self, draft: _Draft) -> bool:
        before = self._problems.errors
        place = draft.spot.at(draft.entry.op)
        if not draft.is_group:
            self._check_bin(draft, place)
        self._check_inputs(draft, place)
        if draft.is_guarded:
            self._check_group(draft)
        if draft.is_group and len(draft.members) < draft.min_group:
            facts: dict[str, Fact] = {"count": len(draft.members), "least": draft.min_group}
            self._report("LG-DER-09", place, **facts)
        return self._problems.errors == before

    def _check_bin(self, draft: _Draft, place: Spot) -> None:
        if len(draft.members) > 1:
            self._report("LG-DER-03", place, count=len(draft.members))
        own, found = draft.entry, draft.personal
        is_tamer = own.pii is not None and own.pii < found
        is_lower = own.level is not None and own.level < draft.members[0].point.level
        if found in SENSITIVE and draft.is_unchanged and (is_tamer or is_lower):
            self._report("LG-DER-13", draft.spot.at("pii" if is_tamer else "level"), found=found)
        elif is_tamer:
            self._report("LG-DER-12", draft.spot.at("pii"), said=str(own.pii), found=found)

    def _check_inputs(self, draft: _Draft, place: Spot) -> None:
        units = {member.point.unit for member in draft.members}
        if draft.entry.op is not Op.COUNT:
            for member in draft.members:
                if member.point.type not in _NUMBERS and not _is_last(draft):
                    self._report("LG-DER-04", place, point=str(member.input))
            if len(units) > 1:
                self._report("LG-DER-05", place, units=", ".join(sorted(map(str, units))))
        self._check_kind(draft, units)

    def _check_kind(self, draft: _Draft, units: set[str | None]) -> None:
        usual = draft.kind.points.get(draft.name)
        if usual is None:
            return
        if usual.type not in _NUMBERS and not _is_last(draft):
            self._report("LG-DER-04", draft.spot, point=f"{draft.kind.id}/{draft.name}")
        elif draft.entry.op is not Op.COUNT and units != {usual.unit}:
            found = ", ".join(sorted({*map(str, units), str(usual.unit)}))
            self._report("LG-DER-05", draft.spot, units=found)

    def _check_group(self, draft: _Draft) -> None:
        """Report what would tell of single members of a personal group."""
        own, place = draft.entry, draft.spot.at(draft.entry.op)
        if own.every is None:
            self._report("LG-DER-06", place, personal=draft.personal)
        if draft.min_group < LEAST_PERSONAL_GROUP:
            self._report("LG-DER-07", place, least=LEAST_PERSONAL_GROUP)
        if own.op in _EXTREMES and draft.personal in SENSITIVE:
            self._report("LG-DER-08", place, op=own.op, personal=draft.personal)

    def _point(self, draft: _Draft, device: str) -> Point:
        own, usual = draft.entry, draft.kind.points.get(draft.name)
        recipe = _recipe(draft)
        self._check_overlap(f"{device}/{draft.name}", recipe, draft)
        return Point(
            id=PointId(draft.name),
            address=recipe,
            type=_type(draft),
            unit=_unit(draft),
            poll=At(own.every) if own.every else Every(min(i.poll_s for i in recipe.inputs)),
            group=PROTOCOL,
            priority=Priority.NORMAL,
            where=draft.spot.where,
            resolution=own.step or (usual.res if usual else None),
            deadband=_deadband(own.deadband or (usual.deadband if usual else None), own.every),
            events=tuple(self._event(entry, draft) for entry in own.events),
            personal=own.pii or _higher(draft, usual and usual.pii, draft.personal),
            level=own.level
            or _higher(draft, usual and usual.level, max(m.point.level for m in draft.members)),
            basis=own.basis or (usual.basis if usual else None),
            retain_days=_days(own.retain or (usual.retain if usual else None)),
            derived_from=recipe.names,
            title=own.title or (usual.title if usual else {}),
        )

    def _check_overlap(self, name: str, recipe: Recipe, draft: _Draft) -> None:
        """Report groups whose difference is a few members: two sums would tell theirs."""
        members = self._overlaps.members_of(name, map(str, recipe.inputs))
        if not draft.is_guarded:
            return
        self._groups[name] = draft.spot
        group = Group(name, members, recipe.min_group, draft.personal in SENSITIVE)
        for clash in self._overlaps.add(group):
            self._tell(clash)

    def _tell(self, clash: Clash) -> None:
        code = "LG-DER-10" if clash.is_sensitive else "LG-DER-11"
        facts: dict[str, Fact] = {"other": clash.others, "count": clash.count}
        self._report(code, self._groups[clash.name], name=clash.name, **facts)

    def _event(self, entry: EventEntry, draft: _Draft) -> EventRule:
        usual = draft.kind.entry.events.get(entry.type)
        severity = entry.severity if entry.severity is not None else usual and usual.severity
        if severity is None:
            self._report("LG-PROF-12", draft.spot.at("events"), name=entry.type)
        when = entry.when
        condition = Condition(when.equals, when.above, when.below, when.clear, when.for_)
        duty = entry.duty or (usual.duty if usual else None)
        return EventRule(entry.type, severity or 0, condition, duty)

    def _report(self, code: str, spot: Spot, **facts: Fact) -> None:
        self._problems.add(code, spot.where, spot.text, **facts)


def _recipe(draft: _Draft) -> Recipe:
    own, inputs = draft.entry, tuple(member.input for member in draft.members)
    usual = USUAL_COVERAGE if own.op in {Op.SUM, Op.COUNT} else 0.0
    coverage = usual if own.coverage is None else own.coverage
    slowest = max(one.poll_s for one in inputs)
    is_whole = _type(draft) is ValueType.INT and own.op is Op.MEAN
    return Recipe(
        op=own.op,
        written=own.inputs if "{" not in own.inputs else str(inputs[0]),
        inputs=inputs,
        equals=own.equals,
        every_s=own.every,
        take=_take(draft),
        step=own.step or (1.0 if is_whole else None),
        min_group=draft.min_group,
        coverage=coverage / 100,
        fresh_s=own.fresh or max(FRESH_POLLS * slowest, LEAST_FRESH_S),
        is_guarded=draft.is_guarded,
    )


def _take(draft: _Draft) -> Take:
    own = draft.entry
    if own.take is not None:
        return Take(own.take)
    if own.op is Op.COUNT:
        return Take.LAST
    if all(member.point.is_cumulative for member in draft.members):
        return Take.DELTA
    return Take(own.op) if own.op in _EXTREMES else Take.MEAN


def _is_last(draft: _Draft) -> bool:
    """Whether values of any type pass: one input, seldom, as it is."""
    return draft.entry.op is Op.BIN and draft.entry.take == Take.LAST


def _type(draft: _Draft) -> ValueType:
    usual = draft.kind.points.get(draft.name)
    if usual is not None:
        return usual.type
    types = {member.point.type for member in draft.members}
    if draft.entry.op is Op.COUNT:
        return ValueType.INT
    is_mean = draft.entry.op is Op.MEAN or _take(draft) is Take.MEAN
    return types.pop() if len(types) == 1 and not is_mean else ValueType.FLOAT


def _unit(draft: _Draft) -> str | None:
    usual = draft.kind.points.get(draft.name)
    if usual is not None:
        return usual.unit
    return "1" if draft.entry.op is Op.COUNT else draft.members[0].point.unit


def _higher(draft: _Draft, usual: C | None, inputs: C) -> C:
    """Return the class of a point that the site says nothing of.

    The kind's counts for a group; a bin is as personal as what it is made of, at least.
    """
    if usual is None:
        return inputs
    return usual if draft.is_group else max(usual, inputs)


def _deadband(entry: DeadbandEntry | None, every: float | None) -> Deadband:
    if entry is not None and every is None:
        return Deadband(entry.abs, entry.percent, entry.heartbeat)
    return Deadband() if every is not None else USUAL_DEADBAND


def _days(retain_s: float | None) -> int | None:
    return None if retain_s is None else int(retain_s // DAY_S)
