"""The line at its limit, and with dead units on it: what still reaches the output."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.settings.site import Every
from tests.bus.modbus_line import Bench, Meter, device, point, serial_line, wire
from tests.support.virtual_time import in_virtual_time

CHAR_S = 11 / 9600
SILENCE_S = 3.5 * CHAR_S
TURNAROUND_S = 0.005
BLOCK_S = (8 + 45) * CHAR_S + TURNAROUND_S + SILENCE_S
"""A request and a reply of 20 registers; with nothing between them but what the standard asks."""


@pytest.mark.parametrize("dead", [(), (7,), (7, 15, 23), (1, 2, 3)], ids=str)
def test_a_line_at_full_rate_brings_97_percent_of_what_it_can(dead: tuple[int, ...]) -> None:
    measure_line_at_full_rate(dead)


@in_virtual_time
async def measure_line_at_full_rate(dead: tuple[int, ...]) -> None:
    meters = [Meter(unit, TURNAROUND_S, is_alive=unit not in dead) for unit in range(1, 33)]
    points = [point(r, Every(1.0)) for r in (*range(20), *range(100, 120))]
    bench = Bench(
        serial_line(turnaround_s=TURNAROUND_S),
        [device(unit, points) for unit in range(1, 33)],
        wire(*meters),
    )
    bench.output.keeps = False
    seconds = 60.0

    await bench.run(seconds)

    assert bench.output.readings / 20 * BLOCK_S / seconds >= 0.97
    early = [s for s in bench.link.stats.sent[1:] if s.silence_s < SILENCE_S - 1e-9]
    assert not early
    assert bench.link.stats.collisions == 0
    polls = [len(m.polls) for m in meters if m.is_alive]
    assert max(polls) - min(polls) <= 2, "live units share the line evenly"


@in_virtual_time
async def test_one_dead_meter_costs_the_others_nothing() -> None:
    """Issue: five meters at 9600 baud, 20 ms turnaround, period 1 s, one dead, ten minutes."""
    meters = [Meter(unit, 0.02, is_alive=unit != 3) for unit in range(1, 6)]
    points = [point(register) for register in range(20)]
    bench = Bench(serial_line(), [device(unit, points) for unit in range(1, 6)], wire(*meters))

    bus = await bench.run(600.0)

    for meter in meters:
        times = [s.taken_ms / 1000 for s in bench.output.good(f"em-{meter.unit:02}")]
        if meter.is_alive:
            assert len(times) >= 600
            gaps = [after - before for before, after in pairwise(times)]
            assert max(gaps) <= 1.0 + 0.3
        else:
            assert not times
    silent = [s for s in bench.output.samples if s.device == "em-03"]
    assert len(silent) >= 599, "every poll of the dead one is told as a fault"
    assert {s.fault for s in silent} == {"timeout"}
    assert [s.is_online for s in bench.output.states if s.device == "em-03"] == [False]
    assert bus.stats().missed == 0
