"""F10: Modbus TCP servers that reset, dawdle, lie in the header or send garbage."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.e2e.kit_gateway import until, write_site
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.field_ends import MISDEEDS, BadServer
from tests.faults.uplink_stage import Scene, clean, settled, within
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import mosquitto

BACK_S = 5.0
MOST_GROWTH_KB = 16_384
GOOD_UNIT = len(MISDEEDS) + 1


def run(stage: Stage) -> Verdict:
    """Let each of them misbehave for a while beside a good one; then heal them all."""
    with (
        Scene(stage.folder, units=GOOD_UNIT) as scene,
        mosquitto(stage.folder) as broker,
        Platform(broker.port) as platform,
        contextlib.ExitStack() as stack,
    ):
        servers = [stack.enter_context(BadServer(scene.field, misdeed)) for misdeed in MISDEEDS]
        ports = [server.port for server in servers] + [scene.field.port]
        site = write_site(scene.base, _site(broker.port, ports))
        with running_gateway(site, scene.base) as gateway:
            until(lambda: all(server.misdeeds for server in servers), "each misbehaved")
            before_kb = _resident_kb(gateway.process.pid)
            reads = scene.field.counts.get(GOOD_UNIT, 0) + stage.times(600, 8)
            until(lambda: scene.field.counts.get(GOOD_UNIT, 0) >= reads, "the good one is read")
            growth_kb = _resident_kb(gateway.process.pid) - before_kb
            for server in servers:
                server.is_healed = True
            began = scene.wet(GOOD_UNIT, is_on=False)
            _wait_for_value(platform, "em-1")
            connected_s = scene.wet(GOOD_UNIT, is_on=False) - began
            for unit in range(2, GOOD_UNIT):
                _wait_for_value(platform, f"em-{unit}")
            back_s = scene.wet(GOOD_UNIT, is_on=False) - began
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
        good = platform.points(f"em-{GOOD_UNIT}", "count")
    clean(found)
    assert all(e.get("q", 192) == 192 for e in good), "the good one suffered"
    assert growth_kb <= MOST_GROWTH_KB, f"memory grew by {growth_kb} kB"
    within(stage, connected_s, BACK_S, "the one that reset is read again")
    misdeeds = {server.name: server.misdeeds for server in servers}
    return holds(
        f"{sum(misdeeds.values()):,} misdeeds of {len(misdeeds)} kinds: {found.sentence()}; "
        f"memory +{growth_kb} kB; healed, the one that reset is back "
        f"after {connected_s:.1f} s, "
        f"the others, given up as dead devices, at their next probe, all after {back_s:.1f} s",
        misdeeds=misdeeds,
        growth_kb=growth_kb,
        connected_s=round(connected_s, 2),
        back_s=round(back_s, 2),
        **found.figures(),
    )


def _wait_for_value(platform: Platform, device: str) -> None:
    after = len(platform.so_far())

    def is_good() -> bool:
        return any(
            entry["p"] == "count" and entry.get("q", 192) == 192 and entry.get("v") is not None
            for message in platform.messages[after:]
            if message.device == device and message.kind == "prop"
            for entry in message.body.get("pts", ())
        )

    platform.wait(is_good, f"{device} is read again")


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


def _site(broker: int, ports: list[int]) -> str:
    buses = [f'  b{n}: {{tcp: "127.0.0.1:{port}"}}' for n, port in enumerate(ports, 1)]
    devices = [
        f"  - {{id: em-{n}, profile: faults/counter, bus: b{n}, address: {n}}}"
        for n in range(1, len(ports) + 1)
    ]
    return "\n".join(
        (
            "version: 1",
            "gateway: {id: gw-u, site: faults, clock: trusted}",
            "store: {commit_every: 100ms}",
            "defaults: {timeout: 300ms, retries: 0}",
            "sinks:",
            f'  platform: {{dialect: native, url: "mqtt://127.0.0.1:{broker}"}}',
            "buses:",
            *buses,
            "devices:",
            *devices,
            "",
        )
    )


ROW = Row(
    id="F10",
    fault="TCP: reset, slow loris, wrong transaction, wrong protocol, length 65535, garbage, count",
    tool="scripted Modbus TCP servers, the whole gateway",
    must_hold="no wrong value, memory bounded, a good server beside them is served",
    goal="0 wrong values, reconnected within 5 s",
    run=run,
)
