"""U10: the broker takes one unacknowledged message at a time."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_backlog import backlog
from tests.faults.uplink_scripted import ScriptedThread
from tests.faults.uplink_stage import Scene, clean, settled
from tests.support.broker import Script

LATE_S = 0.005
"""The acknowledgement comes so much later, so that two in flight would be seen as two."""


def run(stage: Stage) -> Verdict:
    """Let a backlog and live values through a window of one."""
    broker = ScriptedThread(Script(properties={"receive_maximum": 1}))
    broker.script.acknowledge = broker.later(LATE_S)
    with Scene(stage.folder) as scene, broker:
        backlog(scene.state, records=stage.times(50_000, 2_000), devices=scene.units)
        with scene.gateway(broker.url) as gateway:
            broker.until(lambda: len(broker.accepted) >= stage.times(2_000, 100), "messages")
            settled(gateway)
            window = sink_status(gateway)["window"]
            assert gateway.stop() == 0
        most = max(each.most_unacknowledged for each in broker.connections)
        found, messages = scene.compared(broker.accepted), len(broker.accepted)
    assert window == 1
    assert most == 1, f"{most} messages unacknowledged at once"
    assert len(broker.connections) == 1, "the broker was left"
    clean(found)
    return holds(
        f"{messages} messages, at most {most} unacknowledged; {found.sentence()}",
        most_unacknowledged=most,
        **found.figures(),
    )


ROW = Row(
    id="U10",
    fault="Receive Maximum 1",
    tool="scripted broker, acknowledgements 5 ms late",
    must_hold="no more than one message in flight",
    goal="most unacknowledged = 1",
    run=run,
)
