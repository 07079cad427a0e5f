"""Late, damaged, foreign and missing replies mixed: nothing false comes out, in any order."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable

import pytest

from gateway.settings.site import Every
from tests.bus.modbus_line import Bench, Meter, Spoiler, device, point, serial_line, wire
from tests.support.links import Answer
from tests.support.virtual_time import EPOCH_MS, in_virtual_time


def faulty_bench(rate: float, seed: int, units: int = 8) -> tuple[Bench, list[Meter]]:
    meters = [Meter(unit, spoil=Spoiler(rate, seed * 100 + unit)) for unit in range(1, units + 1)]
    points = [point(r, Every(0.5)) for r in (*range(8), *range(100, 108), *range(200, 204))]
    bench = Bench(
        serial_line(), [device(unit, points) for unit in range(1, units + 1)], wire(*meters)
    )
    return bench, meters


def count_false(bench: Bench, meters: list[Meter]) -> int:
    """Return how many values the ledger does not hold for device, point and moment."""
    false = 0
    ends: dict[tuple[int, int], list[float]] = {}
    for m in meters:
        for register, served_list in m.served.items():
            served_list.sort(key=lambda served: served.ended_at)
            ends[m.unit, register] = [served.ended_at for served in served_list]
    by_name = {f"em-{m.unit:02}": m for m in meters}
    for samples in bench.output.samples:
        meter = by_name[samples.device]
        begun = (samples.begun_ms - EPOCH_MS) / 1000 - 0.002
        taken = (samples.taken_ms - EPOCH_MS) / 1000 + 0.002
        for name, raw in zip(samples.points, samples.raw, strict=False):
            register = int(name[1:])
            served = meter.served.get(register, [])
            first = bisect_left(ends.get((meter.unit, register), []), begun)
            is_true = False
            for each in served[first:]:
                if each.ended_at > taken:
                    break
                is_true = is_true or (each.value == raw and each.asked_at >= begun)
            false += not is_true
    return false


@in_virtual_time
async def run_faults(rate: float, seed: int, transactions: int) -> None:
    bench, meters = faulty_bench(rate, seed)

    async def enough(_bus: object) -> None:
        while len(bench.link.stats.sent) < transactions:
            await asyncio.sleep(10.0)

    await bench.run(0.0, enough)
    assert count_false(bench, meters) == 0
    assert not [s for s in bench.link.stats.sent[1:] if s.silence_s < 3.5 * 11 / 9600 - 1e-9]
    told = {fault for samples in bench.output.samples if (fault := samples.fault)}
    assert "timeout" in told


@pytest.mark.parametrize("seed", range(4))
def test_no_value_is_false_over_5000_transactions_with_faults_at_10_percent(seed: int) -> None:
    run_faults(0.1, seed, 5_000)


def test_no_value_is_false_when_every_second_answer_is_spoilt() -> None:
    run_faults(0.5, 7, 3_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_value_is_false_over_100000_transactions_with_faults_at_10_percent() -> None:
    for seed in range(18, 28):
        run_faults(0.1, seed, 10_000)


@in_virtual_time
async def test_a_meter_that_answers_every_third_request_late_gives_no_torn_block() -> None:
    """performance.md §6: 8 meters, meter 3 late by 400 or 1100 ms; peers publish torn blocks."""
    bench, meters = faulty_bench(0.0, 1)
    late = meters[2]

    def spoil(answer: Answer, _request: bytes) -> Iterable[Answer]:
        polls = len(late.polls)
        delay_s = answer.delay_s if polls % 3 else (0.4, 1.1)[polls % 2]
        return (Answer(delay_s, answer.frame, answer.on_sent),)

    late.spoil = spoil

    bus = await bench.run(120.0)

    assert count_false(bench, meters) == 0
    assert bench.output.good("em-03"), "the slow one is read all the same"
    assert dict(bus.stats().errors).get("late", 0) > 0
