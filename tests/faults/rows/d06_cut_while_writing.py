"""D6: the process is killed before every single change that a migration or a save makes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.disk_shim import NoShim, make_shim

_OUTBOX_TESTS = str(Path(__file__).parents[2] / "outbox")
"""Where the old databases of the outbox's own tests come from."""


def run(stage: Stage) -> Verdict:
    """Cut the store's migration and the save of the last good site everywhere."""
    work = stage.folder / "work"
    work.mkdir()
    try:
        shim = make_shim(stage.folder, work)
    except NoShim as why:
        return not_here(str(why))
    sizes = (2,) if stage.is_short else (1, 2, 5, 9)
    cuts: dict[str, int] = {"store": 0, "site-file": 0, "last-good": 0}
    for case, size in [("store", 0), ("site-file", 0), *(("last-good", size) for size in sizes)]:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.faults.disk_cuts",
                case,
                str(work / f"{case}{size}"),
                str(size),
            ],
            env={**os.environ, **shim.environment(), "PYTHONPATH": _OUTBOX_TESTS},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{case}: {done.stderr.strip()[-600:]}"
        cuts[case] += int(done.stdout)
    assert all(count > 3 for count in cuts.values()), f"the shim saw no changes: {cuts}"
    return holds(
        f"{sum(cuts.values())} of {sum(cuts.values())} cuts left the old or the new: "
        f"{cuts['store']} in the store's migration, {cuts['site-file']} in that of a site file, "
        f"{cuts['last-good']} in a save of the site",
        **cuts,
    )


ROW = Row(
    id="D6",
    fault="kill before every change of the disk in migrations and a save of the site",
    tool="LD_PRELOAD shim",
    must_hold="the old or the new is there, never half",
    goal="100 of 100",
    run=run,
    has_short=False,
)
