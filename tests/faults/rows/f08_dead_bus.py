"""F8: a short on one bus: nobody answers there, and another bus beside it notices nothing."""

from __future__ import annotations

import asyncio

from gateway.bus.core import LINE_SILENT
from tests.bus.modbus_line import Bench
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.line_books import line_audit
from tests.faults.line_run import bench_of
from tests.support.virtual_time import in_virtual_time

UNITS = 16
WELL_S = 20.0
PERIOD_S = 5.0


def run(stage: Stage) -> Verdict:
    """Run both buses, then short one of them."""
    return _short(float(stage.times(3600, 300)))


@in_virtual_time
async def _short(seconds: float) -> Verdict:
    shorted, meters = bench_of([None] * UNITS, period_s=PERIOD_S, name="shorted")
    other, others = bench_of([None] * UNITS, period_s=PERIOD_S, name="other")

    async def short(_bus: object) -> None:
        await asyncio.sleep(WELL_S)
        for meter in meters:
            meter.is_alive = False

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(shorted.run(seconds, short))
        running = tasks.create_task(other.run(seconds))
    at_the_other = running.result().stats()
    told = [state for state in shorted.output.lines if state.why == LINE_SILENT]
    states = [state for state in shorted.output.states if not state.is_online]
    found = line_audit(other.output, others)
    sent_per_s = _sent_after(shorted, WELL_S + 60) / max(1.0, seconds - WELL_S - 60)
    assert found.false == 0
    assert at_the_other.missed == 0, f"{at_the_other.missed} polls missed on the other bus"
    assert not any(samples.fault for samples in other.output.samples)
    assert [state.is_up for state in told] == [False], f"told {len(told)} times"
    assert {state.why for state in states} <= {f"line {LINE_SILENT}", "timeout"}
    assert sent_per_s < UNITS / 4, f"{sent_per_s:.2f} requests a second go to the dead"
    return holds(
        f"{UNITS} units dead on a shorted bus: told once as the bus (`{LINE_SILENT}`), "
        f"{sent_per_s:.2f} requests a second still look for them; other bus: 0 polls missed of "
        f"{at_the_other.requests:,}",
        told_as_bus=len(told),
        devices_offline=len(states),
        probes_per_s=round(sent_per_s, 3),
        missed_on_other=at_the_other.missed,
    )


def _sent_after(bench: Bench, after_s: float) -> int:
    began = bench.link.stats.sent[0].begun_at
    return sum(sent.begun_at > began + after_s for sent in bench.link.stats.sent)


ROW = Row(
    id="F8",
    fault="bus short: all its devices are dead",
    tool="two lines in virtual time, one falls silent",
    must_hold="back-off; the bus is told once; other buses unchanged",
    goal="cycle of other buses unchanged, one `silent` for the bus",
    run=run,
)
