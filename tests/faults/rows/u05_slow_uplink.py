"""U5: 16 kbit/s, a round trip of a second, one packet in ten lost; and a backlog in front."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.uplink_alarms import Alarms
from tests.faults.uplink_backlog import backlog
from tests.faults.uplink_namespace import Namespace, why_not
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import Scene, percentile, within
from tests.support.mosquitto import mosquitto

RTT_S, KBIT, LOSS_PERCENT = 1.0, 16, 10
ALARM_S = 1.0


def run(stage: Stage) -> Verdict:
    """Raise and clear alarms behind a backlog that this link cannot carry in the time."""
    if (why := why_not()) is not None:
        return not_here(why)
    with (
        Scene(stage.folder, units=1) as scene,
        mosquitto(stage.folder) as broker,
        Namespace() as space,
        Proxy(broker.port, space.listener()) as proxy,
        Platform(broker.port) as platform,
    ):
        backlog(scene.state, records=20_000, devices=1)
        proxy.delay_s = RTT_S / 2
        url = f"mqtt://{space.address}:{proxy.port}"
        with scene.gateway(url) as gateway:
            until(lambda: sink_status(gateway)["delivered"] >= 4, "connected and born")
            space.shape(KBIT)
            space.lose(LOSS_PERCENT)
            with Alarms(scene, broker.port) as alarms:
                waits = alarms.play(stage.times(100, 4), every_s=1.0)
            space.heal()
            backlog_left = 20_000 - len({r["seq"] for r in platform.records()})
            gateway.kill()
    assert backlog_left > 0, "the backlog was through before the alarms: nothing was overtaken"
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    # Half of a round trip is on the way up; the goal adds a whole one.
    within(stage, p99, ALARM_S + RTT_S, "alarm p99")
    return holds(
        f"{len(waits)} alarms before {backlog_left} waiting records: p50 {p50:.2f} s, "
        f"p99 {p99:.2f} s",
        p50_s=p50,
        p99_s=p99,
        alarms=len(waits),
    )


ROW = Row(
    id="U5",
    fault="uplink of 16 kbit/s, 1 s round trip, 10 % loss, with a backlog",
    tool="tc tbf and nft numgen in a network namespace, delay in a TCP proxy",
    must_hold="alarms overtake the backlog",
    goal="alarm p99 at most 1 s + round trip",
    run=run,
    timeout_s=120,
)
