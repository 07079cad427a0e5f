"""The ledger says what was when."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.ledger import Ledger


def filled() -> Ledger:
    ledger = Ledger()
    for at_ms, value in ((1000, 1.5), (2000, 2.5), (3000, None), (4000, 4.5)):
        ledger.put("em", "u", value, at_ms)
    return ledger


@pytest.mark.parametrize(
    ("value", "begun_ms", "taken_ms", "is_held"),
    [
        (1.5, 1000, 1100, True),
        (1.5, 500, 1000, True),
        (1.5, 500, 900, False),
        (1.5, 1900, 2000, True),
        (1.5, 2001, 2500, False),
        (2.5, 1500, 2500, True),
        (2.5, 3001, 3500, False),
        (4.5, 9000, 9100, True),
        (9.9, 1000, 9000, False),
        (2.5000001, 2500, 2600, True),
        (2.5001, 2500, 2600, False),
    ],
)
def test_a_value_holds_in_its_span_only(
    value: float, begun_ms: int, taken_ms: int, *, is_held: bool
) -> None:
    assert filled().holds("em", "u", value, (begun_ms, taken_ms)) is is_held


def test_an_unknown_point_holds_nothing() -> None:
    assert not filled().holds("em", "i", 1.5, (0, 9999))


def test_true_is_not_one() -> None:
    ledger = Ledger()
    ledger.put("d", "p", value=True, at_ms=1)
    assert ledger.holds("d", "p", value=True, span=(1, 2))
    assert not ledger.holds("d", "p", "True", (1, 2))


def test_memory_is_bounded() -> None:
    ledger = Ledger(keep=3)
    for i in range(10):
        ledger.put("d", "p", i, i)
    assert [h.value for h in ledger.held("d", "p")] == [7, 8, 9]


def test_an_unchanged_value_is_one_entry() -> None:
    ledger = Ledger()
    for at_ms in range(5):
        ledger.put("d", "p", 1.0, at_ms)
    assert len(ledger.held("d", "p")) == 1


def test_the_file_tells_another_process_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, keep=1) as ledger:
        ledger.put("d", "p", 1.5, 10)
        ledger.put("d", "p", "open", 20)
        ledger.put("d", "q", value=True, at_ms=30)
        ledger.flush()
        again = Ledger.read(path)
    assert again.holds("d", "p", 1.5, (10, 12))
    assert again.holds("d", "p", "open", (20, 25))
    assert again.holds("d", "q", value=True, span=(30, 30))
