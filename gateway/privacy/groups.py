"""What many members give together, and never of fewer than the smallest group. Pure.

The members of a group are fixed by the site file. Where they are personal (P1 and above), a value
is made at marks only, so that no change of one member shows by itself; and no sum or difference of
the values of a day is made of fewer members than the smallest group: else it would tell of the few
that came or went. Members that were in the same values count alike in all of them, so it is enough
that there are never fewer than that of one sort.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from gateway.model.quality import Mark, Quality, Reason, bad
from gateway.model.reading import Value
from gateway.privacy.bins import stale, worst
from gateway.settings.site_derived import Op, Recipe

FORGET_MS = 24 * 3600 * 1000
"""After so long without a value the members may differ by any number: they have changed anyway."""
MOST_TOLD = 24
"""Different sets of members in a day; a group that wants more is silent instead."""


@dataclass(frozen=True, slots=True)
class Member:
    """What one member has to give; `value` is None where it is not good."""

    value: Value | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class Shown:
    """Of which members a value was made, and when it last was.

    By their names: a reloaded recipe may have others, and those that went still count.
    """

    members: frozenset[str]
    at_ms: int


@dataclass(frozen=True, slots=True)
class Made:
    """A value of a group. `told` is what the next ones are to be held against."""

    value: Value | None
    mark: Mark
    told: Sequence[Shown] = ()


def make(recipe: Recipe, members: Sequence[Member], told: Sequence[Shown], now_ms: int) -> Made:
    """Return the value of a group at a moment, or why it has none.

    `members` are in the order of the recipe's inputs; `told` is of the values before.
    The mark is the worst of the inputs: good; stale where some are missing and the rest is enough;
    bad, with no value, where it is not.
    """
    good = {place: one.value for place, one in enumerate(members) if one.value is not None}
    found = worst(one.mark for one in members)
    wanted = max(recipe.min_group, math.ceil(recipe.coverage * len(members)), 1)
    if len(good) < wanted:
        why = found if found.quality is Quality.BAD else bad(found.reason or Reason.TIMEOUT)
        return Made(None, why, told)
    if recipe.is_guarded:
        names = frozenset(str(recipe.inputs[place]) for place in good)
        fresh = _with(told, Shown(names, now_ms))
        if not is_apart([one.members for one in fresh], recipe.min_group):
            return Made(None, bad(Reason.CONFIG), told)
        told = fresh
    value = _value(recipe, good)
    if value is None:
        return Made(None, bad(Reason.CONFIG), told)
    mark = found if found.quality is Quality.GOOD else stale(found)
    return Made(rounded(value, recipe.step), mark, told)


def _with(told: Sequence[Shown], one: Shown) -> Sequence[Shown]:
    """Return what is remembered when a value of these members is told now."""
    recent = (old for old in told if one.at_ms - old.at_ms < FORGET_MS)
    return (*(old for old in recent if old.members != one.members), one)


def is_apart(sets: Sequence[frozenset[str]], least: int) -> bool:
    """Whether values of these sets of members, however combined, tell of no fewer than `least`."""
    if len(sets) > MOST_TOLD:
        return False
    sorts: Counter[int] = Counter()
    for member in frozenset[str]().union(*sets):
        sorts[sum(1 << number for number, one in enumerate(sets) if member in one)] += 1
    return all(count >= least for count in sorts.values())


def told_to_json(told: Iterable[Shown]) -> list[list[Any]]:
    """Return what a restart must know."""
    return [[one.at_ms, sorted(one.members)] for one in told]


def told_from_json(stored: Iterable[Sequence[Any]]) -> tuple[Shown, ...]:
    """Return what `told_to_json` was given."""
    return tuple(Shown(frozenset(members), at_ms) for at_ms, members in stored)


def rounded(value: Value, step: float | None) -> Value:
    """Return a number as the nearest multiple of a step, halves upward; everything else as is."""
    if step is None or isinstance(value, bool | str):
        return value
    exact = Decimal(str(step))
    times = (Decimal(str(value)) / exact).to_integral_value(ROUND_HALF_UP)
    found = times * exact
    return int(found) if isinstance(value, int) and float(step).is_integer() else float(found)


def _value(recipe: Recipe, good: Mapping[int, Value]) -> Value | None:
    values = list(good.values())
    if recipe.op is Op.COUNT:
        return sum(_is_counted(value, recipe.equals) for value in values)
    if recipe.op is Op.BIN:
        return values[0]
    numbers = [value for value in values if not isinstance(value, bool | str)]
    return _of_numbers(recipe.op, numbers) if len(numbers) == len(values) else None


def _is_counted(value: Value, equals: Value | None) -> bool:
    return equals is None or (
        value == equals and isinstance(value, bool) == isinstance(equals, bool)
    )


def _of_numbers(op: Op, numbers: Sequence[float]) -> float:
    match op:
        case Op.SUM:
            total = sum(Decimal(str(number)) for number in numbers)
            return int(total) if all(isinstance(n, int) for n in numbers) else float(total)
        case Op.MIN:
            return min(numbers)
        case Op.MAX:
            return max(numbers)
        case _:
            return math.fsum(numbers) / len(numbers)
