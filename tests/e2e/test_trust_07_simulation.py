"""Part 7 of the trust issue: the whole gateway in virtual time, with seeds.

Each seed is a history of faults of broker, line, disk, clock and power; at its end the three books
are held against each other. `python -m tests.virtual --seeds 1..200` runs more of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.virtual.plants import PLANTS, no_late_reply_guard, very_late
from tests.virtual.run import run
from tests.virtual.scenario import scenario

SECONDS = 600.0
KEPT = Path("tests/virtual/seeds.txt")


def _kept() -> list[list[int]]:
    lines = KEPT.read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return [[int(word) for word in those[:4]] for those in words]


@pytest.mark.parametrize("seed", range(1, 21))
def test_nothing_is_lost_or_false_whatever_befalls_it(seed: int) -> None:
    report = run(scenario(seed, SECONDS))
    assert report.is_clean, report.text()
    assert report.polls > 0


@pytest.mark.parametrize(("seed", "minutes", "devices", "ways"), _kept())
def test_a_seed_that_once_failed_holds(seed: int, minutes: int, devices: int, ways: int) -> None:
    report = run(scenario(seed, 60.0 * minutes, devices, ways))
    assert report.is_clean, report.text()


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    here = run(scenario(2, SECONDS))
    assert here.lives > 1
    assert _trace_of_another_process("2", "7") == here.trace
    assert run(scenario(3, SECONDS)).trace != here.trace


def _trace_of_another_process(seed: str, hash_seed: str) -> str:
    script = (
        "from tests.virtual.run import run\n"
        "from tests.virtual.scenario import scenario\n"
        f"print(run(scenario({seed}, {SECONDS})).trace)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True, capture_output=True, text=True, env=environment, timeout=100,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("name", sorted(PLANTS))
def test_a_planted_fault_is_found_with_the_command_that_shows_it_again(name: str) -> None:
    for seed in range(1, 10):
        report = run(scenario(seed, SECONDS), PLANTS[name])
        if not report.is_clean:
            assert f"--seeds {seed} --minutes 10" in report.text()
            return
    pytest.fail(f"{name} was not found")


def test_a_late_reply_that_is_believed_is_found() -> None:
    with no_late_reply_guard():
        for seed in range(1, 10):
            found = run(scenario(seed, SECONDS), very_late)
            if not found.is_clean:
                break
        else:
            pytest.fail("it was not found")
    assert any("false values" in fault for fault in found.faults)
    guarded = run(scenario(seed, SECONDS), very_late)
    assert guarded.is_clean, guarded.text()
