"""The short form of every row of the fault matrix."""

from __future__ import annotations

import pytest

from tests.faults.contract import Judgement, Row
from tests.faults.matrix import all_rows, run_row

ROWS = [row for row in all_rows() if row.has_short]


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.id, marks=pytest.mark.timeout(row.timeout_s)) for row in ROWS],
)
def test_row_of_the_fault_matrix_holds(row: Row) -> None:
    result = run_row(row, seed=1, is_short=True)
    assert result.verdict.judgement is not Judgement.FAILS, result.verdict.figure
    if result.verdict.judgement is Judgement.NOT_HERE:
        pytest.skip(result.verdict.figure)
