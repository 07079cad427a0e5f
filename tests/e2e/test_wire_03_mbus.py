"""Field buses, part 3: wired M-Bus, by primary and by secondary address."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.support_stage import stage

SITE = """\
$HEAD
buses:
  heat: {port: $PORTS/heat, line: 9600 8E1, protocol: mbus}
devices:
  - {id: water-1, profile: generic/mbus-water, bus: heat, address: "5", poll: 3s}
  - {id: heat-1, profile: generic/mbus-heat, bus: heat, address: "12345678", poll: 3s}
"""


async def test_wire_03_a_primary_and_a_secondary_address_reach_the_platform(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, SITE) as on:
        await on.platform.until_good("water-1", count=2)
        await on.platform.until_good("heat-1", count=2)
        on.platform.nothing_false()
