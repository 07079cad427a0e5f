"""F2: replies whose byte count is one register short, with a right checksum."""

from __future__ import annotations

from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_run import run_line


def run(stage: Stage) -> Verdict:
    """Let every third answer be short; it must be refused, whole."""
    found = run_line(("count",), rate=0.3, seed=stage.seed, transactions=stage.times(20_000, 1_500))
    assert found.false == 0, f"{found.false} wrong values of {found.checked}"
    assert found.told is not None
    assert found.told["short"] > 0, f"not told as short: {dict(found.told)}"
    return holds(
        f"{found.transactions:,} transactions, {found.spoilt:,} short replies, none taken; "
        f"{found.told['short']:,} readings told as `short`, 0 wrong of {found.checked:,}",
        transactions=found.transactions,
        short=found.spoilt,
        told=dict(found.told),
        wrong=found.false,
    )


ROW = Row(
    id="F2",
    fault="short byte count",
    tool="meters on a line in virtual time, byte count and registers one too few",
    must_hold="refused whole, told as `short`",
    goal="0 wrong values",
    run=run,
)
