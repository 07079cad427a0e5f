"""254 kinds of malformed YAML and more: each refused with its line, or accepted where harmless."""

from __future__ import annotations

import pytest
from estate import Estate
from malformed import GOOD, Case, corpus

CASES = list(corpus())
REFUSED = [case for case in CASES if not case.is_accepted]


def test_the_good_file_is_good(estate: Estate) -> None:
    result = estate.load(GOOD)
    assert [p.text() for p in result.problems if p.severity == "error"] == []
    assert result.site is not None
    assert len(result.site.devices) == 5


def test_there_are_254_kinds_and_no_two_are_the_same() -> None:
    assert len(REFUSED) >= 254
    assert len({case.octets for case in CASES}) >= len(CASES) - 3
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_malformed_file_is_refused_with_its_line_or_harmless(estate: Estate, case: Case) -> None:
    result = estate.load(case.octets)
    errors = [problem for problem in result.problems if problem.severity == "error"]
    told = [problem.text()[:300] for problem in errors]
    if case.is_accepted:
        assert result.site is not None, told
        return
    assert result.site is None
    assert errors
    assert all(problem.line >= 1 and problem.column >= 1 for problem in errors)
    assert all(problem.message and problem.remedy for problem in errors)
    if case.line is not None:
        assert case.line in {problem.line for problem in errors}, told
