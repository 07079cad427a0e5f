"""U11: acknowledgements twice, of ids never used, and of ids of the connection before."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, until
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_scripted import ScriptedThread
from tests.faults.uplink_stage import Scene, clean, committed, settled
from tests.support.broker import Connection, Got

NEVER_USED = 40_000
OLD_IDS = 200
SHUTTING_DOWN = 0x8B
"""With a word: a broker that hangs up again and again without one is left alone for long."""


def run(stage: Stage) -> Verdict:
    """Leave messages unacknowledged, cut, and acknowledge their ids at once after the connect."""
    rounds = stage.times(8, 2)
    with Scene(stage.folder) as scene, ScriptedThread() as broker:

        def doubled(got: Got) -> int | None:
            connection = broker.connections[-1]
            connection.acknowledge(got.mid)
            connection.acknowledge(NEVER_USED + got.mid)
            return 0

        def late(connection: Connection) -> None:
            for mid in range(1, OLD_IDS):
                connection.acknowledge(mid)

        twice = broker.judging(doubled)
        broker.script.greets = late
        broker.script.acknowledge = twice
        with scene.gateway(broker.url) as gateway:
            for _ in range(rounds):
                until(lambda: sink_status(gateway)["connected"], "connected")
                settled(gateway)
                broker.script.acknowledge = broker.judging(lambda _got: None)
                first = len(broker.got)
                broker.until(lambda first=first: len(broker.got) >= first + 10, "unanswered ones")
                count = len(broker.connections)
                broker.script.acknowledge = twice
                broker.disconnect(SHUTTING_DOWN)
                broker.until(lambda count=count: len(broker.connections) > count, "it is back")
            until(lambda: sink_status(gateway)["connected"], "connected")
            committed(gateway, 50)
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.compared(broker.accepted)
    clean(found)
    return holds(
        f"{rounds} connections cut with messages unanswered, {OLD_IDS - 1} old ids acknowledged "
        f"after each, every PUBACK twice; {found.sentence()}",
        rounds=rounds,
        **found.figures(),
    )


ROW = Row(
    id="U11",
    fault="PUBACK twice, of an unknown id, of an id of the connection before",
    tool="scripted broker",
    must_hold="nothing counts as delivered that was not acknowledged on this connection",
    goal="0 lost",
    run=run,
)
