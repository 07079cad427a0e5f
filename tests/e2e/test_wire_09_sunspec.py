"""Field buses, part 9: SunSpec models with their scale factors, and Modbus identity."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.support_stage import stage

SITE = """\
$HEAD
buses:
  roof: {tcp: "127.0.0.1:$TCP"}
devices:
  - {id: pv-1, profile: generic/sunspec-inverter-103, bus: roof, address: 1, poll: 1s,
     set: {base: 69}}
  - {id: em-1, profile: generic/sunspec-meter-203, bus: roof, address: 2, poll: 1s,
     set: {base: 69}}
"""


async def test_wire_09_scale_factors_are_followed(tmp_path: Path) -> None:
    async with stage(tmp_path, SITE) as on:
        await on.platform.until_good("pv-1", count=2)
        await on.platform.until_good("em-1", count=2)
        on.platform.nothing_false()
