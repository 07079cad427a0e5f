"""One pair of wires for an hour: DL/T 645 meters, Modbus sensors and a parking controller.

In virtual time with true character timing at 2400 8E1, from the wire to the payload.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.bus.report import plan_report
from gateway.model.ids import DeviceId, PointId
from gateway.model.sample import Samples
from gateway.settings.load import load_site
from gateway.settings.site import Line, SerialPort, Site
from simulators.community import Community, Options, answering
from simulators.faults import Faults
from simulators.ledger import Ledger
from simulators.mixed import Answering
from tests.e2e.kit_virtual import Bus, Published, VirtualGateway
from tests.support.links import Answer, Device, WireLink
from tests.support.virtual_time import EPOCH_MS, STARTS_AT_S, ManualClock, in_virtual_time

HOUR_S = 3600.0
SITE = """\
version: 1
gateway: {id: gw-1, site: lake, clock: trusted}
sinks: {p: {url: mqtt://127.0.0.1}}
buses:
  wires: {port: /dev/ttyS9, line: 2400 8E1, protocol: dlt645-2007, turnaround: 50ms}
defaults: {poll: {power: 60s, energy: 5m}}
devices:
  - {id: "em-{n}", each: {n: 1..3}, profile: generic/dlt645-2007-3p, bus: wires,
     address: "00000000000{n}"}
  - {id: "hall-{n}", each: {n: 1..2}, profile: generic/xy-md02, bus: wires, address: "1{n}",
     poll: 20s}
  - {id: bay-1, profile: generic/parking-detector-485, bus: wires, address: "1", poll: 5s}
"""
GOOD = 192


def site_of(folder: Path) -> Site:
    file = folder / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    loaded = load_site(file)
    assert loaded.site is not None, [problem.text() for problem in loaded.problems]
    return loaded.site


def far_end(units: Answering) -> Device:
    """Let simulated devices hear a line in memory."""

    def hear(request: bytes, left_at: float) -> Iterable[Answer]:  # noqa: ARG001 - Device
        asked = units.framing.parse(request)
        reply = None if asked is None else units.respond(asked)
        if reply is not None:
            yield Answer(reply.after_s, reply.frame)

    return hear


@dataclass
class Audit:
    """What the line handed over, and what was published and is false."""

    ledger: Ledger
    samples: list[Samples] = field(default_factory=list[Samples])
    false: list[str] = field(default_factory=list[str])
    begun: dict[tuple[str, str, int], int] = field(default_factory=dict[Any, int])

    def note(self, one: Samples) -> None:
        """Note when a job began, as the line hands it over."""
        self.samples.append(one)
        for point in one.points:
            self.begun[one.device, point, one.taken_ms] = one.begun_ms

    def take(self, message: Published) -> None:
        """Hold every good value against the ledger."""
        if message.kind not in ("prop", "hist"):
            return
        for record in message.body.get("items", [message.body]):
            for entry in record["pts"]:
                if entry.get("q", GOOD) == GOOD:
                    self._hold(record, entry)

    def _hold(self, record: dict[str, Any], entry: dict[str, Any]) -> None:
        device, point = record["dev"], entry["p"]
        at_ms = record["ts"] + entry.get("t", 0)
        span = (self.begun[device, point, at_ms], at_ms)
        if not self.ledger.holds(device, point, entry["v"], span):
            self.false.append(f"{device}/{point} {entry['v']} {span}")


def an_hour(folder: Path, line: Line, site: Site) -> tuple[Audit, WireLink]:
    """Run the line for an hour."""
    assert isinstance(line.link, SerialPort)
    link = WireLink(line.link.char_s)
    audit = Audit(Ledger(keep=1 << 20))

    @in_virtual_time
    async def run() -> None:
        clock = ManualClock()
        community = Community(audit.ledger, Faults(1), clock)
        units = answering(site, line, Options(folder, clock=clock, step_s=0.0), community)
        assert isinstance(units, Answering)
        link.devices.append(far_end(units))
        bus = Bus(line, list(site.devices.values()), link)
        gateway = VirtualGateway(folder / "store", [bus], audit.take, audit.note, clock)
        ends_at = clock.monotonic() + HOUR_S
        await gateway.run(lambda: clock.monotonic() >= ends_at)

    run()
    return audit, link


@pytest.mark.slow
def test_three_protocols_share_a_pair_of_wires_for_an_hour(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    line = next(iter(site.lines.values()))
    report = plan_report(line, list(site.devices.values()))
    assert report.impossible_s is None
    assert len({device.protocol for device in site.devices.values()}) == 3
    audit, link = an_hour(tmp_path, line, site)
    assert audit.false == []
    assert link.stats.collisions == 0
    assert {one.fault for one in audit.samples} == {None}
    times: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for one in audit.samples:
        times[one.device, one.points].append(one.taken_ms)
    assert {device for device, _ in times} == set(site.devices)
    for (device, points), taken in times.items():
        of_device = {point.id: point for point in site.devices[DeviceId(device)].points}
        period_s = of_device[PointId(points[0])].poll.seconds
        # Every deadline of the plan: one reading a period, none later than the next is due.
        gaps_ms = [b - a for a, b in pairwise(taken)]
        assert len(taken) >= (taken[-1] - taken[0]) // (1000 * period_s), (device, points)
        assert taken[-1] > EPOCH_MS + 1000 * (STARTS_AT_S + HOUR_S - 2 * period_s)
        assert max(gaps_ms, default=0) < 2000 * period_s, (device, points)
