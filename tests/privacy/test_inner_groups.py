"""A group never tells of fewer than its smallest size: by a value, or by two values in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, product
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, Mark, Quality, bad
from gateway.privacy.groups import (
    FORGET_MS,
    MOST_TOLD,
    Made,
    Member,
    Shown,
    is_apart,
    make,
    rounded,
    told_from_json,
    told_to_json,
)
from gateway.settings.site_derived import Input, Op, Recipe

GONE = Member(None, bad("timeout"))
HOUR_MS = 3_600_000


def recipe(op: Op, size: int, **more: Any) -> Recipe:
    inputs = tuple(Input(DeviceId(f"em-{n}"), PointId("p"), 60.0) for n in range(size))
    return Recipe(op, "em-*/p", inputs, **more)


def good(*values: float | str | bool) -> list[Member]:
    return [Member(value, GOOD) for value in values]


def made(what: Recipe, members: list[Member]) -> Made:
    return make(what, members, (), 0)


def test_fewer_than_the_group_have_no_value_and_the_reason_of_those_that_are_missing() -> None:
    mean = recipe(Op.MEAN, 3, min_group=3)
    assert made(mean, good(1.0, 2.0, 6.0)).value == 3.0
    short = made(mean, [*good(1.0, 2.0), GONE])
    assert (short.value, short.mark) == (None, bad("timeout"))


def test_a_value_without_some_members_says_so() -> None:
    mean = recipe(Op.MEAN, 4, min_group=3)
    found = made(mean, [*good(1.0, 2.0, 3.0), Member(None, bad("crc"))])
    assert (found.value, found.mark) == (2.0, Mark(Quality.STALE, "crc"))


def test_missing_data_is_not_zero_in_a_sum() -> None:
    total = recipe(Op.SUM, 10, coverage=0.9)
    assert made(total, [*good(*[0.1] * 9), GONE]).value == 0.9
    assert made(total, [*good(*[0.1] * 8), GONE, GONE]).value is None


def test_sums_are_exact_decimals() -> None:
    assert made(recipe(Op.SUM, 3), good(0.1, 0.2, 0.3)).value == 0.6


def test_counting_tells_a_truth_from_a_number() -> None:
    free = recipe(Op.COUNT, 4, equals="free")
    assert made(free, good("free", "occupied", "free", "unknown")).value == 2
    active = recipe(Op.COUNT, 3, equals=True)
    assert made(active, good(True, False, 1)).value == 1


def test_values_are_rounded_to_steps_halves_upward() -> None:
    assert [rounded(value, 0.5) for value in (0.24, 0.25, 20.7, -0.3)] == [0.0, 0.5, 20.5, -0.5]
    assert rounded(17, 5) == 15
    assert rounded("text", 5) == "text"
    assert rounded(20.7, None) == 20.7


def of(numbers: range) -> list[Member]:
    """Return ten members, good are those of these numbers."""
    return [Member(float(n), GOOD) if n in numbers else GONE for n in range(10)]


def test_a_group_that_lost_one_member_is_silent_for_a_day() -> None:
    total = recipe(Op.SUM, 6, min_group=3, is_guarded=True)
    first = make(total, good(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (), 0)
    without = [*good(1.0, 2.0, 3.0, 4.0, 5.0), GONE]
    second = make(total, without, first.told, HOUR_MS)
    assert (second.value, second.mark) == (None, bad("config"))
    back = make(total, good(1.0, 2.0, 3.0, 4.0, 5.0, 7.0), second.told, 2 * HOUR_MS)
    assert back.value == 22.0
    assert make(total, without, back.told, 2 * HOUR_MS + FORGET_MS).value == 15.0


def test_a_detour_does_not_hide_that_one_member_is_gone() -> None:
    """Of all, of three, of all but one: each differs from the one before by three or more."""
    total = recipe(Op.SUM, 10, min_group=3, is_guarded=True)
    told = make(total, of(range(10)), (), 0).told
    told = make(total, of(range(3)), told, HOUR_MS).told
    assert len(told) == 2
    found = make(total, of(range(9)), told, 2 * HOUR_MS)
    assert (found.value, found.mark) == (None, bad("config"))


def test_three_values_together_tell_of_no_single_member_either() -> None:
    """The whole minus its two halves is the one that is in neither."""
    total = recipe(Op.SUM, 10, min_group=3, is_guarded=True)
    told = make(total, of(range(4)), (), 0).told
    told = make(total, of(range(4, 8)), told, HOUR_MS).told
    assert len(told) == 2
    assert make(total, of(range(9)), told, 2 * HOUR_MS).value is None
    assert make(total, of(range(8)), told, 2 * HOUR_MS).value == 28.0


def test_who_was_told_is_remembered_by_name_over_restarts_and_edits_of_the_file() -> None:
    total = recipe(Op.SUM, 6, min_group=3, is_guarded=True)
    told = make(total, good(*[1.0] * 6), (), 0).told
    smaller = recipe(Op.SUM, 5, min_group=3, is_guarded=True)
    for hour in range(1, 4):
        told = told_from_json(told_to_json(told))
        found = make(smaller, good(*[1.0] * 5), told, hour * HOUR_MS)
        assert found.value is None, "one member was taken out of the file"
        told = found.told
    assert make(smaller, good(*[1.0] * 5), told, FORGET_MS).value == 5.0


def test_a_group_of_ever_new_members_is_silent_before_its_memory_is_full() -> None:
    sets = [frozenset(f"m{n}-{k}" for k in range(3)) for n in range(MOST_TOLD)]
    assert is_apart(sets, 3)
    assert not is_apart([*sets, frozenset({"a", "b", "c"})], 3)


@settings(max_examples=200, deadline=None)
@given(st.integers(), st.integers(2, 5), st.floats(0, 0.6))
def test_no_values_of_a_day_tell_of_fewer_members_than_the_group(
    seed: int, least: int, loss: float
) -> None:
    """Whatever two or three of them are added or subtracted."""
    chance = Random(seed)  # noqa: S311 - repeatable
    size = 12
    total = recipe(Op.SUM, size, min_group=least, is_guarded=True)
    remembered: Sequence[Shown] = ()
    told: set[frozenset[str]] = set()
    for hour in range(24):
        members = [GONE if chance.random() < loss else Member(1.0, GOOD) for _ in range(size)]
        found = make(total, members, remembered, hour * HOUR_MS)
        remembered = found.told
        if found.value is not None:
            assert found.value == len(remembered[-1].members) >= least
            told.add(remembered[-1].members)
    for of_day in (*combinations(told, 2), *combinations(told, 3)):
        for signs in product((-1, 0, 1), repeat=len(of_day)):
            left: Counter[str] = Counter()
            for sign, one in zip(signs, of_day, strict=True):
                for member in one:
                    left[member] += sign
            few = sum(weight != 0 for weight in left.values())
            assert few == 0 or few >= least
