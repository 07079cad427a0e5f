"""Meters on a line in virtual time that spoil their answers in one chosen way, and the audit."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.bus.line import BusLine
from gateway.settings.site import Every
from tests.bus.modbus_line import SERIAL_9600_8E1, Bench, Meter, Spoiler, device, point, serial_line
from tests.faults.audit import Audit
from tests.faults.line_books import faults_told, line_audit
from tests.support.links import Answer, WireLink
from tests.support.virtual_time import in_virtual_time

REGISTERS = (*range(8), *range(100, 108), *range(200, 204))
"""Two blocks of one length: a late or foreign reply to one would pass as the other's."""
LOOK_EVERY_S = 5.0
CHUNK = 5_000
"""Transactions of one run: the books of longer ones would only fill memory."""


class OneWay(Spoiler):
    """Spoils a share of the answers, in the named ways only."""

    def __init__(self, kinds: Sequence[str], rate: float, seed: int) -> None:
        super().__init__(rate, seed)
        self._kinds = kinds
        self.spoilt = 0

    def __call__(self, answer: Answer, request: bytes) -> Iterable[Answer]:
        del request
        if self.dice.random() >= self.rate:
            return (answer,)
        self.spoilt += 1
        return getattr(self, self.dice.choice(self._kinds))(answer)

    def prefix(self, answer: Answer) -> Iterable[Answer]:
        """Put the noise of a line that is switched on before the frame: ff 00 55."""
        return (Answer(answer.delay_s, b"\xff\x00\x55" + answer.frame, answer.on_sent),)


@dataclass
class LineRun:
    """What came of it, over all its parts."""

    transactions: int = 0
    spoilt: int = 0
    good: int = 0
    bad: int = 0
    checked: int = 0
    false: int = 0
    told: Counter[str] | None = None
    """Reasons of bad readings."""
    errors: Counter[str] | None = None
    """What the line counted, late replies among it."""

    @property
    def good_share(self) -> float:
        """Part of the readings that brought values."""
        return self.good / max(1, self.good + self.bad)


def run_line(
    kinds: Sequence[str],
    *,
    rate: float,
    seed: int,
    transactions: int,
    units: int = 8,
    has_echo: bool = False,
) -> LineRun:
    """Run so many transactions with answers spoilt like this."""
    total = LineRun(told=Counter(), errors=Counter())
    part = 0
    while total.transactions < transactions:
        wanted = min(CHUNK, transactions - total.transactions)
        spoilers = [OneWay(kinds, rate, 1000 * seed + 100 * part + n) for n in range(units)]
        _add(total, spoilers, _run_part(spoilers, wanted, has_echo=has_echo))
        part += 1
    return total


def _add(
    total: LineRun, spoilers: Sequence[OneWay], part: tuple[Bench, BusLine, list[Meter]]
) -> None:
    bench, bus, meters = part
    found: Audit = line_audit(bench.output, meters)
    bad = sum(samples.fault is not None for samples in bench.output.samples)
    total.transactions += len(bench.link.stats.sent)
    total.spoilt += sum(spoiler.spoilt for spoiler in spoilers)
    total.good += len(bench.output.samples) - bad
    total.bad += bad
    total.checked += found.checked
    total.false += found.false
    assert total.told is not None
    assert total.errors is not None
    total.told.update(faults_told(bench.output))
    total.errors.update(dict(bus.stats().errors))


@in_virtual_time
async def _run_part(
    spoilers: Sequence[OneWay], transactions: int, *, has_echo: bool
) -> tuple[Bench, BusLine, list[Meter]]:
    bench, meters = bench_of(spoilers, has_echo=has_echo)

    async def enough(_bus: object) -> None:
        while len(bench.link.stats.sent) < transactions:
            await asyncio.sleep(LOOK_EVERY_S)

    return bench, await bench.run(0.0, enough), meters


def bench_of(
    spoilers: Sequence[Callable[[Answer, bytes], Iterable[Answer]] | None],
    *,
    has_echo: bool = False,
    period_s: float = 0.5,
    name: str = "meters",
) -> tuple[Bench, list[Meter]]:
    """Return a line with a meter for each of these."""
    meters = [Meter(unit, spoil=spoil) for unit, spoil in enumerate(spoilers, 1)]
    points = [point(register, Every(period_s)) for register in REGISTERS]
    link = WireLink(SERIAL_9600_8E1.char_s, *meters, echo=has_echo)
    line = serial_line(name=name)
    devices = [device(meter.unit, points, line=name) for meter in meters]
    return Bench(line, devices, link), meters


class Babbler:
    """Bytes by chance on a line, without a pause, in virtual time."""

    def __init__(self, link: WireLink, seed: int) -> None:
        self._link = link
        self._dice = random.Random(seed)  # noqa: S311 - repeatable
        self.bytes = 0

    async def talk(self, seconds: float) -> None:
        """Talk for so long, as fast as the line carries it."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        while loop.time() < ends_at:
            frame = self._dice.randbytes(48)
            self._link.transmit(loop.time(), Answer(0.0, frame))
            self.bytes += len(frame)
            await asyncio.sleep(len(frame) * self._link.char_s)
