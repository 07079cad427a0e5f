"""A log says where something went wrong, and never what it was about."""

from __future__ import annotations

import pytest

from gateway.app.traces import trace_of

CANARY = "浙A·CANARY7"


def fails(plate: str) -> float:
    try:
        return float(plate)
    except ValueError as error:
        raise RuntimeError(f"no number: {plate}") from error


def test_a_trace_has_the_lines_of_code_and_not_the_value() -> None:
    with pytest.raises(RuntimeError, match="CANARY7") as failed:
        fails(CANARY)
    text = trace_of(failed.value)
    assert "CANARY7" not in text
    assert text.startswith("RuntimeError\n")
    assert "in fails" in text


def test_an_error_without_a_trace_is_its_kind() -> None:
    assert trace_of(ValueError(CANARY)) == "ValueError"
