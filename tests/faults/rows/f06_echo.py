"""F6: an adapter that hears itself: every request comes back before its reply."""

from __future__ import annotations

from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_run import run_line

LEAST_SHARE = 0.99


def run(stage: Stage) -> Verdict:
    """Read a line with an echo that nobody has set."""
    found = run_line(
        ("silent",),
        rate=0.0,
        seed=stage.seed,
        transactions=stage.times(20_000, 1_500),
        has_echo=True,
    )
    assert found.false == 0, f"{found.false} wrong values of {found.checked}"
    assert found.good_share >= LEAST_SHARE, f"{found.good_share:.1%} read with an echo"
    return holds(
        f"{found.transactions:,} transactions with an echo nobody told us of: "
        f"{found.good_share:.2%} read, 0 wrong of {found.checked:,}",
        transactions=found.transactions,
        share=round(found.good_share, 5),
        wrong=found.false,
    )


ROW = Row(
    id="F6",
    fault="local echo",
    tool="a line in virtual time that gives every request back",
    must_hold="found by itself, works",
    goal="all readings, 0 wrong",
    run=run,
)
