"""F9: a device that sends random bytes without a pause."""

from __future__ import annotations

import asyncio
import time

from gateway.bus.line import LINE_BABBLES
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_books import line_audit
from tests.faults.line_run import Babbler, bench_of
from tests.support.virtual_time import in_virtual_time

UNITS = 4
WELL_S = 20.0
MOST_CPU = 0.10


def run(stage: Stage) -> Verdict:
    """Let one bus babble beside a good one; then let it be quiet again."""
    return _babble(stage, float(stage.times(600, 60)))


@in_virtual_time
async def _babble(stage: Stage, seconds: float) -> Verdict:
    noisy, meters = bench_of([None] * UNITS, period_s=1.0, name="noisy")
    other, others = bench_of([None] * UNITS, period_s=1.0, name="other")
    babbler = Babbler(noisy.link, stage.seed)
    cpu_s = 0.0

    async def babble(_bus: object) -> None:
        nonlocal cpu_s
        await asyncio.sleep(WELL_S)
        began = time.process_time()
        await babbler.talk(seconds)
        cpu_s = time.process_time() - began

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(noisy.run(seconds + 2 * WELL_S, babble))
        running = tasks.create_task(other.run(seconds + 2 * WELL_S))
    at_the_other = running.result().stats()
    told = [state.is_up for state in noisy.output.lines if state.why == LINE_BABBLES]
    found, beside = line_audit(noisy.output, meters), line_audit(other.output, others)
    assert found.false == 0, f"{found.false} wrong values out of noise"
    assert beside.false == 0
    assert told, "not told that somebody babbles"
    assert at_the_other.missed == 0, f"{at_the_other.missed} polls missed on the other bus"
    assert not any(samples.fault for samples in other.output.samples)
    last = noisy.output.samples[-UNITS:]
    assert all(samples.fault is None for samples in last), "not back when it is quiet again"
    share = cpu_s / seconds
    assert share <= MOST_CPU, f"{share:.1%} of a core"
    return holds(
        f"{babbler.bytes:,} random bytes in {seconds:.0f} s of line time: told as `babble` "
        f"{len(told)} times, 0 wrong values, other bus 0 polls missed, "
        f"{share:.1%} of a core for both buses",
        bytes=babbler.bytes,
        told=len(told),
        cpu_share=round(share, 4),
        missed_on_other=at_the_other.missed,
        wrong=found.false,
    )


ROW = Row(
    id="F9",
    fault="babbling device",
    tool="random bytes without a pause on one of two lines in virtual time",
    must_hold="the bus rests and is told, the other is fine, back by itself",
    goal="CPU <= 10 % of a core, 0 wrong values",
    run=run,
)
