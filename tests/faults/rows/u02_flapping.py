"""U2: the way to the broker breaks every two seconds."""

from __future__ import annotations

import time

from tests.e2e.kit_gateway import sink_status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import Scene, clean, committed, settled
from tests.support.mosquitto import mosquitto

EVERY_S = 2.0


def run(stage: Stage) -> Verdict:
    """Reset every connection every two seconds; count connects and duplicates."""
    flaps = stage.times(300, 3)
    with (
        Scene(stage.folder) as scene,
        mosquitto(stage.folder) as broker,
        Proxy(broker.port) as proxy,
        Platform(broker.port) as platform,
    ):
        with scene.gateway(f"mqtt://127.0.0.1:{proxy.port}") as gateway:
            committed(gateway, 20)
            window, before = sink_status(gateway)["window"], proxy.accepted
            received: list[int] = []
            for _ in range(flaps):
                time.sleep(EVERY_S)  # the fault itself, not a wait for something
                received.append(platform.auditor.received)
                proxy.reset()
            until(lambda: sink_status(gateway)["connected"], "connected at last")
            settled(gateway)
            connects = proxy.accepted - before
            assert gateway.stop() == 0
        found = scene.audited(platform)
    clean(found)
    assert connects <= flaps, f"{connects} connects in {flaps} flaps"
    assert found.duplicates <= 2 * window * flaps, f"{found.duplicates} duplicates"
    assert received[-1] > received[0], "no progress between flaps"
    return holds(
        f"{flaps} flaps, {connects} connects, {found.duplicates} duplicates "
        f"({found.duplicates / flaps:.1f} a flap, window {window}); {found.sentence()}",
        flaps=flaps,
        connects=connects,
        **found.figures(),
    )


ROW = Row(
    id="U2",
    fault="link flaps every 2 s",
    tool="TCP proxy, RST to both ends",
    must_hold="progress between flaps, no storm of reconnects, no explosion of duplicates",
    goal="0 lost; duplicates at most 2 windows and connects at most 1 per flap",
    run=run,
)
