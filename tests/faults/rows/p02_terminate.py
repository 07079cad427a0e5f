"""P2: SIGTERM under load: a clean stop within its time, and nothing is lost by it."""

from __future__ import annotations

import time
from random import Random

from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.lives import live_many
from tests.support.gateway_process import GatewayProcess

LONGEST_LIFE_S = 1.6
STOP_S = 5.0


def run(stage: Stage) -> Verdict:
    """Stop, look at the disk, start again; then compare the books."""
    chance = Random(stage.seed)  # noqa: S311 - repeatable
    stops_s: list[float] = []

    def live(gateway: GatewayProcess) -> None:
        gateway.wait_ready()
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))  # the random moment
        began = time.monotonic()
        assert gateway.stop() == 0, "it did not end cleanly"
        stops_s.append(time.monotonic() - began)

    told = live_many(stage.folder, live, lives=stage.times(50, 3))
    found = told.found
    assert found.is_clean, found.sentence()
    slowest_s = max(stops_s)
    assert slowest_s <= STOP_S * (3 if stage.is_short else 1), f"a stop took {slowest_s:.1f} s"
    return holds(
        f"{told.lives} stops, slowest {slowest_s:.2f} s, {told.readings:,} readings; "
        f"{found.sentence()}",
        stops=told.lives,
        slowest_s=round(slowest_s, 3),
        **found.figures(),
    )


ROW = Row(
    id="P2",
    fault="SIGTERM under load",
    tool="SIGTERM",
    must_hold="a clean stop, nothing lost, no copies beyond the window",
    goal="exit <= 5 s over 50 stops, 0 lost",
    run=run,
)
