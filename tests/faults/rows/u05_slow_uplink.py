"""U5: 16 kbit/s, a round trip of a second, one packet in ten lost; and a backlog in front.

First without loss, then with it: what TCP has lost it repeats only after its timeout, and with one
packet in ten lost that happens to more than one alarm in a hundred, whatever the gateway does.
"""

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
REPEAT_S = 3.0
"""A retransmission of TCP (RFC 6298) over this link: a second of round trip, its spread four times,
and the second try where the first is lost too."""


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
        space.shape(KBIT)
        url = f"mqtt://{space.address}:{proxy.port}"
        with scene.gateway(url) as gateway:
            until(lambda: sink_status(gateway)["delivered"] >= 4, "connected and born")
            with Alarms(scene, broker.port) as alarms:
                waits = alarms.play(stage.times(60, 3), every_s=1.0)
                space.lose(LOSS_PERCENT)
                lossy = alarms.play(stage.times(100, 3), every_s=1.0)
            space.heal()
            backlog_left = 20_000 - len({r["seq"] for r in platform.records()})
            gateway.kill()
    assert backlog_left > 0, "the backlog was through before the alarms: nothing was overtaken"
    figures = {
        "p50_s": percentile(waits, 0.5),
        "p99_s": percentile(waits, 0.99),
        "lossy_p50_s": percentile(lossy, 0.5),
        "lossy_p99_s": percentile(lossy, 0.99),
    }
    figure = (
        f"before {backlog_left} waiting records: {len(waits)} alarms p50 {figures['p50_s']:.2f} s, "
        f"p99 {figures['p99_s']:.2f} s; {len(lossy)} with {LOSS_PERCENT} % loss: p50 "
        f"{figures['lossy_p50_s']:.2f} s, p99 {figures['lossy_p99_s']:.2f} s"
    )
    within(stage, figures["p99_s"], ALARM_S + RTT_S, f"alarm p99; {figure}")
    within(stage, figures["lossy_p50_s"], ALARM_S + RTT_S, f"with loss, p50; {figure}")
    within(stage, figures["lossy_p99_s"], ALARM_S + RTT_S + REPEAT_S, f"with loss; {figure}")
    return holds(figure, **figures)


ROW = Row(
    id="U5",
    fault="uplink of 16 kbit/s, 1 s round trip, 10 % loss, with a backlog",
    tool="tc tbf and nft numgen in a network namespace, delay in a TCP proxy",
    must_hold="alarms overtake the backlog",
    goal="alarm p99 at most 1 s + round trip; with loss and one repetition by TCP 3 s more",
    run=run,
    timeout_s=120,
)
