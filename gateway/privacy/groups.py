"""What many members give together, and never of fewer than the smallest group. Pure.

The members of a group are fixed by the site file. Where they are personal (P1 and above), a value
is made at marks only, so that no change of one member shows by itself; and two values in a row are
made of the same members, or of sets that differ by at least the smallest group: else the
difference of the two would tell of the few that came or went.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from gateway.model.quality import Mark, Quality, Reason, bad
from gateway.model.reading import Value
from gateway.privacy.bins import stale, worst
from gateway.settings.site_derived import Op, Recipe

FORGET_MS = 24 * 3600 * 1000
"""After so long without a value the members may differ by any number: they have changed anyway."""


@dataclass(frozen=True, slots=True)
class Member:
    """What one member has to give; `value` is None where it is not good."""

    value: Value | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class Shown:
    """Of which members the last value was made, by their places in the recipe, and when."""

    members: frozenset[int]
    at_ms: int


@dataclass(frozen=True, slots=True)
class Made:
    """A value of a group. `shown` is what the next one is to be held against."""

    value: Value | None
    mark: Mark
    shown: Shown | None


def make(recipe: Recipe, members: Sequence[Member], last: Shown | None, now_ms: int) -> Made:
    """Return the value of a group at a moment, or why it has none.

    `members` are in the order of the recipe's inputs. The mark is the worst of the inputs: good;
    stale where some are missing and the rest is enough; bad, with no value, where it is not.
    """
    good = {place: one.value for place, one in enumerate(members) if one.value is not None}
    found = worst(one.mark for one in members)
    wanted = max(recipe.min_group, math.ceil(recipe.coverage * len(members)), 1)
    if len(good) < wanted:
        why = found if found.quality is Quality.BAD else bad(found.reason or Reason.TIMEOUT)
        return Made(None, why, last)
    contributing = frozenset(good)
    if recipe.is_guarded and not is_apart(last, contributing, recipe.min_group, now_ms):
        return Made(None, bad(Reason.CONFIG), last)
    value = _value(recipe, good)
    if value is None:
        return Made(None, bad(Reason.CONFIG), last)
    mark = found if found.quality is Quality.GOOD else stale(found)
    return Made(rounded(value, recipe.step), mark, Shown(contributing, now_ms))


def is_apart(last: Shown | None, members: frozenset[int], least: int, now_ms: int) -> bool:
    """Whether a value of these members, beside the last one, tells of no fewer than `least`."""
    if last is None or now_ms - last.at_ms >= FORGET_MS:
        return True
    came, went = len(members - last.members), len(last.members - members)
    return all(not few or few >= least for few in (came, went))


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
