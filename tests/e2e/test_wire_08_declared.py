"""Field buses, part 8: devices whose framing is data in their profile, without code for any."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.support_stage import stage

ASKED = """\
$HEAD
buses:
  park: {port: $PORTS/park, line: 9600 8N1, protocol: declared}
devices:
  - {id: "bay-{n}", each: {n: 1..3}, profile: generic/parking-detector-485, bus: park,
     address: "{n}", poll: 1s}
"""


async def test_wire_08_bay_detectors_are_polled(tmp_path: Path) -> None:
    async with stage(tmp_path, ASKED) as on:
        for bay in ("bay-1", "bay-2", "bay-3"):
            await on.platform.until_good(bay, "status")
        on.platform.nothing_false()
