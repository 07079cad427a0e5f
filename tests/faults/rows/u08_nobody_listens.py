"""U8: the broker takes everything, and says that nobody has subscribed (0x10)."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, status, until
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_stage import Scene, settled, url_of, within
from tests.support.mosquitto import mosquitto

SHOWN_S = 10.0


def run(stage: Stage) -> Verdict:
    """Publish to a broker without a subscriber."""
    with Scene(stage.folder) as scene, mosquitto(stage.folder) as broker:
        with scene.gateway(url_of(broker)) as gateway:
            until(lambda: sink_status(gateway)["connected"], "connected")
            since_ms = sink_status(gateway)["since"]
            until(lambda: sink_status(gateway)["nobody_listens"] > 0, "it is shown")
            shown_s = (status(gateway)["now"] - since_ms) / 1000
            until(lambda: sink_status(gateway)["delivered"] >= stage.times(500, 30), "it goes on")
            settled(gateway)
            until(lambda: sink_status(gateway)["is_unheard"], "the doubt is said")
            seen = sink_status(gateway)
            assert gateway.stop() == 0
        refused = scene.refused()
    assert seen["is_unheard"], "the status does not say that nobody listens"
    assert seen["connects"] == 1
    assert not refused
    within(stage, shown_s, SHOWN_S, "shown")
    return holds(
        f"shown {shown_s:.1f} s after the connect: {seen['nobody_listens']} of "
        f"{seen['delivered']} delivered to nobody, 0 refused, 1 connect",
        shown_s=shown_s,
        nobody_listens=seen["nobody_listens"],
        delivered=seen["delivered"],
    )


ROW = Row(
    id="U8",
    fault="no matching subscribers (0x10)",
    tool="mosquitto without a subscriber",
    must_hold="delivered as MQTT has it, and the status says that nobody listens",
    goal="shown within 10 s",
    run=run,
)
