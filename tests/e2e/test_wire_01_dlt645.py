"""Field buses, part 1: DL/T 645 meters of both editions, from the wire to the platform."""

from __future__ import annotations

from pathlib import Path

from simulators.community import Options
from simulators.faults import parse_faults
from simulators.script import Script
from tests.e2e.support_cli import linli
from tests.e2e.support_stage import stage

SITE = """\
$HEAD
buses:
  meters: {port: $PORTS/meters, line: 9600 8E1, protocol: dlt645-2007}
devices:
  - {id: em-1, profile: generic/dlt645-2007-3p, bus: meters, address: "000012345678", poll: 4s}
  - {id: em-2, profile: generic/dlt645-1997, bus: meters, address: "201708176934", poll: 4s}
  - {id: hall, profile: generic/xy-md02, bus: meters, address: 5, poll: 2s}
"""
"""Two editions and a Modbus sensor on one pair of wires."""


async def test_wire_01_meters_of_both_editions_share_a_pair_of_wires_with_modbus(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, SITE) as on:
        for device, point in (
            ("em-1", "u_b"), ("em-1", "ep_imp"), ("em-1", "pf_c"), ("em-2", "ep_t4"),
            ("em-2", "p_tot"), ("hall", "temp"),
        ):  # fmt: skip
            await on.platform.until_good(device, point)
        on.platform.nothing_false()
        lines = await on.lines()
        assert lines["meters"]["is_up"]
        assert {unit["unit"] for unit in lines["meters"]["units"]} == {
            *("000012345678", "201708176934", "5"),
        }


async def test_wire_01_faults_of_the_line_make_bad_quality_and_never_a_false_value(
    tmp_path: Path,
) -> None:
    faults = parse_faults(
        ["em-1:noise_before@0.3", "em-1:crc@0.2", "em-1:truncated@0.1", "em-2:echo@0.5"]
    )
    options = Options(tmp_path / "ports", Script(seed=5, faults=faults))
    async with stage(tmp_path, SITE, options=options) as on:
        await on.platform.until_good("em-1", "u_a")
        await on.platform.until_good("em-2", "ep_imp")
        on.platform.nothing_false()


def test_wire_01_linli_decode_takes_captured_frames_apart(tmp_path: Path) -> None:
    good = linli(
        "decode", "dlt645-2007", "FEFEFEFE 681290785634126891063334343538567B16", "--json",
        base=tmp_path,
    )  # fmt: skip
    assert good.status == 0
    decoded = good.json()
    assert decoded["frame"]["address"] == "123456789012"
    assert decoded["frame"]["di"] == "02010100"
    assert decoded["values"] == [{"point": "u_a", "value": 230.5, "unit": "V"}]
    bad = linli(
        "decode", "dlt645-2007", "6812907856341268910833333433896745335516", "--json",
        base=tmp_path,
    )  # fmt: skip
    assert bad.status == 1
    assert "checksum 55 is wrong, 54 would be right" in bad.out
