"""F7: an adapter is pulled out and comes back under another name, beside a bus that goes on."""

from __future__ import annotations

from tests.e2e.kit_gateway import until, write_site
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.field_ends import PtyAdapter
from tests.faults.uplink_stage import Scene, clean, settled, within
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import mosquitto

BACK_S = 5.0
GONE_READS = 10
"""Reads of the other bus while the adapter is away."""


def run(stage: Stage) -> Verdict:
    """Pull it out and plug it in again, several times; hold the books together at the end."""
    with (
        Scene(stage.folder, units=2) as scene,
        mosquitto(stage.folder) as broker,
        Platform(broker.port) as platform,
        PtyAdapter(scene.field, stage.folder / "adapter") as adapter,
    ):
        site = write_site(scene.base, _site(broker.port, str(stage.folder / "adapter"), scene))
        with running_gateway(site, scene.base) as gateway:
            _wait_for_reads(scene, 1, 5)
            slowest_s = max(_replug(scene, adapter) for _ in range(stage.times(10, 2)))
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
        bad = [e for e in platform.points("em-2", "count") if e.get("q", 192) != 192]
    clean(found)
    assert not bad, f"{len(bad)} bad readings on the other bus"
    within(stage, slowest_s, BACK_S, "the adapter is read again")
    replugs = len(adapter.ports) - 1
    return holds(
        f"{replugs} times out and back under another name: read again after at most "
        f"{slowest_s:.1f} s; no bad reading on the other bus; {found.sentence()}",
        replugs=replugs,
        back_s=round(slowest_s, 2),
        **found.figures(),
    )


def _replug(scene: Scene, adapter: PtyAdapter) -> float:
    """Return how long it took until the device behind it was read again."""
    adapter.unplug()
    _wait_for_reads(scene, 2, GONE_READS)
    before = scene.field.counts.get(1, 0)
    began = scene.wet(2, is_on=False)
    adapter.plug()
    until(lambda: scene.field.counts.get(1, 0) > before, "the device is read again")
    return scene.wet(2, is_on=False) - began


def _wait_for_reads(scene: Scene, unit: int, reads: int) -> None:
    target = scene.field.counts.get(unit, 0) + reads
    until(lambda: scene.field.counts.get(unit, 0) >= target, f"unit {unit} is read")


def _site(broker: int, port: str, scene: Scene) -> str:
    return f"""\
version: 1
gateway: {{id: gw-u, site: faults, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
  platform: {{dialect: native, url: "mqtt://127.0.0.1:{broker}"}}
buses:
  wires: {{port: "{port}", line: 115200 8N1}}
  tcp: {{tcp: "127.0.0.1:{scene.field.port}"}}
devices:
  - {{id: em-1, profile: faults/counter, bus: wires, address: 1}}
  - {{id: em-2, profile: faults/counter, bus: tcp, address: 2}}
"""


ROW = Row(
    id="F7",
    fault="adapter unplugged, back under another name",
    tool="pty behind a symbolic link, the whole gateway",
    must_hold="other buses unaffected, found again by its stable name",
    goal="back within 5 s",
    run=run,
)
