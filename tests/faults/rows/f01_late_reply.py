"""F1: replies that come after their requests timed out, up to five seconds late."""

from __future__ import annotations

from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_run import run_line


def run(stage: Stage) -> Verdict:
    """Let every third answer be late; every value must be of its own request."""
    found = run_line(
        ("late", "very_late"), rate=0.3, seed=stage.seed, transactions=stage.times(100_000, 3_000)
    )
    assert found.errors is not None
    late = found.errors["late"]
    assert found.false == 0, f"{found.false} wrong values of {found.checked}"
    assert found.spoilt > found.transactions / 10, "hardly any reply was late"
    assert late > 0, "no late reply was caught and counted"
    assert found.good > found.transactions / 10, "nothing was read any more"
    return holds(
        f"{found.transactions:,} transactions, {found.spoilt:,} late replies ({late:,} caught and "
        f"counted), {found.checked:,} values checked, 0 wrong",
        transactions=found.transactions,
        late=found.spoilt,
        caught=late,
        checked=found.checked,
        wrong=found.false,
    )


ROW = Row(
    id="F1",
    fault="late reply after a timeout",
    tool="meters on a line in virtual time, replies held back by up to 5 s",
    must_hold="no reply is taken for that of another request; late ones are counted",
    goal="0 wrong values of 10^5 transactions",
    run=run,
)
