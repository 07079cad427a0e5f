"""The audit catches what is wrong on purpose, and does not accuse the honest build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.power_cut import NoDisk
from tests.faults.sabotage.__main__ import try_variant
from tests.faults.sabotage.builds import Build, Replacement, Stale, sabotaged
from tests.faults.sabotage.findings import Finding
from tests.faults.sabotage.variants import VARIANTS, Variant

HONEST: dict[Callable[[Build, Path], Finding], Finding] = {}
"""What the honest build came to: variants that share a scenario share it."""


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_sabotaged_build_is_caught_and_the_honest_one_is_clean(variant: Variant) -> None:
    try:
        trial = try_variant(variant, HONEST)
    except NoDisk as why:
        pytest.skip(f"cannot be injected here: {why}")
    assert trial.honest.is_clean, trial.honest.sentence()
    assert not trial.guilty.is_clean, trial.line()


def test_a_patch_that_no_longer_fits_breaks_loudly(tmp_path: Path) -> None:
    gone = Replacement("gateway/outbox/schema.py", "synchronous=EXTRA", "synchronous=OFF")
    with pytest.raises(Stale, match="0 times"):
        sabotaged(tmp_path / "one", (gone,))
    twice = Replacement("gateway/outbox/schema.py", "connection", "x")
    with pytest.raises(Stale, match="not once"):
        sabotaged(tmp_path / "two", (twice,))
