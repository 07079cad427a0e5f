"""D1: power cuts of the disk under a gateway at work.

What reached a subscriber was committed before: after a cut the store must still have it, and must
never give its number to another record. The audit shows the first as `unmatched`, the second as
`unequal`.
"""

from __future__ import annotations

import signal
import time
from random import Random

from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.lives import live_many
from tests.faults.power_cut import Disk, NoDisk
from tests.support.gateway_process import GatewayProcess

LONGEST_LIFE_S = 1.6
EARLY_SHARE = 0.15


def run(stage: Stage) -> Verdict:
    """Cut the power at random moments; then compare the books."""
    chance = Random(stage.seed)  # noqa: S311 - repeatable
    try:
        with Disk(stage.folder / "disk.img", stage.folder / "state") as disk:
            return _cut_often(stage, disk, chance)
    except NoDisk as why:
        return not_here(str(why))


def _cut_often(stage: Stage, disk: Disk, chance: Random) -> Verdict:
    def live(gateway: GatewayProcess) -> None:
        if chance.random() >= EARLY_SHARE:
            gateway.wait_ready()
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))  # the random moment
        # Frozen first: else it finds a disk that refuses, and goes on without it for a moment.
        gateway.process.send_signal(signal.SIGSTOP)
        disk.cut()
        gateway.kill()
        disk.come_back()

    told = live_many(stage.folder, live, lives=stage.times(200, 3))
    found = told.found
    assert found.is_clean, found.sentence()
    assert found.checked > 1000, "there was load"
    return holds(
        f"{told.lives} power cuts, {told.readings:,} readings; {found.sentence()}",
        cuts=told.lives,
        readings=told.readings,
        **found.figures(),
    )


ROW = Row(
    id="D1",
    fault="power cut of the disk under load",
    tool="ext4 on a loop device, shutdown ioctl without log flush",
    must_hold="nothing committed is lost, the store opens, no number is given twice",
    goal="0 lost over 200 cuts",
    run=run,
)
