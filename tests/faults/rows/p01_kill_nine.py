"""P1: kill -9 at random moments under load, early ones while it starts among them."""

from __future__ import annotations

import time
from random import Random

from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.lives import live_many
from tests.support.gateway_process import GatewayProcess

LONGEST_LIFE_S = 1.6
EARLY_SHARE = 0.2
READINGS = 1_000_000


def run(stage: Stage) -> Verdict:
    """Kill, look at the disk, start again; then compare the books."""
    chance = Random(stage.seed)  # noqa: S311 - repeatable

    def live(gateway: GatewayProcess) -> None:
        if chance.random() >= EARLY_SHARE:
            gateway.wait_ready()
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))  # the random moment
        gateway.kill()

    told = live_many(
        stage.folder, live, lives=stage.times(200, 4), readings=0 if stage.is_short else READINGS
    )
    found = told.found
    assert found.is_clean, found.sentence()
    assert found.checked > 1000, "there was load"
    return holds(
        f"{told.lives} kills, {told.readings:,} readings; {found.sentence()}",
        kills=told.lives,
        readings=told.readings,
        **found.figures(),
    )


ROW = Row(
    id="P1",
    fault="kill -9 at random moments under load",
    tool="SIGKILL",
    must_hold="nothing committed is lost, no value is false",
    goal="0 lost and 0 false over 200 kills with a million readings",
    run=run,
)
