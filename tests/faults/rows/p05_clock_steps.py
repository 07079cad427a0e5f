"""P5: the wall clock is set by a day and by an hour, forward and back, while the gateway works."""

from __future__ import annotations

import time

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
        site = write_site(base, site_text(broker.port, slave.port, units=UNITS, settings={}))
        clock = FakeTime(base, 0)
        counts: list[int] = []
        with GatewayProcess(
            site, Folders(base), module=FakeTime.MODULE, environment=clock.environment()
        ) as gateway:
            gateway.wait_ready()
            time.sleep(between_s)
            for offset_s in OFFSETS_S:
                before = len(slave.times_ms(1))
                clock.set(offset_s)
                time.sleep(between_s)
                counts.append(len(slave.times_ms(1)) - before)
            until(lambda: depth(gateway) < 8 * UNITS, "all is delivered")
            assert gateway.stop() == 0
        committed = CommittedBook()
        committed.take_stored(stored_records(base / "state"))
        platform.wait(
            lambda: platform.auditor.received >= len(committed.entries), "all committed ones"
        )
        found = audit(None, committed, ReceivedBook.of(platform.so_far()))
        steps = [m.body["val"] for m in platform.of("event", "_") if m.body["type"] == "clock_step"]
    assert found.is_clean, found.sentence()
    told = [round(step / HOUR_S) for step in steps]
    assert told == [24, -24, -24, 24, 1, -1, -1, 1], f"steps were told as {told}"
    wanted = READS_A_SECOND * between_s
    off = max(abs(count - wanted) / wanted for count in counts)
    # A busy machine is slow now and then; a stall is nothing at all, a burst many times too much.
    assert off <= (0.8 if stage.is_short else 0.05), f"polls after a step: {counts} of {wanted}"
    return holds(
        f"8 steps, each told; polls behind a step off by at most {100 * off:.1f} %; "
        f"{found.sentence()}",
        off_percent=round(100 * off, 1),
        **found.figures(),
    )


ROW = Row(
    id="P5",
    fault="the wall clock is set by +-1 day and +-1 h while the gateway works",
    tool="libfaketime",
    must_hold="polls go on in their rhythm, no burst and no stall; seqs stay in order",
    goal="poll interval error <= 5 %",
    run=run,
)
