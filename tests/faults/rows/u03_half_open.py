"""U3: the way to the broker swallows every packet, and nobody is told."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.uplink_namespace import Namespace, why_not
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import (
    Scene,
    clean,
    committed,
    found_within_s,
    keepalive_s,
    lost_after,
    settled,
    within,
)
from tests.support.mosquitto import mosquitto


def run(stage: Stage) -> Verdict:
    """Drop all packets, once while it publishes and once while it has nothing to say."""
    if (why := why_not()) is not None:
        return not_here(why)
    found_s: dict[str, float] = {}
    with (
        Scene(stage.folder) as scene,
        mosquitto(stage.folder) as broker,
        Namespace() as space,
        Proxy(broker.port, space.listener()) as proxy,
        Platform(broker.port) as platform,
    ):
        url, keepalive = f"mqtt://{space.address}:{proxy.port}", keepalive_s(stage)
        with scene.gateway(url, f", keepalive: {keepalive}s") as gateway:
            committed(gateway, 20)
            for what in ("publishing",) if stage.is_short else ("publishing", "idle"):
                if what == "idle":
                    scene.field.silent.update(range(1, scene.units + 1))
                    settled(gateway)
                until(lambda: sink_status(gateway)["connected"], "connected")
                began_ms = status(gateway)["now"]
                space.drop()
                found_s[what] = lost_after(gateway, began_ms)
                space.heal()
                until(lambda: sink_status(gateway)["connected"], "it is back")
                settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
    for what, seconds in found_s.items():
        within(stage, seconds, found_within_s(stage), f"found while {what}")
    clean(found)
    times = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found_s.items())
    return holds(
        f"keep-alive {keepalive} s, found: {times}; {found.sentence()}",
        found_s=found_s,
        **found.figures(),
    )


ROW = Row(
    id="U3",
    fault="half-open TCP, publishing and idle",
    tool="nft drop in a network namespace",
    must_hold="detected, reconnected, nothing lost",
    goal="found within 15 s",
    run=run,
)
