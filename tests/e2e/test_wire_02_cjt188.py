"""Field buses, part 2: water, heat and gas meters of CJ/T 188 on one pair of wires."""

from __future__ import annotations

from pathlib import Path

from simulators.community import Options
from simulators.faults import parse_faults
from simulators.script import Script
from tests.e2e.support_stage import stage

SITE = """\
$HEAD
buses:
  meters: {port: $PORTS/meters, line: 9600 8E1, protocol: cjt188}
devices:
  - {id: water-1, profile: generic/cjt188-water, bus: meters, address: "11110000000001", poll: 2s}
  - {id: heat-1, profile: generic/cjt188-heat, bus: meters, address: "22220000000002", poll: 2s}
  - {id: gas-1, profile: generic/cjt188-gas, bus: meters, address: "33330000000003", poll: 2s}
"""


async def test_wire_02_three_kinds_of_meter_reach_the_platform_and_faults_never_lie(
    tmp_path: Path,
) -> None:
    faults = parse_faults(["water-1:crc@0.3", "heat-1:noise_before@0.3", "gas-1:truncated@0.2"])
    options = Options(tmp_path / "ports", Script(seed=4, faults=faults))
    async with stage(tmp_path, SITE, options=options) as on:
        for device in ("water-1", "heat-1", "gas-1"):
            await on.platform.until_good(device, count=2)
        on.platform.nothing_false()
