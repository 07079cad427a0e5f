"""Run the fault matrix: `python -m tests.faults [--short] [--row U3] [--out FOLDER]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.contract import Judgement
from tests.faults.matrix import all_rows, run_all


def main(words: Sequence[str] | None = None) -> int:
    """Return 1 when a row fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="as in make test")
    parser.add_argument("--row", action="append", help="only this row; may be given again")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/faults"), help="report folder")
    given = parser.parse_args(words)
    every = all_rows()
    names = {row.id for row in every}
    if unknown := set(given.row or ()) - names:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    chosen = [row for row in every if given.row is None or row.id in given.row]
    results = run_all(chosen, seed=given.seed, is_short=given.short, folder=given.out)
    return int(any(result.verdict.judgement is Judgement.FAILS for result in results))


if __name__ == "__main__":
    sys.exit(main())
