"""Finds the rows, runs them, and writes the report."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.contract import Judgement, Row, Stage, Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row."""

    row: Row
    verdict: Verdict
    seconds: float


def all_rows() -> list[Row]:
    """Return the rows of the folder, in the order of the matrix."""
    found: list[Row] = [
        importlib.import_module(f"tests.faults.rows.{file.stem}").ROW
        for file in (Path(__file__).parent / "rows").glob("[!_]*.py")
    ]
    return sorted(found, key=_place)


def _place(row: Row) -> tuple[int, str, int]:
    matched = re.fullmatch(r"([UPDF])(\d+)", row.id)
    if matched is None:
        return (1, row.id, 0)
    return (0, f"{'UPDF'.index(matched[1])}", int(matched[2]))


def run_row(row: Row, *, seed: int, is_short: bool) -> Result:
    """Run one row in a folder of its own; an error of the row is a verdict like any other."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"linli-{row.id}-") as folder:
        try:
            verdict = row.run(Stage(Path(folder), seed, is_short))
        except AssertionError as error:
            verdict = Verdict(Judgement.FAILS, str(error).splitlines()[0] if str(error) else "?")
            traceback.print_exc()
        except Exception as error:  # noqa: BLE001 - the other rows are still to be run
            verdict = Verdict(Judgement.FAILS, f"{type(error).__name__}: {error}")
            traceback.print_exc()
    return Result(row, verdict, time.monotonic() - began)


def run_all(chosen: Sequence[Row], *, seed: int, is_short: bool, folder: Path) -> list[Result]:
    """Run rows one after the other, and write the report anew after each."""
    results: list[Result] = []
    for row in chosen:
        results.append(run_row(row, seed=seed, is_short=is_short))
        last = results[-1]
        sys.stdout.write(f"{row.id}: {last.verdict.judgement}: {last.verdict.figure}\n")
        sys.stdout.flush()
        write_report(results, folder, is_short=is_short, seed=seed)
    return results


def write_report(results: Sequence[Result], folder: Path, *, is_short: bool, seed: int) -> None:
    """Write `faults.md` for people and `faults.json` for machines."""
    folder.mkdir(parents=True, exist_ok=True)
    form = "short" if is_short else "full"
    lines = [
        f"# Fault matrix, {form} form, seed {seed}",
        "",
        "| row | fault | injected by | must hold | goal | verdict | figure | seconds |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(result) for result in results),
    ]
    (folder / "faults.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    document = [
        {
            "row": result.row.id,
            "fault": result.row.fault,
            "tool": result.row.tool,
            "goal": result.row.goal,
            "seconds": round(result.seconds, 1),
            **asdict(result.verdict),
        }
        for result in results
    ]
    (folder / "faults.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _line(result: Result) -> str:
    row, verdict = result.row, result.verdict
    cells = (
        row.id,
        row.fault,
        row.tool,
        row.must_hold,
        row.goal,
        verdict.judgement,
        verdict.figure,
        f"{result.seconds:.0f}",
    )
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"
