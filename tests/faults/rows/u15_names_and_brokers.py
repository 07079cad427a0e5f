"""U15: the broker's name is unknown or changes, or one of two brokers dies."""

from __future__ import annotations

import os

from tests.e2e.kit_gateway import sink_status, status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.uplink_private_names import PrivateNames
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import SINK, Scene, clean, committed, settled, within
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import mosquitto

NAME = "broker.linli.example"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
FAILOVER_S = 15.0


def run(stage: Stage) -> Verdict:
    """Change what the name means; one broker stands behind both addresses, so that all is seen."""
    if os.geteuid() != 0:
        return not_here("a mount namespace for the hosts file needs root")
    names, times_s = PrivateNames(stage.folder), _Times()
    with (
        Scene(stage.folder) as scene,
        mosquitto(stage.folder) as broker,
        Proxy(broker.port, host=FIRST) as first,
        Proxy(broker.port, host=SECOND, port=first.port) as second,
        Platform(broker.port) as platform,
    ):
        site = scene.site(f"mqtt://{NAME}:{first.port}")
        module, environment = names.module, names.environment()
        with GatewayProcess(site, scene.folders, module=module, environment=environment) as gateway:
            gateway.wait_ready()
            until(lambda: "cannot be resolved" in sink_status(gateway)["why"], "no such name")
            committed(gateway, stage.times(300, 20))
            names.know({NAME: (FIRST,)})
            times_s.until_back(gateway, "name known at last")
            if not stage.is_short:
                names.know({NAME: (SECOND,)})
                first.close()
                times_s.until_back(gateway, "name changed")
                names.know({NAME: (SECOND, FIRST)})
                first.open()
                second.close()
                times_s.until_back(gateway, "two addresses, one dead")
                second.open()
            assert gateway.stop() == 0
        # Then the list of brokers in the site file: the first lives, dies, and comes back.
        urls = ", ".join(f'"mqtt://{host}:{first.port}"' for host in (FIRST, SECOND))
        listed = scene.site("", sinks=f"  {SINK}: {{dialect: native, url: [{urls}]}}")
        with GatewayProcess(listed, scene.folders) as gateway:
            gateway.wait_ready()
            until(lambda: sink_status(gateway)["connected"], "connected to the first")
            used = second.accepted
            first.close()
            times_s.until_back(gateway, "first of two brokers dead")
            assert second.accepted > used, "the second of the list was not tried"
            assert gateway.stop() == 0
        found = scene.audited(platform)
    assert min(first.accepted, second.accepted) > 0, "one of the brokers was never used"
    for what, seconds in times_s.items():
        within(stage, seconds, FAILOVER_S, what)
    clean(found)
    told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in times_s.items())
    return holds(f"{told}; {found.sentence()}", times_s=dict(times_s), **found.figures())


class _Times(dict[str, float]):
    """Seconds until the gateway was back, by fault."""

    def until_back(self, gateway: GatewayProcess, what: str) -> None:
        """Wait for a connection that is newer than now, and until nothing waits."""
        began_ms = status(gateway)["now"]
        until(
            lambda: _is_up_since(gateway, began_ms),
            f"{what}: {sink_status(gateway)['why']}",
        )
        self[what] = (sink_status(gateway)["since"] - began_ms) / 1000
        settled(gateway)


def _is_up_since(gateway: GatewayProcess, began_ms: int) -> bool:
    seen = sink_status(gateway)
    return bool(seen["connected"]) and seen["since"] >= began_ms


ROW = Row(
    id="U15",
    fault="name cannot be resolved, name changes, one of two brokers dies",
    tool="hosts file in a mount namespace, TCP proxies on two addresses",
    must_hold="goes to the broker that lives, nothing lost",
    goal="failover within 15 s",
    run=run,
)
