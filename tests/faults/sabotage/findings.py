"""What an audit of a scenario came to: its figures, and whether they betray the build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.audit import Audit

FAULTS = ("lost", "false", "untold", "broken", "unmatched", "out_of_order", "unreadable", "missed")
"""Figures that must be 0. `missed`: due, and told neither as good nor as bad."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The figures of one audit."""

    figures: Mapping[str, int]

    @classmethod
    def of(cls, found: Audit) -> Finding:
        """Return what this audit found."""
        return cls(found.figures())

    @property
    def faults(self) -> dict[str, int]:
        """The figures that should be 0 and are not."""
        return {name: count for name in FAULTS if (count := self.figures.get(name, 0))}

    @property
    def is_clean(self) -> bool:
        """Whether the audit has nothing to say against the build."""
        return not self.faults

    def sentence(self) -> str:
        """Return what was found, for a table."""
        if self.is_clean:
            committed = self.figures.get("committed", 0) or self.figures.get("received", 0)
            return f"clean over {committed:,} records"
        return ", ".join(
            f"{count:,} {name.replace('_', ' ')}" for name, count in self.faults.items()
        )
