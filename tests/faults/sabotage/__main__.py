"""Run every sabotaged build through its scenario, and the honest build through the same.

    python -m tests.faults.sabotage [NAME …] [--out FOLDER]

Prints a table; exit status 1 when a sabotage is not caught or an honest build is accused.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.power_cut import NoDisk
from tests.faults.sabotage.builds import HONEST, Build, sabotaged
from tests.faults.sabotage.findings import Finding
from tests.faults.sabotage.variants import VARIANTS, Variant


@dataclass(frozen=True, slots=True)
class Trial:
    """A sabotaged build and the honest one under the same scenario."""

    variant: Variant
    honest: Finding
    guilty: Finding
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether the one is clean and the other is caught."""
        return self.honest.is_clean and not self.guilty.is_clean

    def line(self) -> str:
        """Return it as a line of a table."""
        verdict = "caught" if not self.guilty.is_clean else "NOT CAUGHT"
        cells = (
            self.variant.name,
            self.variant.wrong,
            self.variant.tool,
            f"{verdict}: {self.guilty.sentence()}",
            self.honest.sentence(),
            f"{self.seconds:.1f}",
        )
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| sabotage | what is wrong | fault | sabotaged build | honest build | seconds |\n"
    "|---|---|---|---|---|---|"
)
_Scenario = Callable[[Build, Path], Finding]


def try_variant(variant: Variant, honest: dict[_Scenario, Finding]) -> Trial:
    """Run both builds; `honest` remembers what the honest one came to in a scenario.

    Raises:
        NoDisk: the fault cannot be injected here.
        Stale: the patch no longer fits the source.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="linli-sabotage-") as name:
        folder = Path(name)
        build = sabotaged(folder / "build", variant.patch)
        for place in ("honest", "guilty"):
            (folder / place).mkdir()
        if variant.scenario not in honest:
            honest[variant.scenario] = variant.scenario(HONEST, folder / "honest")
        guilty = variant.scenario(build, folder / "guilty")
    return Trial(variant, honest[variant.scenario], guilty, time.monotonic() - began)


def main(words: Sequence[str] | None = None) -> int:
    """Return 1 when a trial is not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help="only these")
    parser.add_argument("--out", type=Path, help="write the table here too")
    given = parser.parse_args(words)
    honest: dict[_Scenario, Finding] = {}
    lines = [HEAD]
    wrong = 0
    for variant in VARIANTS:
        if given.name and variant.name not in given.name:
            continue
        try:
            trial = try_variant(variant, honest)
        except NoDisk as why:
            lines.append(f"| {variant.name} | {variant.wrong} | not here: {why} | | | |")
        else:
            wrong += not trial.is_right
            lines.append(trial.line())
        sys.stdout.write("\n".join(lines if len(lines) == 2 else lines[-1:]) + "\n")
        sys.stdout.flush()
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "sabotage.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
