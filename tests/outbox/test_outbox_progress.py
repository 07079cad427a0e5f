"""Ranges of what is finished, against plain sets."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.outbox.progress import LaneProgress, common

FEW = settings(max_examples=50, deadline=None, derandomize=True)
DUE = st.lists(st.integers(1, 60), min_size=1, max_size=25, unique=True).map(sorted)


def chained(due: list[int]) -> dict[int, int]:
    """Seq to the due seq before it."""
    return dict(zip(due, [0, *due[:-1]], strict=True))


@FEW
@given(DUE, st.randoms(use_true_random=False))
def test_what_is_finished_in_any_order_is_known_exactly(due: list[int], chance: Random) -> None:
    links = chained(due)
    progress = LaneProgress(link=due[-1], pending=len(due))
    order = list(due)
    chance.shuffle(order)
    done: set[int] = set()
    for seq in order:
        assert progress.finish(links[seq], seq)
        assert not progress.finish(links[seq], seq)
        done.add(seq)
        assert {each for each in due if progress.is_done(each)} == done
        assert progress.pending == len(due) - len(done)
        assert LaneProgress.from_json(progress.to_json()) == progress
    assert progress.upto == due[-1]
    assert progress.above == []


@FEW
@given(DUE, st.integers(0, 60), st.integers(0, 60), st.sets(st.integers(1, 60)))
def test_a_hole_is_passed_whole(due: list[int], one: int, other: int, done: set[int]) -> None:
    links = chained(due)
    progress = LaneProgress(link=due[-1], pending=len(due))
    for seq in due:
        if seq in done:
            progress.finish(links[seq], seq)
    after, to = min(one, other), max(one, other)
    progress.skip(after, to)
    for seq in due:
        assert progress.is_done(seq) == (seq in done or after < seq <= to)


def test_ranges_stay_few_when_a_newer_run_is_finished_first() -> None:
    progress = LaneProgress(link=1000, pending=1000)
    for seq in range(500, 1000):
        progress.finish(seq - 1, seq)
    assert progress.above == [(499, 999)]


@FEW
@given(st.lists(st.tuples(st.integers(0, 20), st.sets(st.integers(1, 40))), max_size=3))
def test_common_ranges_are_what_all_have(sinks: list[tuple[int, set[int]]]) -> None:
    progresses: list[LaneProgress] = []
    for upto, done in sinks:
        progress = LaneProgress(link=99, upto=upto, pending=99)
        for seq in done:
            progress.finish(seq - 1, seq)
        progresses.append(progress)
    shared = common(progresses)
    for seq in range(1, 41):
        is_shared = any(after < seq <= to for after, to in shared)
        assert is_shared == all(progress.is_done(seq) for progress in progresses)
