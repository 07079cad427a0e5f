"""F3: another unit answers in place of the one that was asked."""

from __future__ import annotations

from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_run import run_line


def run(stage: Stage) -> Verdict:
    """Let every third answer carry the number of another unit of the line."""
    found = run_line(("unit",), rate=0.3, seed=stage.seed, transactions=stage.times(20_000, 1_500))
    assert found.false == 0, f"{found.false} wrong values of {found.checked}"
    assert found.told is not None
    assert found.told["wrong_unit"] > 0, f"not told: {dict(found.told)}"
    return holds(
        f"{found.transactions:,} transactions, {found.spoilt:,} answers of another unit, none "
        f"taken; {found.told['wrong_unit']:,} readings told as `wrong_unit`, 0 wrong",
        transactions=found.transactions,
        foreign=found.spoilt,
        told=dict(found.told),
        wrong=found.false,
    )


ROW = Row(
    id="F3",
    fault="wrong unit id",
    tool="meters on a line in virtual time, unit number of a neighbour and a right checksum",
    must_hold="refused, told as `wrong_unit` (this takes the place of a foreign-talker event)",
    goal="0 wrong values",
    run=run,
)
