"""A group never tells of fewer than its smallest size: by a value, or by two values in a row."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, Mark, Quality, bad
from gateway.privacy.groups import FORGET_MS, Made, Member, Shown, make, rounded
from gateway.settings.site_derived import Input, Op, Recipe

GONE = Member(None, bad("timeout"))
HOUR_MS = 3_600_000


def recipe(op: Op, size: int, **more: Any) -> Recipe:
    inputs = tuple(Input(DeviceId(f"em-{n}"), PointId("p"), 60.0) for n in range(size))
    return Recipe(op, "em-*/p", inputs, **more)


def good(*values: float | str | bool) -> list[Member]:
    return [Member(value, GOOD) for value in values]


def made(what: Recipe, members: list[Member]) -> Made:
    return make(what, members, None, 0)


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


def test_a_group_that_lost_one_member_is_silent_for_a_day() -> None:
    total = recipe(Op.SUM, 6, min_group=3, is_guarded=True)
    first = make(total, good(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), None, 0)
    without = [*good(1.0, 2.0, 3.0, 4.0, 5.0), GONE]
    second = make(total, without, first.shown, HOUR_MS)
    assert (second.value, second.mark) == (None, bad("config"))
    back = make(total, good(1.0, 2.0, 3.0, 4.0, 5.0, 7.0), second.shown, 2 * HOUR_MS)
    assert back.value == 22.0
    assert make(total, without, back.shown, 2 * HOUR_MS + FORGET_MS).value == 15.0


@settings(max_examples=200, deadline=None)
@given(st.integers(), st.integers(2, 5), st.floats(0, 0.6))
def test_no_two_values_of_a_day_differ_by_fewer_members_than_the_group(
    seed: int, least: int, loss: float
) -> None:
    chance = Random(seed)  # noqa: S311 - repeatable
    size = 12
    total = recipe(Op.SUM, size, min_group=least, is_guarded=True)
    last: Shown | None = None
    told: list[Shown] = []
    for hour in range(48):
        members = [GONE if chance.random() < loss else Member(1.0, GOOD) for _ in range(size)]
        found = make(total, members, last, hour * HOUR_MS)
        last = found.shown
        if found.value is not None:
            assert last is not None
            assert found.value == len(last.members) >= least
            told.append(last)
    for before, after in pairwise(told):
        if after.at_ms - before.at_ms < FORGET_MS:
            for few in (len(after.members - before.members), len(before.members - after.members)):
                assert few == 0 or few >= least
