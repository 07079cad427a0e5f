"""U9: the broker takes no packet above 2000 bytes, and what waits is packed in larger ones."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_backlog import backlog, oversize
from tests.faults.uplink_stage import Scene, clean, settled, url_of, within
from tests.support.mosquitto import mosquitto

LIMIT = 2000
STALL_S = 1.0


def run(stage: Stage) -> Verdict:
    """Let old records wait that no single `hist` of the limit holds, then let it drain."""
    with (
        Scene(stage.folder) as scene,
        mosquitto(stage.folder, f"max_packet_size {LIMIT}") as broker,
        Platform(broker.port) as platform,
    ):
        oversize(scene.state, "x" * 2 * LIMIT)
        waiting = backlog(scene.state, records=stage.times(20_000, 1_000), devices=scene.units)
        with scene.gateway(url_of(broker)) as gateway:
            platform.wait(lambda: len(platform.of("prop")) >= 1, "the first live value")
            first_ms = status(gateway)["now"]
            settled(gateway)
            drained_s = (status(gateway)["now"] - first_ms) / 1000
            until(lambda: sink_status(gateway)["connected"], "connected")
            seen = sink_status(gateway)
            assert gateway.stop() == 0
        found, refused = scene.audited(platform), scene.refused()
        # What comes live beside the backlog shows whether anything stood in its way.
        live = [m.body for m in platform.of("prop") if not m.body.get("snap")]
        stall_s = max((m["tp"] - m["ts"]) / 1000 for m in live)
        largest = max(len(m.payload) for m in platform.so_far())
    assert seen["connects"] == 1, f"{seen['connects'] - 1} reconnects"
    assert largest <= LIMIT
    assert seen["too_large"] > 1, "no packet was too large: the fault was not injected"
    assert len(refused) == 1, f"{len(refused)} set aside, one is too large by itself"
    assert found.received >= waiting
    clean(found)
    within(stage, stall_s, STALL_S, "live values held up")
    return holds(
        f"{waiting} old records in packets of at most {largest} bytes within {drained_s:.1f} s, "
        f"1 record too large by itself set aside and shown, 1 connect, "
        f"live values held up at most {stall_s:.2f} s; {found.sentence()}",
        stall_s=stall_s,
        too_large=seen["too_large"],
        **found.figures(),
    )


ROW = Row(
    id="U9",
    fault="packets too large for the broker",
    tool="mosquitto max_packet_size 2000",
    must_hold="split before sending; one that cannot be split is set aside; the queue moves on",
    goal="live values held up at most 1 s; 0 reconnects",
    run=run,
)
