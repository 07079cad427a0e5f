"""P4: a start in 1970, as of a machine without a battery for its clock, and NTP some time later."""

from __future__ import annotations

import time

from simulators.clock import WallClock
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

UNITS = 3
SPAN_MS = 2500
SLACK_MS = 50


def run(stage: Stage) -> Verdict:
    """Start in 1970, set the clock right, and hold every time against when it was served."""
    if FakeTime.library() is None:
        return not_here("libfaketime is not installed")
    base = stage.folder
    write_profile(base, PROFILE, PROFILE_TEXT)
    with (
        mosquitto(base, "max_inflight_messages 0") as broker,
        DenseSlave() as slave,
        Platform(broker.port) as platform,
    ):
        site = write_site(base, site_text(broker.port, slave.port, units=UNITS, settings={}))
        clock = FakeTime(base, -(WallClock().now_ms() // 1000))
        with GatewayProcess(
            site, Folders(base), module=FakeTime.MODULE, environment=clock.environment()
        ) as gateway:
            gateway.wait_ready()
            platform.wait_for("event", lambda body: body["type"] == "odd")
            time.sleep(stage.times(60, 4))
            early = platform.so_far()
            clock.set(0)
            platform.wait(
                lambda: any(record["tq"] == "holdover" for record in platform.records()),
                "what waited comes with its real time",
            )
            until(lambda: depth(gateway) < 4 * UNITS, "what waited is delivered")
            assert gateway.stop() == 0
        committed = CommittedBook()
        committed.take_stored(stored_records(base / "state"))
        platform.wait(
            lambda: platform.auditor.received >= len(committed.entries), "all committed ones"
        )
        received = ReceivedBook.of(platform.so_far())
        found = audit(slave, committed, received, span_ms=SPAN_MS, slack_ms=SLACK_MS)
    shown = {message.kind for message in early} & {"prop", "hist"}
    assert not shown, "values were published before anyone knew the time"
    alarms = [message.body for message in early if message.kind == "event"]
    assert alarms, "an alarm waited for the clock"
    assert all(alarm["tq"] == "unsync" for alarm in alarms)
    assert found.is_clean, found.sentence()
    steps = [a for a in platform.of("event", "_") if a.body["type"] == "clock_step"]
    assert len(steps) == 1, "the step is told once"
    corrected = sum(record["tq"] == "holdover" for record in platform.records())
    assert corrected > 0
    return holds(
        f"{len(alarms)} alarms at once, {corrected} records dated afterwards, 0 values with a "
        f"wrong time; {found.sentence()}",
        corrected=corrected,
        **found.figures(),
    )


ROW = Row(
    id="P4",
    fault="boot at 1970, then NTP",
    tool="libfaketime",
    must_hold="alarms leave at once; values wait, are dated afterwards, and none is dated wrong",
    goal="0 readings with a wrong time published as good",
    run=run,
)
