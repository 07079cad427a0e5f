"""The plan of a line: who shares a read, what it costs, what does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.contract import LineCost
from drivers.modbus.address import ModbusQuirks
from gateway.bus.cost import driver_of, line_cost
from gateway.bus.plan import PlannedRead, plan_reads
from gateway.bus.report import plan_report
from gateway.model.ids import DeviceId, PointId
from gateway.settings.site import (
    At,
    Device,
    DeviceQuirks,
    Every,
    Priority,
    ScaleFrom,
    SerialPort,
)
from tests.bus.modbus_line import device, network_line, point, serial_line

COST = LineCost(11 / 9600, 0.009)


def plan(*devices: Device) -> tuple[PlannedRead, ...]:
    return plan_reads(devices, driver_of, lambda _: COST)


def test_points_of_one_rule_and_class_share_reads() -> None:
    reads = plan(
        device(
            1,
            [
                point(0),
                point(1),
                point(2, Every(60)),
                point(3, priority=Priority.ALARM),
                point(4, At(900)),
            ],
        )
    )
    parts = [(read.rule, read.priority, read.parts[0].points) for read in reads]
    assert parts == [
        (Every(1.0), Priority.NORMAL, ("r0", "r1")),
        (Every(60), Priority.NORMAL, ("r2",)),
        (Every(1.0), Priority.ALARM, ("r3",)),
        (At(900), Priority.NORMAL, ("r4",)),
    ]


def test_logical_devices_of_a_unit_share_reads_when_their_quirks_allow() -> None:
    other = device(1, [point(1), point(3)], id=DeviceId("two"))
    (read,) = plan(device(1, [point(0), point(2)]), other)
    assert {part.device: part.points for part in read.parts} == {
        "em-01": ("r0", "r2"),
        "two": ("r1", "r3"),
    }
    for part in read.parts:
        assert part.pick is not None
        assert [read.owners[read.job.keys[place]].point for place in part.pick] == [*part.points]
    quirks = ModbusQuirks(max_registers=1)
    picky = replace(other, quirks=DeviceQuirks(quirks))
    assert len(plan(device(1, [point(0), point(2)]), picky)) == 3


def test_a_read_of_one_device_needs_no_picking() -> None:
    (read,) = plan(device(1, [point(0), point(1)]))
    assert read.parts[0].pick is None


def test_what_only_scales_others_is_read_with_them_and_not_alone() -> None:
    factor = replace(point(9, Every(60)), is_published=False)
    scaled = [
        replace(point(r, rule), scale_from=ScaleFrom(PointId("r9"), "exponent"))
        for r, rule in ((7, Every(1.0)), (8, Every(10.0)))
    ]
    reads = plan(device(1, [*scaled, factor]))
    assert sorted((read.rule.seconds, sorted(read.parts[0].points)) for read in reads) == [
        (1.0, ["r7", "r9"]),
        (10.0, ["r8", "r9"]),
    ]


def test_write_only_points_are_not_read() -> None:
    assert not plan(device(1, [replace(point(0), is_readable=False)]))


def test_a_split_read_keeps_owners_and_rule() -> None:
    (read,) = plan(device(1, [point(r) for r in range(8)]))
    pieces = read.split()
    assert len(pieces) > 1
    assert [name for piece in pieces for name in piece.parts[0].points] == [
        f"r{n}" for n in range(8)
    ]


def test_the_report_of_32_meters_is_the_limit_of_the_reference_bench() -> None:
    """performance.md §6: 139.48 ms a meter, 4.463 s a cycle of 32."""
    line = serial_line(turnaround_s=0.005)
    points = [point(r, Every(5.0)) for r in (*range(20), *range(100, 120))]
    report = plan_report(line, [device(unit, points) for unit in range(1, 33)])
    assert report.cycle_s == pytest.approx(4.463, abs=0.001)
    assert report.load_percent == pytest.approx(100 * 4.463 / 5, abs=0.1)
    assert len(report.jobs) == 64
    assert report.jobs[0].frame == "01 03 00 00 00 14 45 C5"
    assert report.impossible_s is None


def test_the_report_says_which_period_cannot_be_met_and_what_mends_it() -> None:
    points = [point(r, Every(1.0)) for r in range(20)] + [point(200, Every(60.0))]
    report = plan_report(serial_line(), [device(unit, points) for unit in range(1, 33)])
    assert report.load_percent > 100
    assert report.impossible_s == 1.0
    assert report.possible_s is not None
    assert 2.7 < report.possible_s < 3.8
    assert report.remedies == (
        f"poll every {-(-report.possible_s // 0.1) * 0.1:g} s instead of 1 s",
        "set line and devices to 19200 baud",
        "share the devices out over 4 lines",
    )
    slower = [point(r, Every(report.possible_s)) for r in range(20)] + points[20:]
    mended = plan_report(serial_line(), [device(unit, slower) for unit in range(1, 33)])
    assert mended.load_percent <= 81


def test_a_network_costs_little() -> None:
    cost = line_cost(network_line(), driver_of("modbus-tcp").wire)
    assert cost.char_s == 0
    assert cost.exchange_s <= 0.005


def test_silence_is_at_least_1750_us_on_fast_lines() -> None:
    line = serial_line(link=SerialPort("x", 115200), turnaround_s=0.0)
    assert line_cost(line, driver_of("modbus-rtu").wire).exchange_s == 0.00175
