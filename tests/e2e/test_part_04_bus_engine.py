"""Part 4, the bus engine: what goes over the line, seen from the device's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.community import Options
from simulators.faults import Fault, FaultKind
from tests.e2e.support_cli import linli
from tests.e2e.support_stage import METER, stage, until, write_profile, write_site

PLANNED = """\
version: 1
profile: e2e/planned
vendor: Linli
model: planned
title: {en: Planned, zh: 规划}
kind: io.module
driver: modbus
verified: true
sources: [made for this test]
quirks: {max_registers: 20}
groups: {state: 300ms}
defaults: {type: u16, value: int, unit: "1", pii: P0, level: L1, group: state}
points:
  near_{n}: {each: 0..4, register: "{n}"}
  over_gap: {register: 12}
  far: {register: 90}
  long_{n}: {each: 0..29, register: "{200+n}"}
"""
PLANNED_SITE = """\
$HEAD
buses:
  field: {port: $PORTS/field, line: 9600 8N1}
devices:
  - {id: io-1, profile: e2e/planned, bus: field, address: 3}
"""


async def test_part_04_reads_are_merged_over_cheap_gaps_within_the_limits_of_the_device(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, PLANNED_SITE, profiles=[PLANNED]) as on:
        await on.platform.until_good("io-1", "long_29", count=3)
        asked = on.heard["field"].asked
        blocks = {(first_of(one.pdu), count_of(one.pdu)) for one in asked if count_of(one.pdu) > 1}
        singles = {first_of(one.pdu) for one in asked if count_of(one.pdu) == 1}
        assert (0, 13) in blocks, "five registers and one behind a gap of seven"
        assert 90 in singles, "a gap of 77 costs more than another request"
        long = sorted(block for block in blocks if block[0] >= 200)
        assert len(long) == 2
        assert sum(count for _, count in long) == 30
        assert max(count for _, count in blocks) <= 20
        planned = (await on.linli("plan", on.file, "--json")).json()["lines"][0]["jobs"]
        frames = {bytes.fromhex(job["frame"]) for job in planned}
        assert len(frames) == len(planned) == 4
        # Beside what is planned, a unit is asked for one register to see whether it is there.
        assert frames <= {one.frame for one in asked}
        assert {first_of(one.pdu) for one in asked if one.frame not in frames} <= {0, 90, 200}
        on.platform.nothing_false()


HOLED = PLANNED.replace("quirks: {max_registers: 20}\n", "")


async def test_part_04_a_refused_block_is_split_and_the_hole_remembered(tmp_path: Path) -> None:
    options = Options(tmp_path / "ports", holes="refuse")
    async with stage(tmp_path, PLANNED_SITE, profiles=[HOLED], options=options) as on:
        units = on.heard["field"]
        merged = bytes((3, 0, 0, 0, 13)).hex(" ")
        for point in ("near_0", "near_4", "over_gap", "far", "long_29"):
            await on.platform.until_good("io-1", point, count=3)
        assert units.pdus(3).count(merged) == 1
        settled = len(units.asked)
        await on.platform.until_good("io-1", "over_gap", count=8)
        assert merged not in units.pdus(3, since=settled)
        later = {first_of(one.pdu) for one in units.asked[settled:]}
        assert later == {0, 12, 90, 200}
        assert not on.platform.reasons("io-1"), "what the split cost was no reading"
        on.platform.nothing_false()


ONE_DEAD = """\
$HEAD
buses:
  field: {port: $PORTS/field, line: 38400 8N1}
  other: {port: $PORTS/other, line: 38400 8N1}
devices:
  - {id: "em-{n}", each: {n: 1..4}, profile: e2e/meter, bus: field, address: "{n}"}
  - {id: em-9, profile: e2e/meter, bus: other, address: 9}
"""


@pytest.mark.slow
async def test_part_04_a_dead_unit_is_hardly_asked_and_found_when_it_returns(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, ONE_DEAD) as on:
        units, faults = on.heard["field"], on.community.faults
        for number in (1, 2, 3, 4):
            await on.platform.until_good(f"em-{number}")
        faults.set("em-4", Fault(FaultKind.SILENT))
        await until(lambda: on.platform.auditor.online.get("em-4") is False, "em-4 is offline")
        assert "timeout" in on.platform.reasons("em-4")
        dead_from = len(units.asked)
        for number in (1, 2, 3, 9):
            await on.platform.until_good(f"em-{number}", "u_a", count=15)
        asked = [one.unit for one in units.asked[dead_from:]]
        assert asked.count(4) * 4 <= min(asked.count(number) for number in (1, 2, 3))
        faults.heal()
        await on.platform.until_good("em-4", "ep_imp", count=3)
        assert on.platform.auditor.online["em-4"] is True
        assert not any(on.platform.reasons(f"em-{number}") for number in (1, 2, 3, 9))
        on.platform.nothing_false()


SWITCHED = METER.replace("e2e/meter", "e2e/switched") + (
    "  relay: {table: coil, type: bool, register: 1, value: bool, access: rw, write: {},"
    " group: state, pii: P0, level: L1}\n"
)
FULL = """\
$HEAD
buses:
  field: {port: $PORTS/field, line: 9600 8N1}
defaults: {poll: {power: 100ms, energy: 100ms}}
devices:
  - {id: "em-{n}", each: {n: 1..16}, profile: e2e/meter, bus: field, address: "{n}", poll: 100ms}
  - {id: io-1, profile: e2e/switched, bus: field, address: 20, poll: 100ms}
"""


async def test_part_04_a_write_goes_before_all_reads_of_a_full_line(tmp_path: Path) -> None:
    async with stage(tmp_path, FULL, profiles=[METER, SWITCHED]) as on:
        units = on.heard["field"]
        await on.platform.until_good("io-1", "relay")
        waited: list[int] = []
        for value in (True, False, True):
            before = len(units.asked)
            done = await on.ask("write", device="io-1", point="relay", value=value)
            assert done["pts"][0]["v"] is value
            later = [one.pdu[0] for one in units.asked[before:]]
            waited.append(later.index(5))
        # Every one of the 17 units waits for its turn all the time; the write does not.
        assert min(waited) <= 6, waited
        on.platform.nothing_false()


RANKED = """\
$HEAD
buses:
  field: {port: $PORTS/field, line: 9600 8N1}
devices:
  - {id: alarm, profile: e2e/meter, bus: field, address: 1, poll: 400ms, priority: alarm}
  - {id: "em-{n}", each: {n: 2..11}, profile: e2e/meter, bus: field, address: "{n}", poll: 200ms,
     priority: energy}
"""


async def test_part_04_alarms_go_before_energy_and_nobody_starves(tmp_path: Path) -> None:
    async with stage(tmp_path, RANKED) as on:
        units = on.heard["field"]
        for number in range(2, 12):
            await on.platform.until_good(f"em-{number}")
        begun = len(units.asked)
        await on.platform.until_good("alarm", "u_a", count=12)
        asked = [one.unit for one in units.asked[begun:]]
        energy = [asked.count(number) for number in range(2, 12)]
        # The energy meters want twice as many polls as the alarm, and the line carries half of all.
        assert asked.count(1) >= max(energy) - 2
        assert min(energy) * 2 >= max(energy) > 0
        missed = {unit: one["missed"] for unit, one in (await on.units("field")).items()}
        assert missed["1"] <= min(missed[str(number)] for number in range(2, 12))


SEVERAL = """\
$HEAD
buses:
  field: {tcp: "127.0.0.1:$TCP", in_flight: 2}
defaults: {timeout: 30s, retries: 0}
devices:
  - {id: slow, profile: e2e/meter, bus: field, address: 1}
  - {id: fast, profile: e2e/meter, bus: field, address: 2}
"""


async def test_part_04_a_slow_tcp_unit_holds_up_nobody_where_several_may_be_in_flight(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, SEVERAL) as on:
        on.community.faults.set("slow", Fault(FaultKind.LATE, 1200))
        units = on.heard["field"]
        slow, fast = units.count(1), units.count(2)
        await until(lambda: units.count(1) >= slow + 3, "two slow replies")
        assert units.count(2) - fast > 2 * 3
        await on.platform.until_good("slow", "u_a")
        assert not on.platform.reasons("fast") | on.platform.reasons("slow")
        on.platform.nothing_false()


async def test_part_04_what_a_line_does_is_measured(tmp_path: Path) -> None:
    async with stage(tmp_path, ONE_DEAD) as on:
        units = on.heard["field"]
        await on.platform.until_good("em-1", "u_a", count=3)
        on.community.faults.set("em-2", Fault(FaultKind.EXCEPTION, 4))
        await on.platform.until_reason("em-2", "exception:4")
        on.community.faults.set("em-3", Fault(FaultKind.CRC))
        await on.platform.until_reason("em-3", "crc")
        at_least = len(units.asked)
        done = await on.linli("status", "--json")
        at_most = len(units.asked)
        status = done.json()
        line = next(one for one in status["lines"] if one["line"] == "field")
        errors = dict(line["errors"])
        assert line["is_up"]
        assert at_least - 1 <= line["requests"] <= at_most
        assert errors["crc"] > 0
        assert errors["exception:4"] > 0
        assert 0 < line["replies"] <= line["requests"] - errors["crc"]
        assert 0 < line["useful_s"] < line["busy_s"] < line["uptime_s"]
        assert 0 < line["load_percent"] < 100
        assert 0 < line["round_trip_s"] <= line["round_trip_max_s"]
        assert line["readings"] >= 4 * 3
        other = next(one for one in status["lines"] if one["line"] == "other")
        assert other["errors"] == []
        assert other["missed"] == 0 or other["requests"] > other["missed"]
        of_units = await on.units("field")
        assert of_units["3"]["errors"] > 0
        assert of_units["1"]["errors"] == 0
        assert of_units["1"]["response_s"] > 0


OVERLOADED = """\
$HEAD
buses:
  field: {port: $PORTS/field, line: 2400 8E1}
devices:
  - {id: "em-{n}", each: {n: 1..20}, profile: e2e/meter, bus: field, address: "{n}", poll: 1s}
"""


def test_part_04_plan_says_which_period_cannot_be_met_and_what_would_mend_it(
    tmp_path: Path,
) -> None:
    write_profile(tmp_path, METER)
    file = write_site(tmp_path, OVERLOADED, BROKER=1883)
    (line,) = linli("plan", file, "--json", base=tmp_path).json()["lines"]
    # Two frames of 8 and 21 characters of 11 bits, 3.5 more, and the turnaround.
    exchange_s = (8 + 21 + 3.5) * 11 / 2400 + 0.02
    assert abs(line["load_percent"] - 20 * exchange_s * 100) < 1
    assert line["impossible_s"] == 1
    assert line["possible_s"] > 20 * exchange_s
    assert line["remedies"]
    said = linli("plan", file, base=tmp_path)
    assert "cannot be met" in said.out
    warned = linli("check", file, base=tmp_path)
    assert warned.status == 0
    assert "LG-PLAN-01" in warned.out
    mended = OVERLOADED.replace("2400 8E1", "115200 8E1")
    file = write_site(tmp_path, mended, BROKER=1883)
    assert "LG-PLAN-01" not in linli("check", file, base=tmp_path).out


def first_of(pdu: bytes) -> int:
    """Return the first address of a read."""
    return int.from_bytes(pdu[1:3], "big")


def count_of(pdu: bytes) -> int:
    """Return how many registers a read asks for."""
    return int.from_bytes(pdu[3:5], "big")
