"""D5: every fsync takes half a second; the field is polled in time all the same."""

from __future__ import annotations

import time

from tests.e2e.kit_gateway import until
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.dense_load import PROFILE_TEXT
from tests.faults.disk_shim import NoShim, make_shim
from tests.faults.power_house import House, house

FSYNC_MS = 500
PERIOD_S = 0.2
CALM_PROFILE = PROFILE_TEXT.replace("power: 50ms", "power: 200ms")
UNITS = 4
ON_TIME_SHARE = 0.99
SHORT_SHARE = 0.9
"""In `make test` others use the machine as well."""


def run(stage: Stage) -> Verdict:
    """Count polls on a slow disk and compare them with their schedule."""
    try:
        shim = make_shim(stage.folder, stage.folder / "state")
    except NoShim as why:
        return not_here(str(why))
    with house(stage.folder, units=UNITS, profile=CALM_PROFILE) as at:
        with at.gateway(environment=shim.environment()) as gateway:
            gateway.wait_ready()
            at.received(20)
            shim.say(f"fsync_ms={FSYNC_MS}")
            share = _on_time(at, stage.times(60, 4))
            at.received(20)
            shim.say("")
            at.received(20)
            assert gateway.stop() == 0
        at.note_stored()
        found = at.judge()
    assert found.is_clean, found.sentence()
    assert share >= (SHORT_SHARE if stage.is_short else ON_TIME_SHARE), f"{share:.2%} on time"
    return holds(f"{share:.2%} of polls on time; {found.sentence()}", share=share)


def _on_time(at: House, seconds: float) -> float:
    """Return the polls that came in a time, of those that fall due in it."""
    began, polls = time.monotonic(), at.polls()
    until(lambda: time.monotonic() - began >= seconds, "time passes")
    took_s, came = time.monotonic() - began, at.polls() - polls
    due = 2 * UNITS * took_s / PERIOD_S  # the dense block and the alarm bits
    return min(1.0, came / due)


ROW = Row(
    id="D5",
    fault=f"slow disk: {FSYNC_MS} ms for every fsync",
    tool="LD_PRELOAD shim",
    must_hold="the store works beside the event loop: polls come in time, nothing is lost",
    goal="polls on time >= 99 %",
    run=run,
    has_short=False,
)
