"""A line of meters in virtual time, run in a process of its own: `late` replies, or a clock `step`.

    python -m tests.faults.sabotage.line late

It prints the figures of its audit as JSON, and `missed`: periods in which a meter was told neither
good nor bad.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Iterable

from gateway.settings.site import Every
from tests.bus.modbus_line import Bench, Meter, device, point, serial_line, wire
from tests.faults.line_books import line_audit
from tests.support.links import Answer
from tests.support.virtual_time import in_virtual_time

UNITS = 4
PERIOD_S = 1.0
SECONDS = 120
DAY_MS = 86_400_000
REGISTERS = (*range(8), *range(100, 108), *range(200, 204))
"""Two blocks of one length: a late reply to one would pass as the other's."""


class LateMeter(Meter):
    """Every fifth answer comes after the request has timed out."""

    def __init__(self, unit: int) -> None:
        super().__init__(unit)
        self._dice = random.Random(unit)  # noqa: S311 - repeatable
        self.spoil = self._sometimes_late

    def _sometimes_late(self, answer: Answer, _request: bytes) -> Iterable[Answer]:
        if self._dice.random() < 0.2:
            return (Answer(self._dice.uniform(0.3, 2.5), answer.frame, answer.on_sent),)
        return (answer,)


def bench_of(meters: list[Meter]) -> Bench:
    """Return a line with these meters, all polled once a second."""
    points = [point(register, Every(PERIOD_S)) for register in REGISTERS]
    devices = [device(meter.unit, points) for meter in meters]
    return Bench(serial_line(), devices, wire(*meters))


@in_virtual_time
async def late() -> dict[str, int]:
    """Poll meters that answer late."""
    meters: list[Meter] = [LateMeter(unit) for unit in range(1, UNITS + 1)]
    bench = bench_of(meters)
    await bench.run(SECONDS)
    return line_audit(bench.output, meters).figures() | {"missed": 0}


@in_virtual_time
async def step() -> dict[str, int]:
    """Set the wall clock back by a day and forward again by two, a third of the time each."""
    meters = [Meter(unit) for unit in range(1, UNITS + 1)]
    bench = bench_of(meters)

    async def meanwhile(_bus: object) -> None:
        await asyncio.sleep(SECONDS / 3)
        bench.clock.step(-DAY_MS)
        await asyncio.sleep(SECONDS / 3)
        bench.clock.step(2 * DAY_MS)

    await bench.run(SECONDS, meanwhile)
    told = len(bench.output.samples)
    blocks = len({samples.points for samples in bench.output.samples})
    due = UNITS * blocks * int(SECONDS / PERIOD_S)
    # The figures of the line's books say nothing here: their times step with the clock.
    return {"committed": told, "received": told, "missed": max(0, due - told)}


if __name__ == "__main__":
    found = {"late": late, "step": step}[sys.argv[1]]()
    sys.stdout.write(json.dumps(found))
