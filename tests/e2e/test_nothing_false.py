"""Nothing false: faults mixed at 10 %, from the wire up to what a platform reads in the payload.

Every published value is held against what the meters put on the wire: of that device and point,
all of it in one answer, between the request's first byte and the reply's last. Here are 30,000
transactions; `make nothing-false` judges 100,000.
"""

from __future__ import annotations

import json
import sys
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from gateway.model.sample import Samples
from gateway.settings.site import Every, Point, ValueType
from tests.bus.modbus_line import Meter, Served, Spoiler, device, point, serial_line, wire
from tests.e2e.kit_virtual import Bus, Published, VirtualGateway
from tests.support.virtual_time import EPOCH_MS, in_virtual_time

UNITS = range(1, 9)
PERIOD = Every(0.5)
ROUNDING_S = 0.002
"""Payloads carry whole milliseconds."""
GOOD = 192
SpanKey: TypeAlias = tuple[str, str, int]


def points() -> list[Point]:
    """Return tenths in a register each, 32-bit counters in two, and signed hundredths."""
    tenths = [
        replace(point(r, PERIOD), type=ValueType.FLOAT, unit="V", scale=Decimal("0.1"))
        for r in range(8)
    ]
    counters = [point(r, PERIOD, type="u32") for r in range(100, 108, 2)]
    signed = [
        replace(
            point(r, PERIOD, type="s16"),
            type=ValueType.FLOAT,
            scale=Decimal("0.01"),
            offset=Decimal(-5),
        )
        for r in range(200, 204)
    ]
    return [*tenths, *counters, *signed]


@dataclass(slots=True)
class Truth:
    """What the meters served, by register and by the end of the answer."""

    ends: dict[tuple[int, int], list[float]] = field(default_factory=dict[Any, Any])
    served: dict[tuple[int, int], list[Served]] = field(default_factory=dict[Any, Any])
    at: dict[tuple[int, int], dict[float, int]] = field(default_factory=dict[Any, Any])

    @classmethod
    def of(cls, meters: Sequence[Meter]) -> Truth:
        """Sort what every meter served."""
        truth = cls()
        for meter in meters:
            for register, those in meter.served.items():
                key = meter.unit, register
                ordered = sorted(those, key=lambda each: each.ended_at)
                truth.served[key] = ordered
                truth.ends[key] = [each.ended_at for each in ordered]
                truth.at[key] = {each.ended_at: each.value for each in ordered}
        return truth

    def holds(self, unit: int, register: int, value: object, span: tuple[float, float]) -> bool:
        """Whether the meter served this value in one answer within the span (loop seconds)."""
        begun, taken = span
        key = unit, register
        for each in self.served.get(key, ())[bisect_left(self.ends.get(key, ()), begun) :]:
            if each.ended_at > taken:
                return False
            if each.asked_at >= begun and value == self._meant(unit, register, each):
                return True
        return False

    def _meant(self, unit: int, register: int, each: Served) -> object:
        if register < 100:
            return each.value / 10
        if register < 200:
            low = self.at.get((unit, register + 1), {}).get(each.ended_at)
            return None if low is None else each.value << 16 | low
        signed = each.value - 0x10000 if each.value & 0x8000 else each.value
        return (signed - 500) / 100


@dataclass(slots=True)
class Audit:
    """What was published, and what of it was false."""

    spans: dict[SpanKey, float] = field(default_factory=dict[SpanKey, float])
    """Begin of the request in loop seconds, by device, point and the published time."""
    values: list[tuple[str, str, int, object]] = field(
        default_factory=list[tuple[str, str, int, object]]
    )
    reasons: Counter[str] = field(default_factory=Counter[str])
    identities: Counter[int] = field(default_factory=Counter[int])

    def note(self, samples: Samples) -> None:
        """Note the span of one job, as the line hands it over."""
        if samples.fault is None:
            for name in samples.points:
                key = (samples.device, name, samples.taken_ms)
                self.spans[key] = min(self.spans.get(key, 1e18), _loop_s(samples.begun_ms))

    def take(self, message: Published) -> None:
        """Take one published message, as text."""
        if message.kind not in ("prop", "hist"):
            return
        body = message.body
        for record in body.get("items", [body]):
            self.identities[record["seq"]] += 1
            for entry in record["pts"]:
                self._take_entry(body["dev"], record["ts"], entry)

    def _take_entry(self, dev: str, ts_ms: int, entry: Mapping[str, Any]) -> None:
        if entry.get("q", GOOD) == GOOD:
            self.values.append((dev, entry["p"], ts_ms, entry["v"]))
        else:
            assert entry.get("v") is None, "what is bad shows no value"
            self.reasons[entry["qr"]] += 1

    def false(self, truth: Truth) -> list[tuple[str, str, int, object]]:
        """Return the published values that no meter served in their span."""
        return [
            one
            for one in self.values
            if not truth.holds(
                int(one[0].removeprefix("em-")),
                int(one[1].removeprefix("r")),
                one[3],
                (self.spans[one[:3]] - ROUNDING_S, _loop_s(one[2]) + ROUNDING_S),
            )
        ]


def _loop_s(ms: int) -> float:
    return (ms - EPOCH_MS) / 1000


@in_virtual_time
async def run_faults(
    folder: Path, rate: float, seed: int, transactions: int
) -> tuple[Audit, list[Meter]]:
    """Run eight meters with faults, for so many transactions."""
    meters = [Meter(unit, spoil=Spoiler(rate, seed * 100 + unit)) for unit in UNITS]
    link = wire(*meters)
    devices = [device(unit, points()) for unit in UNITS]
    audit = Audit()
    bus = Bus(serial_line(), devices, link)
    gateway = VirtualGateway(folder, [bus], audit.take, audit.note)
    await gateway.run(lambda: len(link.stats.sent) >= transactions)
    return audit, meters


def judge(folder: Path, seed: int, transactions: int, rate: float = 0.1) -> dict[str, int]:
    """Run and return figures. Raises AssertionError when anything is false."""
    audit, meters = run_faults(folder, rate, seed, transactions)
    false = audit.false(Truth.of(meters))
    assert not false, false[:5]
    assert set(audit.identities.values()) == {1}
    assert len(audit.values) > 2 * transactions, "most of it was published"
    assert {"timeout", "exception:4"} <= audit.reasons.keys()
    return {
        "transactions": transactions,
        "values": len(audit.values),
        "bad": audit.reasons.total(),
        "false": len(false),
    }


@pytest.mark.parametrize("seed", range(4))
def test_nothing_false_is_published_over_5000_transactions(tmp_path: Path, seed: int) -> None:
    judge(tmp_path, seed, 5_000)


def test_nothing_false_is_published_when_every_third_answer_is_spoilt(tmp_path: Path) -> None:
    judge(tmp_path, 11, 2_000, rate=0.3)


def test_the_audit_finds_a_value_that_nobody_served(tmp_path: Path) -> None:
    audit, meters = run_faults(tmp_path, 0.0, 1, 300)
    truth = Truth.of(meters)
    assert not audit.false(truth)
    device_id, name, ts_ms, value = audit.values[-1]
    assert isinstance(value, float)
    audit.values.append((device_id, name, ts_ms, value + 0.01))
    audit.values.append(("em-01" if device_id != "em-01" else "em-02", name, ts_ms, value))
    audit.spans[audit.values[-1][:3]] = audit.spans[device_id, name, ts_ms]
    assert len(audit.false(truth)) == 2


@pytest.mark.slow
def test_nothing_false_is_published_over_10000_transactions(tmp_path: Path) -> None:
    judge(tmp_path / "10", 10, 10_000)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="linli-false-") as here:
        totals: Counter[str] = Counter()
        for number in range(20, 30):
            totals.update(judge(Path(here) / str(number), number, 10_000))
        sys.stdout.write(json.dumps(totals) + "\n")
