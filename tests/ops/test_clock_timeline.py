"""What time it is while the wall clock is set, loses its reference, or begins in 1970."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.model.clock import TimeQuality
from gateway.ops.clock import FLAG_VARIABLE, FlagFile, KernelReference, reference_of
from gateway.ops.timeline import HOLDOVER_MS, Step, Timeline

BUILD_MS = 1_767_225_600_000
FLOOR_MS = 1_780_000_000_000
TRUE_MS = 1_790_000_000_000
"""The true time when the monotonic clock stands at 0."""
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


class _Box:
    """A machine whose two clocks and reference the test holds in its hand."""

    def __init__(self, wall_ms: int = TRUE_MS, *, is_synced: bool = False) -> None:
        self.mono_ms = 0
        self.off_ms = wall_ms - TRUE_MS
        self.is_synced = is_synced
        self.line = Timeline(FLOOR_MS, BUILD_MS, wall_ms, 0)
        self.look()

    @property
    def true_ms(self) -> int:
        return TRUE_MS + self.mono_ms

    def look(self, after_ms: int = 0) -> Step | None:
        self.mono_ms += after_ms
        return self.line.look(self.true_ms + self.off_ms, self.mono_ms, lambda _: self.is_synced)

    def set_by_hand(self, off_ms: int) -> Step | None:
        """Set the wall clock; the kernel takes back its word at once, as Linux does."""
        self.off_ms, self.is_synced = off_ms, False
        return self.look(1)


@pytest.mark.parametrize("off_ms", [DAY_MS, -DAY_MS, HOUR_MS, -HOUR_MS, -40 * 365 * DAY_MS])
def test_a_clock_that_is_set_by_hand_does_not_move_time_that_was_vouched_for(off_ms: int) -> None:
    box = _Box(is_synced=True)
    step = box.set_by_hand(off_ms)
    assert step is not None
    assert step.to_ms - step.from_ms == off_ms
    for _ in range(100):
        assert (box.line.now_ms, box.line.quality) == (box.true_ms, TimeQuality.HOLDOVER)
        assert box.look(60_000) is None
    assert not box.line.is_provisional


def test_a_reference_that_moves_the_clock_itself_is_followed() -> None:
    box = _Box(wall_ms=TRUE_MS - HOUR_MS, is_synced=True)
    box.off_ms = 0
    assert box.look(1) == Step(box.true_ms - HOUR_MS, box.true_ms)
    assert (box.line.now_ms, box.line.quality) == (box.true_ms, TimeQuality.SYNC)


def test_holdover_ends_after_a_day_and_the_wall_clock_counts_again() -> None:
    box = _Box(is_synced=True)
    box.set_by_hand(HOUR_MS)
    box.look(HOLDOVER_MS - 2000)
    assert box.line.quality is TimeQuality.HOLDOVER
    box.look(3000)
    assert (box.line.now_ms, box.line.quality) == (box.true_ms + HOUR_MS, TimeQuality.UNSYNC)


def test_in_1970_time_is_counted_from_the_floor_until_a_reference_speaks() -> None:
    box = _Box(wall_ms=5000)
    assert box.line.is_provisional
    box.is_synced = True
    box.look(60_000)
    assert (box.line.now_ms, box.line.quality) == (FLOOR_MS + 60_000, TimeQuality.UNSYNC)
    box.off_ms = 0
    box.look(1)
    assert (box.line.now_ms, box.line.quality) == (box.true_ms, TimeQuality.SYNC)
    assert not box.line.is_provisional


def test_a_reference_corrects_a_floor_that_came_from_a_clock_that_was_ahead() -> None:
    box = _Box(wall_ms=FLOOR_MS - DAY_MS)
    assert box.line.is_provisional
    box.is_synced = True
    box.look(2000)
    assert box.line.quality is TimeQuality.SYNC
    box.is_synced = False
    box.look(HOLDOVER_MS + 20_000)
    assert box.line.quality is TimeQuality.UNSYNC
    assert not box.line.is_provisional


def test_without_a_reference_a_plausible_clock_is_taken_as_it_is() -> None:
    box = _Box()
    for off_ms in (HOUR_MS, -HOUR_MS, 0):
        assert box.set_by_hand(off_ms) is not None
        assert box.line.now_ms == box.true_ms + off_ms
        assert box.line.quality is TimeQuality.UNSYNC


def test_slewing_and_a_leap_second_are_no_steps() -> None:
    box = _Box(is_synced=True)
    for _ in range(3600):
        box.off_ms += 1  # 1000 ppm, twice what the kernel slews
        assert box.look(1000) is None
    box.off_ms -= 1000  # 23:59:60: the kernel repeats a second
    assert box.look(1000) is None
    assert box.line.quality is TimeQuality.SYNC


def test_a_flag_file_counts_until_the_clock_is_set_and_again_when_it_is_touched(
    tmp_path: Path,
) -> None:
    file = tmp_path / "synchronised"
    flag = FlagFile(file)
    assert not flag.vouches()
    file.touch()
    assert flag.vouches()
    flag.stepped()
    assert not flag.vouches()
    os.utime(file, ns=(1, 1))
    assert flag.vouches()


def test_who_vouches_is_the_kernel_unless_a_file_is_named(tmp_path: Path) -> None:
    assert isinstance(reference_of({}), KernelReference)
    assert isinstance(reference_of({FLAG_VARIABLE: str(tmp_path / "flag")}), FlagFile)
