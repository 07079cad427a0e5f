"""Field buses, part 4: IEC 62056-21 meters, read out whole."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.support_stage import stage

SITE = """\
$HEAD
buses:
  meters: {port: $PORTS/meters, line: 9600 7E1, protocol: iec62056-21}
devices:
  - {id: em-1, profile: generic/iec62056-electricity, bus: meters, address: "-", poll: 3s,
     quirks: {switch_baud: false}}
"""


async def test_wire_04_a_meter_is_read_out_from_sign_on_to_the_platform(tmp_path: Path) -> None:
    async with stage(tmp_path, SITE) as on:
        await on.platform.until_good("em-1", "ep_imp", count=2)
        await on.platform.until_good("em-1", "ep_t1")
        on.platform.nothing_false()
