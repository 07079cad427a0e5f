"""One point from all that is said of it: site over profile over kind."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

from drivers.contract import Address
from gateway.model.ids import PointId
from gateway.settings.catalogue import Profile
from gateway.settings.checking import Spot, add_bad_value
from gateway.settings.models.common import ALL_GROUPS, DAY_S, DeadbandEntry, EventEntry, PollEntry
from gateway.settings.models.kind import KindPointEntry
from gateway.settings.models.profile import PointEntry, PointOverride, WriteEntry
from gateway.settings.problems import BadValue, Fact, Problems, advice
from gateway.settings.site import (
    Condition,
    Deadband,
    EventRule,
    Every,
    Point,
    PollRule,
    Priority,
    ScaleFrom,
    ValueType,
    WriteRule,
)
from gateway.settings.templates import fill
from gateway.settings.wish import Piece, Wish

FALLBACK_POLL_S = 60.0
FALLBACK_GROUP = "main"
_URGENT = frozenset({"T0", "T1"})
_UNITLESS = frozenset({ValueType.BOOL, ValueType.ENUM, ValueType.TEXT})
_NOTHING = PointOverride()

T = TypeVar("T")


class PointMaker:
    """Picks every setting of one point from site, profile and kind, in this order."""

    def __init__(  # noqa: PLR0917 - what is said of a point, from all sides
        self, name: str, profile: Profile, piece: Piece, wish: Wish, problems: Problems
    ) -> None:
        self._name = name
        self._profile = profile
        self._piece = piece
        self._entry: PointEntry = piece.entry
        self._site = wish.overrides.get(name, _NOTHING)
        self._wish = wish
        self._kind: KindPointEntry | None = profile.kind.points.get(name)
        self._problems = problems

    def point(self, address: Address, scope: Mapping[str, int]) -> Point:
        """Return the point."""
        site, entry, kind = self._site, self._entry, self._kind
        value_type = self._type()
        limits = site.range or entry.range or (kind.range if kind else None) or (None, None)
        group = site.group or entry.group or (kind.group if kind else FALLBACK_GROUP)
        access = entry.access or "r"
        poll, priority = self._schedule(group)
        return Point(
            id=PointId(self._name),
            address=address,
            type=value_type,
            unit=self._unit(value_type),
            poll=poll,
            group=group,
            priority=priority,
            where=self._piece.spot.where,
            scale=_first(site.scale, entry.scale, Decimal(1)),
            offset=_first(site.offset, entry.offset, Decimal(0)),
            scale_from=self._scale_from(scope),
            is_inverted=_first(site.invert, entry.invert, fallback=False),
            enum=self._enum(),
            invalid=tuple(_raw(raw) for raw in _first(site.invalid, entry.invalid, [])),
            minimum=limits[0],
            maximum=limits[1],
            resolution=entry.res or (kind.res if kind else None),
            deadband=self._deadband(),
            events=self._events(),
            write=self._write(access, limits, scope),
            is_command="w" in access and self._name in self._profile.kind.commands,
            is_readable="r" in access,
            is_published=_first(site.published, entry.published, fallback=True),
            is_cumulative=_first(
                entry.cumulative, kind.cumulative if kind else None, fallback=False
            ),
            rate_per_s=_first(site.rate, entry.rate, kind.rate if kind else None),
            rollover=self._rollover(address),
            stuck_s=self._stuck(address) or None,
            drift_s=_first(site.drift, entry.drift, kind.drift if kind else None),
            is_identity=_first(
                _first(site.identity, entry.identity, None), kind and kind.identity, fallback=False
            ),
            personal="P3" if entry.sensitive else entry.pii or (kind.pii if kind else "P3"),
            level=entry.level or (kind.level if kind else "L4"),
            basis=site.basis or self._wish.basis or entry.basis or (kind.basis if kind else None),
            retain_days=self._retain_days(),
            keep=site.keep or entry.keep or (kind.keep if kind else "all"),
            title=site.title or entry.title or (kind.title if kind else {}),
            sim=entry.sim or {},
        )

    def _retain_days(self) -> int | None:
        """Return the whole days for which values may be kept; None: nobody said."""
        said = (self._site.retain, self._wish.retain_s, self._entry.retain)
        kind = self._kind.retain if self._kind else None
        retain_s = next((span for span in said if span is not None), kind)
        return None if retain_s is None else int(retain_s // DAY_S)

    def _type(self) -> ValueType:
        if self._kind is not None:
            return self._kind.type
        fallback = ValueType.ENUM if self._entry.enum else ValueType.FLOAT
        return self._entry.value or fallback

    def _rollover(self, address: Address) -> float | None:
        """Return what is said of it, else what the register's own width gives."""
        said = _first(self._site.rollover, self._entry.rollover, None)
        top = getattr(address, "raw_top", None)
        if said is not None or not isinstance(top, int) or self._entry.scale_from is not None:
            return said
        return float(top * _first(self._site.scale, self._entry.scale, Decimal(1)))

    def _stuck(self, address: Address) -> float | None:
        """Return how long it may rest; a register coarser than the kind asks for may for ever."""
        said = _first(self._site.stuck, self._entry.stuck, None)
        kind = self._kind
        if said is not None or kind is None or kind.stuck is None:
            return said
        scale = _first(self._site.scale, self._entry.scale, Decimal(1))
        is_whole = getattr(address, "raw_top", None) is not None
        return None if is_whole and kind.res and float(scale) > kind.res else kind.stuck

    def _unit(self, value_type: ValueType) -> str | None:
        own, usual = self._entry.unit, self._kind.unit if self._kind else None
        if own and usual and own != usual:
            self._report("LG-PROF-10", "unit", found=own, expected=usual)
        return None if value_type in _UNITLESS else own or usual

    def _schedule(self, group: str) -> tuple[PollRule, Priority]:
        wish, entry = self._wish, self._profile.entry
        said = [
            self._site.poll,
            wish.polls.get(group),
            wish.polls.get(ALL_GROUPS),
            wish.site_polls.get(group),
            entry.groups.get(group),
            self._profile.kind.groups.get(group),
            wish.site_polls.get(ALL_GROUPS),
        ]
        polls = [poll for poll in said if poll is not None]
        rule = polls[0].rule if polls else Every(FALLBACK_POLL_S)
        return rule, self._priority(group, [poll for poll in said[:3] if poll], polls)

    def _priority(self, group: str, of_site: list[PollEntry], of_all: list[PollEntry]) -> Priority:
        said = [
            self._site.priority,
            *(poll.priority for poll in of_site),
            self._wish.priority,
            self._entry.priority,
            *(poll.priority for poll in of_all),
        ]
        if chosen := next((priority for priority in said if priority is not None), None):
            return chosen
        if self._profile.kind.entry.latency in _URGENT:
            return Priority.ALARM
        return Priority.ENERGY if group == "energy" else Priority.NORMAL

    def _scale_from(self, scope: Mapping[str, int]) -> ScaleFrom | None:
        source = self._entry.scale_from
        if source is None:
            return None
        return ScaleFrom(PointId(self._filled(source.point, scope, "scale_from")), source.kind)

    def _filled(self, text: str, scope: Mapping[str, int], key: str) -> str:
        try:
            return fill(text, scope)
        except BadValue as bad:
            add_bad_value(self._problems, bad, self._spot(key))
            return text

    def _enum(self) -> Mapping[int, str]:
        names: Mapping[int, str] = _first(self._site.enum, self._entry.enum, {})
        allowed = self._kind.values if self._kind else []
        for name in names.values():
            if allowed and name not in allowed:
                hint = advice(name, allowed)
                self._report("LG-PROF-08", "enum", name=name, point=self._name, advice=hint)
        return names

    def _deadband(self) -> Deadband:
        said = (
            self._site.deadband,
            self._wish.deadbands.get(self._name),
            self._entry.deadband,
            self._kind.deadband if self._kind else None,
            self._wish.site_deadband,
        )
        entry: DeadbandEntry | None = next((band for band in said if band is not None), None)
        return Deadband(entry.abs, entry.percent, entry.heartbeat) if entry else Deadband()

    def _events(self) -> tuple[EventRule, ...]:
        entries: list[EventEntry] = _first(self._site.events, self._entry.events, [])
        return tuple(self._event(entry) for entry in entries)

    def _event(self, entry: EventEntry) -> EventRule:
        usual = self._profile.kind.entry.events.get(entry.type)
        severity = entry.severity if entry.severity is not None else usual and usual.severity
        if severity is None:
            self._report("LG-PROF-12", "events", name=entry.type)
        when = entry.when
        condition = Condition(when.equals, when.above, when.below, when.clear, when.for_)
        duty = entry.duty or (usual.duty if usual else None)
        return EventRule(entry.type, severity or 0, condition, duty)

    def _write(
        self, access: str, limits: tuple[float | None, float | None], scope: Mapping[str, int]
    ) -> WriteRule | None:
        entry = self._entry.write
        if "w" not in access:
            if entry is not None:
                self._report("LG-PROF-09", "write", access=access)
            return None
        entry = entry or WriteEntry()
        own = PointId(self._name) if "r" in access else None
        if entry.readback is not None:
            text = self._filled(entry.readback, scope, "write")
            own = None if text == "none" else PointId(text)
        return WriteRule(
            minimum=_first(entry.min, limits[0], None),
            maximum=_first(entry.max, limits[1], None),
            allowed=tuple(entry.allowed),
            raw_or=entry.raw_or,
            readback=own,
            is_dangerous=entry.dangerous,
        )

    def _spot(self, key: str) -> Spot:
        return self._piece.spot_of(key).at(key)

    def _report(self, code: str, key: str, **facts: Fact) -> None:
        spot = self._spot(key)
        self._problems.add(code, spot.where, spot.text, **facts)


def _first(said: T | None, usual: T | None, fallback: T) -> T:
    if said is not None:
        return said
    return usual if usual is not None else fallback


def _raw(number: float) -> int | float:
    return int(number) if number == int(number) else number
