"""What the benches found: rows for people, verdicts on the requirements, JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

State = Literal["met", "MISSED", "unknown"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured of one program, in every round."""

    what: str
    who: str
    unit: str
    rounds: Sequence[float]

    @property
    def middle(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a requirement is met, and by what."""

    requirement: str
    found: str
    state: State


@dataclass(slots=True)
class Results:
    """All figures and verdicts of a run."""

    figures: list[Figure]
    verdicts: list[Verdict]

    def add(self, what: str, who: str, unit: str, *rounds: float | None) -> Figure | None:
        """Keep a figure, when there is one."""
        known = [one for one in rounds if one is not None]
        if not known:
            return None
        figure = Figure(what, who, unit, known)
        self.figures.append(figure)
        return figure

    def judge(self, requirement: str, found: str, *, is_met: bool | None) -> None:
        """Keep a verdict; None where what it needs could not be measured."""
        state: State = "unknown" if is_met is None else "met" if is_met else "MISSED"
        self.verdicts.append(Verdict(requirement, found, state))

    def as_json(self) -> dict[str, object]:
        """Return everything."""
        return {
            "figures": [
                {
                    "what": one.what,
                    "who": one.who,
                    "unit": one.unit,
                    "median": one.middle,
                    "rounds": list(one.rounds),
                }
                for one in self.figures
            ],
            "verdicts": [
                {"requirement": one.requirement, "found": one.found, "state": one.state}
                for one in self.verdicts
            ],
        }

    def show(self) -> None:
        """Print the table and the verdicts."""
        rows = [("measured", "who", "median", "lowest - highest", "unit")]
        for one in self.figures:
            span = "" if len(one.rounds) == 1 else f"{_n(min(one.rounds))} - {_n(max(one.rounds))}"
            rows.append((one.what, one.who, _n(one.middle), span, one.unit))
        _table(rows, right={2, 3})
        sys.stdout.write("\n")
        _table(
            [
                ("requirement", "found", "verdict"),
                *((v.requirement, v.found, v.state) for v in self.verdicts),
            ]
        )


def _n(number: float) -> str:
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.3f}"


def _table(rows: Sequence[Sequence[str]], right: frozenset[int] | set[int] = frozenset()) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
        if number == 0:
            sys.stdout.write("  ".join("-" * width for width in widths) + "\n")
