"""F4: flipped bits and cut frames, counted apart."""

from __future__ import annotations

from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_run import run_line


def run(stage: Stage) -> Verdict:
    """Flip a bit, or cut the frame, in every third answer."""
    found = run_line(
        ("bit", "cut"), rate=0.3, seed=stage.seed, transactions=stage.times(20_000, 1_500)
    )
    assert found.false == 0, f"{found.false} wrong values of {found.checked}"
    assert found.told is not None
    assert found.errors is not None
    counted = {name: found.errors[name] for name in ("crc", "short")}
    assert min(counted.values()) > 0, f"not counted apart: {dict(found.errors)}"
    return holds(
        f"{found.transactions:,} transactions, {found.spoilt:,} damaged, 0 wrong of "
        f"{found.checked:,}; counted apart: {counted['crc']:,} crc, {counted['short']:,} short",
        transactions=found.transactions,
        damaged=found.spoilt,
        counted=counted,
        told=dict(found.told),
        wrong=found.false,
    )


ROW = Row(
    id="F4",
    fault="CRC error, truncation",
    tool="meters on a line in virtual time, one bit flipped or the tail cut off",
    must_hold="refused, counted apart",
    goal="0 wrong values",
    run=run,
)
