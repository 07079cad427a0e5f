"""P5: the wall clock is set by a day and by an hour, forward and back, while the gateway works.

The reference (a flag file, as of a daemon that keeps the clock) has spoken before the first step
and not since: time goes on as `holdover`, and every reading is held against when it was served.
"""

from __future__ import annotations

import time

from gateway.ops.clock import FLAG_VARIABLE
from tests.e2e.kit_gateway import depth, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_store import stored_records
from tests.faults.audit import audit
from tests.faults.books import CommittedBook, ReceivedBook
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.dense_load import PROFILE, PROFILE_TEXT, DenseSlave, site_text
from tests.support.faketime import FakeTime
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import mosquitto

UNITS = 2
SPAN_MS, SLACK_MS = 2500, 50
GOAL_OFF = 0.05
DAY_S, HOUR_S = 86_400, 3600
OFFSETS_S = (DAY_S, 0, -DAY_S, 0, HOUR_S, 0, -HOUR_S, 0)
READS_A_SECOND = 25
"""Twenty of the dense group and five of the state, for each unit."""


def run(stage: Stage) -> Verdict:
    """Set the clock eight times, and look at the polls before and behind each step."""
    if FakeTime.library() is None:
        return not_here("libfaketime is not installed")
    base = stage.folder
    between_s = stage.times(20, 2)
    write_profile(base, PROFILE, PROFILE_TEXT)
    with (
        mosquitto(base, "max_inflight_messages 0") as broker,
        DenseSlave() as slave,
        Platform(broker.port) as platform,
    ):
        text = site_text(broker.port, slave.port, units=UNITS, settings={})
        site = write_site(base, text.replace("clock: trusted", "clock: kernel"))
        clock, flag = FakeTime(base, 0), base / "synchronised"
        flag.touch()
        environment = {**clock.environment(), FLAG_VARIABLE: str(flag)}
        rates: list[float] = []
        with GatewayProcess(
            site, Folders(base), module=FakeTime.MODULE, environment=environment
        ) as gateway:
            gateway.wait_ready()
            time.sleep(between_s)
            for number, offset_s in enumerate(OFFSETS_S, 1):
                before, began = len(slave.times_ms(1)), time.monotonic()
                clock.set(offset_s)
                until(lambda n=number: len(_steps(platform)) >= n, "the step is told")
                time.sleep(max(0.0, between_s - (time.monotonic() - began)))
                polls = len(slave.times_ms(1)) - before
                rates.append(polls / (time.monotonic() - began))
            until(lambda: depth(gateway) < 8 * UNITS, "all is delivered")
            assert gateway.stop() == 0
        committed = CommittedBook()
        committed.take_stored(stored_records(base / "state"))
        platform.wait(
            lambda: platform.auditor.received >= len(committed.entries), "all committed ones"
        )
        received = ReceivedBook.of(platform.so_far())
        found = audit(slave, committed, received, span_ms=SPAN_MS, slack_ms=SLACK_MS)
        told = [round(step / HOUR_S) for step in _steps(platform)]
        qualities = {record["tq"] for record in platform.records()}
    assert found.is_clean, found.sentence()
    assert told == [24, -24, -24, 24, 1, -1, -1, 1], f"steps were told as {told}"
    assert qualities == {"sync", "holdover"}, qualities
    off = max(abs(rate - READS_A_SECOND) / READS_A_SECOND for rate in rates)
    # A busy machine is slow now and then; a stall is nothing at all, a burst many times too much.
    assert min(rates) > 0, f"polls a second after a step: {rates}"
    assert stage.is_short or off <= GOAL_OFF, f"polls a second after a step: {rates}"
    assert max(rates) <= 2 * READS_A_SECOND, f"polls a second after a step: {rates}"
    return holds(
        f"8 steps, each told, 0 values with a wrong time; polls behind a step off by at most "
        f"{100 * off:.1f} %; {found.sentence()}",
        off_percent=round(100 * off, 1),
        **found.figures(),
    )


def _steps(platform: Platform) -> list[float]:
    """Return the steps that were told, in seconds."""
    events = [message.body for message in platform.of("event", "_")]
    return [event["val"] for event in events if event["type"] == "clock_step"]


ROW = Row(
    id="P5",
    fault="the wall clock is set by +-1 day and +-1 h while the gateway works",
    tool="libfaketime",
    must_hold="polls go on in their rhythm, no burst and no stall; seqs stay in order",
    goal="poll interval error <= 5 %; 0 readings with a wrong time published as good",
    run=run,
    has_short=False,
)
