"""The sizes in docs/platform/receiver.md follow from its table of measured figures."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "platform" / "receiver.md").read_text(encoding="utf-8")
MEASURED = {
    row[0]: [int(cell.replace(",", "")) for cell in row[1:]]
    for line in re.findall(r"^\| (\d+ values? a record, .+) \|$", PAGE, re.MULTILINE)
    if (row := line.split(" | "))
}
TWO = MEASURED["20 values a record, two copies"]


CHINESE = ROOT / "docs" / "zh" / "platform" / "receiver.md"


def number(pattern: str) -> float:
    """Return the one number of the page that a pattern finds."""
    (found,) = re.findall(pattern, PAGE)
    return float(found.replace(",", ""))


def test_the_constants_of_the_formulas_are_those_of_the_table() -> None:
    per_core = TWO[0] // 1000 * 1000
    assert number(r"C = 2 x R / ([\d,]+) ") == per_core
    assert number(r"C = R x \(1 \+ T / H\) / ([\d,]+)") == per_core
    assert number(r"D = R x 86,400 x ([\d,]+) ") == TWO[3]
    assert number(r"B = R / ([\d,]+)") == number(r"mosquitto took ([\d,]+) messages")
    for records, readings, _, _ in MEASURED.values():
        assert 0.9 < readings / records < 1.0 or 18 < readings / records < 20, (
            "one in 50 is an event"
        )


def test_the_example_is_computed_by_the_formulas() -> None:
    rate = number(r"R = 10,000 x 63 / 60 += ([\d,]+) records/s")
    per_core = TWO[0] // 1000 * 1000
    assert rate == 10_000 * 63 / 60
    assert number(r"C = 2 x 10,500 / [\d,]+ += ([\d.]+) cores") == round(2 * rate / per_core, 1)
    assert number(r"D = 10,500 x .+ = ([\d.]+) TB a day") == round(rate * 86_400 * TWO[3] / 1e12, 2)
    assert number(r"B = 10,500 / .+ = ([\d.]+) core of") == round(
        rate / number(r"B = R / ([\d,]+)"), 1
    )
    assert number(r"\(1 \+ 24 / 6\) / [\d,]+ = ([\d.]+) cores") == round(rate * 5 / per_core, 1)


def test_the_chinese_page_says_the_same() -> None:
    text = CHINESE.read_text(encoding="utf-8")
    formulas = [one for one in re.findall(r"[CDB] = (.+?)(?:  |\n)", PAGE) if "R" in one]
    assert len(formulas) == 4
    assert [one for one in formulas if one not in text] == []
    units = {"cores, say": "核", "TB": "TB", "core of": "核", "cores for": "核"}
    for english, chinese in units.items():
        assert f"{number(rf'= ([0-9.]+) {english}'):g} {chinese}" in text
