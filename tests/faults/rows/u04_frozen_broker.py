"""U4: the broker hangs: its connections stand, it answers nothing."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_stage import (
    Scene,
    clean,
    committed,
    found_within_s,
    keepalive_s,
    lost_after,
    settled,
    url_of,
    within,
)
from tests.support.mosquitto import mosquitto

ON_TIME = 0.99
ON_TIME_BUSY = 0.8
"""Of a machine with other work."""


def run(stage: Stage) -> Verdict:
    """Compare the polls of a second before, with those of a second while the broker is frozen."""
    keepalive = keepalive_s(stage)
    with (
        Scene(stage.folder) as scene,
        mosquitto(stage.folder) as broker,
        Platform(broker.port) as platform,
    ):
        polls = scene.field.polls
        with scene.gateway(url_of(broker), f", keepalive: {keepalive}s") as gateway:
            committed(gateway, 20)
            began = status(gateway)["now"], polls.total()
            until(lambda: polls.total() >= began[1] + stage.times(600, 120), "polls")
            before = (polls.total() - began[1]) / (status(gateway)["now"] - began[0])
            began = status(gateway)["now"], polls.total()
            broker.freeze()
            try:
                found_s = lost_after(gateway, began[0])
                frozen = (polls.total() - began[1]) / (status(gateway)["now"] - began[0])
            finally:
                broker.thaw()
            until(lambda: sink_status(gateway)["connected"], "it is back")
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
    share = min(1.0, frozen / before)
    within(stage, found_s, found_within_s(stage), "found")
    floor = ON_TIME_BUSY if stage.is_short else ON_TIME
    assert share >= floor, f"polls on time while the broker was frozen: {share:.1%}"
    clean(found)
    return holds(
        f"keep-alive {keepalive} s, found {found_s:.1f} s; polls on time {share:.1%}; "
        f"{found.sentence()}",
        found_s=found_s,
        polls_on_time=share,
        **found.figures(),
    )


ROW = Row(
    id="U4",
    fault="broker frozen",
    tool="SIGSTOP to mosquitto",
    must_hold="as U3; polling is not blocked, nothing lost",
    goal="found within 15 s; polls on time at least 99 %",
    run=run,
)
