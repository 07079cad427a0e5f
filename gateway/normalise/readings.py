"""Samples to readings: the compiled plan of one job, reused at every poll."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf, isfinite
from typing import TypeAlias, TypeGuard, cast

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, SIMULATED, Mark, Reason, bad
from gateway.model.reading import PointColumn, Readings, Value
from gateway.model.sample import Raw, Samples
from gateway.normalise.convert import Convert, compile_point, is_plain_float, scale_exactly
from gateway.settings.site import Device, Point, ScaleFrom

_NO_VALUE = bad(Reason.RANGE)
MAX_EXPONENT = 10
"""SunSpec Information Model Specification: a scale factor (sunssf) lies between -10 and 10."""

_ONLY_FLOATS = {float}

_Key: TypeAlias = tuple[int, tuple[PointId, ...]]


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A point scaled by another one's raw value: indices into the job's raw values."""

    column: int
    factor: int
    kind: ScaleFrom
    no_factor: tuple[int | float, ...]
    """Raw values by which the device says that it has no factor."""
    low: float
    high: float
    """Plausible range of the scaled value."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the raw values of one job become readings."""

    column: PointColumn
    raw_index: tuple[int, ...]
    is_straight: bool
    is_plain: bool
    """Floats are published as they are: nothing to pick, scale, or check."""
    converts: tuple[Convert, ...]
    scaled: tuple[_Scaled, ...]


class Normaliser:
    """Turns samples into readings. Devices that share their points share the compiled plan."""

    def __init__(self, devices: Mapping[DeviceId, Device], simulated: Collection[DeviceId]) -> None:
        """Take the devices of the site, and those that sit on simulated lines."""
        self._devices = devices
        self._simulated = frozenset(simulated)
        self._plans: dict[_Key, _Plan] = {}
        self._columns: dict[tuple[DeviceId, tuple[PointId, ...]], _Plan] = {}

    def to_readings(self, samples: Samples) -> Readings | None:
        """Return the readings of a job; None when nothing of it is published.

        A value that the device did not give, or that is not plausible, is None with a bad mark; a
        failed job gives bad readings for all its points, never nothing.
        """
        plan = self._plan(samples)
        if not plan.column.points:
            return None
        if samples.fault is not None:
            count = len(plan.column.points)
            return _readings(samples, plan, (None,) * count, (bad(samples.fault),) * count)
        values = self._values(plan, samples.raw)
        return _readings(samples, plan, values, self._marks(samples.device, values))

    def columns_of(self, devices: Collection[DeviceId]) -> list[tuple[PointId, ...]]:
        """Return the points of every job of these devices, the very tuples that came with it."""
        return [points for device, points in self._columns if device in devices]

    def _marks(self, device: DeviceId, values: tuple[Value | None, ...]) -> tuple[Mark, ...] | None:
        good = SIMULATED if device in self._simulated else GOOD
        if None in values:
            return tuple(_NO_VALUE if value is None else good for value in values)
        return None if good is GOOD else (good,) * len(values)

    def _values(self, plan: _Plan, raw: tuple[Raw | None, ...]) -> tuple[Value | None, ...]:
        if plan.is_plain and _are_finite_floats(raw):
            return raw
        wanted: Sequence[Raw | None] = (
            raw if plan.is_straight else [raw[index] for index in plan.raw_index]
        )
        if None in wanted:
            values = [
                None if one is None else convert(one)
                for convert, one in zip(plan.converts, wanted, strict=True)
            ]
        else:
            values = [
                convert(one)  # pyright: ignore[reportArgumentType] - no None is in it
                for convert, one in zip(plan.converts, wanted, strict=True)
            ]
        for scaled in plan.scaled:
            values[scaled.column] = _scale_by(values[scaled.column], raw[scaled.factor], scaled)
        return tuple(values)

    def _plan(self, samples: Samples) -> _Plan:
        key = (samples.device, samples.points)
        plan = self._columns.get(key)
        if plan is None:
            device = self._devices[samples.device]
            shared = (id(device.points), samples.points)
            plan = self._plans.get(shared)
            if plan is None:
                plan = self._plans[shared] = _compile(device.points, samples.points)
            self._columns[key] = plan
        return plan


def _are_finite_floats(raw: tuple[Raw | None, ...]) -> TypeGuard[tuple[float, ...]]:
    if set(map(type, raw)) != _ONLY_FLOATS:
        return False
    # One sum looks at all of them: a NaN or an infinity among them shows in it.
    return isfinite(sum(cast("tuple[float, ...]", raw)))


def _readings(
    samples: Samples,
    plan: _Plan,
    values: tuple[Value | None, ...],
    marks: tuple[Mark, ...] | None,
) -> Readings:
    return Readings(
        samples.device, plan.column, values, marks, samples.taken_ms, samples.tq, samples.asked
    )


def _scale_by(value: Value | None, factor: Raw | None, scaled: _Scaled) -> Value | None:
    if isinstance(value, str | None) or not isinstance(factor, int | float):
        return None
    if factor in scaled.no_factor or not isfinite(factor):
        return None
    by = Decimal(repr(factor))
    if scaled.kind.kind == "exponent":
        if abs(factor) > MAX_EXPONENT:
            return None
        by = Decimal(10) ** int(factor)
    number = scale_exactly(value, by, Decimal(0))
    return number if isfinite(number) and scaled.low <= number <= scaled.high else None


def _compile(points: Sequence[Point], job: tuple[PointId, ...]) -> _Plan:
    by_id = {point.id: point for point in points}
    place = {point: index for index, point in enumerate(job)}
    shown = [by_id[point] for point in job if by_id[point].is_published]
    raw_index = tuple(place[point.id] for point in shown)
    return _Plan(
        PointColumn(tuple(p.id for p in shown), tuple(p.unit for p in shown)),
        raw_index,
        raw_index == tuple(range(len(job))),
        raw_index == tuple(range(len(job))) and all(map(is_plain_float, shown)),
        tuple(compile_point(_before_scaling(point)) for point in shown),
        tuple(
            _scaled(point, point.scale_from, by_id, column=column, place=place)
            for column, point in enumerate(shown)
            if point.scale_from is not None
        ),
    )


def _before_scaling(point: Point) -> Point:
    """Return the point without its range where that is one of the value still to be scaled."""
    return point if point.scale_from is None else replace(point, minimum=None, maximum=None)


def _scaled(
    point: Point,
    by: ScaleFrom,
    by_id: Mapping[PointId, Point],
    *,
    column: int,
    place: Mapping[PointId, int],
) -> _Scaled:
    return _Scaled(
        column,
        place[by.point],
        by,
        by_id[by.point].invalid,
        -inf if point.minimum is None else point.minimum,
        inf if point.maximum is None else point.maximum,
    )
